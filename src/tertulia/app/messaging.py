"""Carriers of messages of a hub: all those of its plan, made, started and closed."""

import asyncio
from functools import partial
from pathlib import Path

from tertulia import devkit
from tertulia.app import whereabouts
from tertulia.app.carrier_requests import CarrierRequests
from tertulia.app.handsets import HandsetLine
from tertulia.carriers.accounts import (
    AnyAccount,
    GatewayAccount,
    MessengerAccount,
    SmppAccount,
    ViberAccount,
    WhatsAppAccount,
)
from tertulia.carriers.doors import HttpCarrier
from tertulia.carriers.gateway import GatewayCarrier
from tertulia.carriers.graph import MessengerCarrier, WhatsAppCarrier
from tertulia.carriers.http import HttpOut, Where
from tertulia.carriers.plan import Plan, for_development, read_plan, with_simulated
from tertulia.carriers.smpp import SmppCarrier
from tertulia.carriers.smpp_parts import PartsOfAll
from tertulia.carriers.viber import ViberCarrier
from tertulia.devkit.development import LOOPBACK
from tertulia.dispatch.target import TargetGuard
from tertulia.ports import Clock
from tertulia.ports.messaging import CarrierDoor, CarrierEars, MessageCarrier
from tertulia.services.messaging import Messaging
from tertulia.services.strangers import Unknown
from tertulia.settings import Settings


class MessagePorts:
    """Make it on the loop. `carriers` and `doors` are by name; `carriers` in the plan's order."""

    def __init__(
        self, settings: Settings, plan: Plan, clock: Clock, *, dev: bool = False,
        parts: PartsOfAll | None = None,
    ) -> None:  # fmt: skip
        """`parts` is of a node among others."""
        simulated = dev or settings.messaging.simulated
        networks = settings.webhooks.allow_networks + (LOOPBACK if simulated else ())
        self._requests = CarrierRequests(TargetGuard(networks))
        self._phones = settings.data.path / whereabouts.PHONES
        self._clock = clock
        self._parts = parts
        self.handsets = HandsetLine(self._requests, self._simulated) if simulated else None
        self.carriers: dict[str, MessageCarrier] = {}
        self.doors: dict[str, CarrierDoor] = {}
        for account in plan.carriers:
            self._add(account)
        self.messaging = Messaging(self.carriers, plan, Unknown(settings.messaging.unknown))

    async def start(self, ears: CarrierEars) -> None:
        if self._parts is not None:
            await self._parts.start()
        for carrier in self.carriers.values():
            await carrier.start(ears)

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self.carriers.values()))
        self._requests.close()
        if self._parts is not None:
            await self._parts.close()

    def _add(self, account: AnyAccount) -> None:
        if isinstance(account, SmppAccount):
            where = None if account.host else partial(whereabouts.smpp, self._phones)
            self.carriers[account.name] = SmppCarrier(
                account, now=self._clock.now, where=where, parts=self._parts
            )
            return
        carrier = http_carrier(account, self._requests, self._simulated)
        self.carriers[account.name] = self.doors[account.name] = carrier

    def _simulated(self) -> str | None:
        port = whereabouts.http_port(self._phones)
        return None if port is None else f"http://{whereabouts.HOST}:{port}"


def http_carrier(
    account: WhatsAppAccount | MessengerAccount | ViberAccount | GatewayAccount,
    out: HttpOut,
    where: Where,
) -> HttpCarrier:
    if isinstance(account, WhatsAppAccount):
        return WhatsAppCarrier(account, out, where)
    if isinstance(account, MessengerAccount):
        return MessengerCarrier(account, out, where)
    if isinstance(account, ViberAccount):
        return ViberCarrier(account, out, where)
    return GatewayCarrier(account, out, where)


def message_plan(settings: Settings, *, dev: bool) -> Plan:
    """The one that the settings name. Raises SettingsError."""
    messaging = settings.messaging
    plan = read_plan(Path(messaging.plan).expanduser()) if messaging.plan else Plan()
    if dev:
        return for_development(plan, devkit.development_application(settings).id)
    return with_simulated(plan) if messaging.simulated else plan
