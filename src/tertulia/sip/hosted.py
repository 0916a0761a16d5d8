"""Calls whose phones are here and whose applications are at home with other nodes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from msgspec import Struct, field

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId
from tertulia.model.telephone import Accepted, AnySignal, Called, Declined, Dial, HungUp, Stepped
from tertulia.ports.cluster import Homes, Node
from tertulia.ports.phones import Carrier
from tertulia.services.errands import Errands
from tertulia.sip.words import AnyWord, Dialled, Ordered, Told, carry_out

FIND_SECONDS = 5.0
"""For finding an application's home; then its callers are turned away."""
MOVES_MAX = 5
MOVING_SECONDS = 0.3
"""Between two attempts to hand a call to an application that moves."""
EARLY_MAX = 20
"""Signals that are kept while a home is looked for."""
ENDED_MAX = 2000
"""Calls that are over, whose last messages are still told."""
NO_HOME, HOME_LOST = 503, 503

Tell = Callable[[str, AnyWord], None]
"""Another node, by its name."""
Emit = Callable[[AnySignal], None]


class _Guest(Struct, eq=False):
    leg: str
    application_id: ApplicationId
    node: str = ""
    """Its home; empty while that is looked for."""
    called: Called | None = None
    """None: a call that its home makes."""
    early: list[AnySignal] = field(default_factory=list)
    moves: int = 0
    is_up: bool = False


class Hosted:
    """`tell` brings a word to another node; `emit` tells those who have the calls of this one."""

    def __init__(
        self, local: Carrier, homes: Homes, errands: Errands, *, tell: Tell, emit: Emit
    ) -> None:
        self._local = local
        self._homes = homes
        self._errands = errands
        self._tell = tell
        self._emit = emit
        self._guests: dict[str, _Guest] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()

    def has(self, leg: str) -> bool:
        """Also for the last messages of one that is over."""
        return leg in self._guests or leg in self._ended

    @property
    def nodes(self) -> set[str]:
        """The homes of those who are here."""
        return {guest.node for guest in self._guests.values()} - {""}

    # ── what the phones do ──

    def called(self, call: Called) -> None:
        """A call for an application that is not known to be at home here."""
        guest = _Guest(call.leg, call.application_id, called=call)
        self._guests[call.leg] = guest
        self._errands.run(self._place(guest, call))

    def heard(self, signal: AnySignal) -> None:
        guest = self._guests.get(signal.leg)
        if guest is None:
            if isinstance(signal, Stepped):
                self._tell(self._ended[signal.leg], Told(signal))
            return
        if isinstance(signal, HungUp | Declined):
            self._leave(guest)
        elif isinstance(signal, Accepted):
            guest.is_up = True
        if guest.node:
            self._tell(guest.node, Told(signal))
        elif len(guest.early) < EARLY_MAX:
            guest.early.append(signal)

    # ── what the homes say ──

    def dialled(self, node: str, word: Dialled) -> None:
        call: Dial = word.call
        if call.leg not in self._guests:
            self._guests[call.leg] = _Guest(call.leg, call.application_id, node)
            self._local.dial(call)

    def ordered(self, node: str, word: Ordered) -> None:
        guest = self._guests.get(word.leg)
        if guest is None or guest.node != node:
            return
        guest.is_up = guest.is_up or word.verb == "answer"
        is_refused = word.verb == "refuse" and not guest.is_up
        if word.verb == "hang_up" or is_refused:
            self._leave(guest)
        carry_out(self._local, word)

    def astray(self, node: str, leg: str) -> None:
        """The application has moved meanwhile."""
        guest = self._guests.get(leg)
        if guest is None or guest.node != node or guest.called is None:
            return
        guest.node = ""
        guest.moves += 1
        if guest.moves > MOVES_MAX:
            self._turn_away(guest)
        else:
            self._errands.after(MOVING_SECONDS, partial(self._place, guest, guest.called))

    # ── homes that are gone ──

    def lost(self, node: str) -> None:
        """Nothing more comes from there."""
        for guest in [each for each in self._guests.values() if each.node == node]:
            self._leave(guest)
            self._local.hang_up(guest.leg)

    async def check(self) -> None:
        """End the calls of applications that are no longer at home where they were."""
        for application_id, node in {(g.application_id, g.node) for g in self._guests.values()}:
            try:
                home = await self._find(application_id) if node else None
            except (Unavailable, TimeoutError):
                continue
            if node and (home is None or home.name != node):
                self._dismiss(application_id, node)

    def close(self) -> None:
        """This node ends: let the homes know."""
        for guest in list(self._guests.values()):
            self._end(guest)

    def _dismiss(self, application_id: ApplicationId, node: str) -> None:
        for guest in list(self._guests.values()):
            if (guest.application_id, guest.node) == (application_id, node):
                self._end(guest)

    def _end(self, guest: _Guest) -> None:
        """Towards both sides."""
        self._leave(guest)
        self._local.hang_up(guest.leg)
        if guest.node:
            self._tell(guest.node, Told(HungUp(guest.leg, HOME_LOST, "its node is gone")))

    async def _place(self, guest: _Guest, call: Called) -> None:
        """Find the home of a call, and hand it over."""
        try:
            node = await self._find(guest.application_id)
        except (Unavailable, TimeoutError):
            node = Node("", "")
        if self._guests.get(guest.leg) is not guest:
            return
        if node is None:
            del self._guests[guest.leg]
            for signal in (call, *guest.early):
                self._emit(signal)
        elif not node.name:
            self._turn_away(guest)
        else:
            guest.node, early, guest.early = node.name, guest.early, []
            for signal in (call, *early):
                self._tell(node.name, Told(signal))

    async def _find(self, application_id: ApplicationId) -> Node | None:
        async with asyncio.timeout(FIND_SECONDS):
            return await self._homes.find(application_id)

    def _turn_away(self, guest: _Guest) -> None:
        self._leave(guest)
        self._local.refuse(guest.leg, NO_HOME, "no home")

    def _leave(self, guest: _Guest) -> None:
        self._guests.pop(guest.leg, None)
        if guest.node:
            self._ended[guest.leg] = guest.node
            if len(self._ended) > ENDED_MAX:
                self._ended.popitem(last=False)
