"""The two ends of a copy in SQLite files."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tertulia.model.errors import Unavailable
from tertulia.store.copying import PAGE, CopyFailed, Head, Row, Table
from tertulia.store.migrations import migrate


class SqliteCopy:
    """A store in a file that nobody writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def of(cls, path: Path) -> "SqliteCopy":
        """To be copied; it is brought to the newest version before. Raises Unavailable."""
        return cls(_open(path, "rw"))

    async def head(self) -> Head:
        found = self._connection.execute(
            "SELECT value, (SELECT ifnull(max(position), 0) FROM log) FROM meta WHERE key = 'epoch'"
        ).fetchone()
        if found is None:
            raise CopyFailed("the store has never been opened")
        return Head(*found)

    async def rows(self, table: Table) -> AsyncIterator[list[Row]]:
        columns = [
            f'CAST("{name}" AS TEXT)' if name == table.json else f'"{name}"'
            for name in table.all_columns
        ]
        cursor = self._connection.execute(
            f"SELECT {', '.join(columns)} FROM {table.name} ORDER BY {', '.join(table.key)}"
        )
        while page := cursor.fetchmany(PAGE):
            yield page

    def close(self) -> None:
        self._connection.close()


class NewSqliteCopy(SqliteCopy):
    """A file that becomes a store when all is right."""

    def __init__(self, path: Path) -> None:
        """Raises CopyFailed when there is one already."""
        if path.exists():
            raise CopyFailed(f"{path} is there already")
        self._path = path
        self._unfinished = path.with_name(f"{path.name}.copying")
        self._unfinished.unlink(missing_ok=True)
        super().__init__(_open(self._unfinished, "rwc"))
        self._connection.execute("BEGIN")

    def close(self) -> None:
        super().close()
        self._unfinished.unlink(missing_ok=True)

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        names = ", ".join(f'"{name}"' for name in table.all_columns)
        marks = ", ".join(
            "CAST(? AS BLOB)" if name == table.json else "?" for name in table.all_columns
        )
        self._connection.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)

    async def finish(self, head: Head) -> None:
        self._connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (head.epoch,))
        self._connection.execute("COMMIT")

    async def keep(self) -> None:
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._unfinished.rename(self._path)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
        )
        try:
            migrate(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open the store {path}: {error}") from error
    return connection
