"""Calls of applications that are at home here, whose phones are with other nodes.

A user may have softphones with several nodes: then its call is with all of them, this one too, by
the same leg, until the first has answered.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from tertulia.model.telephone import (
    Accepted,
    AnySignal,
    Called,
    Declined,
    Dial,
    HungUp,
    Rang,
    Stepped,
)
from tertulia.ports.phones import Carrier
from tertulia.sip.hosted import Emit, Tell
from tertulia.sip.outgoing import Failure, most_telling
from tertulia.sip.words import Dialled, Ordered, carry_out

HERE = ""
"""Of the places of a call: this node."""
LOST = Failure(503, "its node is gone")


class _Call(Struct, eq=False):
    places: set[str]
    """Nodes that have it: one, once it is with somebody."""
    is_settled: bool = False
    """It came in, or has been answered."""
    is_up: bool = False
    has_rung: bool = False
    failures: list[Failure] = field(default_factory=list)


class Abroad:
    def __init__(self, local: Carrier, *, tell: Tell, emit: Emit) -> None:
        self._local = local
        self._tell = tell
        self._emit = emit
        self._calls: dict[str, _Call] = {}

    def has(self, leg: str) -> bool:
        return leg in self._calls

    @property
    def nodes(self) -> set[str]:
        """Who has calls of ours."""
        return {place for call in self._calls.values() for place in call.places} - {HERE}

    # ── what is told of calls ──

    def dial(self, call: Dial, places: Iterable[str]) -> None:
        """Call softphones that are registered in these places, all at once."""
        made = self._calls[call.leg] = _Call(set(places))
        for place in sorted(made.places):
            if place == HERE:
                self._local.dial(call)
            else:
                self._tell(place, Dialled(call))

    def order(self, word: Ordered) -> None:
        call = self._calls[word.leg]
        call.is_up = call.is_up or word.verb == "answer"
        is_refused = word.verb == "refuse" and call.is_settled and not call.is_up
        if word.verb == "hang_up" or is_refused:
            del self._calls[word.leg]
        for place in sorted(call.places):
            self._order_at(place, word)

    def _order_at(self, place: str, word: Ordered) -> None:
        if place == HERE:
            carry_out(self._local, word)
        else:
            self._tell(place, word)

    # ── what is heard of them ──

    def heard(self, place: str, signal: AnySignal) -> None:
        call = self._calls.get(signal.leg)
        if isinstance(signal, Stepped):
            self._emit(signal)
        elif isinstance(signal, Called):
            self._calls.setdefault(signal.leg, _Call({place}, is_settled=True))
            self._emit(signal)
        elif call is None or place not in call.places:
            if place != HERE and not isinstance(signal, HungUp | Declined):
                self._tell(place, Ordered("hang_up", signal.leg))
        elif call.is_settled:
            self._heard_of(call, signal)
        else:
            self._heard_of_one(call, place, signal)

    def _heard_of(self, call: _Call, signal: AnySignal) -> None:
        call.is_up = call.is_up or isinstance(signal, Accepted)
        if isinstance(signal, HungUp | Declined):
            del self._calls[signal.leg]
        self._emit(signal)

    def _heard_of_one(self, call: _Call, place: str, signal: AnySignal) -> None:
        """Of several places that may ring at once."""
        if isinstance(signal, HungUp | Declined):
            self._failed(signal.leg, call, place, Failure(signal.code, signal.text))
        elif isinstance(signal, Accepted):
            self._settle(call, place, signal)
        elif isinstance(signal, Rang):
            early = signal.sdp if len(call.places) == 1 else ""
            if early or not call.has_rung:
                call.has_rung = True
                self._emit(Rang(signal.leg, early))
        else:
            self._emit(signal)

    def _settle(self, call: _Call, place: str, signal: Accepted) -> None:
        for other in sorted(call.places - {place}):
            self._order_at(other, Ordered("hang_up", signal.leg))
        call.places, call.is_settled, call.is_up = {place}, True, True
        if place == HERE:
            del self._calls[signal.leg]  # a call of this node like any other
        self._emit(signal)

    def _failed(self, leg: str, call: _Call, place: str, failure: Failure) -> None:
        call.places.discard(place)
        call.failures.append(failure)
        if failure.code >= 600:  # it wants to be called nowhere
            for other in sorted(call.places):
                self._order_at(other, Ordered("hang_up", leg))
            call.places.clear()
        if not call.places:
            del self._calls[leg]
            outcome = most_telling(call.failures)
            self._emit(Declined(leg, outcome.code, outcome.text))

    def lost(self, node: str) -> None:
        """Nothing more comes from there."""
        for leg, call in list(self._calls.items()):
            if node not in call.places:
                continue
            if call.is_settled:
                del self._calls[leg]
                self._emit(HungUp(leg, LOST.code, LOST.text))
            else:
                self._failed(leg, call, node, LOST)

    def close(self) -> None:
        """This node ends, and its calls with it."""
        for leg in list(self._calls):
            self.order(Ordered("hang_up", leg))
