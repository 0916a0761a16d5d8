"""What comes from outside and begins something: calls and registrations, and who may.

A trunk is known by its address or by digest, a softphone by digest alone. Whoever is neither is
challenged, whether it names somebody or nobody, and learns nothing from that.
"""

import os
import re
from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, UserId
from tertulia.model.state import Endpoint
from tertulia.ports.phones import Subscriber, Subscribers
from tertulia.protocols.sip.digest import parse_authorization
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.gatekeeper import Gatekeeper, Verdict
from tertulia.protocols.sip.message import Request
from tertulia.protocols.sip.signals import Asked, Invited
from tertulia.protocols.sip.uri import SipUri
from tertulia.protocols.sip.verbs import Challenge, Pairs, Refuse, Respond
from tertulia.settings import Sip
from tertulia.sip.identity import calling, somebody
from tertulia.sip.plan import SIMULATED, Plan, is_number, plain
from tertulia.sip.registrar import Outcome, Owner, Registrar
from tertulia.sip.shell import Shell
from tertulia.sip.trunks import Trunk, Trunks

REALM = "tertulia"
BUSY: Pairs = (("Retry-After", "5"),)
MD5_ONLY = re.compile(r"baresip v[01]\.")
"""COMPAT: softphones that understand no challenge when they do not understand each."""
WAITING_MAX = 4096
"""Calls whose caller's credentials are being looked at."""


Register = Callable[[Owner, Request, Flow], Awaitable[Outcome]]


class Guest(Struct, frozen=True):
    """A call that may come in."""

    signal: Invited
    application_id: ApplicationId
    to: Endpoint
    from_: Endpoint
    user_id: UserId | None = None
    trunk: Trunk | None = None


class Entrance:
    """`admit` is given calls that may come in; `holder` says whose a call is."""

    def __init__(
        self, shell: Shell, *, plan: Plan, trunks: Trunks, registrar: Registrar, settings: Sip,
        subscribers: Subscribers, admit: Callable[[Guest], None],
        holder: Callable[[str], ApplicationId | None],
    ) -> None:  # fmt: skip
        self._shell = shell
        self._plan = plan
        self._trunks = trunks
        self._registrar = registrar
        self._keeper = Gatekeeper(
            settings.domain or REALM, os.urandom(32), algorithms=settings.digests
        )
        self._subscribers = subscribers
        self._admit = admit
        self._holder = holder
        self.register: Register = self._register_here
        """Carries out a REGISTER whose sender has shown to be the owner."""
        self._waiting: set[str] = set()
        self.is_closed = False
        """Nobody comes in any more."""

    def invited(self, signal: Invited) -> None:
        if self.is_closed:
            self._shell.tell(Refuse(signal.call, 503, headers=BUSY))
            return
        trunk = self._trunks.sender(signal.flow.peer[0])
        if trunk is not None and not self._is_softphone(signal):
            guest = self._by_trunk(signal, trunk)
            if guest is not None:
                self._admit(guest)
                return
            if trunk.name != SIMULATED:
                self._shell.tell(Refuse(signal.call, 404))
                return
        if not signal.message.headers.all("Authorization"):
            self._challenge(signal.call, signal.message)
        elif len(self._waiting) >= WAITING_MAX or not self._shell.start(self._judge_call(signal)):
            self._shell.tell(Refuse(signal.call, 503, headers=BUSY))
        else:
            self._waiting.add(signal.call)

    def asked(self, signal: Asked) -> None:
        """A question: REGISTER, and nothing else."""
        if signal.message.method != "REGISTER":
            self._shell.tell(Respond(signal.call, 405, headers=(("Allow", "INVITE, REGISTER"),)))
        elif not signal.message.headers.all("Authorization"):
            self._challenge(signal.call, signal.message)
        elif self.is_closed or not self._shell.start(self._judge_registration(signal)):
            self._shell.tell(Respond(signal.call, 503, headers=BUSY))

    def gone(self, call: str) -> None:
        """The caller has given up."""
        self._waiting.discard(call)

    def dialled(self, uri: SipUri, homes: tuple[str, ...]) -> Endpoint:
        """Who is meant by a URI, said by somebody of whom these hosts are at home here."""
        at_home = uri.scheme == "tel" or uri.address in homes or self._plan.knows(uri.address)
        if at_home and is_number(uri.user):
            return Endpoint(type="phone", number=plain(uri.user))
        if at_home and uri.user:
            return Endpoint(type="app", user=uri.user)
        return Endpoint(type="sip", uri=str(uri.bare()))

    def _is_softphone(self, signal: Invited) -> bool:
        """Whether who calls has registered from there, so that its credentials may be asked for."""
        name = signal.message.from_.uri.user
        return any(owner.name == name for owner in self._registrar.owners(signal.flow))

    def _by_trunk(self, signal: Invited, trunk: Trunk) -> Guest | None:
        uri = signal.message.uri
        to = somebody(uri)
        owner = self._plan.owner(uri.user, trunk.plan) if uri.user else None
        if owner is None and signal.replaces:
            owner = self._holder(signal.replaces)
        if owner is None:
            return None
        return Guest(signal, owner, to, calling(signal.message, trusted=True), trunk=trunk)

    def _by_softphone(self, signal: Invited, found: Subscriber) -> Guest:
        message = signal.message
        home = message.from_.uri
        to = self.dialled(message.uri, (home.address, signal.flow.local[0]))
        uri = SipUri.make(home.host, user=found.name)
        from_ = Endpoint(type="sip", uri=str(uri))
        return Guest(signal, found.application_id, to, from_, user_id=found.user_id)

    async def _judge_call(self, signal: Invited) -> None:
        message = signal.message
        try:
            found = await self._identify(signal.call, message, signal.flow, message.from_.uri)
        except Unavailable:
            self._shell.tell(Refuse(signal.call, 503, headers=BUSY))
            return
        finally:
            is_waiting = signal.call in self._waiting
            self._waiting.discard(signal.call)
        if found is None or not is_waiting:
            return
        if isinstance(found, Trunk):
            guest = self._by_trunk(signal, found)
            if guest is None:
                self._shell.tell(Refuse(signal.call, 404))
                return
        else:
            guest = self._by_softphone(signal, found)
        self._admit(guest)

    async def _judge_registration(self, signal: Asked) -> None:
        message = signal.message
        try:
            found = await self._identify(signal.call, message, signal.flow, message.to.uri)
        except Unavailable:
            self._shell.tell(Respond(signal.call, 503, headers=BUSY))
            return
        if isinstance(found, Trunk):
            self._shell.tell(Respond(signal.call, 403))
        elif found is not None:
            owner = Owner(found.application_id, found.name)
            outcome = await self.register(owner, message, signal.flow)
            self._shell.counts.note("registrations")
            self._shell.tell(Respond(signal.call, outcome.code, outcome.text, outcome.headers))

    async def _register_here(self, owner: Owner, request: Request, flow: Flow) -> Outcome:
        return self._registrar.register(owner, request, flow, self._shell.now)

    async def _identify(
        self, call: str, message: Request, flow: Flow, uri: SipUri
    ) -> Subscriber | Trunk | None:
        """Who has sent a request in the name of a URI; None: it was challenged again."""
        values = message.headers.all("Authorization")
        trunk = self._named_trunk(values)
        found = await self._subscribers.find(uri.address, uri.user)
        passwords = dict(found.passwords) if found else {}
        if trunk is not None:
            passwords = {trunk.plan.inbound_username: trunk.plan.inbound_password}
        now = self._shell.now
        verdict = self._keeper.check(values, message.method, passwords.get, now).verdict
        if verdict is Verdict.VALID:
            self._shell.know(flow)
            return trunk or found
        if verdict is Verdict.WRONG and self._trunks.sender(flow.peer[0]) is None:
            self._shell.strangers.failed(flow.peer[0], now)
        self._waiting.discard(call)
        self._challenge(call, message, stale=verdict is Verdict.STALE)
        return None

    def _named_trunk(self, values: Iterable[str]) -> Trunk | None:
        for value in values:
            sent = parse_authorization(value)
            if sent is not None:
                return self._trunks.known_as(sent.username)
        return None

    def _challenge(self, call: str, message: Request, *, stale: bool = False) -> None:
        self._shell.counts.note("challenged")
        values = self._keeper.challenges(os.urandom(8), self._shell.now, stale=stale)
        if MD5_ONLY.match(message.headers.get("User-Agent") or ""):
            values = values[-1:]
        self._shell.tell(Challenge(call, tuple(("WWW-Authenticate", value) for value in values)))
