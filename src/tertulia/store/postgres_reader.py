"""Reading: a bounded number of connections, made when they are needed."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.json import Decoder

from tertulia.model.errors import Unavailable
from tertulia.postgres.connections import (
    CONNECT_SECONDS,
    FAILED,
    LOST,
    close_pool,
    place_of,
    pool_of,
)
from tertulia.store.owner import Owner
from tertulia.store.postgres_migrations import check
from tertulia.store.postgres_queries import PLANNING, STATEMENTS
from tertulia.store.sides import Parameter

T = TypeVar("T")

READ_SECONDS = 30.0
READERS_MAX = 8


class PooledReader:
    def __init__(
        self, url: str, *, owner: Owner | None = None, connections: int = READERS_MAX
    ) -> None:
        """`owner`: what is to be looked after is that of applications at home with it."""
        self._place = place_of(url)
        self._owner: dict[str, Parameter] = {
            "node": owner.node if owner else None,
            "incarnation": owner.incarnation if owner else None,
        }
        self._pool = pool_of(
            url, "reader", connections=connections, seconds=READ_SECONDS, settings=PLANNING
        )

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
