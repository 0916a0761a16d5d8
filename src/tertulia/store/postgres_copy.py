"""The two ends of a copy in PostgreSQL: one transaction, in which nobody else writes."""

from collections.abc import AsyncIterator, Sequence

from asyncpg import Connection
from asyncpg.transaction import Transaction

from tertulia.model.errors import Unavailable
from tertulia.postgres.connections import FAILED, SCHEMA, connect, part, place_of
from tertulia.postgres.values import storable
from tertulia.store.copying import PAGE, TABLES, CopyFailed, Head, Row, Table
from tertulia.store.postgres_migrations import check, migrate
from tertulia.store.postgres_queries import STATEMENTS
from tertulia.store.postgres_rows import about
from tertulia.store.postgres_session import has_writer

_ALONE = "SELECT FROM head FOR UPDATE"
"""Whoever writes locks it. The schema may be of an older version yet."""
_SINCE = """
UPDATE conversations SET since = first.position - 1
FROM (SELECT stream, min(position) AS position FROM log GROUP BY stream) AS first
WHERE first.stream = number
"""
_HOURS = 6 * 3600.0
"""For one table, at most."""


class PostgresCopy:
    """A store; as a target one that nobody has used."""

    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        self._connection = connection
        self._transaction = transaction

    @classmethod
    async def of(cls, url: str) -> "PostgresCopy":
        """To be copied. Raises Unavailable, UnknownSchema, CopyFailed."""
        copy = await cls._begun(url)
        if not await check(copy._connection):
            copy.close()
            raise CopyFailed(f"there is no store at {place_of(url)}")
        await copy._connection.execute(_ALONE)
        return copy

    @classmethod
    async def new(cls, url: str) -> "PostgresCopy":
        """To be copied to. Raises Unavailable, UnknownSchema, CopyFailed."""
        copy = await cls._begun(url)
        await migrate(copy._connection)
        await copy._connection.execute(_ALONE)
        for table in TABLES:
            if await copy._connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.name})"):
                copy.close()
                raise CopyFailed(f"the store at {place_of(url)} is in use: {table.name} has rows")
        return copy

    @classmethod
    async def _begun(cls, url: str) -> "PostgresCopy":
        try:
            connection = await connect(url, "copy", seconds=_HOURS, settings={})
        except FAILED as error:
            raise Unavailable(f"cannot open the store at {place_of(url)}: {error}") from error
        if await has_writer(connection):
            connection.terminate()
            raise CopyFailed(f"a server is running on {place_of(url)}")
        transaction = connection.transaction()
        await transaction.start()
        return cls(connection, transaction)

    async def head(self) -> Head:
        epoch = await self._connection.fetchval("SELECT value FROM meta WHERE key = 'epoch'")
        return Head(epoch, await self._connection.fetchval("SELECT position FROM head"))

    async def rows(self, table: Table) -> AsyncIterator[list[Row]]:
        columns = [
            f'"{name}"::int' if name == table.flag else f'"{name}"' for name in table.all_columns
        ]
        cursor = await self._connection.cursor(
            f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
        )
        while page := await cursor.fetch(PAGE):
            yield [tuple(row) for row in page]

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        names = table.all_columns
        flag = names.index(table.flag) if table.flag else None
        records = [
            tuple([bool(each) if at == flag else storable(each) for at, each in enumerate(row)])
            for row in rows
        ]
        if table.name == "log":
            await self._connection.execute(STATEMENTS["extend_log"].sql, rows[-1][0])
            names = (*names, "about")
            records = [(*record, about(str(record[-1]).encode())) for record in records]
        await self._connection.copy_records_to_table(
            table.name, records=records, columns=names, schema_name=SCHEMA
        )

    async def finish(self, head: Head) -> None:
        execute = self._connection.execute
        await execute("UPDATE meta SET value = $1 WHERE key = 'epoch'", head.epoch)
        await execute(_SINCE)
        await execute(
            "UPDATE head SET position = $1,"
            " conversations = (SELECT coalesce(max(number), 0) FROM conversations),"
            " applications = (SELECT coalesce(max(number), 0) FROM applications)",
            head.position,
        )
        for name in await self._numbered():
            await execute(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'number'), max(number))"
                f" FROM {name} HAVING max(number) IS NOT NULL"
            )

    async def _numbered(self) -> list[str]:
        """The tables that number their rows themselves."""
        found = await self._connection.fetch(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = $1 AND is_identity = 'YES' AND column_name = 'number'",
            SCHEMA,
        )
        return [row["table_name"] for row in found]

    async def keep(self) -> None:
        await self._transaction.commit()
        await self._connection.execute("ANALYZE")
        await part(self._connection)

    def close(self) -> None:
        """What was not kept was never there."""
        self._connection.terminate()
