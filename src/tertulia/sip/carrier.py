"""SipCarrier: ports.Carrier by SIP, with trunks and registered softphones."""

import asyncio
import logging
from collections.abc import Callable
from math import ceil
from typing import Any

from tertulia.model import telephone
from tertulia.model.ids import ApplicationId
from tertulia.model.telephone import AnySignal, Dial
from tertulia.ports import Clock, Ids
from tertulia.ports.phones import Subscribers
from tertulia.protocols.sip import signals, verbs
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.grammar import Malformed
from tertulia.protocols.sip.uri import SipUri, parse_uri
from tertulia.settings import Settings
from tertulia.sip.dialler import Dialler
from tertulia.sip.entrance import Entrance, Guest
from tertulia.sip.identity import told
from tertulia.sip.ladder import Ladder
from tertulia.sip.legs import CarriedLeg, CarriedLegs
from tertulia.sip.plan import Plan
from tertulia.sip.registrar import Registrar
from tertulia.sip.routing import Router
from tertulia.sip.sharing import Shared, SharedRegistrar
from tertulia.sip.shell import Shell
from tertulia.sip.transports import Secrecy
from tertulia.sip.trunks import Registrations, Trunks, enter

FAREWELL = 1.0
"""Seconds for the other ends to hear that calls end, and for registrars that we go."""
REFRESH = 25.0
"""Seconds between two packets that keep the way to a registered softphone open."""

_log = logging.getLogger(__name__)


class SipCarrier:
    """Make it on the loop, `start` it, `close` it in the end.

    `phones` says where the simulated phones are, for a plan that has them; `shared` is what
    a node among others has in common with them.
    """

    def __init__(
        self, settings: Settings, *, plan: Plan, subscribers: Subscribers, clock: Clock, ids: Ids,
        phones: Callable[[], tuple[str, int] | None] | None = None,
        shared: Shared | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._legs = legs = CarriedLegs()
        self._registrar = registrar = Registrar()
        self._trunks = trunks = Trunks(plan, phones)
        self._shell = shell = Shell(
            settings, hear=self._hear, lost=self._lost, name_call=ids.bare,
            is_trusted=lambda host: trunks.sender(host) is not None,
            credentials=self._credentials, hosts=trunks.hosts,
        )  # fmt: skip
        self._registrations = Registrations(
            trunks, shell.tell, shell.counts, shared.is_ours if shared else None
        )
        self._entrance = Entrance(
            shell, plan=plan, trunks=trunks, registrar=registrar, subscribers=subscribers,
            settings=settings.sip, admit=self._admit, holder=self._holder,
        )  # fmt: skip
        router = Router(
            plan, trunks, registrar, now=lambda: shell.now, domain=lambda: self._domain,
            is_us=self._is_us,
        )  # fmt: skip
        self.shared = (
            SharedRegistrar(
                registrar, shared.registrations, router.softphones, now=lambda: shell.now
            )
            if shared
            else None
        )
        """What all nodes know of softphones; None: there is one node."""
        if self.shared is not None:
            self._entrance.register = self.shared.register
        self._dialler = Dialler(shell, router, trunks, legs, self._emit)
        self._ladder = Ladder(legs, clock, self._emit)
        self._listener: Callable[[AnySignal], None] = lambda _: None
        self._refreshing: asyncio.TimerHandle | None = None
        self._domain = ""
        self._hearing = self._ears()

    def _ears(self) -> dict[type[signals.Signal], Callable[[Any], None]]:
        """Of what is not here there is nothing to be done."""
        dialler, entrance = self._dialler, self._entrance
        return {
            signals.Stepped: self._ladder.stepped, signals.Invited: entrance.invited,
            signals.Asked: entrance.asked, signals.Replied: self._registrations.replied,
            signals.Rang: dialler.rang, signals.Answered: dialler.answered,
            signals.Failed: dialler.failed, signals.Ended: self._ended,
            signals.Agreed: self._agreed, signals.Reoffered: self._reoffered,
            signals.Keyed: self._keyed, signals.Referred: self._referred,
        }  # fmt: skip

    async def start(self, host: str, secrecy: Secrecy | None) -> None:
        """Listen, on `host` unless the settings name another, and register with trunks. Raises
        OSError, Unavailable."""
        if self.shared is not None:
            await self.shared.start()
        await self._shell.transports.open(host, secrecy)
        sip = self._settings.sip
        self._domain = sip.domain or sip.external_address or sip.host or host
        self._registrations.start()
        self._refresh()

    @property
    def port(self) -> int:
        """Of UDP and TCP, as bound."""
        return self._shell.transports.port

    @property
    def tls_port(self) -> int:
        """0: there is no TLS."""
        return self._shell.transports.tls_port

    def figures(self) -> dict[str, tuple[str, float]]:
        """Kind and value of each figure for `/metrics`."""
        shell = self._shell
        counted = sorted(shell.counts.items())
        return {
            "calls": ("gauge", len(self._legs)),
            "registered_contacts": ("gauge", len(self._registrar)),
            "registered_trunks": ("gauge", len(self._registrations.up)),
            "open_connections": ("gauge", shell.transports.connections),
            **{f"agent_{name}": ("gauge", size) for name, size in shell.sizes.items()},
            **{f"{name}_total": ("counter", count) for name, count in counted},
        }

    def leave(self) -> None:
        """Let in no more calls and softphones: they are to go to other nodes. What is there goes
        on."""
        self._entrance.is_closed = True
        self._registrations.leave()

    async def close(self) -> None:
        """End all calls, take back registrations, and let the other ends hear of it."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        self._listener = lambda _: None
        calls = [leg.call for leg in self._legs if leg.is_up]
        leaving = [
            asyncio.create_task(self._ladder.farewell(calls, FAREWELL)),
            asyncio.create_task(self._registrations.end(FAREWELL)),
        ]
        await asyncio.sleep(0)  # they wait for what comes of the following
        for leg in self._legs:
            self.hang_up(leg.id)
        await asyncio.gather(*leaving)
        await self._shell.close()

    # ── what is told of calls ──

    def dial(self, call: Dial) -> None:
        self._dialler.dial(call)

    def ring(self, leg: str) -> None:
        self._tell(leg, verbs.Ring)

    def progress(self, leg: str, sdp: str) -> None:
        self._tell(leg, lambda call: verbs.Progress(call, sdp.encode()))

    def answer(self, leg: str, sdp: str) -> None:
        carried = self._legs.get(leg)
        if carried is not None and carried.outgoing is None:
            carried.is_up = True
            self._shell.tell(verbs.Answer(carried.call, sdp.encode()))

    def refuse(self, leg: str, code: int, text: str = "") -> None:
        carried = self._legs.get(leg)
        if carried is None or carried.outgoing is not None:
            return
        if not carried.is_up:
            self._legs.end(carried, by_us=True)
        self._shell.tell(verbs.Refuse(carried.call, code, text))

    def offer(self, leg: str, sdp: str) -> None:
        self._tell(leg, lambda call: verbs.Offer(call, sdp.encode()))

    def hang_up(self, leg: str) -> None:
        carried = self._legs.get(leg)
        if carried is None:
            return
        if carried.outgoing is not None:
            self._dialler.hang_up(carried, carried.outgoing)
        else:
            self._legs.end(carried, by_us=True)
            self._shell.tell(verbs.HangUp(carried.call))

    def referred(self, leg: str, code: int) -> None:
        self._tell(leg, lambda call: verbs.ReferResult(call, code))

    def on_signal(self, listener: Callable[[AnySignal], None]) -> None:
        self._listener = listener

    def _tell(self, leg: str, verb: Callable[[str], verbs.AnyVerb]) -> None:
        carried = self._legs.get(leg)
        if carried is not None and carried.outgoing is None:
            self._shell.tell(verb(carried.call))

    def _lost(self, flow: Flow) -> None:
        gone = self._registrar.lost(flow)
        if gone and self.shared is not None:
            self._shell.start(self.shared.lost(gone))

    # ── what is heard of calls ──

    def _hear(self, signal: signals.AnySignal) -> None:
        hear = self._hearing.get(type(signal))
        if hear is not None:
            hear(signal)

    def _emit(self, signal: AnySignal) -> None:
        try:
            self._listener(signal)
        except Exception:
            _log.exception("a signal failed", extra={"action": "signal_failed"})

    def _admit(self, guest: Guest) -> None:
        """Let a call in, unless there are too many."""
        signal, trunk = guest.signal, guest.trunk
        meters = self._trunks.meters(guest.application_id)
        if trunk is not None:
            meters.append(trunk.meter)
        refusal = enter(meters, self._shell.now)
        if refusal is not None:
            self._shell.counts.note("calls_capped")
            wait = ("Retry-After", str(max(1, ceil(refusal.retry_after))))
            self._shell.tell(verbs.Refuse(signal.call, refusal.code, headers=(wait,)))
            return
        self._shell.counts.note("calls_in")
        self._shell.know(signal.flow)
        homes = (signal.message.from_.uri.address, signal.flow.local[0])
        leg = CarriedLeg(signal.call, guest.application_id, signal.call, homes, meters)
        self._legs.add(leg)
        self._legs.name(signal.call, leg)
        self._emit(
            telephone.Called(
                leg.id, guest.application_id, guest.to, guest.from_, _text(signal.body),
                told(signal.message), guest.user_id, trunk.name if trunk else "",
                self._leg_id(signal.replaces),
            )
        )  # fmt: skip
        self._ladder.let_in(signal.call)

    def _ended(self, signal: signals.Ended) -> None:
        self._entrance.gone(signal.call)
        leg = self._legs.of(signal.call)
        if leg is not None:
            self._legs.end(leg, by_us=False)
            self._emit(telephone.HungUp(leg.id, signal.code, signal.text))

    def _agreed(self, signal: signals.Agreed) -> None:
        leg = self._legs.of(signal.call)
        if leg is not None:
            self._emit(telephone.Accepted(leg.id, _text(signal.body)))

    def _reoffered(self, signal: signals.Reoffered) -> None:
        leg = self._legs.of(signal.call)
        if leg is not None:
            self._emit(telephone.Reoffered(leg.id, _text(signal.body)))

    def _keyed(self, signal: signals.Keyed) -> None:
        leg = self._legs.of(signal.call)
        if leg is not None:
            self._emit(telephone.Keyed(leg.id, signal.digit, signal.milliseconds))

    def _referred(self, signal: signals.Referred) -> None:
        leg = self._legs.of(signal.call)
        if leg is None:
            return
        try:
            to = self._entrance.dialled(parse_uri(signal.to), leg.homes)
        except Malformed:
            self._shell.tell(verbs.ReferResult(signal.call, 400))
            return
        self._emit(telephone.Referred(leg.id, to, self._leg_id(signal.replaces)))

    # ── what others ask of it ──

    def _is_us(self, uri: SipUri) -> bool:
        is_port = uri.port is None or uri.port in (self.port, self.tls_port)
        return is_port and uri.address == self._domain

    def _leg_id(self, call: str) -> str | None:
        leg = self._legs.of(call)
        return leg.id if leg else None

    def _holder(self, call: str) -> ApplicationId | None:
        leg = self._legs.of(call)
        return leg.application_id if leg else None

    def _credentials(self, call: str, realm: str) -> Credentials | None:
        trunk = self._registrations.trunk(call)
        return trunk.credentials if trunk is not None else self._legs.credentials(call)

    def _refresh(self) -> None:
        self._registrar.expire(self._shell.now)
        for flow in self._registrar.flows():
            self._shell.transports.refresh(flow)
        self._refreshing = asyncio.get_running_loop().call_later(REFRESH, self._refresh)


def _text(body: bytes) -> str:
    return body.decode(errors="replace")
