"""What calls need of the telephone network.

As the other ports: an adapter passes the contract suite of its port (tests/contracts).
"""

from collections.abc import Callable
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
