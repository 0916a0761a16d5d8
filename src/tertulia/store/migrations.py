"""The schema's versions. A store is brought forward when it is opened, one transaction a version.

The version is SQLite's `user_version`; 0 is an empty file.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from tertulia.model.errors import TertuliaError
from tertulia.store.queries import read_sql


class UnknownSchema(TertuliaError):
    """The store was written by a newer release, or is not one of ours."""


class Migration(NamedTuple):
    version: int
    sql: str


MIGRATIONS = (
    Migration(1, read_sql("schema.sql")),
    Migration(2, read_sql("legs.sql")),
    Migration(3, read_sql("calls.sql")),
    Migration(4, read_sql("messages.sql")),
)
"""Append only."""


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the store to the newest version, or raise UnknownSchema."""
    version = check(connection, migrations)
    for migration in migrations:
        if migration.version > version:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{migration.sql}\n"
                f"PRAGMA user_version = {migration.version};\nCOMMIT;"
            )


def check(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The store's version, or UnknownSchema when it is newer than the newest we know."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > migrations[-1].version:
        raise UnknownSchema(
            f"the store has schema version {version}, this release knows "
            f"{migrations[-1].version}: use the release that wrote it, or a newer one"
        )
    return int(version)
