"""What calls need of the telephone network.

As the other ports: an adapter passes the contract suite of its port (tests/contracts).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct

from tertulia.model.ids import ApplicationId, UserId
from tertulia.model.telephone import AnySignal, Dial


class Carrier(Protocol):
    """The way to phones: a SIP user agent with its trunks and registered softphones, or another.

    - *Order*: what is told about a call is done in that order; its signals come in the order in
      which things happened, and none after Declined or HungUp.
    - *Once*: a call that was dialled ends with exactly one Declined or HungUp unless it was hung
      up from here. What is told of a call that is over does nothing.
    """

    def dial(self, call: Dial) -> None:
        """→ Rang, Accepted, Declined."""

    def ring(self, leg: str) -> None:
        """Let a caller know that it rings."""

    def progress(self, leg: str, sdp: str) -> None:
        """Let a caller hear something before its call is answered."""

    def answer(self, leg: str, sdp: str) -> None:
        """Answer a call, or what was Reoffered."""

    def refuse(self, leg: str, code: int, text: str = "") -> None:
        """Do not answer it: codes from 300."""

    def offer(self, leg: str, sdp: str) -> None:
        """Offer another media path for an answered call. → Accepted, or nothing changes."""

    def hang_up(self, leg: str) -> None:
        """End a call at whatever stage it is."""

    def referred(self, leg: str, code: int) -> None:
        """What became of a transfer that was asked for."""

    def on_signal(self, listener: Callable[[AnySignal], None]) -> None:
        """Call it on the loop with every signal. One listener."""


class Contact(Struct, frozen=True):
    """A way to a softphone, as it has registered."""

    uri: str
    call_id: str
    sequence: int
    """By these it is told which of two is older (RFC 3261 section 10.3)."""
    seconds: float
    """For which it is good; 0 takes it back."""
    node: str = ""
    """Which it has registered with."""


class Registered(Struct, frozen=True):
    """What came of a registration."""

    contacts: list[Contact]
    """All of the user."""
    left: list[Contact]
    """What other nodes had, and have no longer."""


class Registrations(Protocol):
    """Which softphones have registered, with which node of a cluster: of a user's contacts each is
    with the node that it last registered with.

    - Time is that of the store.
    """

    @property
    def node(self) -> str:
        """The name of this one."""

    async def register(
        self, application_id: ApplicationId, name: str, contacts: Sequence[Contact]
    ) -> Registered | None:
        """Keep these, with this node. None: one is no newer than what another node has of the same
        call id; then nothing is changed. Raises Unavailable."""

    async def of(self, application_id: ApplicationId, name: str) -> list[Contact]:
        """A user's, of all nodes, whether these live or not. Raises Unavailable."""

    async def lost(self, application_id: ApplicationId, name: str, uris: Collection[str]) -> None:
        """These can no longer be reached by this node. Raises Unavailable."""

    async def clear(self) -> None:
        """Nothing is registered with this node any more. Raises Unavailable."""


class Subscriber(Struct, frozen=True):
    """A user who may have softphones."""

    user_id: UserId
    application_id: ApplicationId
    name: str
    passwords: dict[str, str]
    """By the user name that the softphone shows; not empty."""

    def __repr__(self) -> str:
        return f"Subscriber({self.user_id!r}, …)"


class Subscribers(Protocol):
    """Who may register a softphone, and with what it shows who it is."""

    async def find(self, domain: str, name: str) -> Subscriber | None:
        """The user `name@domain`. None also for a user without credentials, and for a domain that
        is nobody's. Raises Unavailable."""
