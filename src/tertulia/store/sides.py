"""The two sides of a stored log: who reads and who writes. One pair for each kind of database."""

from asyncio import Future
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from msgspec.json import Decoder

from tertulia.model.ids import Position
from tertulia.store.entry import Entry
from tertulia.store.tally import Tally

T = TypeVar("T")
Parameter = str | int | None


class Reader(Protocol):
    async def read(
        self, name: str, decoder: "Decoder[T]", parameters: Mapping[str, Parameter] | None = None
    ) -> T:
        """The decoded answer of a statement by its name (queries.py), or Unavailable."""

    async def close(self) -> None: ...


class Writer(Protocol):
    """Group commit: entries are taken in the order of `submit`, all that wait at once."""

    @property
    def tally(self) -> Tally: ...

    def on_batch(self, wake: Callable[[], None]) -> None: ...

    def future(self) -> "Future[Position]":
        """What an entry is answered through. Unavailable when too many wait, or when closed."""

    def submit(self, entry: Entry) -> None: ...

    async def close(self) -> None:
        """Write what was submitted, then end."""


class NewestPart(Protocol):
    """What keeps the newest events at hand: a Tail, or what shares it with other nodes."""

    def restart(self, newest: Position) -> None:
        """The log goes up to there, by whoever wrote it; what is stored next comes behind."""

    def stored(self, entry: Entry, last: Position) -> None:
        """Events were committed, the last of them at this position."""

    def settled(self) -> None:
        """That was all of a batch."""
