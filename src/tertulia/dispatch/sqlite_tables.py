"""The journal's tables in a file of their own, with a thread of its own.

`synchronous=NORMAL`: the promise is at least once, and a lost newest batch only means that its
events are sent again.
"""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import ParamSpec, TypeVar

from tertulia.dispatch.tables import Claims, Row, Step, Value
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId

P = ParamSpec("P")
T = TypeVar("T")
_NUMBERED = re.compile(r"\$(\d+)")


class SqliteTables:
    """Opened, and made if need be, on first use. Another process may use the file too."""

    def __init__(
        self, path: str | Path, *, executor: Executor | None = None, busy_seconds: float = 5.0
    ) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._opened: sqlite3.Connection | None = None
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="journal")

    async def fetch(self, sql: str, *values: Value) -> Sequence[Row]:
        return await self._run(self._fetch, sql, values)

    async def write(
        self, claims: Claims, steps: Callable[[Collection[ApplicationId]], Iterable[Step]]
    ) -> Collection[ApplicationId]:
        """Whoever has the file has all of the work: no claim is ever lost."""
        await self._run(self._write, tuple(steps(())))
        return ()

    async def close(self) -> None:
        if self._opened is not None:
            await self._run(self._opened.close)
        self._executor.shutdown()

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(function, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except sqlite3.Error as error:
            raise Unavailable(f"the journal: {error}") from error

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = _open(self._path, self._busy_seconds)
        return self._opened

    def _fetch(self, sql: str, values: Sequence[Value]) -> list[sqlite3.Row]:
        with closing(self._connection.execute(_said(sql), values)) as cursor:
            return cursor.fetchall()

    def _write(self, steps: Iterable[Step]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in steps:
                connection.executemany(_said(step.sql), step.rows)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@cache
def _said(sql: str) -> str:
    """As SQLite says it: the tables have the file for themselves, and so shorter names."""
    return _NUMBERED.sub(r"?\1", sql).replace("webhook_", "")


def _open(path: str | Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(resources.files(__package__).joinpath("journal.sql").read_text("utf8"))
    return connection
