"""The adapters of Carrier against their contract: SIP over loopback, and without a network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from tests.contracts.carrier import HERE, OURS, THEIRS, CarrierContract, FarCall, Rig
from tests.sip.far import HOST, SipFar, settings
from tests.sip.sockets import secrecy

from tertulia.app.chance import RandomIds, SystemClock
from tertulia.model.state import Endpoint
from tertulia.sip.carrier import SipCarrier
from tertulia.sip.plan import Plan, TrunkPlan
from tertulia.testing.exchange import Exchange
from tertulia.testing.subscribers import Enrolled


class SipContract(CarrierContract):
    transport = "udp"
    folder: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        tls = secrecy(self.folder) if self.transport == "tls" else None
        far = await SipFar(self.transport).open(tls)
        trunk = TrunkPlan(
            name="trunk", host=HOST, port=far.port, transport=self.transport,  # type: ignore[arg-type]
            from_networks=("127.0.0.0/8",),
        )  # fmt: skip
        carrier = SipCarrier(
            settings(), plan=Plan(trunks=(trunk,), numbers={OURS: HERE}),
            subscribers=Enrolled(), clock=SystemClock(), ids=RandomIds(),
        )  # fmt: skip
        failures: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told))
        await carrier.start(HOST, tls)
        far.peer = (HOST, carrier.tls_port if self.transport == "tls" else carrier.port)
        try:
            yield Rig(carrier, far)
        finally:
            await carrier.close()
            await far.close()
        assert failures == []


class TestUdpCarrier(SipContract):
    pass


class TestTcpCarrier(SipContract):
    transport = "tcp"


class TestTlsCarrier(SipContract):
    transport = "tls"


class ExchangeFar:
    """The far ends of an Exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._next = count()

    async def dialled(self) -> FarCall:
        made = self._exchange.dials[next(self._next)]
        while not self._exchange.is_open(made.leg):
            made = self._exchange.dials[next(self._next)]
        headers = {k: v for k, v in made.headers.items() if k.startswith("X-")}
        if made.user_to_user:
            headers["User-to-User"] = made.user_to_user
        return FarCall(made.leg, made.to.number or "", made.caller, made.sdp, headers)

    async def call(self, sdp: str, headers: dict[str, str]) -> str:
        from_ = Endpoint(type="phone", number=THEIRS)
        return self._exchange.call(OURS, HERE, sdp=sdp, headers=headers, from_=from_)

    async def told(self, name: str, verb: str) -> tuple[str, int]:
        told = self._exchange.of(name, verb)[-1]
        return told.text, told.code

    def rings(self, name: str, sdp: str = "") -> None:
        self._exchange.rings(name, sdp)

    def answers(self, name: str, sdp: str, headers: dict[str, str] | None = None) -> None:
        self._exchange.answers(name, sdp, headers)

    def declines(self, name: str, code: int) -> None:
        if not self._exchange.of(name, "offer"):
            self._exchange.declines(name, code)

    def hangs_up(self, name: str) -> None:
        self._exchange.hangs_up(name)

    def reoffers(self, name: str, sdp: str) -> None:
        self._exchange.reoffers(name, sdp)

    def keys(self, name: str, digit: str, milliseconds: int) -> None:
        self._exchange.keys(name, digit, milliseconds)

    def refers(self, name: str, number: str) -> None:
        self._exchange.refers(name, Endpoint(type="phone", number=number))


class TestExchange(CarrierContract):
    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        exchange = Exchange()
        yield Rig(exchange, ExchangeFar(exchange))
