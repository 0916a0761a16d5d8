"""The log and the directory in one SQLite file, for one writing process and any that read.

WAL, and a sync to disk before a write is answered. The log is a table in the order of commits with
a narrow index by conversation and number; the rest are rows changed in the same transactions.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position, UserId
from tertulia.ports import Append, EventQuery
from tertulia.store import rows
from tertulia.store.entry import append_entry
from tertulia.store.migrations import check, migrate
from tertulia.store.queries import SQL, listing
from tertulia.store.reader import Parameter, Reader
from tertulia.store.sqlite_directory import SqliteDirectory
from tertulia.store.sqlite_messages import SqliteMessages
from tertulia.store.tail import Tail
from tertulia.store.writer import WAITING_MAX, Writer

Connect = Callable[..., sqlite3.Connection]

CUSTOM_TYPES = "custom:*"
_HIGHEST = 2**63 - 1
_WRITER = """
PRAGMA page_size = 4096;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -32768;
PRAGMA wal_autocheckpoint = 4000;
PRAGMA journal_size_limit = 67108864;
"""
_READER = """
PRAGMA query_only = ON;
PRAGMA cache_size = -4096;
"""


class SqliteLog:
    """EventLog."""

    _reader: Reader
    _writer: Writer | None
    _tail: Tail | None
    """None where another process writes."""
    _epoch: str

    @property
    def epoch(self) -> str:
        return self._epoch

    def append(self, append: Append) -> Awaitable[Position]:
        if self._writer is None:
            raise Unavailable("the store is open for reading")
        future = self._writer.future()
        self._writer.submit(append_entry(append, future))
        return future

    async def event(self, conversation_id: ConversationId, event_id: EventId) -> Event | None:
        found = await self._events("event", conversation=conversation_id, event=event_id)
        return found[0] if found else None

    async def events(self, conversation_id: ConversationId, query: EventQuery) -> list[Event]:
        parameters: dict[str, Parameter] = {
            "conversation": conversation_id,
            "after": query.after,
            "before": _HIGHEST if query.before is None else query.before,
            "types": rows.encode(query.types).decode() if query.types else None,
            "custom": CUSTOM_TYPES in query.types,
            "about": rows.encode(query.about).decode() if query.about else None,
            "exclude_deleted": query.exclude_deleted,
            "limit": query.limit,
        }
        sql = listing("events", descending=query.descending)
        return [row.event() for row in await self._reader.read(sql, rows.events, parameters)]

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]:
        if application_id is None:
            return await self._events("follow", after=after, limit=limit)
        return await self._events(
            "follow_application", application=application_id, after=after, limit=limit
        )

    async def follow_user(
        self, after: Position, user_id: UserId, *, limit: int = 500
    ) -> list[Event]:
        return await self._events("follow_user", after=after, user=user_id, limit=limit)

    def tail(self, after: Position) -> list[Event] | None:
        return None if self._tail is None else self._tail.after(after)

    async def _events(self, name: str, **parameters: Parameter) -> list[Event]:
        found = await self._reader.read(SQL[name], rows.events, parameters)
        return [row.event() for row in found]

    async def head(self) -> Position:
        return await self._reader.read(SQL["head"], rows.position)

    def on_append(self, wake: Callable[[], None]) -> None:
        if self._writer is not None:
            self._writer.on_batch(wake)


class SqliteStore(SqliteLog, SqliteDirectory, SqliteMessages):
    """Both ports over one file. Reads never wait for the writer."""

    def __init__(
        self, reader: Reader, writer: Writer | None, tail: Tail | None, epoch: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._tail = tail
        self._epoch = epoch

    @classmethod
    async def open(
        cls, path: Path, *, waiting_max: int = WAITING_MAX, connect: Connect = sqlite3.connect
    ) -> "SqliteStore":
        """Open to write and read, making or migrating the file. For one process at a time.

        `connect` is for tests in which the disk fails. Raises UnknownSchema or Unavailable.
        """
        connection = await asyncio.to_thread(_open, path, connect, script=_WRITER, writes=True)
        (head,) = connection.execute(SQL["head"]).fetchone()
        tail = Tail(rows.position.decode(head))
        loop = asyncio.get_running_loop()
        writer = Writer(connection, loop, tail, waiting_max=waiting_max)
        return await cls._over(path, writer, tail)

    @classmethod
    async def open_reader(cls, path: Path) -> "SqliteStore":
        """Open a store that another process writes; writing here is Unavailable, no wake comes."""
        return await cls._over(path, None, None)

    @classmethod
    async def _over(cls, path: Path, writer: Writer | None, tail: Tail | None) -> "SqliteStore":
        reader = Reader(partial(_open, path, sqlite3.connect, script=_READER, writes=False))
        return cls(reader, writer, tail, await reader.read(SQL["epoch"], rows.text))

    async def close(self) -> None:
        """Write all that was appended, then let go of the file."""
        if self._writer is not None:
            await self._writer.close()
        await self._reader.close()


def _open(path: Path, connect: Connect, *, script: str, writes: bool) -> sqlite3.Connection:
    mode = "rwc" if writes else "rw"
    try:
        connection = connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        try:
            connection.executescript(script)
            if writes:
                migrate(connection)
                connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (uuid4().hex,))
            else:
                check(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open the store {path}: {error}") from error
    return connection
