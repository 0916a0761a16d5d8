"""A disk that can be full: SQLite connections whose commits fail on demand."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


class Disk:
    def __init__(self) -> None:
        self.is_full = False
        self.connections: list[Connection] = []
        self.connect = partial(sqlite3.connect, factory=self._connection)

    def _connection(self, *given: Any, **named: Any) -> "Connection":
        self.connections.append(Connection(self, *given, **named))
        return self.connections[-1]

    @contextmanager
    def full(self) -> Iterator[None]:
        self.is_full = True
        yield
        self.is_full = False


class Connection(sqlite3.Connection):
    def __init__(self, disk: Disk, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._disk = disk

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        # a statement outside of a transaction commits itself
        is_own_commit = sql.lstrip().startswith("INSERT") and not self.in_transaction
        if (sql == "COMMIT" or is_own_commit) and self._disk.is_full:
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, parameters)
