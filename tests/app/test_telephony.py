"""Phones as the hub starts them: number plan, ports, and what is said when they cannot be had."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from msgspec.structs import replace
from tests.contracts.carrier import ANSWER, HERE, OFFER, OURS, Signals
from tests.sip.far import SipFar
from tests.sip.homes import Town

from tertulia import devkit
from tertulia.app import whereabouts
from tertulia.app.chance import SystemClock
from tertulia.app.telephony import PhonePorts, Surroundings, number_plan
from tertulia.bus.local import Exchange
from tertulia.model.telephone import Called
from tertulia.settings import Data, Settings, SettingsError, Sip
from tertulia.sip.plan import Plan, for_development
from tertulia.store.memory import MemoryStore
from tertulia.testing.registrations import Book, SharedBook

HOST = "127.0.0.1"


def settings(folder: Path, **sip: int | str | bool) -> Settings:
    return replace(Settings(), data=Data(str(folder)), sip=replace(Sip(port=0), **sip))


def play(made: Settings, scenario: Callable[[PhonePorts], Awaitable[None]]) -> None:
    async def run() -> None:
        plan = number_plan(made, dev=True)
        phones = PhonePorts(made, plan, MemoryStore(), SystemClock())
        try:
            await scenario(phones)
        finally:
            await phones.close()

    uvloop.run(run())


def test_in_development_a_number_and_simulated_phones_are_there(tmp_path: Path) -> None:
    made = settings(tmp_path)
    plan = number_plan(made, dev=True)
    owner = devkit.development_application(made).id
    assert plan.owner("15550199") == owner
    assert plan.numbers_of(owner) == ["15550199"]
    assert [trunk.name for trunk in plan.ways("15550100")] == ["simulated"]
    assert plan.tenant("anything.test") == owner


def test_elsewhere_only_what_the_plan_says(tmp_path: Path) -> None:
    assert number_plan(settings(tmp_path), dev=False).ways("15550100") == []
    simulated = number_plan(settings(tmp_path, simulated=True), dev=False)
    assert [trunk.name for trunk in simulated.ways("15550100")] == ["simulated"]
    assert simulated.numbers == {}
    (tmp_path / "plan.toml").write_text("[numbers]\n15550100 = 'application-1'\n")
    plan = number_plan(settings(tmp_path, plan=str(tmp_path / "plan.toml")), dev=False)
    assert plan.numbers == {"15550100": "application-1"}


def test_a_plan_that_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("[[trunk]]\nname = 'a'\nprot = 1\n")
    with pytest.raises(SettingsError, match=r"plan\.toml, line 3: .*`prot`"):
        number_plan(settings(tmp_path, plan=str(tmp_path / "plan.toml")), dev=True)


def test_where_sip_is_served_is_noted(tmp_path: Path) -> None:
    async def scenario(phones: PhonePorts) -> None:
        await phones.listen(lambda _: None, None)
        assert phones.carrier.port > 0
        assert whereabouts.find(tmp_path / whereabouts.HUB) == (HOST, phones.carrier.port)

    play(settings(tmp_path), scenario)


def test_tls_is_served_with_what_https_is(tmp_path: Path) -> None:
    made = settings(tmp_path)
    tls = devkit.ensure_certificate(tmp_path, HOST, now=SystemClock().now())

    async def scenario(phones: PhonePorts) -> None:
        context = devkit.server_ssl_context(tls.certificate, tls.key)
        await phones.listen(lambda _: None, context)
        assert phones.carrier.tls_port > 0

    play(made, scenario)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_is_taken_is_said(tmp_path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HOST, 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]

        async def scenario(phones: PhonePorts) -> None:
            with pytest.raises(SettingsError, match=r"sip: .*in use"):
                await phones.listen(lambda _: None, None)
            await asyncio.sleep(0)

        play(settings(tmp_path, port=port), scenario)


def test_of_several_nodes_a_call_is_heard_where_its_application_is_at_home(tmp_path: Path) -> None:
    async def run() -> None:
        town, exchange, book = Town(), Exchange(), Book()
        nodes = {name: node(tmp_path / name, town, exchange, book) for name in "ab"}
        town.homes[HERE] = "a"
        heard = {name: Signals() for name in nodes}
        for name, phones in nodes.items():
            await phones.listen(heard[name], None)
        far = await SipFar().open()
        far.peer = (HOST, nodes["b"].carrier.port)
        name = await far.call(OFFER, {})
        leg = (await heard["a"].next(Called)).leg
        nodes["a"].telephony.carrier.answer(leg, ANSWER)
        await far.told(name, "answer")
        assert (nodes["a"].calls, nodes["b"].calls) == (0, 1)
        await nodes["b"].drain(0.0)
        refused = await far.call(OFFER, {})
        assert (await far.told(refused, "refuse"))[1] == 503
        assert nodes["b"].calls == 1
        await nodes["a"].close()
        await far.told(name, "hang_up")
        await asyncio.wait_for(nodes["b"].drain(5.0), 1.0)
        await nodes["b"].close()
        await far.close()
        assert heard["b"].all == []

    uvloop.run(run())


def node(folder: Path, town: Town, exchange: Exchange, book: Book) -> PhonePorts:
    name, loop = folder.name, asyncio.get_running_loop()
    around = Surroundings(exchange.bus(), town.node(name), SharedBook(name, book, loop.time))
    made = settings(folder)
    plan = for_development(Plan(), HERE, OURS)
    return PhonePorts(made, plan, MemoryStore(), SystemClock(), around)
