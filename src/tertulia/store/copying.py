"""Moving a store from one kind of database to another: all of it, as it is, with its epoch.

Positions, numbers and epoch stay, so that every cursor and every bookmark still means the same.
Nobody may write meanwhile. What was copied is read again and compared, row by row.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from tertulia.model.errors import TertuliaError
from tertulia.store.rows import encode

Cell = str | int | None
Row = tuple[Cell, ...]

PAGE = 5_000
"""Rows at a time."""
_NUL = (b"\\u0000", "\ufffd".encode())
"""And what stands for it where a kind of database cannot keep it."""


class CopyFailed(TertuliaError):
    """The copy is not there, or not equal: the source is as it was."""


class Table(NamedTuple):
    name: str
    key: tuple[str, ...]
    """What its rows are ordered by."""
    columns: tuple[str, ...]
    json: str | None = None
    """The column that holds a value."""
    flag: str | None = None
    """The column that is yes or no."""

    @property
    def all_columns(self) -> tuple[str, ...]:
        return (*self.key, *self.columns, *([self.json] if self.json else ()))


TABLES = (
    Table("applications", ("number",), ("id", "created_at"), "application"),
    Table("users", ("number",), ("id", "application", "name", "destroyed_at"), "user"),
    Table(
        "conversations", ("number",),
        ("id", "application", "name", "state", "place", "sort_key", "expires_at"), "profile",
    ),
    Table(
        "members", ("number",), ("id", "conversation", "user_id", "state", "address", "place"),
        "member",
    ),
    Table("log", ("position",), ("application", "stream", "id", "deleted_at", "type"), "record"),
    Table("receipts", ("stream", "event", "kind", "member"), ("at",)),
    Table(
        "legs", ("number",),
        ("id", "application", "conversation", "user_id", "started_at", "call_status", "is_over"),
        "leg", flag="is_over",
    ),
    Table("sendings", ("number",), ("id", "application", "stage", "due_at"), "sending"),
    Table("message_refs", ("carrier", "ref"), ("sending",)),
    Table(
        "inbounds", ("number",), ("id", "application", "carrier", "ref", "is_waiting"), "inbound",
        flag="is_waiting",
    ),
    Table("bookmarks", ("name",), ("position",)),
)  # fmt: skip
"""All but `meta`, and what a kind of database keeps for itself."""


class Head(NamedTuple):
    epoch: str
    position: int


class CopySource(Protocol):
    """Rows come as ints, texts and nulls, in the order of their keys: the same of every kind."""

    async def head(self) -> Head: ...

    def rows(self, table: Table) -> AsyncIterator[list[Row]]: ...


class CopyTarget(CopySource, Protocol):
    async def put(self, table: Table, rows: Sequence[Row]) -> None: ...

    async def finish(self, head: Head) -> None:
        """All rows are there."""

    async def keep(self) -> None:
        """They are right: from now on this is a store."""


class Copied(NamedTuple):
    position: int
    rows: dict[str, int]
    """By table."""


async def copy(
    source: CopySource, target: CopyTarget, on_table: Callable[[str, int], None] = lambda *_: None
) -> Copied:
    """Copy and compare. `on_table` hears of each table that is done, and its rows.

    Raises CopyFailed, and whatever the databases raise.
    """
    head = await source.head()
    counts: dict[str, int] = {}
    digests: dict[str, str] = {}
    for table in TABLES:
        counts[table.name], digests[table.name] = await _digest(source, table, target)
        on_table(table.name, counts[table.name])
    await target.finish(head)
    for table in TABLES:
        if await _digest(target, table) != (counts[table.name], digests[table.name]):
            raise CopyFailed(f"{table.name} is not equal to what was copied")
    if await target.head() != head:
        raise CopyFailed("epoch or position is not equal to what was copied")
    await target.keep()
    return Copied(head.position, counts)


async def _digest(
    source: CopySource, table: Table, target: CopyTarget | None = None
) -> tuple[int, str]:
    """How many rows, and what they come to; on the way they are put into the target."""
    count, digest = 0, sha256()
    async for rows in source.rows(table):
        count += len(rows)
        digest.update(encode(rows)[1:-1].replace(*_NUL) + b",")
        if target is not None:
            await target.put(table, rows)
    return count, digest.hexdigest()
