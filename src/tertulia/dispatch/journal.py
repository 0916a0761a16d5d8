"""The dispatcher's journal: cursors, held lanes, attempts, dead letters, replays.

One transaction a batch, so a cursor never passes what is not written. Everybody but the dispatcher
reads it through reading.py.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from tertulia.dispatch.records import (
    Attempt,
    Batch,
    DeadLetter,
    Held,
    LaneName,
    Letter,
    Progress,
    Replay,
    ReplayState,
)
from tertulia.dispatch.tables import Row, Step, Tables, Value
from tertulia.model.ids import ApplicationId, Position

_SET_EPOCH = """
INSERT INTO webhook_epoch (one, epoch) VALUES (1, $1)
ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch"""
_OF_AN_EPOCH = (
    "webhook_progress", "webhook_held", "webhook_dead_letters", "webhook_replays",
)  # fmt: skip
_FORGET = "DELETE FROM {} WHERE NOT EXISTS (SELECT 1 FROM webhook_epoch WHERE epoch = $1)"
_CURSOR = "SELECT cursor FROM webhook_progress WHERE application_id = $1"
_HELD = "SELECT * FROM webhook_held WHERE application_id = $1"
_WHO_WAITS = "SELECT DISTINCT application_id FROM webhook_replays WHERE state = 'waiting'"
_WAITING = """
SELECT * FROM webhook_replays WHERE state = 'waiting' AND application_id = $1
ORDER BY id LIMIT 100"""
_INSERT_ATTEMPT = """
INSERT INTO webhook_attempts (application_id, conversation_id, target, purpose, event_id, position,
    type, url, attempt, at, latency_ms, status, reason, body_head, delivered)
VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)"""
_TRIM_ATTEMPTS = """
DELETE FROM webhook_attempts WHERE number <= (SELECT max(number) FROM webhook_attempts) - $1"""
_ADD_TOTALS = """
INSERT INTO webhook_totals (application_id, delivered, failed) VALUES ($1,$2,$3)
ON CONFLICT (application_id) DO UPDATE SET
    delivered = webhook_totals.delivered + excluded.delivered,
    failed = webhook_totals.failed + excluded.failed"""
_PUT_HELD = """
INSERT INTO webhook_held (application_id, conversation_id, target, about, after, position, tries,
    failing_since, not_before, reason)
VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
ON CONFLICT (application_id, conversation_id, target, about) DO UPDATE SET
    after = excluded.after, position = excluded.position, tries = excluded.tries,
    failing_since = excluded.failing_since, not_before = excluded.not_before,
    reason = excluded.reason"""
_DROP_HELD = """
DELETE FROM webhook_held
WHERE application_id = $1 AND conversation_id = $2 AND target = $3 AND about = $4"""
_INSERT_DEAD = """
INSERT INTO webhook_dead_letters (application_id, conversation_id, target, event_id, position, type,
    tries, failing_since, at, reason)
VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
ON CONFLICT (application_id, position, target) DO UPDATE SET
    tries = excluded.tries, failing_since = excluded.failing_since, at = excluded.at,
    reason = excluded.reason"""
_DROP_DEAD = """
DELETE FROM webhook_dead_letters WHERE application_id = $1 AND position = $2 AND target = $3"""
_UPDATE_REPLAY = """
UPDATE webhook_replays SET state = $1, after = $2, delivered = $3, failed = $4 WHERE id = $5"""
_PUT_PROGRESS = """
INSERT INTO webhook_progress (application_id, cursor, waiting_since) VALUES ($1,$2,$3)
ON CONFLICT (application_id) DO UPDATE SET
    cursor = excluded.cursor, waiting_since = excluded.waiting_since"""

TRIMS = 50
"""Old attempts are deleted whenever this part of those that are kept has come."""


class Journal:
    """The writer's side. Raises Unavailable: the same may be tried again."""

    def __init__(self, tables: Tables, *, attempts_kept: int = 200_000) -> None:
        self._tables = tables
        self._attempts_kept = attempts_kept
        self._untrimmed = 0

    async def close(self) -> None:
        await self._tables.close()

    async def begin_epoch(self, epoch: str) -> None:
        """Forget cursors, held lanes, dead letters and replays of a store that was replaced."""
        forget = [Step(_FORGET.format(table), [(epoch,)]) for table in _OF_AN_EPOCH]
        await self._tables.write({}, lambda _: [*forget, Step(_SET_EPOCH, [(epoch,)])])

    async def cursor(self, application_id: ApplicationId) -> Position:
        rows = await self._tables.fetch(_CURSOR, application_id)
        return Position(rows[0]["cursor"] if rows else 0)

    async def held(self, application_id: ApplicationId) -> list[Held]:
        rows = await self._tables.fetch(_HELD, application_id)
        return [read_held(row) for row in rows]

    async def waiting_replays(self, of: Collection[ApplicationId]) -> list[Replay]:
        """The oldest of each of the applications, in order."""
        who = [row["application_id"] for row in await self._tables.fetch(_WHO_WAITS)]
        rows = [
            row for each in who if each in of for row in await self._tables.fetch(_WAITING, each)
        ]
        return [read_replay(row) for row in rows]

    async def write(self, batch: Batch) -> Collection[ApplicationId]:
        """The applications whose claim was lost: of theirs, only attempts are written, which were
        made after all."""
        untrimmed = self._untrimmed + len(batch.attempts)
        trims = untrimmed * TRIMS >= self._attempts_kept
        lost = await self._tables.write(batch.claims, partial(self._steps, batch, trims=trims))
        self._untrimmed = 0 if trims else untrimmed
        return lost

    def _steps(
        self, batch: Batch, lost: Collection[ApplicationId], *, trims: bool
    ) -> Iterator[Step]:
        yield from (step for step in _steps(_without(batch, lost)) if step.rows)
        if trims:  # last: other nodes may be at the same rows, and then wait for us alone
            yield Step(_TRIM_ATTEMPTS, [(self._attempts_kept,)])


def _without(batch: Batch, lost: Collection[ApplicationId]) -> Batch:
    if not lost:
        return batch
    return Batch(
        attempts=batch.attempts,
        held={name: at for name, at in batch.held.items() if name.application_id not in lost},
        dead=[letter for letter in batch.dead if letter.lane.application_id not in lost],
        revived=[letter for letter in batch.revived if letter.application_id not in lost],
        replays={at: one for at, one in batch.replays.items() if one.application_id not in lost},
        progress=[one for one in batch.progress if one.application_id not in lost],
    )


def _steps(batch: Batch) -> Iterator[Step]:
    attempts = batch.attempts
    tally = Counter((attempt.lane.application_id, attempt.delivered) for attempt in attempts)
    yield Step(_INSERT_ATTEMPT, [_attempt_row(attempt) for attempt in attempts])
    yield Step(
        _ADD_TOTALS,
        [
            (name, tally[name, True], tally[name, False])
            for name in sorted({key[0] for key in tally})
        ],
    )
    yield Step(_DROP_HELD, [_lane_key(name) for name, held in batch.held.items() if held is None])
    yield Step(_PUT_HELD, [_held_row(held) for held in batch.held.values() if held is not None])
    yield Step(_INSERT_DEAD, [_dead_row(letter) for letter in batch.dead])
    yield Step(_DROP_DEAD, [_letter_key(letter) for letter in batch.revived])
    yield Step(_UPDATE_REPLAY, [_replay_row(one) for one in batch.replays.values()])
    yield Step(_PUT_PROGRESS, [_progress_row(one) for one in batch.progress])


def read_lane(row: Row) -> LaneName:
    return LaneName(row["application_id"], row["conversation_id"] or None, row["target"])


def read_held(row: Row) -> Held:
    return Held(
        replace(read_lane(row), about=row["about"] or None), row["after"], row["position"],
        row["tries"], row["failing_since"], row["not_before"], row["reason"],
    )  # fmt: skip


def read_replay(row: Row) -> Replay:
    return Replay(
        row["id"], row["application_id"], row["requested_at"], row["conversation_id"],
        row["first"], row["last"], row["target"], ReplayState(row["state"]), row["after"],
        row["delivered"], row["failed"],
    )  # fmt: skip


def _lane_key(name: LaneName) -> Sequence[Value]:
    return name.application_id, name.conversation_id or "", name.target, name.about or ""


def _lane_shown(name: LaneName) -> Sequence[Value]:
    """For the lists: what is about a conversation is found under it."""
    return name.application_id, name.conversation_id or name.about or "", name.target


def _held_row(held: Held) -> Sequence[Value]:
    return (
        *_lane_key(held.lane), held.after, held.position, held.tries, held.failing_since,
        held.not_before, held.reason,
    )  # fmt: skip


def _attempt_row(attempt: Attempt) -> Sequence[Value]:
    return (
        *_lane_shown(attempt.lane), attempt.purpose, attempt.event_id, attempt.position,
        attempt.type, attempt.url, attempt.number, attempt.at, attempt.latency_ms, attempt.status,
        attempt.reason, attempt.body_head, attempt.delivered,
    )  # fmt: skip


def _dead_row(letter: DeadLetter) -> Sequence[Value]:
    return (
        *_lane_shown(letter.lane), letter.event_id, letter.position, letter.type, letter.tries,
        letter.failing_since, letter.at, letter.reason,
    )  # fmt: skip


def _letter_key(letter: Letter) -> Sequence[Value]:
    return letter.application_id, letter.position, letter.target


def _replay_row(replay: Replay) -> Sequence[Value]:
    return replay.state, replay.after, replay.delivered, replay.failed, replay.id


def _progress_row(progress: Progress) -> Sequence[Value]:
    return progress.application_id, progress.cursor, progress.waiting_since
