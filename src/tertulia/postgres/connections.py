"""Connections to PostgreSQL, and what it means when they fail."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import asyncpg
from asyncpg import Connection, Pool

SCHEMA = "tertulia"
"""All our tables are in it."""
CONNECT_SECONDS = 5.0

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
OURS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What was sent cannot be stored, by whatever connection: a bug."""
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""


def place_of(url: str) -> str:
    """Where the database is, for people: without user and password."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2] or 'local'}{parts.path}"


async def connect(url: str, use: str, *, seconds: float, settings: Mapping[str, str]) -> Connection:
    """A connection in our schema, for commands that take no longer than so many seconds. `use` is
    its name in the server's lists."""
    return await asyncpg.connect(
        url, timeout=min(CONNECT_SECONDS, seconds), command_timeout=seconds,
        max_cached_statement_lifetime=0, server_settings=_settings(use, settings),
    )  # fmt: skip


def pool_of(
    url: str, use: str, *, connections: int, seconds: float, settings: Mapping[str, str]
) -> Pool:
    """Up to so many of them, made when they are needed; it is not open yet."""
    return asyncpg.create_pool(
        url, min_size=0, max_size=connections, timeout=CONNECT_SECONDS, command_timeout=seconds,
        max_cached_statement_lifetime=0, server_settings=_settings(use, settings),
        connection_class=Stateless,
    )  # fmt: skip


def _settings(use: str, more: Mapping[str, str]) -> dict[str, str]:
    return {"application_name": f"tertulia {use}", "search_path": SCHEMA, "jit": "off", **more}


async def be_durable(connection: Connection) -> None:
    """Its commits are on disk before they are answered, whatever the server's own setting."""
    await connection.execute(_DURABLE)


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


class Stateless(Connection):
    """Leaves nothing behind that would have to be reset when it goes back into its pool: that would
    be one more transaction a use."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""
