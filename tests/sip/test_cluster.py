"""Calls between the phones of one node and the applications of another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import uvloop
from tests.contracts.carrier import (
    ANSWER,
    HERE,
    OFFER,
    OTHER,
    OURS,
    CarrierContract,
    Rig,
    Signals,
    taken,
    to_number,
)
from tests.sip.far import HOST, SipFar, settings
from tests.sip.floor import PASSWORD
from tests.sip.homes import Town
from tests.sip.sockets import until

from tertulia.app.chance import RandomIds, SystemClock
from tertulia.bus.local import Exchange, LocalBus
from tertulia.model.ids import UserId
from tertulia.model.state import Endpoint
from tertulia.model.telephone import (
    Accepted,
    Called,
    Declined,
    Dial,
    HungUp,
    Keyed,
    Rang,
    Referred,
)
from tertulia.ports.phones import Subscriber
from tertulia.protocols.sip import signals as sip
from tertulia.protocols.sip.digest import Credentials
from tertulia.sip.carrier import SipCarrier
from tertulia.sip.cluster import WATCH_SECONDS, ClusterCarrier
from tertulia.sip.plan import Plan, TrunkPlan
from tertulia.sip.sharing import Shared
from tertulia.testing.registrations import Book, SharedBook
from tertulia.testing.subscribers import Enrolled

SOON = 5.0
"""Seconds within which calls end whose node is gone."""


class Place(NamedTuple):
    """A node."""

    sip: SipCarrier
    carrier: ClusterCarrier
    bus: LocalBus
    signals: Signals


class Country:
    """Two nodes, `a` and `b`: the application is at home at `a`. The far end calls `b`."""

    def __init__(self, far: SipFar, stack: AsyncExitStack) -> None:
        self.far = far
        self.town = Town()
        self.nodes: dict[str, Place] = {}
        self._stack = stack
        self._exchange, self._book = Exchange(), Book()
        self._subscribers = Enrolled()
        alice = Subscriber(UserId("USR-alice"), HERE, "alice", {"alice": PASSWORD})
        self._subscribers.enrol(HOST, alice)

    @property
    def a(self) -> Place:
        return self.nodes["a"]

    @property
    def b(self) -> Place:
        return self.nodes["b"]

    async def add(self, name: str) -> Place:
        far, loop = self.far, asyncio.get_running_loop()
        trunk = TrunkPlan(
            name="trunk", host=HOST, port=far.port, transport="udp",
            from_networks=("127.0.0.0/8",),
        )  # fmt: skip
        homes, bus = self.town.node(name), self._exchange.bus()
        local = SipCarrier(
            settings(), plan=Plan(trunks=(trunk,), numbers={OURS: HERE}, domains={HOST: HERE}),
            subscribers=self._subscribers, clock=SystemClock(), ids=RandomIds(),
            shared=Shared(SharedBook(name, self._book, loop.time), lambda _: False),
        )  # fmt: skip
        carrier = ClusterCarrier(local, bus=bus, homes=homes, softphones=local.shared)
        signals = Signals()
        carrier.on_signal(signals)
        await carrier.start()
        await local.start(HOST, None)
        place = self.nodes[name] = Place(local, carrier, bus, signals)
        self._stack.push_async_callback(local.close)
        self._stack.push_async_callback(carrier.close)
        return place

    async def phone(self, node: str) -> SipFar:
        """A softphone of alice's, registered with a node."""
        far = await SipFar("udp", Credentials("alice", PASSWORD)).open()
        self._stack.push_async_callback(far.close)
        far.peer = (HOST, self.nodes[node].sip.port)
        # a new address every time: the trunk's are not asked for credentials
        assert (await far.register("alice")).code == 200
        return far

    def die(self, name: str) -> None:
        """As the others see it."""
        self.nodes[name].bus.cut()
        self.town.alive.remove(name)


@asynccontextmanager
async def country() -> AsyncIterator[Country]:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told))
    async with AsyncExitStack() as stack:
        far = await SipFar().open()
        stack.push_async_callback(far.close)
        made = Country(far, stack)
        await made.add("a")
        await made.add("b")
        made.town.homes[HERE] = "a"
        far.peer = (HOST, made.b.sip.port)
        yield made
    assert failures == []


def play(scenario: Callable[[Country], Awaitable[None]]) -> None:
    async def run() -> None:
        async with country() as made:
            await scenario(made)

    uvloop.run(run())


class TestClusterCarrier(CarrierContract):
    """Calls come in at one node and are the other's; it calls by trunks itself."""

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        async with country() as made:
            yield Rig(made.a.carrier, made.far)


class TestClusterCarrierAlone(CarrierContract):
    """Everything is at home here."""

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        async with country() as made:
            made.far.peer = (HOST, made.a.sip.port)
            yield Rig(made.a.carrier, made.far)


def to_alice(leg: str = "leg") -> Dial:
    return Dial(leg, HERE, Endpoint(type="sip", uri=f"sip:alice@{HOST}"), OFFER, OURS)


def test_a_call_at_another_node_is_answered_pressed_transferred_and_ends() -> None:
    async def scenario(made: Country) -> None:
        a, far = made.a, made.far
        leg, name = await taken(Rig(a.carrier, far), a.signals)
        far.keys(name, "5", 160)
        assert (await a.signals.next(Keyed)).digit == "5"
        a.carrier.offer(leg, OTHER)
        assert (await far.told(name, "offer"))[0] == OTHER
        far.answers(name, ANSWER)
        await a.signals.next(Accepted)
        far.refers(name, "15550123")
        await a.signals.next(Referred)
        a.carrier.referred(leg, 200)
        assert (await far.told(name, "referred"))[1] == 200
        far.hangs_up(name)
        await a.signals.next(HungUp)
        await until(lambda: any(step.line.startswith("BYE") for step in a.signals.steps))
        assert a.signals.kinds(leg) == ["Called", "Keyed", "Accepted", "Referred", "HungUp"]
        assert made.b.signals.all == []

    play(scenario)


def test_when_the_node_with_the_phone_dies_its_calls_have_ended() -> None:
    async def scenario(made: Country) -> None:
        a = made.a
        leg, _ = await taken(Rig(a.carrier, made.far), a.signals)
        made.die("b")
        async with asyncio.timeout(SOON):
            assert (await a.signals.next(HungUp)).code == 503
        a.carrier.hang_up(leg)
        assert a.signals.kinds(leg) == ["Called", "HungUp"]

    play(scenario)


def test_a_node_that_seems_dead_and_answers_keeps_its_calls() -> None:
    async def scenario(made: Country) -> None:
        a = made.a
        leg, name = await taken(Rig(a.carrier, made.far), a.signals)
        made.town.alive.remove("b")
        await asyncio.sleep(2 * WATCH_SECONDS)
        made.far.keys(name, "7", 100)
        await a.signals.next(Keyed, leg)
        made.town.alive.append("b")
        assert a.signals.kinds(leg) == ["Called", "Keyed"]

    play(scenario)


def test_when_the_home_dies_the_phone_hears_that_its_call_ends() -> None:
    async def scenario(made: Country) -> None:
        _, name = await taken(Rig(made.a.carrier, made.far), made.a.signals)
        made.die("a")
        async with asyncio.timeout(SOON):
            await made.far.told(name, "hang_up")
        again = await made.far.call(OFFER, {})  # and is at home at b from now on
        leg = (await made.b.signals.next(Called)).leg
        made.b.carrier.answer(leg, ANSWER)
        await made.far.told(again, "answer")

    play(scenario)


def test_when_the_application_has_moved_its_calls_elsewhere_end() -> None:
    async def scenario(made: Country) -> None:
        _, name = await taken(Rig(made.a.carrier, made.far), made.a.signals)
        made.town.homes[HERE] = "b"
        async with asyncio.timeout(SOON):
            await made.far.told(name, "hang_up")
            await made.a.signals.next(HungUp)

    play(scenario)


def test_a_cut_ends_the_calls_on_both_sides() -> None:
    async def scenario(made: Country) -> None:
        a = made.a
        _, name = await taken(Rig(a.carrier, made.far), a.signals)
        made.b.bus.cut()
        async with asyncio.timeout(2 * SOON):
            await made.far.told(name, "hang_up")
            await a.signals.next(HungUp)
        made.b.bus.heal()
        leg, name = await taken_again(made)
        made.far.keys(name, "1", 100)
        await a.signals.next(Keyed, leg)

    play(scenario)


async def taken_again(made: Country) -> tuple[str, str]:
    name = await made.far.call(OFFER, {})
    leg = (await made.a.signals.next(Called, count=2)).leg
    made.a.carrier.answer(leg, ANSWER)
    await made.far.told(name, "answer")
    return leg, name


def test_a_cut_that_is_short_ends_nothing_and_loses_nothing() -> None:
    async def scenario(made: Country) -> None:
        a = made.a
        leg, name = await taken(Rig(a.carrier, made.far), a.signals)
        made.a.bus.cut()
        for digit in "123":
            made.far.keys(name, digit, 100)
        await asyncio.sleep(1.2)
        made.a.bus.heal()
        await a.signals.next(Keyed, count=3)
        keys = [each.digit for each in a.signals.all if isinstance(each, Keyed)]
        assert keys == ["1", "2", "3"]
        assert a.signals.kinds(leg) == ["Called", "Keyed", "Keyed", "Keyed"]

    play(scenario)


def test_a_home_that_began_anew_has_no_calls() -> None:
    async def scenario(made: Country) -> None:
        _, name = await taken(Rig(made.a.carrier, made.far), made.a.signals)
        await made.a.bus.close()
        made.town.alive.remove("a")
        await made.add("a")
        async with asyncio.timeout(SOON):
            await made.far.told(name, "hang_up")
        again = await made.far.call(OFFER, {})
        leg = (await made.a.signals.next(Called)).leg
        made.a.carrier.refuse(leg, 486)
        assert (await made.far.told(again, "refuse"))[1] == 486

    play(scenario)


def test_a_softphone_is_called_by_the_node_that_it_has_registered_with() -> None:
    async def scenario(made: Country) -> None:
        a, phone = made.a, await made.phone("b")
        a.carrier.dial(to_alice())
        call = await phone.dialled()
        phone.rings(call.name)
        await a.signals.next(Rang)
        phone.answers(call.name, ANSWER)
        accepted = await a.signals.next(Accepted)
        assert (accepted.sdp, accepted.is_softphone) == (ANSWER, True)
        a.carrier.hang_up("leg")
        await phone.told(call.name, "hang_up")
        assert a.signals.kinds("leg") == ["Rang", "Accepted"]

    play(scenario)


def test_softphones_with_several_nodes_ring_and_the_first_to_answer_has_the_call() -> None:
    async def scenario(made: Country) -> None:
        a, one, other = made.a, await made.phone("a"), await made.phone("b")
        for index, (first, second) in enumerate(((one, other), (other, one))):
            leg = f"leg-{index}"
            a.carrier.dial(to_alice(leg))
            left, right = await first.dialled(), await second.dialled()
            first.answers(left.name, ANSWER)
            await a.signals.next(Accepted, leg)
            await second.told(right.name, "hang_up")
            first.hangs_up(left.name)
            await a.signals.next(HungUp, leg)
            assert a.signals.kinds(leg) == ["Accepted", "HungUp"]

    play(scenario)


def test_of_several_nodes_the_most_telling_failure_counts() -> None:
    async def scenario(made: Country) -> None:
        a, one, other = made.a, await made.phone("a"), await made.phone("b")
        a.carrier.dial(to_alice())
        one.declines((await one.dialled()).name, 503)
        other.declines((await other.dialled()).name, 486)
        assert (await a.signals.next(Declined)).code == 486
        a.carrier.dial(to_alice("second"))
        ringing = await one.dialled()
        other.declines((await other.dialled()).name, 603)
        assert (await a.signals.next(Declined, "second")).code == 603
        await one.told(ringing.name, "hang_up")

    play(scenario)


def test_a_node_that_dies_while_its_softphone_rings_has_declined() -> None:
    async def scenario(made: Country) -> None:
        phone = await made.phone("b")
        made.a.carrier.dial(to_alice())
        phone.rings((await phone.dialled()).name)
        await made.a.signals.next(Rang)
        made.die("b")
        async with asyncio.timeout(SOON):
            assert (await made.a.signals.next(Declined)).code == 503
        made.a.carrier.dial(to_alice("second"))
        assert (await made.a.signals.next(Declined, "second")).code == 480

    play(scenario)


def test_a_call_to_softphones_that_is_given_up_at_once_rings_nowhere() -> None:
    async def scenario(made: Country) -> None:
        phone = await made.phone("b")
        made.a.carrier.dial(to_alice())
        made.a.carrier.hang_up("leg")
        made.a.carrier.dial(to_alice("second"))
        phone.answers((await phone.dialled()).name, ANSWER)
        await made.a.signals.next(Accepted, "second")
        assert made.a.signals.kinds("leg") == []
        assert len([each for each in phone.heard if isinstance(each, sip.Invited)]) == 1

    play(scenario)


def test_a_softphone_that_registers_with_another_node_is_there_alone() -> None:
    async def scenario(made: Country) -> None:
        phone = await made.phone("a")
        phone.peer = (HOST, made.b.sip.port)
        assert (await phone.register("alice")).code == 200
        await until(lambda: made.a.sip.figures()["registered_contacts"][1] == 0)
        assert "authentication_failed_total" not in made.b.sip.figures()
        made.a.carrier.dial(to_alice())
        call = await phone.dialled()
        phone.declines(call.name, 486)
        assert (await made.a.signals.next(Declined)).code == 486
        assert len([each for each in phone.heard if isinstance(each, sip.Invited)]) == 1

    play(scenario)


def test_a_registration_is_taken_back_at_any_node() -> None:
    async def scenario(made: Country) -> None:
        phone = await made.phone("a")
        phone.peer = (HOST, made.b.sip.port)
        reply = await phone.register("alice", expires=0)
        assert reply.code == 200
        await until(lambda: made.a.sip.figures()["registered_contacts"][1] == 0)
        made.a.carrier.dial(to_alice())
        assert (await made.a.signals.next(Declined)).code == 480

    play(scenario)


def test_trunks_are_called_by_the_home_itself() -> None:
    async def scenario(made: Country) -> None:
        made.a.carrier.dial(to_number())
        call = await made.far.dialled()
        made.far.answers(call.name, ANSWER)
        await made.a.signals.next(Accepted)
        assert made.b.sip.figures()["calls"][1] == 0

    play(scenario)
