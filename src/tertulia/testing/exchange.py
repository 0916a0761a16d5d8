"""Phones without a network, for tests: what a carrier is told is kept, and what the other ends do
happens when a method is called."""

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from tertulia.model.ids import ApplicationId, UserId
from tertulia.model.state import Endpoint
from tertulia.model.telephone import (
    Accepted,
    AnySignal,
    Called,
    Declined,
    Dial,
    HungUp,
    Keyed,
    Rang,
    Referred,
    Reoffered,
)

OFFER = "\r\n".join(
    (
        "v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0",
        "m=audio 40000 RTP/AVP 0 8 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000", "a=sendrecv", "",
    )
)  # fmt: skip
"""As a phone makes it; good as an answer too."""


class Told(NamedTuple):
    """Something that the carrier was told of a call."""

    verb: str
    """The name of the method."""
    leg: str
    text: str = ""
    """A session description, or the text of a refusal."""
    code: int = 0


class Exchange:
    """ports.Carrier. Its far ends are methods in the third person: `rings`, `answers` …"""

    def __init__(self) -> None:
        self.dials: list[Dial] = []
        """All calls that were made."""
        self.told: list[Told] = []
        """Everything else, in its order."""
        self._open: set[str] = set()
        self._count = count(1)
        self._listener: Callable[[AnySignal], None] = lambda _: None

    def is_open(self, leg: str) -> bool:
        return leg in self._open

    def of(self, leg: str, verb: str) -> list[Told]:
        """What was told of a call by one method."""
        return [each for each in self.told if (each.leg, each.verb) == (leg, verb)]

    # ── the carrier ──

    def on_signal(self, listener: Callable[[AnySignal], None]) -> None:
        self._listener = listener

    def dial(self, call: Dial) -> None:
        self.dials.append(call)
        self._open.add(call.leg)

    def ring(self, leg: str) -> None:
        self._keep(Told("ring", leg))

    def progress(self, leg: str, sdp: str) -> None:
        self._keep(Told("progress", leg, sdp))

    def answer(self, leg: str, sdp: str) -> None:
        self._keep(Told("answer", leg, sdp))

    def refuse(self, leg: str, code: int, text: str = "") -> None:
        is_call = not self.of(leg, "answer")
        self._keep(Told("refuse", leg, text, code))
        if is_call:
            self._open.discard(leg)

    def offer(self, leg: str, sdp: str) -> None:
        self._keep(Told("offer", leg, sdp))

    def hang_up(self, leg: str) -> None:
        self._keep(Told("hang_up", leg))
        self._open.discard(leg)

    def referred(self, leg: str, code: int) -> None:
        self._keep(Told("referred", leg, code=code))

    def _keep(self, told: Told) -> None:
        if told.leg in self._open:
            self.told.append(told)

    # ── the far ends ──

    def call(
        self, number: str, application_id: ApplicationId, *, sdp: str = OFFER,
        from_: Endpoint | None = None, headers: dict[str, str] | None = None,
        user_id: UserId | None = None, replaces: str | None = None,
    ) -> str:  # fmt: skip
        """Somebody calls a number; the leg."""
        leg = f"leg-in-{next(self._count)}"
        self._open.add(leg)
        self._listener(
            Called(
                leg, application_id, Endpoint(type="phone", number=number),
                from_ or Endpoint(type="phone", number="15550100"), sdp, headers or {}, user_id,
                "" if user_id else "trunk", replaces,
            )
        )  # fmt: skip
        return leg

    def rings(self, leg: str, sdp: str = "") -> None:
        self._say(Rang(leg, sdp))

    def answers(
        self, leg: str, sdp: str = OFFER, headers: dict[str, str] | None = None, *,
        is_softphone: bool = False,
    ) -> None:  # fmt: skip
        """The call, or what was offered."""
        self._say(Accepted(leg, sdp, headers or {}, is_softphone=is_softphone))

    def declines(self, leg: str, code: int = 486, text: str = "") -> None:
        self._say(Declined(leg, code, text))
        self._open.discard(leg)

    def hangs_up(self, leg: str, code: int = 200, text: str = "") -> None:
        self._say(HungUp(leg, code, text))
        self._open.discard(leg)

    def reoffers(self, leg: str, sdp: str) -> None:
        self._say(Reoffered(leg, sdp))

    def keys(self, leg: str, digit: str, milliseconds: int = 100) -> None:
        self._say(Keyed(leg, digit, milliseconds))

    def refers(self, leg: str, to: Endpoint, replaces: str | None = None) -> None:
        self._say(Referred(leg, to, replaces))

    def _say(
        self, signal: Rang | Accepted | Declined | HungUp | Reoffered | Keyed | Referred
    ) -> None:
        if signal.leg in self._open:
            self._listener(signal)
