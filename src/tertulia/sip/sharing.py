"""Registrations that all nodes of a cluster know: what this one's registrar has, and what the store
has of all.

A softphone is called by the node that it has registered with: that node alone has its connection,
or the way through its NAT.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple
from weakref import WeakValueDictionary

from tertulia.model.errors import Unavailable
from tertulia.model.telephone import Dial
from tertulia.ports.phones import Contact, Registered, Registrations
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.verbs import Pairs
from tertulia.sip.registrar import Binding, Outcome, Owner, Registrar, seconds_of

UNAVAILABLE = Outcome(503, headers=(("Retry-After", "5"),))
SECONDS = 3.0
"""For asking the store where a user's softphones are."""

_log = logging.getLogger(__name__)


class Shared(NamedTuple):
    """What a node has in common with others."""

    registrations: Registrations
    is_ours: Callable[[str], bool]
    """Whether something that one node does for all, by its name, is this node's to do."""


class SharedRegistrar:
    """`owner` says whose softphones a call is for. `on_left` is called with the name of a node that
    something has left, and the user."""

    def __init__(
        self, registrar: Registrar, registrations: Registrations,
        owner: Callable[[Dial], Owner | None], *, now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._registrar = registrar
        self._registrations = registrations
        self._now = now
        self.owner = owner
        self._turns: WeakValueDictionary[Owner, asyncio.Lock] = WeakValueDictionary()
        self.on_left: Callable[[str, Owner], None] = lambda node, owner: None

    async def start(self) -> None:
        """What was registered in an earlier life of this node is gone. Raises Unavailable."""
        await self._registrations.clear()

    async def register(self, owner: Owner, request: Request, flow: Flow) -> Outcome:
        """Carry out a REGISTER whose sender has shown to be the owner."""
        turn = self._turns.setdefault(owner, asyncio.Lock())
        async with turn:
            now = self._now()
            before = self._registrar.bindings(owner, now)
            outcome = self._registrar.register(owner, request, flow, now)
            if outcome.code != 200:
                return outcome
            after = self._registrar.bindings(owner, now)
            made = [each for each in after if each not in before]
            try:
                registered = await self._share(owner, request, before, after, now)
            except Unavailable:
                self._registrar.drop(owner, [str(each.uri) for each in made])
                return UNAVAILABLE
            if registered is None:
                self._registrar.drop(owner, [str(each.uri) for each in made])
                return Outcome(500, "Out of order")
        for node in {each.node for each in registered.left}:
            self.on_left(node, owner)
        return Outcome(200, headers=_listed(registered.contacts))

    async def _share(
        self, owner: Owner, request: Request, before: list[Binding], after: list[Binding],
        now: float,
    ) -> Registered | None:  # fmt: skip
        """Tell the store what a REGISTER has changed here, and what it takes back elsewhere."""
        known: list[Contact] = []
        if not request.contacts or request.headers.get("contact") == "*":
            known = await self._registrations.of(*owner)
        if not request.contacts and request.headers.get("contact") != "*":
            return Registered(known, [])
        made = {
            str(each.uri): Contact(
                str(each.uri), each.call_id, each.sequence, each.expires_at - now
            )
            for each in after if each not in before
        }  # fmt: skip
        gone = _taken_back(request) | {each.uri for each in known}
        gone |= {str(each.uri) for each in before} - {str(each.uri) for each in after}
        back = [
            Contact(uri, request.call_id, request.cseq.number, 0)
            for uri in sorted(gone - made.keys())
        ]
        return await self._registrations.register(*owner, [*made.values(), *back])

    async def lost(self, gone: Mapping[Owner, Collection[str]]) -> None:
        """Connections of this node have ended; contacts by user."""
        for owner, contacts in gone.items():
            try:
                await self._registrations.lost(*owner, contacts)
            except Unavailable as error:
                told = {"action": "registration_left", "error": str(error)}
                _log.warning("a registration that is gone stays known for a while", extra=told)

    async def left(self, owner: Owner) -> None:
        """Softphones of a user have left this node, as far as the store says so."""
        turn = self._turns.setdefault(owner, asyncio.Lock())
        async with turn:
            here = {str(each.uri) for each in self._registrar.bindings(owner, self._now())}
            try:
                known = await self._registrations.of(*owner)
            except Unavailable:
                return
            ours = {each.uri for each in known if each.node == self._registrations.node}
            self._registrar.drop(owner, here - ours)

    @property
    def node(self) -> str:
        """The name of this one."""
        return self._registrations.node

    async def nodes(self, owner: Owner) -> set[str]:
        """Those that a user's softphones have registered with. Raises Unavailable."""
        try:
            async with asyncio.timeout(SECONDS):
                return {each.node for each in await self._registrations.of(*owner)}
        except TimeoutError:
            raise Unavailable("the registrations are slow") from None


def _taken_back(request: Request) -> set[str]:
    if request.headers.get("contact") == "*":
        return set()
    return {str(each.uri.bare()) for each in request.contacts if not seconds_of(request, each)}


def _listed(contacts: list[Contact]) -> Pairs:
    return tuple(
        ("Contact", f"<{each.uri}>;expires={max(1, round(each.seconds))}") for each in contacts
    )
