"""One connection, for one use after the other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from asyncpg import Connection

from tertulia.model.errors import Unavailable
from tertulia.postgres.connections import FAILED, OURS, be_durable, connect, part, place_of


class Line:
    """Made when it is needed, and again when it broke. Its commits are on disk."""

    def __init__(self, url: str, use: str, *, seconds: float, settings: Mapping[str, str]) -> None:
        """`seconds`: for a command. `use`: its name in the server's lists."""
        self._url = url
        self._use = use
        self._seconds = seconds
        self._settings = settings
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
                raise Unavailable(f"PostgreSQL at {place_of(self._url)}: {error}") from error
            except BaseException:
                self._drop()  # in the middle of something, perhaps
                raise

    async def close(self) -> None:
        if self._connection is not None:
            await part(self._connection)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(
                self._url, self._use, seconds=self._seconds, settings=self._settings
            )
            await be_durable(self._connection)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
