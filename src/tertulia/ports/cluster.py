"""What a node needs of the others: a bus between them, and which of them an application is at home
with.

As the other ports: an adapter passes the contract suite of its port (tests/contracts).
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from msgspec import Struct

from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.model.ids import ApplicationId

Stop = Callable[[], Awaitable[None]]
"""Ends a subscription; again is fine."""


Arrival = Callable[[Collection[ApplicationId]], Awaitable[None]]


class Unanswered(Unavailable):
    """Nobody has answered in time, or there is nobody to ask. It may have been heard."""


class NotAtHome(Unavailable):
    """The application's events are written by another node."""


class Bus(Protocol):
    """Words between nodes, by subject. What must arrive is in the store; the bus makes it quick.

    - *Best effort*: a word may be lost, or come twice. When some may have been lost, because the
      line was cut or somebody was too slow, `on_gap` is told.
    - *Order*: what one node publishes reaches another in that order, across subjects too, but for
      what is lost.
    - *To all*: a word reaches every subscription of its subject, those of the publisher too.
    - *Never in the way*: `publish` does not wait. What cannot be sent is dropped.
    - *Bounded*: words up to `word_max` octets arrive; larger ones raise ValueError.
    - A subject is parts of letters, digits, `-` and `_`, joined by dots. There are no wildcards.
    """

    @property
    def is_up(self) -> bool:
        """Whether words go anywhere now."""

    @property
    def word_max(self) -> int: ...

    def publish(self, subject: str, word: bytes) -> None: ...

    async def subscribe(self, subject: str, hear: Callable[[bytes], None]) -> Stop:
        """Call `hear` on the loop with every word. What is published, anywhere, after this has
        returned is heard, as far as any is. Survives that the line is cut."""

    async def ask(self, subject: str, word: bytes, seconds: float) -> bytes:
        """The first answer. Raises Unanswered, at once where it is known that nobody serves it."""

    async def serve(self, subject: str, answer: Callable[[bytes], Awaitable[bytes]]) -> Stop:
        """Answer those who ask, several at a time; what raises is no answer."""

    def on_gap(self, listener: Callable[[], None]) -> None:
        """Call it on the loop when words may have been lost, and when the line is back."""

    async def close(self) -> None: ...


class Node(Struct, frozen=True):
    """Another node, as it says that it can be reached."""

    name: str
    url: str
    """Where it serves REST for other nodes: `http://10.0.0.2:8080`."""
    is_leaving: bool = False
    """It takes on nothing more."""


class Elsewhere(TertuliaError):
    """The application is at home with another node, which has to be asked."""

    def __init__(self, node: Node) -> None:
        super().__init__(f"at home at {node.name}")
        self.node = node


class NoHome(Unavailable):
    """The application is at home nowhere: its home has gone, and nobody has taken it over yet."""


class Homes(Protocol):
    """Which node each application is at home with: the one that alone writes its events, and that
    has its calls, its scripts, its carriers' work and its webhooks.

    - *One at a time*: the store takes an application's events only from its home. A node that has
      lost a home without knowing it writes nothing any more.
    - *Somebody*: an application whose home is dead is taken over within seconds, asked for or not.
    """

    @property
    def name(self) -> str:
        """Of this node, unlike any other's."""

    @property
    def own(self) -> frozenset[ApplicationId] | None:
        """Those that are at home here; None where all are."""

    def has(self, application_id: ApplicationId) -> bool:
        """It is at home here, as far as is known now."""

    async def find(self, application_id: ApplicationId) -> Node | None:
        """Where it is at home; None: here. If it is nowhere, it is from now on here, or wherever
        somebody was faster. Raises NoHome, Unavailable."""

    async def require(self, application_id: ApplicationId) -> None:
        """Raises Elsewhere when it is not at home here; NoHome, Unavailable."""

    def nodes(self) -> list[Node]:
        """The other nodes that are alive, as last known."""

    def on_arrival(self, listener: Arrival) -> None:
        """Await it with those that come home here, before anything is asked of them here: what
        they left behind elsewhere is to be taken up. One listener."""

    def on_departure(self, listener: Callable[[ApplicationId], None]) -> None:
        """Call it on the loop for every application that has gone to another node: forget it."""


class Alone:
    """Homes of an installation of one node: everything is at home here."""

    name = "alone"
    own: frozenset[ApplicationId] | None = None

    def has(self, application_id: ApplicationId) -> bool:
        return True

    async def find(self, application_id: ApplicationId) -> Node | None:
        return None

    async def require(self, application_id: ApplicationId) -> None:
        return

    def nodes(self) -> list[Node]:
        return []

    def on_arrival(self, listener: Arrival) -> None:
        """None ever comes."""

    def on_departure(self, listener: Callable[[ApplicationId], None]) -> None:
        """None ever goes."""
