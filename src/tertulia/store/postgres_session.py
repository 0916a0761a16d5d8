"""The writer's connection: batches as transactions, and what became of one when it broke.

Whoever writes locks the row `head` until its commit, so that the batches of all writers come one
after the other, and notes its batch by number. A batch whose connection broke at its commit is
looked up by that number, behind the same lock, before anything else is done.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import uuid4

import asyncpg
from asyncpg import Connection
from msgspec import Struct

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position
from tertulia.postgres.connections import FAILED, LOST, OURS, be_durable, connect, part, place_of
from tertulia.postgres.values import storable_json
from tertulia.store.batch import Answered, Batch, Outcome, Rows
from tertulia.store.entry import Entry
from tertulia.store.heads import Heads
from tertulia.store.owner import Owner
from tertulia.store.postgres_known import Known, Newest
from tertulia.store.postgres_migrations import migrate
from tertulia.store.postgres_queries import PLANNING, STATEMENTS, Argument
from tertulia.store.postgres_rows import rounds
from tertulia.store.sides import NewestPart

T = TypeVar("T")
_log = logging.getLogger(__name__)

DOUBT_SECONDS = 30.0
"""For finding out what became of a commit; then the answer is that it is not known."""
RETRY_SECONDS = 0.1
COMMAND_SECONDS = 20.0
SERVER_SETTINGS = {"idle_in_transaction_session_timeout": "2000", "statement_timeout": "15000"}
"""Milliseconds. A writer that was stopped in its transaction keeps the others waiting so long."""
_HAS_WRITER = """
SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'tertulia writer' AND datname = current_database())
"""
_NOTHING = "INSERT 0 0"
_OLD_WRITERS = "DELETE FROM writers WHERE at < now() - interval '30 days' AND id <> $1"
_NEW_WRITER = "INSERT INTO writers (id, batch) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING"


class _Doubt(Struct, frozen=True):
    """A batch whose commit was asked for, and not answered yet."""

    batch: int
    outcomes: list[Outcome]


class WriterSession:
    def __init__(self, url: str, tail: NewestPart, *, owner: Owner | None = None) -> None:
        self._url = url
        self._tail = tail
        self._writer = uuid4().hex
        self._batches = 0
        self._known = Known(owner)
        self._doubt: _Doubt | None = None
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Make or migrate the store. Raises UnknownSchema, Unavailable."""
        try:
            connection = await self._connected(makes=True)
            await self._newest()  # what is left of a former process is over now
            head = await connection.fetchval(STATEMENTS["head"].sql)
            if await connection.fetchval("SHOW fsync") == "off":
                _log.warning("the database does not sync to disk", extra={"action": "store_unsafe"})
        except FAILED as error:
            self._drop()
            raise self._not_open(error) from error
        self._tail.restart(Position(int(head)))

    async def close(self) -> None:
        if self._connection is not None:
            await part(self._connection)

    async def commit(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Store what can be accepted; once more if the connection breaks before the commit.

        Raises Unavailable, or whatever a value that cannot be stored leads to.
        """
        for _ in range(2):
            try:
                return await self._transact(entries)
            except LOST:
                doubt = self._drop()
                if doubt is not None and await self._was_stored(doubt.batch):
                    return doubt.outcomes
            except OURS:
                self._forget()
                raise
            except asyncpg.PostgresError as error:
                self._drop()  # a new one may lead to a server that can
                raise Unavailable(f"the store cannot write: {error}") from error
            except BaseException:
                self._forget()
                raise
        raise Unavailable("the store's connection breaks")

    def _forget(self) -> None:
        self._known.forget()
        self._doubt = None

    def _drop(self) -> _Doubt | None:
        """Let go of the connection; what was in doubt."""
        doubt = self._doubt
        self._forget()
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        return doubt

    async def _connected(self, *, makes: bool = False) -> Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        try:
            connection = await connect(
                self._url, "writer", seconds=COMMAND_SECONDS, settings=SERVER_SETTINGS | PLANNING
            )
        except FAILED as error:
            raise self._not_open(error) from error
        try:
            if makes:
                await migrate(connection)
            await be_durable(connection)
            await connection.execute(_OLD_WRITERS, self._writer)
            await connection.execute(_NEW_WRITER, self._writer)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        return connection

    def _not_open(self, error: BaseException) -> Unavailable:
        return Unavailable(f"cannot open the store at {place_of(self._url)}: {error}")

    async def _transact(self, entries: Sequence[Entry]) -> list[Outcome]:
        connection = await self._connected()
        heads = self._known.heads
        if self._known.is_alone and heads and not any(entry.rows for entry in entries):
            batch, outcomes = await self._decided(connection, heads, entries)
            if batch.log and batch.is_log_only and self._known.has_room:
                if await self._put_alone(connection, batch, outcomes):
                    return outcomes
            if batch.log:  # the heads have moved on, and nothing was written
                self._known.forget()
        return await self._put(connection, entries)

    async def _put_alone(
        self, connection: Connection, batch: Batch, outcomes: list[Outcome]
    ) -> bool:
        """In one statement, and so one way to the server; False: another has written meanwhile."""
        (arrays,) = rounds("put_log", batch.log)
        last = self._known.batch
        mark = self._mark(batch.heads)
        self._doubt = _Doubt(self._batches, outcomes)
        told = await _run(connection, "put_log_alone", {**arrays, **mark, "last": last})
        self._doubt = None
        if told == _NOTHING:
            return False
        self._known.wrote(self._writer, self._batches)
        return True

    async def _put(self, connection: Connection, entries: Sequence[Entry]) -> list[Outcome]:
        """In a transaction that nobody comes between."""
        async with connection.transaction():
            newest = await _locked(connection)
            self._tail.restart(Position(newest.position))
            heads = await self._known.renew(connection, newest)
            batch, outcomes = await self._decided(connection, heads, entries)
            if not self._known.has_room:
                self._known.extended(await _extended(connection, heads.position))
            if not await _write(connection, batch):
                return outcomes
            await _run(connection, "note", self._mark(heads))
            self._doubt = _Doubt(self._batches, outcomes)
        self._doubt = None
        self._known.wrote(self._writer, self._batches)
        return outcomes

    async def _decided(
        self, connection: Connection, heads: Heads, entries: Sequence[Entry]
    ) -> tuple[Batch, list[Outcome]]:
        batch = Batch(heads)
        refusals = [self._known.refusal(entry) for entry in entries]
        ours = [entry for entry, no in zip(entries, refusals, strict=True) if no is None]
        await _answered(connection, batch.look_up(ours))
        return batch, [no or batch.add(entry) for entry, no in zip(entries, refusals, strict=True)]

    def _mark(self, heads: Heads) -> dict[str, Argument]:
        """A new batch of ours."""
        return {
            **self._signed(), "position": heads.position, "conversations": heads.conversations,
            "applications": len(heads.applications),
        }  # fmt: skip

    def _signed(self) -> dict[str, Argument]:
        self._batches += 1
        return {"writer": self._writer, "batch": self._batches}

    async def _was_stored(self, batch: int) -> bool:
        """Whether the newest batch of ours is this one. Raises Unavailable when nobody says."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DOUBT_SECONDS
        while True:
            try:
                return await self._newest() == batch
            except (Unavailable, *FAILED) as error:
                self._drop()
                if loop.time() > deadline:
                    raise Unavailable("whether it was stored is not known") from error
            await asyncio.sleep(RETRY_SECONDS)

    async def _newest(self) -> int | None:
        connection = await self._connected()
        async with connection.transaction():
            await _locked(connection)
            newest: int | None = await connection.fetchval(
                STATEMENTS["last_batch"].sql, self._writer
            )
            # What is left of a broken connection, and may still come, finds that others wrote.
            await _run(connection, "fence", self._signed())
        return newest


async def has_writer(connection: Connection) -> bool:
    """Whether a server has this database open to write."""
    found: bool = await connection.fetchval(_HAS_WRITER)
    return found


async def _locked(connection: Connection) -> Newest:
    """Nobody writes until we commit."""
    row = await connection.fetchrow(STATEMENTS["lock"].sql)
    assert row is not None
    return Newest(*row)


async def _extended(connection: Connection, position: int) -> int:
    """Where the log's parts end, once they have room for that one."""
    log_end: int = await connection.fetchval(STATEMENTS["extend_log"].sql, position)
    return log_end


async def _answered(connection: Connection, work: Answered[T]) -> T:
    """What the work comes to, its questions answered."""
    try:
        name, asked = next(work)
        while True:
            answer = await connection.fetchval(STATEMENTS[name].sql, storable_json(asked))
            name, asked = work.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


async def _write(connection: Connection, batch: Batch) -> bool:
    """Whether there was anything."""
    tables = batch.tables()
    for name, rows in tables:
        await _put_rows(connection, name, rows)
    blanked = await _answered(connection, batch.blanked())
    if blanked:
        await _put_rows(connection, "put_blanks", blanked)
    return bool(tables or blanked)


async def _put_rows(connection: Connection, name: str, rows: Rows) -> None:
    for arrays in rounds(name, rows):
        await _run(connection, name, arrays)


async def _run(connection: Connection, name: str, named: Mapping[str, Argument]) -> str:
    statement = STATEMENTS[name]
    status: str = await connection.execute(statement.sql, *statement.arguments(named))
    return status
