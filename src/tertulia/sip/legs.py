"""The calls of a carrier: which leg is which call of the agent's, and what each counts against."""

from collections import OrderedDict
from collections.abc import Iterator

from msgspec import Struct, field

from tertulia.model.ids import ApplicationId
from tertulia.protocols.sip.digest import Credentials
from tertulia.sip.outgoing import Outgoing
from tertulia.sip.trunks import Meter

ENDED_MAX = 2000
"""Calls that we have ended, whose last messages are still told."""


class CarriedLeg(Struct, eq=False):
    id: str
    application_id: ApplicationId
    call: str
    """The agent's name of it; of a call to several places that of the one who answered."""
    homes: tuple[str, ...]
    """Hosts at which the other end finds our users."""
    meters: list[Meter]
    """In which it counts."""
    calls: set[str] = field(default_factory=set)
    """All that the agent has of it."""
    is_up: bool = False
    """It is answered."""
    credentials: Credentials | None = None
    """What we answer challenges with, once it is answered."""
    outgoing: Outgoing | None = None
    """Until it is answered, of a call that we make."""


class CarriedLegs:
    def __init__(self) -> None:
        self._legs: dict[str, CarriedLeg] = {}
        self._calls: dict[str, CarriedLeg] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()

    def __iter__(self) -> Iterator[CarriedLeg]:
        return iter(list(self._legs.values()))

    def __len__(self) -> int:
        return len(self._legs)

    def add(self, leg: CarriedLeg) -> None:
        self._legs[leg.id] = leg

    def name(self, call: str, leg: CarriedLeg) -> None:
        """A call of the agent's is that leg's, or tries to become it."""
        self._calls[call] = leg
        leg.calls.add(call)

    def get(self, leg_id: str) -> CarriedLeg | None:
        return self._legs.get(leg_id)

    def of(self, call: str) -> CarriedLeg | None:
        return self._calls.get(call)

    def seen_as(self, call: str) -> str | None:
        """The leg of a call, also of one that we have ended."""
        leg = self._calls.get(call)
        return leg.id if leg is not None else self._ended.get(call)

    def credentials(self, call: str) -> Credentials | None:
        leg = self._calls.get(call)
        if leg is None:
            return None
        return leg.outgoing.ways[call].credentials if leg.outgoing else leg.credentials

    def drop(self, call: str, *, by_us: bool) -> None:
        """A call of the agent's is over; of one that we have ended messages are still to come."""
        leg = self._calls.pop(call, None)
        if leg is None:
            return
        leg.calls.discard(call)
        if by_us:
            self._ended[call] = leg.id
            if len(self._ended) > ENDED_MAX:
                self._ended.popitem(last=False)

    def end(self, leg: CarriedLeg, *, by_us: bool) -> None:
        """The leg is over: it counts no longer."""
        for meter in leg.meters:
            meter.leave()
        leg.meters.clear()
        self._legs.pop(leg.id, None)
        for call in list(leg.calls):
            self.drop(call, by_us=by_us)
