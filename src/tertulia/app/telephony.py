"""Phones of a hub: its carrier with the number plan, and what is known of where SIP is served."""

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tertulia import devkit
from tertulia.app import whereabouts
from tertulia.app.chance import RandomIds
from tertulia.app.whereabouts import Whereabouts
from tertulia.model.rating import Rates
from tertulia.model.telephone import AnySignal
from tertulia.ports import Clock, Directory
from tertulia.ports.cluster import Bus, Homes
from tertulia.ports.phones import Registrations
from tertulia.services.stewards import steward
from tertulia.services.subscribers import UserSubscribers
from tertulia.services.telephony import Telephony
from tertulia.settings import Settings, SettingsError
from tertulia.sip.carrier import SipCarrier
from tertulia.sip.cluster import ClusterCarrier
from tertulia.sip.plan import Plan, for_development, read_plan, with_simulated_phones
from tertulia.sip.sharing import Shared
from tertulia.sip.transports import Secrecy

ALPN = ["sip"]
DRAIN_PAUSE = 0.1
"""Seconds between looks whether calls go on."""


class Surroundings(Struct, frozen=True):
    """What phones need of the other nodes of a cluster."""

    bus: Bus
    homes: Homes
    registrations: Registrations


class PhonePorts:
    """Make it on the loop. `around` is of a node among others."""

    def __init__(
        self, settings: Settings, plan: Plan, directory: Directory, clock: Clock,
        around: Surroundings | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._data = settings.data.path
        self.carrier = SipCarrier(
            settings, plan=plan, subscribers=UserSubscribers(directory, plan.tenant), clock=clock,
            ids=RandomIds(), phones=lambda: whereabouts.find(self._data / whereabouts.PHONES),
            shared=_shared(around) if around is not None else None,
        )  # fmt: skip
        self._cluster: ClusterCarrier | None = None
        if around is not None:
            self._cluster = ClusterCarrier(
                self.carrier, bus=around.bus, homes=around.homes, softphones=self.carrier.shared
            )
        self.telephony = Telephony(
            self._cluster or self.carrier, plan.numbers_of, Rates(plan.rates), self._is_simulated,
            plan.is_secure,
        )  # fmt: skip

    def _is_simulated(self, number: str) -> bool:
        return number in whereabouts.numbers(self._data / whereabouts.PHONES)

    async def listen(self, hear: Callable[[AnySignal], None], tls: ssl.SSLContext | None) -> None:
        """`tls` is with what https is served. Raises SettingsError: a port is taken."""
        self.telephony.carrier.on_signal(hear)
        if self._cluster is not None:
            await self._cluster.start()
        try:
            await self.carrier.start(self._settings.http.host, _secrecy(tls, self._data))
        except OSError as error:
            raise SettingsError(f"sip: {error}") from None
        self.note()

    def note(self, http_port: int = 0) -> None:
        """Where the hub is, for the simulated phones and carriers. Raises SettingsError."""
        where = Whereabouts(self.carrier.port, os.getpid(), http=http_port)
        whereabouts.note(self._data / whereabouts.HUB, where)

    async def drain(self, seconds: float) -> None:
        """Of a node among others: let in no more calls and softphones, and wait for those calls to
        end whose phones are here, also of applications of other nodes."""
        if self._cluster is None:
            return
        self.carrier.leave()
        for _ in range(int(seconds / DRAIN_PAUSE)):
            if not self.calls:
                return
            await asyncio.sleep(DRAIN_PAUSE)

    @property
    def calls(self) -> int:
        """Those whose phones are here, of other nodes' applications too."""
        return int(self.carrier.figures()["calls"][1])

    async def close(self) -> None:
        if self._cluster is not None:
            await self._cluster.close()
        await self.carrier.close()


def _shared(around: Surroundings) -> Shared:
    homes = around.homes

    def is_ours(what: str) -> bool:
        return steward(homes, f"trunk {what}") == homes.name

    return Shared(around.registrations, is_ours)


def number_plan(settings: Settings, *, dev: bool) -> Plan:
    """The one that the settings name. Raises SettingsError."""
    sip = settings.sip
    plan = Plan(suffix=sip.domain.lower())
    if sip.plan:
        plan = read_plan(Path(sip.plan).expanduser(), suffix=sip.domain)
    if dev:
        owner = devkit.development_application(settings).id
        return for_development(plan, owner, settings.dev.number)
    return with_simulated_phones(plan) if sip.simulated else plan


def _secrecy(tls: ssl.SSLContext | None, data: Path) -> Secrecy | None:
    """Who is called by TLS has to show a certificate of an authority that this machine trusts, or
    of the local one."""
    if tls is None:
        return None
    tls.set_alpn_protocols(ALPN)
    client = ssl.create_default_context()
    authority = data / devkit.AUTHORITY_FILE
    if authority.exists():
        client.load_verify_locations(authority)
    return Secrecy(tls, client)
