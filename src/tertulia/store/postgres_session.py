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
from tertulia.store.batch import Answered, Batch, Outcome, Rows
from tertulia.store.entry import Entry
from tertulia.store.heads import Heads
from tertulia.store.postgres_connections import FAILED, LOST, connect, part, place_of
from tertulia.store.postgres_migrations import migrate
from tertulia.store.postgres_queries import STATEMENTS, Argument, storable_json
from tertulia.store.postgres_rows import rounds
from tertulia.store.tail import Tail

T = TypeVar("T")
_log = logging.getLogger(__name__)

DOUBT_SECONDS = 30.0
"""For finding out what became of a commit; then the answer is that it is not known."""
RETRY_SECONDS = 0.1
COMMAND_SECONDS = 20.0
SERVER_SETTINGS = {"idle_in_transaction_session_timeout": "5000", "statement_timeout": "15000"}
"""Milliseconds. A writer that was stopped in its transaction keeps the others waiting so long."""
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""
_NOTHING = "INSERT 0 0"
_OLD_WRITERS = "DELETE FROM writers WHERE at < now() - interval '30 days' AND id <> $1"
_NEW_WRITER = "INSERT INTO writers (id, batch) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING"


class _Known(Struct, frozen=True):
    """What is right as long as this is the newest batch of all writers."""

    writer: str
    batch: int
    heads: Heads


class _Doubt(Struct, frozen=True):
    """A batch whose commit was asked for, and not answered yet."""

    batch: int
    outcomes: list[Outcome]


class WriterSession:
    def __init__(self, url: str, tail: Tail) -> None:
        self._url = url
        self._tail = tail
        self._writer = uuid4().hex
        self._batches = 0
        self._known: _Known | None = None
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
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError):
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
        self._known = self._doubt = None

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
                self._url, "writer", seconds=COMMAND_SECONDS, settings=SERVER_SETTINGS
            )
        except FAILED as error:
            raise self._not_open(error) from error
        try:
            if makes:
                await migrate(connection)
            await connection.execute(_DURABLE)
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
        known = self._known
        if known and known.writer == self._writer and not any(entry.rows for entry in entries):
            batch, outcomes = await _decided(connection, known.heads, entries)
            if batch.log and batch.is_log_only:
                if await self._put_alone(connection, batch, outcomes, known):
                    return outcomes
            if batch.log:  # the heads have moved on, and nothing was written
                self._known = None
        return await self._put(connection, entries)

    async def _put_alone(
        self, connection: Connection, batch: Batch, outcomes: list[Outcome], known: _Known
    ) -> bool:
        """In one statement, and so one way to the server; False: another has written meanwhile."""
        (arrays,) = rounds("put_log", batch.log)
        mark = self._mark(batch.position)
        self._doubt = _Doubt(self._batches, outcomes)
        told = await _run(connection, "put_log_alone", {**arrays, **mark, "last": known.batch})
        self._doubt = None
        if told == _NOTHING:
            return False
        self._known = _Known(self._writer, self._batches, known.heads)
        return True

    async def _put(self, connection: Connection, entries: Sequence[Entry]) -> list[Outcome]:
        """In a transaction that nobody comes between."""
        async with connection.transaction():
            known = await self._renewed(connection)
            batch, outcomes = await _decided(connection, known.heads, entries)
            if not await _write(connection, batch):
                return outcomes
            await _run(connection, "note", self._mark(batch.position))
            self._doubt = _Doubt(self._batches, outcomes)
        self._doubt = None
        self._known = _Known(self._writer, self._batches, known.heads)
        return outcomes

    async def _renewed(self, connection: Connection) -> _Known:
        """Lock, and know what is so from now on until the commit."""
        writer, batch = await _locked(connection)
        known = self._known
        if known is None or (known.writer, known.batch) != (writer, batch):
            heads = Heads(await connection.fetchval(STATEMENTS["heads"].sql))
            self._tail.restart(Position(heads.position))
            known = self._known = _Known(writer, batch, heads)
        return known

    def _mark(self, position: int) -> dict[str, Argument]:
        """A new batch of ours."""
        self._batches += 1
        return {"position": position, "writer": self._writer, "batch": self._batches}

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
            head = await connection.fetchval(STATEMENTS["head"].sql)
            # What is left of a broken connection, and may still come, finds that others wrote.
            await _run(connection, "fence", self._mark(int(head)))
        return newest


async def _locked(connection: Connection) -> tuple[str, int]:
    """Writer and number of the newest batch; nobody writes another until we commit."""
    row = await connection.fetchrow(STATEMENTS["lock"].sql)
    assert row is not None
    return row["writer"], row["batch"]


async def _decided(
    connection: Connection, heads: Heads, entries: Sequence[Entry]
) -> tuple[Batch, list[Outcome]]:
    batch = Batch(heads)
    await _answered(connection, batch.look_up(entries))
    return batch, [batch.add(entry) for entry in entries]


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
