"""Where registered softphones are: the bindings of REGISTER (RFC 3261 section 10), in memory.

A softphone is called by the flow that its registration came by, whatever its Contact says: that is
the way through its NAT.
"""

from collections.abc import Container, Iterator
from typing import NamedTuple

from msgspec import Struct

from tertulia.model.ids import ApplicationId
from tertulia.protocols.sip import fields
from tertulia.protocols.sip.fields import NameAddr
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.uri import SipUri
from tertulia.protocols.sip.verbs import Pairs

MIN_SECONDS, DEFAULT_SECONDS, MAX_SECONDS = 60, 3600, 3600
CONTACTS_MAX = 10
"""Of one user; the oldest goes when one more comes."""
USERS_MAX = 100_000


class Owner(NamedTuple):
    """A user with softphones."""

    application_id: ApplicationId
    name: str


class Binding(Struct, frozen=True):
    uri: SipUri
    """As its Contact says."""
    flow: Flow
    call_id: str
    sequence: int
    expires_at: float
    q: float


class Outcome(NamedTuple):
    """What a REGISTER is answered."""

    code: int
    text: str = ""
    headers: Pairs = ()


class Registrar:
    def __init__(self) -> None:
        self._bindings: dict[Owner, list[Binding]] = {}
        self._flows: dict[Flow, set[Owner]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._bindings.values()))

    def register(self, owner: Owner, request: Request, flow: Flow, now: float) -> Outcome:
        """Carry out a REGISTER whose sender has shown to be the owner."""
        if owner not in self._bindings and len(self._bindings) >= USERS_MAX:
            return Outcome(503, headers=(("Retry-After", "60"),))
        kept = self.bindings(owner, now)
        if request.headers.get("contact") == "*":
            outcome = self._clear(owner, kept, request)
        else:
            outcome = self._bind(owner, kept, request, flow, now)
        return outcome or Outcome(200, headers=self._listed(owner, now))

    def bindings(self, owner: Owner, now: float) -> list[Binding]:
        """Where its softphones are, the most wanted first."""
        live = [each for each in self._bindings.get(owner, ()) if each.expires_at > now]
        self._keep(owner, live)
        return sorted(live, key=lambda binding: -binding.q)

    def owners(self, flow: Flow) -> set[Owner]:
        """Who has registered by a flow."""
        return self._flows.get(flow, set())

    def flows(self) -> Iterator[Flow]:
        yield from self._flows

    def lost(self, flow: Flow) -> dict[Owner, list[str]]:
        """A connection has ended, and with it what was registered by it: contacts by user."""
        gone: dict[Owner, list[str]] = {}
        for owner in list(self._flows.get(flow, ())):
            bindings = self._bindings[owner]
            gone[owner] = [str(each.uri) for each in bindings if each.flow == flow]
            self._keep(owner, [each for each in bindings if each.flow != flow])
        return gone

    def drop(self, owner: Owner, contacts: Container[str]) -> None:
        """These are no longer here."""
        bindings = self._bindings.get(owner, [])
        self._keep(owner, [each for each in bindings if str(each.uri) not in contacts])

    def expire(self, now: float) -> None:
        for owner in list(self._bindings):
            self.bindings(owner, now)

    def _clear(self, owner: Owner, kept: list[Binding], request: Request) -> Outcome | None:
        if request.headers.read(fields.EXPIRES) != 0:
            return Outcome(400, "Contact * needs Expires: 0")
        if not all(_follows(request, each) for each in kept):
            return Outcome(500, "Out of order")
        self._keep(owner, [])
        return None

    def _bind(
        self, owner: Owner, kept: list[Binding], request: Request, flow: Flow, now: float
    ) -> Outcome | None:
        made = list(kept)
        for contact in request.contacts:
            seconds = seconds_of(request, contact)
            if 0 < seconds < MIN_SECONDS:
                return Outcome(423, headers=(("Min-Expires", str(MIN_SECONDS)),))
            if not contact.uri.is_sip or not contact.uri.host:
                return Outcome(400, "Contact is no SIP URI")
            same = [each for each in made if each.uri.matches(contact.uri)]
            if not all(_follows(request, each) for each in same):
                return Outcome(500, "Out of order")
            made = [each for each in made if each not in same]
            if seconds:
                made.append(_binding(request, contact, flow, now + min(seconds, MAX_SECONDS)))
        self._keep(owner, sorted(made, key=lambda each: each.expires_at)[-CONTACTS_MAX:])
        return None

    def _listed(self, owner: Owner, now: float) -> Pairs:
        return tuple(
            ("Contact", f"<{each.uri}>;expires={max(1, round(each.expires_at - now))}")
            for each in self._bindings.get(owner, ())
        )

    def _keep(self, owner: Owner, live: list[Binding]) -> None:
        before = self._bindings.get(owner, [])
        if live == before:
            return
        for flow in {each.flow for each in before} - {each.flow for each in live}:
            self._flows[flow].discard(owner)
            if not self._flows[flow]:
                del self._flows[flow]
        for each in live:
            self._flows.setdefault(each.flow, set()).add(owner)
        if live:
            self._bindings[owner] = live
        else:
            del self._bindings[owner]


def seconds_of(request: Request, contact: NameAddr) -> int:
    """For which a contact is to be registered; 0 to take it back."""
    seconds = contact.expires
    if seconds is None:
        seconds = request.headers.read(fields.EXPIRES)
    return DEFAULT_SECONDS if seconds is None else seconds


def _follows(request: Request, binding: Binding) -> bool:
    """Whether a request is newer than the one that made a binding, as far as can be told."""
    return request.call_id != binding.call_id or request.cseq.number > binding.sequence


def _binding(request: Request, contact: NameAddr, flow: Flow, expires_at: float) -> Binding:
    return Binding(
        contact.uri.bare(), flow, request.call_id, request.cseq.number, expires_at, contact.q
    )
