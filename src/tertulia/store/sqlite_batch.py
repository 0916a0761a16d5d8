"""A batch on a connection of SQLite: its questions answered, its rows written."""

import sqlite3
from typing import TypeVar

from tertulia.store.batch import Answered, Batch, Rows
from tertulia.store.queries import SQL
from tertulia.store.rows import encode

T = TypeVar("T")


def answered(connection: sqlite3.Connection, work: Answered[T]) -> T:
    """What the work comes to, its questions answered."""
    try:
        name, asked = next(work)
        while True:
            (answer,) = connection.execute(SQL[name], (asked,)).fetchone()
            name, asked = work.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    for statement, rows in batch.tables():
        _put(connection, statement, rows)
    if blanked := answered(connection, batch.blanked()):
        _put(connection, "put_blanks", blanked)


def _put(connection: sqlite3.Connection, statement: str, rows: Rows) -> None:
    """Columns go as JSON, blobs in one piece beside them: elements 0 and 1 say which part of it."""
    packed, next_ = [], 1
    for blob, columns in rows:
        size = None if blob is None else len(blob)
        packed.append((size and next_, size, *columns))
        next_ += size or 0
    blobs = b"".join([blob for blob, _ in rows if blob is not None])
    connection.execute(SQL[statement], {"rows": encode(packed).decode(), "blobs": blobs})
