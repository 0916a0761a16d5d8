"""The rows of a batch as the arrays that PostgreSQL's statements take, one a column."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from tertulia.postgres.values import storable
from tertulia.store.batch import RowOfTable, Rows
from tertulia.store.sides import Parameter

_KEYS = {
    "put_applications": 1, "put_users": 1, "put_conversations": 1, "put_members": 1, "put_legs": 1,
    "put_sendings": 1, "put_message_refs": 2, "put_inbounds": 1, "put_bookmarks": 1,
}  # fmt: skip
"""How many columns say which row it is."""
Arrays = dict[str, list[Parameter]]
_INT64 = range(-(2**63), 2**63)


class _Body(Struct):
    event_id: Any = None
    original_event_id: Any = None


class _Record(Struct):
    body: _Body = field(default_factory=_Body)


_records = msgspec.json.Decoder(_Record)


def rounds(name: str, rows: Rows) -> Iterator[Arrays]:
    """The parameters of a statement, for as many executions as are needed, in the rows' order: one
    statement can touch a row only once."""
    key = _KEYS.get(name)
    start, touched = 0, set[Any]()
    for index, (_, columns) in enumerate(rows if key else ()):
        if columns[:key] in touched:
            yield _arrays(name, rows[start:index])
            start, touched = index, set()
        touched.add(columns[:key])
    yield _arrays(name, rows[start:])


def _arrays(name: str, rows: list[RowOfTable]) -> Arrays:
    columns = zip(*[columns for _, columns in rows], strict=True)
    arrays: list[list[Parameter]] = [[storable(each) for each in column] for column in columns]
    if name == "put_log":
        arrays.append([about(blob) for blob, _ in rows])
    arrays.append([None if blob is None else blob.decode() for blob, _ in rows])
    return {f"c{number}": array for number, array in enumerate(arrays, 1)}


def about(record: bytes | None) -> int | None:
    """The other event that an event's body names."""
    if record is None or b'event_id"' not in record:
        return None
    try:
        body = _records.decode(record).body
    except msgspec.DecodeError:
        return None
    named = body.original_event_id if body.event_id is None else body.event_id
    return named if type(named) is int and named in _INT64 else None
