"""The bounds on what is under way, and the shrinking share of whoever is stuck."""

import asyncio
from pathlib import Path

import pytest
from tests.dispatch.fakes import (
    APP,
    OTHER,
    SETTINGS,
    FakeLog,
    Receiver,
    World,
    application,
    conversation,
    stuck,
)
from tests.dispatch.virtual import run

from tertulia.dispatch.gates import SMALLEST, Gate, Gates


def test_a_gate_lets_in_so_many_in_the_order_of_coming() -> None:
    async def scenario() -> None:
        gate, inside = Gate(2), list[int]()

        async def visit(number: int) -> None:
            await gate.enter()
            inside.append(number)
            await asyncio.sleep(1)
            gate.leave()

        visits = [asyncio.create_task(visit(number)) for number in range(5)]
        await asyncio.sleep(0.5)
        assert inside == [0, 1]
        await asyncio.gather(*visits)
        assert inside == [0, 1, 2, 3, 4]
        assert gate.is_unused

    run(scenario())


def test_who_stops_waiting_leaves_no_trace() -> None:
    async def scenario() -> None:
        gate = Gate(1)
        await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        gate.leave()  # lets the second in, who is cancelled before it can know
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        await waiting[2]
        gate.leave()
        assert gate.is_unused

    run(scenario())


def test_shares_shrink_and_grow() -> None:
    async def scenario() -> None:
        gate = Gate(8)
        for _ in range(9):
            gate.narrow()
        for _ in range(SMALLEST):
            await gate.enter()
        third = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        assert not third.done()
        gate.widen()
        await third
        assert not gate.is_unused

    run(scenario())


def test_a_place_is_given_back_whatever_happens() -> None:
    async def scenario() -> None:
        gates = Gates(SETTINGS)
        for _ in range(200):
            with pytest.raises(ZeroDivisionError):
                async with gates.place(APP, "http://h/"):
                    raise ZeroDivisionError
        assert not gates._endpoints
        assert not gates._applications

    run(scenario())


def test_the_stuck_keep_few_places(tmp_path: Path) -> None:
    """Four stuck applications could fill the room for ever; after one time-out they do not."""

    async def scenario() -> None:
        names = [type(APP)(f"stuck-{number}") for number in range(4)]
        log = FakeLog(*(application(name, f"http://{name}.example/") for name in names))
        log.by_id[OTHER] = application(OTHER)
        world = World(tmp_path, log, Receiver(stuck))
        world.with_settings(in_flight=64, in_flight_per_endpoint=16, poll_ms=600_000)
        for name in names:
            for number in range(100):
                log.append(conversation(number), application_id=name)
        async with world.running():
            await asyncio.sleep(9)
            assert world.receiver.under_way == 64
            await asyncio.sleep(60)
            assert world.receiver.under_way <= 4 * SMALLEST

    run(scenario())
