"""The journal for everybody but the dispatcher: lists for REST and CLI, requests, figures.

Another process may write at the same time; each answer is one consistent look.
"""

from msgspec import Struct

from tertulia.dispatch.journal import read_lane, read_replay
from tertulia.dispatch.records import Attempt, Counts, DeadLetter, Purpose, Replay
from tertulia.dispatch.tables import Row, Tables, Value
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.instant import Instant


class AttemptFilter(Struct, frozen=True):
    """Every condition that is given has to hold."""

    application_id: ApplicationId
    conversation_id: ConversationId | None = None
    position: Position | None = None
    delivered: bool | None = None


class ListedAttempt(Struct, frozen=True):
    """An attempt with the number that `after` takes."""

    number: int
    attempt: Attempt


class ListedDeadLetter(Struct, frozen=True):
    number: int
    letter: DeadLetter


_DEAD_LETTERS = """
SELECT * FROM webhook_dead_letters WHERE application_id = $1 AND number > $2
ORDER BY number LIMIT $3"""
_REQUEST = """
INSERT INTO webhook_replays
    (application_id, conversation_id, first, last, target, requested_at, state)
VALUES ($1,$2,$3,$4,$5,$6,'waiting') RETURNING *"""
_REPLAY = "SELECT * FROM webhook_replays WHERE application_id = $1 AND id = $2"
_COUNTS = """
SELECT p.application_id, coalesce(t.delivered, 0) AS delivered, coalesce(t.failed, 0) AS failed,
    (SELECT count(*) FROM webhook_held AS h WHERE h.application_id = p.application_id) AS held,
    (SELECT count(*) FROM webhook_dead_letters AS d
        WHERE d.application_id = p.application_id) AS dead,
    p.cursor, p.waiting_since,
    (SELECT min(coalesce(failing_since, not_before)) FROM webhook_held AS h
        WHERE h.application_id = p.application_id) AS held_since
FROM webhook_progress AS p
LEFT JOIN webhook_totals AS t ON t.application_id = p.application_id
ORDER BY p.application_id"""
_LEASES = "SELECT count(*) AS held FROM webhook_leases WHERE node = $1 AND expires_at > now()"


class JournalReader:
    """Raises Unavailable."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def close(self) -> None:
        await self._tables.close()

    async def list_attempts(
        self, where: AttemptFilter, *, after: int | None = None, limit: int = 100
    ) -> list[ListedAttempt]:
        """Newest first; `after` is the number of the last one seen."""
        conditions: dict[str, Value] = {
            "application_id = $": where.application_id,
            "conversation_id = $": where.conversation_id,
            "position = $": where.position,
            "delivered = $": where.delivered,
            "number < $": after,
        }
        given = {text: value for text, value in conditions.items() if value is not None}
        found = " AND ".join(f"{text}{number}" for number, text in enumerate(given, 1))
        rows = await self._tables.fetch(
            f"SELECT * FROM webhook_attempts WHERE {found}"
            f" ORDER BY number DESC LIMIT ${len(given) + 1}",
            *given.values(),
            limit,
        )
        return [_read_attempt(row) for row in rows]

    async def list_dead_letters(
        self, application_id: ApplicationId, *, after: int = 0, limit: int = 100
    ) -> list[ListedDeadLetter]:
        """Oldest first; `after` is the number of the last one seen."""
        rows = await self._tables.fetch(_DEAD_LETTERS, application_id, after, limit)
        return [_read_dead_letter(row) for row in rows]

    async def request_replay(
        self,
        application_id: ApplicationId,
        *,
        now: Instant,
        conversation_id: ConversationId | None = None,
        first: Position | None = None,
        last: Position | None = None,
        target: str | None = None,
    ) -> Replay:
        """Ask for stored events to be sent again, in order; wake the dispatcher afterwards.

        One event: `first` = `last`. A range: both included, an absent end is open. A conversation:
        its id. Without any condition everything of the application is sent again.
        """
        [row] = await self._tables.fetch(
            _REQUEST, application_id, conversation_id, first, last, target, now
        )
        return read_replay(row)

    async def replay(self, application_id: ApplicationId, replay_id: int) -> Replay | None:
        rows = await self._tables.fetch(_REPLAY, application_id, replay_id)
        return read_replay(rows[0]) if rows else None

    async def counts(self) -> list[Counts]:
        """One row an application that a dispatcher has followed."""
        return [_read_counts(row) for row in await self._tables.fetch(_COUNTS)]

    async def leases(self, node: str) -> int:
        """Of how many applications a node's dispatcher has the webhook work. On PostgreSQL."""
        (row,) = await self._tables.fetch(_LEASES, node)
        return int(row["held"])


def _read_counts(row: Row) -> Counts:
    return Counts(
        row["application_id"], row["delivered"], row["failed"], row["held"], row["dead"],
        row["cursor"], _eldest(row["waiting_since"], row["held_since"]),
    )  # fmt: skip


def _eldest(*instants: int | None) -> Instant | None:
    return min((Instant(at) for at in instants if at is not None), default=None)


def _read_attempt(row: Row) -> ListedAttempt:
    attempt = Attempt(
        read_lane(row), Purpose(row["purpose"]), row["event_id"], row["position"], row["type"],
        row["url"], row["attempt"], row["at"], row["latency_ms"], row["status"], row["reason"],
        row["body_head"], bool(row["delivered"]),
    )  # fmt: skip
    return ListedAttempt(row["number"], attempt)


def _read_dead_letter(row: Row) -> ListedDeadLetter:
    letter = DeadLetter(
        read_lane(row), row["event_id"], row["position"], row["type"], row["tries"],
        row["failing_since"], row["at"], row["reason"],
    )  # fmt: skip
    return ListedDeadLetter(row["number"], letter)
