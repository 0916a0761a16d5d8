"""Connections to PostgreSQL, and what it means when they fail."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
from asyncpg import Connection, Pool
from msgspec.json import Decoder

from tertulia.model.errors import Unavailable
from tertulia.store.owner import Owner
from tertulia.store.postgres_migrations import SCHEMA, check
from tertulia.store.postgres_queries import STATEMENTS
from tertulia.store.sides import Parameter

T = TypeVar("T")

_HAS_WRITER = """
SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'tertulia writer' AND datname = current_database())
"""
CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
READERS_MAX = 8

LOST = (
    OSError,  # a TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
"""There is no connection, or it broke: what was under way may have been done."""
FAILED = (*LOST, asyncpg.PostgresError)


def place_of(url: str) -> str:
    """Where the database is, for people: without user and password."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2] or 'local'}{parts.path}"


async def connect(url: str, use: str, *, seconds: float, settings: Mapping[str, str]) -> Connection:
    """A connection in our schema, for commands that take no longer than so many seconds. `use` is
    its name in the server's lists."""
    return await asyncpg.connect(
        url, timeout=CONNECT_SECONDS, command_timeout=seconds, max_cached_statement_lifetime=0,
        server_settings=_settings(use, settings),
    )  # fmt: skip


def _settings(use: str, more: Mapping[str, str]) -> dict[str, str]:
    return {"application_name": f"tertulia {use}", "search_path": SCHEMA, "jit": "off", **more}


async def part(connection: Connection) -> None:
    """Close it, politely if that goes quickly."""
    with suppress(*FAILED):
        await connection.close(timeout=1.0)


async def close_pool(pool: Pool) -> None:
    """Let go of all its connections, politely if that goes quickly."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await pool.close()
    except FAILED:
        pool.terminate()


async def has_writer(connection: Connection) -> bool:
    """Whether a server has this database open to write."""
    found: bool = await connection.fetchval(_HAS_WRITER)
    return found


class Stateless(Connection):
    """Leaves nothing behind that would have to be reset when it goes back into its pool: that would
    be one more transaction a use."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


class PooledReader:
    """A bounded number of connections, made when they are needed."""

    def __init__(
        self, url: str, *, owner: Owner | None = None, connections: int = READERS_MAX
    ) -> None:
        """`owner`: what is to be looked after is that of applications at home with it."""
        self._place = place_of(url)
        self._owner: dict[str, Parameter] = {
            "node": owner.node if owner else None,
            "incarnation": owner.incarnation if owner else None,
        }
        self._pool = asyncpg.create_pool(
            url, min_size=0, max_size=connections, timeout=CONNECT_SECONDS,
            command_timeout=READ_SECONDS, max_cached_statement_lifetime=0,
            server_settings=_settings("reader", {}), connection_class=Stateless,
        )  # fmt: skip

    async def check(self) -> None:
        """Raises UnknownSchema, or Unavailable when there is no store yet."""
        try:
            await self._pool
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                version = await check(connection)
        except FAILED as error:
            raise Unavailable(f"cannot open the store at {self._place}: {error}") from error
        if not version:
            raise Unavailable("the store is not ready")

    async def read(
        self, name: str, decoder: "Decoder[T]", parameters: Mapping[str, Parameter] | None = None
    ) -> T:
        statement = STATEMENTS[name]
        arguments = statement.arguments({**self._owner, **(parameters or {})})
        try:
            try:
                found = await self._pool.fetchval(statement.sql, *arguments)
            except TimeoutError:
                raise
            except LOST:  # perhaps only this connection: the next one is another
                found = await self._pool.fetchval(statement.sql, *arguments)
        except FAILED as error:
            raise Unavailable("the store cannot read") from error
        return decoder.decode(found)

    async def close(self) -> None:
        await close_pool(self._pool)
