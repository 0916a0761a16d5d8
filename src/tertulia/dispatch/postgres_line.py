"""A connection of the dispatcher's to PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from asyncpg import Connection

from tertulia.model.errors import Unavailable

CONNECT_SECONDS = 5.0
FAILED = (
    OSError,  # a TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresError,
)
OURS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Trying again would not help: a bug."""
_SETTINGS = {"search_path": "tertulia", "jit": "off", "idle_in_transaction_session_timeout": "2000"}
"""Milliseconds. A process that was stopped in its transaction keeps others waiting so long."""
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""


class Line:
    """Made when it is needed, and again when it broke; for one use at a time.

    Its commits are on disk: what this process goes on to remember as written must not be gone after
    a crash of the server's, or a later cursor would pass a failure that nobody knows of.
    """

    def __init__(self, url: str, use: str, *, seconds: float) -> None:
        """`seconds`: for a command. `use`: its name in the server's lists."""
        self._url = url
        self._settings = {"application_name": f"tertulia {use}", **_SETTINGS}
        self._seconds = seconds
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Connection]:
        """The connection, until the end of the block. Raises Unavailable; what a value that cannot
        be stored leads to is raised as it is."""
        async with self._turn:
            try:
                yield await self._connected()
            except OURS:
                raise
            except FAILED as error:
                self._drop()
                raise Unavailable(f"PostgreSQL: {error}") from error
            except BaseException:
                self._drop()  # in the middle of something, perhaps
                raise

    async def close(self) -> None:
        if self._connection is not None:
            with suppress(*FAILED):
                await self._connection.close(timeout=1.0)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            made = await asyncpg.connect(
                self._url, timeout=min(CONNECT_SECONDS, self._seconds),
                command_timeout=self._seconds, max_cached_statement_lifetime=0,
                server_settings=self._settings,
            )  # fmt: skip
            self._connection = made
            await made.execute(_DURABLE)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
