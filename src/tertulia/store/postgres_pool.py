"""A few connections to PostgreSQL for what is not the log: single statements, and changes that are
made exactly once although a connection breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from tertulia.model.errors import Unavailable
from tertulia.postgres.connections import (
    FAILED,
    LOST,
    close_pool,
    place_of,
    pool_of,
)

T = TypeVar("T")
Work = Callable[[PoolConnectionProxy], Awaitable[T]]

TRIES = 3
COMMAND_SECONDS = 20.0
DOUBT_SECONDS = 10.0
"""For finding out what became of a commit."""
RETRY_SECONDS = 0.1
SERVER_SETTINGS = {"statement_timeout": "15000", "idle_in_transaction_session_timeout": "5000"}
"""Milliseconds. The second is shorter than we look for what became of a commit."""
_IN_EACH_OTHERS_WAY = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_MARK = "SELECT pg_current_xact_id()::text"
_OUTCOME = "SELECT pg_xact_status($1::text::xid8)"


class PostgresPool:
    def __init__(self, url: str, use: str, *, connections: int) -> None:
        self._place = place_of(url)
        self._pool = pool_of(
            url, use, connections=connections, seconds=COMMAND_SECONDS, settings=SERVER_SETTINGS
        )

    async def open(self) -> None:
        """Raises Unavailable."""
        try:
            await self._pool
            await self.fetch("SELECT 1")
        except FAILED as error:
            raise Unavailable(f"cannot open the store at {self._place}: {error}") from error

    async def close(self) -> None:
        await close_pool(self._pool)

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:
        """One statement that does no harm when it is done twice. Raises Unavailable."""
        failure: BaseException | None = None
        for _ in range(TRIES):
            try:
                rows: list[Record] = await self._pool.fetch(sql, *arguments)
                return rows
            except TimeoutError as error:
                raise Unavailable("the store does not answer") from error
            except (*LOST, *_IN_EACH_OTHERS_WAY) as error:
                failure = error
            except asyncpg.PostgresError as error:
                raise Unavailable(f"the store refuses: {error}") from error
        raise Unavailable("the store cannot be reached") from failure

    async def change(self, work: Work[T]) -> T:
        """Do the work in a transaction, once. Raises Unavailable: nothing has changed, unless
        nobody says within seconds what became of it; and whatever the work raises."""
        failure: BaseException | None = None
        for _ in range(TRIES):
            mark = None
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    done = await work(connection)
                    mark = await connection.fetchval(_MARK)
                return done
            except (*LOST, *_IN_EACH_OTHERS_WAY) as error:
                failure = error
                if mark is not None and await self._was_committed(mark):
                    return done
            except asyncpg.PostgresError as error:
                raise Unavailable(f"the store refuses: {error}") from error
        raise Unavailable("the store cannot be reached") from failure

    async def _was_committed(self, mark: str) -> bool:
        """What became of a transaction that was marked. Raises Unavailable: nobody says."""
        try:
            async with asyncio.timeout(DOUBT_SECONDS):
                while True:
                    with suppress(*FAILED):
                        outcome = await self._pool.fetchval(_OUTCOME, mark)
                        if outcome != "in progress":
                            return bool(outcome == "committed")
                    await asyncio.sleep(RETRY_SECONDS)
        except TimeoutError as error:
            raise Unavailable("whether it was stored is not known") from error
