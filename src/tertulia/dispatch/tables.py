"""The tables of the journal, as it asks for them: in a file of SQLite's, or on PostgreSQL.

Statements are said as PostgreSQL says them, with `$1` and names that begin with `webhook_`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tertulia.model.ids import ApplicationId

Value = str | int | bytes | None
Claims = Mapping[ApplicationId, str]
"""The lease under which each application's work is done, by its token."""


class Row(Protocol):
    def __getitem__(self, key: str, /) -> Any: ...


class Step(NamedTuple):
    """A statement, once with each of these parameters."""

    sql: str
    rows: Sequence[Sequence[Value]]


class Tables(Protocol):
    """All raise Unavailable; of a write, then, nothing is done, or all where the connection broke
    just then: doing it again makes no difference but in counts."""

    async def fetch(self, sql: str, *values: Value) -> Sequence[Row]: ...

    async def write(
        self, claims: Claims, steps: Callable[[Collection[ApplicationId]], Iterable[Step]]
    ) -> Collection[ApplicationId]:
        """Carry out the steps as one transaction. They are asked for once it is known which of
        the claims are lost: none of the others is until the transaction is over."""

    async def close(self) -> None: ...
