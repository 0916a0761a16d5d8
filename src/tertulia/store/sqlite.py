"""The log and the directory in one SQLite file, for one writing process and any that read.

WAL, and a sync to disk before a write is answered. The log is a table in the order of commits with
a narrow index by conversation and number; the rest are rows changed in the same transactions.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

from tertulia.model.errors import Unavailable
from tertulia.store import rows
from tertulia.store.migrations import check, migrate
from tertulia.store.queries import SQL
from tertulia.store.reader import ThreadedReader
from tertulia.store.stored import Stored
from tertulia.store.tail import Tail
from tertulia.store.writer import WAITING_MAX, ThreadedWriter

Connect = Callable[..., sqlite3.Connection]

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


class SqliteStore(Stored):
    """Over one file. Reads never wait for the writer."""

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
        writer = ThreadedWriter(connection, loop, tail, waiting_max=waiting_max)
        return await cls._over(path, writer, tail)

    @classmethod
    async def open_reader(cls, path: Path) -> "SqliteStore":
        """Open a store that another process writes; writing here is Unavailable, no wake comes."""
        return await cls._over(path, None, None)

    @classmethod
    async def _over(
        cls, path: Path, writer: ThreadedWriter | None, tail: Tail | None
    ) -> "SqliteStore":
        reader = ThreadedReader(partial(_open, path, sqlite3.connect, script=_READER, writes=False))
        return cls(reader, writer, tail, await reader.read("epoch", rows.text))


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
