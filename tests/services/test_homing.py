"""What carriers tell at one node, of messages of applications at home with another."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contracts.carrier_ears import CarrierEarsContract, Listener, submitted
from tests.contracts.message_records import TEXT
from tests.sip.homes import Town
from tests.store.test_memory import OnMemory

from tertulia.app.outside import Store
from tertulia.bus.local import Exchange, LocalBus
from tertulia.devkit import RsaSmith
from tertulia.model.errors import Unavailable
from tertulia.model.sending import Arrival, Outcome, SendingStatus
from tertulia.ports.messaging import CarrierEars
from tertulia.services.homing import HomingEars
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import NUMBER, World

KEYS = RsaSmith().new_pair()
DELIVERED = Outcome("post", "a", SendingStatus.DELIVERED)


class Node:
    def __init__(self, world: World, town: Town, name: str, bus: LocalBus) -> None:
        services = world.hub.services
        self.world, self.name, self.bus = world, name, bus
        self.own = Counted(services.arrivals)
        self.ears = HomingEars(
            self.own, homes=town.node(name), bus=bus, sendings=services.sendings,
            routes=world.routes,
        )  # fmt: skip


class Counted:
    """Ears that count."""

    def __init__(self, ears: CarrierEars) -> None:
        self._ears = ears
        self.count = 0

    async def heard(self, outcome: Outcome) -> None:
        self.count += 1
        await self._ears.heard(outcome)

    async def arrived(self, arrival: Arrival) -> None:
        self.count += 1
        await self._ears.arrived(arrival)


class Nodes:
    """Two on one store: the application is at home at `a`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.town, self._exchange = Town(), Exchange()

    async def open(self) -> "Nodes":
        self.a, self.b = await self._add("a"), await self._add("b")
        self.town.homes[self.a.world.application.id] = "a"
        return self

    async def _add(self, name: str) -> Node:
        world = await World.open(keys=KEYS, store=self.store)
        node = Node(world, self.town, name, self._exchange.bus())
        await node.ears.start()
        return node


def arrival(ref: str = "7") -> Arrival:
    return Arrival("post", ref, "sms", "447700900123", NUMBER, TEXT)


class TestHomingEars(OnMemory, CarrierEarsContract):
    """Those of a node that nothing is at home with."""

    async def listener(self, store: Store) -> Listener:
        nodes = await Nodes(store).open()
        return Listener(nodes.b.ears, nodes.a.world.application.id, NUMBER)


class TestHomingEarsAtHome(OnMemory, CarrierEarsContract):
    async def listener(self, store: Store) -> Listener:
        nodes = await Nodes(store).open()
        return Listener(nodes.a.ears, nodes.a.world.application.id, NUMBER)


def play(scenario: Callable[[Nodes], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(await Nodes(MemoryStore()).open())

    asyncio.run(run())


def test_what_another_node_hears_is_kept_by_the_home() -> None:
    async def scenario(nodes: Nodes) -> None:
        taken = await submitted(nodes.store, nodes.a.world.application.id)
        await nodes.b.ears.heard(DELIVERED)
        await nodes.b.ears.arrived(arrival())
        kept = await nodes.store.sending(taken.id)
        assert kept is not None
        assert kept.status is SendingStatus.DELIVERED
        assert await nodes.store.inbound_of("post", "7") is not None
        assert (nodes.a.own.count, nodes.b.own.count) == (2, 0)

    play(scenario)


def test_what_no_node_can_keep_has_to_be_told_again() -> None:
    async def scenario(nodes: Nodes) -> None:
        await submitted(nodes.store, nodes.a.world.application.id)
        nodes.a.bus.cut()
        for told in (nodes.b.ears.heard(DELIVERED), nodes.b.ears.arrived(arrival())):
            with pytest.raises(Unavailable):
                await told
        nodes.a.bus.heal()
        await nodes.b.ears.heard(DELIVERED)
        await nodes.b.ears.arrived(arrival())
        assert nodes.a.own.count == 2

    play(scenario)


def test_what_comes_while_the_application_moves_comes_to_its_new_home() -> None:
    async def scenario(nodes: Nodes) -> None:
        known = nodes.a.world.application.id
        told = asyncio.ensure_future(nodes.b.ears.arrived(arrival()))
        await asyncio.sleep(0)  # on its way to `a`
        nodes.town.homes[known] = "b"
        await told
        assert (nodes.a.own.count, nodes.b.own.count) == (0, 1)

    play(scenario)


def test_a_receipt_ahead_of_its_answer_waits_for_it() -> None:
    async def scenario(nodes: Nodes) -> None:
        async def submit() -> None:
            await asyncio.sleep(0.1)
            await submitted(nodes.store, nodes.a.world.application.id)

        await asyncio.gather(nodes.b.ears.heard(DELIVERED), submit())
        assert (nodes.a.own.count, nodes.b.own.count) == (1, 0)

    play(scenario)


def test_what_nobody_knows_is_heard_by_all() -> None:
    async def scenario(nodes: Nodes) -> None:
        await nodes.b.ears.heard(Outcome("post", "part-2", SendingStatus.DELIVERED))
        assert (nodes.a.own.count, nodes.b.own.count) == (1, 1)
        nodes.a.bus.cut()
        with pytest.raises(Unavailable):
            await nodes.b.ears.heard(Outcome("post", "part-3", SendingStatus.DELIVERED))

    play(scenario)
