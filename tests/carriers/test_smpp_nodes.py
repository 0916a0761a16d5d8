"""Two nodes with one account of an SMSC: each has a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.carriers.smsc import Smsc
from tests.carriers.test_smpp import ACCOUNT, HANDSET, NOW, OURS, Ears, sending, until
from tests.sip.homes import Town

from tertulia.bus.local import Exchange, LocalBus
from tertulia.carriers.smpp import SmppCarrier
from tertulia.carriers.smpp_parts import PartsOfAll
from tertulia.protocols import gsm
from tertulia.protocols.smpp.names import UDHI, State, Status
from tertulia.protocols.smpp.pdu import Message


class Node:
    def __init__(self, bus: LocalBus, carrier: SmppCarrier) -> None:
        self.bus, self.carrier, self.ears = bus, carrier, Ears()


class Scene:
    def __init__(self, smsc: Smsc, nodes: list[Node]) -> None:
        self.smsc, self.nodes = smsc, nodes

    @property
    def texts(self) -> list[list[object]]:
        """What has arrived at each node."""
        return [[each.content.text for each in node.ears.arrivals] for node in self.nodes]


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    smsc, town, exchange = Smsc(), Town(), Exchange()
    await smsc.open()
    nodes = []
    for name in "ab":
        bus = exchange.bus()
        parts = PartsOfAll(bus, town.node(name))
        carrier = SmppCarrier(
            ACCOUNT, now=lambda: NOW, where=lambda: ("127.0.0.1", smsc.port), parts=parts
        )
        nodes.append(Node(bus, carrier))
        await parts.start()
        await carrier.start(nodes[-1].ears)
        await until(lambda carrier=carrier: carrier.health.state == "up")  # type: ignore[misc]
    try:
        yield Scene(smsc, nodes)
    finally:
        for node in nodes:
            await node.carrier.close()
        await smsc.close()


def play(act: Callable[[Scene], Awaitable[None]]) -> None:
    async def main() -> None:
        async with scene() as stage:
            await act(stage)

    asyncio.run(main())


def long_text(reference: int) -> list[Message]:
    return [
        Message(HANDSET, OURS, gsm.header(gsm.Concatenation(reference, 2, number)) + text, UDHI)
        for number, text in ((1, b"Hel"), (2, b"lo"))
    ]


def test_each_submits_and_hears_by_a_connection_of_its_own() -> None:
    async def act(stage: Scene) -> None:
        stage.smsc.receipts = State.DELIVERED
        assert len(stage.smsc.peers) == 2
        for node in stage.nodes:
            (ref,) = await node.carrier.submit(sending())
            await until(lambda node=node: node.ears.outcomes)  # type: ignore[misc]
            assert [each.ref for each in node.ears.outcomes] == [ref]

    play(act)


def test_parts_that_come_by_several_connections_are_one_message() -> None:
    async def act(stage: Scene) -> None:
        one, other = stage.smsc.peers
        for reference in range(6):
            first, second = long_text(reference)
            assert (await one.deliver(first)).status == 0
            assert (await other.deliver(second)).status == 0
        at_one, at_other = stage.texts
        assert [*at_one, *at_other] == ["Hello"] * 6
        assert at_one and at_other  # each node puts some together

    play(act)


def test_a_part_whose_node_is_not_to_be_reached_has_to_come_again() -> None:
    async def act(stage: Scene) -> None:
        one, _ = stage.smsc.peers
        stage.nodes[1].bus.cut()
        answers = [(await one.deliver(long_text(reference)[0])).status for reference in range(6)]
        assert set(answers) == {Status.ROK, Status.RX_T_APPN}
        stage.nodes[1].bus.heal()
        for reference in range(6):
            for part in long_text(reference):
                assert (await one.deliver(part)).status == 0
        at_one, at_other = stage.texts
        assert [*at_one, *at_other] == ["Hello"] * 6

    play(act)


def test_what_the_other_node_cannot_keep_has_to_come_again() -> None:
    async def act(stage: Scene) -> None:
        for node in stage.nodes:
            node.ears.is_deaf = True
        one, other = stage.smsc.peers
        first, second = long_text(1)
        assert (await one.deliver(first)).status == 0
        assert (await one.deliver(second)).status == Status.RX_T_APPN
        assert (await other.deliver(second)).status == Status.RX_T_APPN
        for node in stage.nodes:
            node.ears.is_deaf = False
        assert (await other.deliver(second)).status == 0
        assert sorted(map(len, stage.texts)) == [0, 1]

    play(act)
