"""The schema's versions on PostgreSQL: brought forward when a store is opened, all or nothing.

Its tables are in a schema of their own, which every connection looks in (postgres/connections.py).
"""

from collections.abc import Sequence
from uuid import uuid4

from asyncpg import Connection
from asyncpg.pool import PoolConnectionProxy

from tertulia.postgres.connections import SCHEMA
from tertulia.store.migrations import Migration, UnknownSchema
from tertulia.store.queries import read_sql

MIGRATIONS = (
    Migration(1, read_sql("postgres_schema.sql")),
    Migration(2, read_sql("postgres_cluster.sql")),
    Migration(3, read_sql("postgres_parts.sql")),
)
"""Append only."""

_PATIENT = """
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
"""
_SECONDS = 6 * 3600.0
"""That a version may take: big tables may be written anew."""
_LOCK = 0x7E47
"""Of those who migrate: one at a time."""


async def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the store to the newest version, or raise UnknownSchema."""
    async with connection.transaction():
        await connection.execute(_PATIENT)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=_SECONDS)
        version = await check(connection, migrations)
        if not version:
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        due = [each for each in migrations if each.version > version]
        for migration in due:
            await connection.execute(migration.sql, timeout=_SECONDS)
        if not version:
            await connection.execute("INSERT INTO meta VALUES ('epoch', $1)", uuid4().hex)
        if due:
            await connection.execute(
                "INSERT INTO meta VALUES ('version', $1)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                str(due[-1].version),
            )


async def check(
    connection: Connection | PoolConnectionProxy, migrations: Sequence[Migration] = MIGRATIONS
) -> int:
    """The store's version, 0 for none; UnknownSchema when it is newer than the newest we know."""
    if not await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.meta') IS NOT NULL"):
        return 0
    version = int(await connection.fetchval("SELECT value FROM meta WHERE key = 'version'"))
    if version > migrations[-1].version:
        raise UnknownSchema(
            f"the store has schema version {version}, this release knows "
            f"{migrations[-1].version}: use the release that wrote it, or a newer one"
        )
    return version
