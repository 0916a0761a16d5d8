"""The dispatcher's journal: cursors, held lanes, attempts, dead letters, replays, in SQLite.

One transaction a batch, so a cursor never passes what is not written. `synchronous=NORMAL`: the
promise is at least once, and a lost newest batch only means that its events are sent again.
Everybody but the dispatcher reads it through reading.py.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from importlib import resources
from pathlib import Path
from typing import ParamSpec, TypeVar

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
from tertulia.model.ids import ApplicationId, Position

P = ParamSpec("P")
T = TypeVar("T")
Row = Sequence[str | int | bytes | None]

_INSERT_ATTEMPT = """
INSERT INTO attempts (application_id, conversation_id, target, purpose, event_id, position, type,
    url, attempt, at, latency_ms, status, reason, body_head, delivered)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""
_TRIM_ATTEMPTS = "DELETE FROM attempts WHERE number <= (SELECT max(number) FROM attempts) - ?"
_ADD_TOTALS = """
INSERT INTO totals VALUES (?,?,?) ON CONFLICT (application_id)
DO UPDATE SET delivered = delivered + excluded.delivered, failed = failed + excluded.failed"""
_PUT_HELD = "INSERT OR REPLACE INTO held VALUES (?,?,?,?,?,?,?,?,?,?)"
_DROP_HELD = """
DELETE FROM held WHERE application_id = ? AND conversation_id = ? AND target = ? AND about = ?"""
_INSERT_DEAD = """
INSERT OR REPLACE INTO dead_letters (application_id, conversation_id, target, event_id, position,
    type, tries, failing_since, at, reason)
VALUES (?,?,?,?,?,?,?,?,?,?)"""
_DROP_DEAD = "DELETE FROM dead_letters WHERE application_id = ? AND position = ? AND target = ?"
_UPDATE_REPLAY = "UPDATE replays SET state = ?, after = ?, delivered = ?, failed = ? WHERE id = ?"
_PUT_PROGRESS = "INSERT OR REPLACE INTO progress VALUES (?,?,?)"


def open_journal(path: str | Path) -> sqlite3.Connection:
    """Open the file, made if need be. The connection may be used from one thread at a time."""
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(resources.files(__package__).joinpath("journal.sql").read_text("utf8"))
    return connection


class Journal:
    """The writer's side, in a thread of its own.

    Raises sqlite3.Error, and then nothing of what was to be written is.
    """

    def __init__(
        self, path: str | Path, *, attempts_kept: int = 200_000, executor: Executor | None = None
    ) -> None:
        self._connection = open_journal(path)
        self._attempts_kept = attempts_kept
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="journal")

    def close(self) -> None:
        self._executor.shutdown()
        self._connection.close()

    async def begin_epoch(self, epoch: str) -> None:
        """Forget cursors, held lanes, dead letters and replays of a store that was replaced."""
        await self._run(self._begin_epoch, epoch)

    async def cursor(self, application_id: ApplicationId) -> Position:
        rows = await self._run(
            self._read, "SELECT cursor FROM progress WHERE application_id = ?", application_id
        )
        return Position(rows[0]["cursor"] if rows else 0)

    async def held(self, application_id: ApplicationId) -> list[Held]:
        rows = await self._run(
            self._read, "SELECT * FROM held WHERE application_id = ?", application_id
        )
        return [read_held(row) for row in rows]

    async def waiting_replays(self) -> list[Replay]:
        """Oldest first."""
        rows = await self._run(
            self._read, "SELECT * FROM replays WHERE state = 'waiting' ORDER BY id LIMIT 1000"
        )
        return [read_replay(row) for row in rows]

    async def write(self, batch: Batch) -> None:
        await self._run(self._write, batch)

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _read(self, sql: str, *parameters: str) -> list[sqlite3.Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def _begin_epoch(self, epoch: str) -> None:
        known = self._read("SELECT epoch FROM epoch")
        if known and known[0]["epoch"] == epoch:
            return
        with self._transaction() as run:
            for table in ("progress", "held", "dead_letters", "replays"):
                run.execute(f"DELETE FROM {table}")
            run.execute("INSERT OR REPLACE INTO epoch VALUES (1, ?)", (epoch,))

    def _write(self, batch: Batch) -> None:
        with self._transaction() as run:
            self._write_attempts(run, batch.attempts)
            kept = [held for held in batch.held.values() if held is not None]
            gone = [name for name, held in batch.held.items() if held is None]
            run.executemany(_DROP_HELD, [_lane_key(name) for name in gone])
            run.executemany(_PUT_HELD, [_held_row(held) for held in kept])
            run.executemany(_INSERT_DEAD, [_dead_row(letter) for letter in batch.dead])
            run.executemany(_DROP_DEAD, [_letter_key(letter) for letter in batch.revived])
            run.executemany(_UPDATE_REPLAY, [_replay_row(one) for one in batch.replays.values()])
            run.executemany(_PUT_PROGRESS, [_progress_row(one) for one in batch.progress])

    def _write_attempts(self, run: sqlite3.Connection, attempts: list[Attempt]) -> None:
        if not attempts:
            return
        run.executemany(_INSERT_ATTEMPT, [_attempt_row(attempt) for attempt in attempts])
        run.execute(_TRIM_ATTEMPTS, (self._attempts_kept,))
        tally = Counter((attempt.lane.application_id, attempt.delivered) for attempt in attempts)
        run.executemany(
            _ADD_TOTALS,
            [(name, tally[name, True], tally[name, False]) for name in {key[0] for key in tally}],
        )

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)


class _Transaction:
    """`BEGIN IMMEDIATE` … `COMMIT`, or `ROLLBACK` when the block or the commit fails."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def read_lane(row: sqlite3.Row) -> LaneName:
    return LaneName(row["application_id"], row["conversation_id"] or None, row["target"])


def read_held(row: sqlite3.Row) -> Held:
    return Held(
        replace(read_lane(row), about=row["about"] or None), row["after"], row["position"],
        row["tries"], row["failing_since"], row["not_before"], row["reason"],
    )  # fmt: skip


def read_replay(row: sqlite3.Row) -> Replay:
    return Replay(
        row["id"], row["application_id"], row["requested_at"], row["conversation_id"],
        row["first"], row["last"], row["target"], ReplayState(row["state"]), row["after"],
        row["delivered"], row["failed"],
    )  # fmt: skip


def _lane_key(name: LaneName) -> Row:
    return name.application_id, name.conversation_id or "", name.target, name.about or ""


def _lane_shown(name: LaneName) -> Row:
    """For the lists: what is about a conversation is found under it."""
    return name.application_id, name.conversation_id or name.about or "", name.target


def _held_row(held: Held) -> Row:
    return (
        *_lane_key(held.lane), held.after, held.position, held.tries, held.failing_since,
        held.not_before, held.reason,
    )  # fmt: skip


def _attempt_row(attempt: Attempt) -> Row:
    return (
        *_lane_shown(attempt.lane), attempt.purpose, attempt.event_id, attempt.position,
        attempt.type, attempt.url, attempt.number, attempt.at, attempt.latency_ms, attempt.status,
        attempt.reason, attempt.body_head, attempt.delivered,
    )  # fmt: skip


def _dead_row(letter: DeadLetter) -> Row:
    return (
        *_lane_shown(letter.lane), letter.event_id, letter.position, letter.type, letter.tries,
        letter.failing_since, letter.at, letter.reason,
    )  # fmt: skip


def _letter_key(letter: Letter) -> Row:
    return letter.application_id, letter.position, letter.target


def _replay_row(replay: Replay) -> Row:
    return replay.state, replay.after, replay.delivered, replay.failed, replay.id


def _progress_row(progress: Progress) -> Row:
    return progress.application_id, progress.cursor, progress.waiting_since
