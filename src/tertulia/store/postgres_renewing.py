"""A new epoch of a store on PostgreSQL (renewing.py), in a transaction in which nobody writes."""

from asyncpg import Connection
from asyncpg.transaction import Transaction

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position
from tertulia.postgres.connections import FAILED, connect, part, place_of
from tertulia.store.postgres_migrations import check, migrate
from tertulia.store.postgres_queries import STATEMENTS
from tertulia.store.postgres_session import has_writer
from tertulia.store.renewing import Era, NotRenewable

SECONDS = 60.0


class PostgresRenewal:
    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    @classmethod
    async def open(cls, url: str) -> "PostgresRenewal":
        """Raises NotRenewable, Unavailable, UnknownSchema."""
        try:
            connection = await connect(url, "epoch", seconds=SECONDS, settings={})
        except FAILED as error:
            raise Unavailable(f"cannot open the store at {place_of(url)}: {error}") from error
        try:
            if not await check(connection):
                raise NotRenewable(f"there is no store at {place_of(url)}")
            if await has_writer(connection):
                raise NotRenewable(f"a server is running on {place_of(url)}")
            await migrate(connection)
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(STATEMENTS["lock"].sql)
        except FAILED as error:
            connection.terminate()
            raise Unavailable(f"the store at {place_of(url)}: {error}") from error
        except BaseException:
            connection.terminate()
            raise
        return cls(connection, transaction)

    async def era(self) -> Era:
        row = await self._connection.fetchrow(
            "SELECT value, (SELECT position FROM head) AS head FROM meta WHERE key = 'epoch'"
        )
        assert row is not None
        return Era(row["value"], Position(row["head"]))

    async def begin(self, epoch: str) -> None:
        try:
            await self._connection.execute("UPDATE meta SET value = $1 WHERE key = 'epoch'", epoch)
            await self._transaction.commit()
        except FAILED as error:
            raise Unavailable(f"the store cannot write: {error}") from error

    async def close(self) -> None:
        await part(self._connection)
