"""At least once and in order, wherever the dispatcher dies.

Death is simulated by a journal that keeps nothing from some moment on, while calls that are already
on their way still arrive.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from tests.dispatch.fakes import FakeLog, Receiver, World, always, application, conversation, stuck
from tests.dispatch.virtual import run

from tertulia.dispatch.answer import Answer, Call, Response
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.records import Batch
from tertulia.dispatch.tables import Tables
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId
from tertulia.model.state import Callback

CALLBACK = "http://callback.example/"
CONVERSATIONS = [conversation(number) for number in range(4)]


class MortalJournal(Journal):
    """Writes nothing any more once it is dead."""

    def __init__(self, tables: Tables, is_dead: Callable[[], bool]) -> None:
        super().__init__(tables)
        self.is_dead = is_dead

    async def write(self, batch: Batch) -> Collection[ApplicationId]:
        return () if self.is_dead() else await super().write(batch)


def world_of(tmp_path: Path, seed: int, failures: float) -> World:
    dice = random.Random(seed)

    async def answer(_: Call) -> Answer:
        await asyncio.sleep(dice.random() * 0.2)
        return Response(500 if dice.random() < failures else 200, b"")

    log = FakeLog(application())
    log.callbacks[CONVERSATIONS[0]] = Callback(CALLBACK, "message")
    for _ in range(60):
        log.append(dice.choice([*CONVERSATIONS, None]))
    world = World(tmp_path, log, Receiver(answer))
    world.with_settings(poll_ms=600_000, window_events=25, page=10)
    return world


def check(world: World) -> None:
    """Every event arrived; its first arrival came after those of all before it."""
    for stream in (*CONVERSATIONS, None):
        expected = [
            event.id or event.position for event in world.log.log if event.conversation_id == stream
        ]
        urls = [None] if stream != CONVERSATIONS[0] else ["http://receiver.example/rtc", CALLBACK]
        for url in urls:
            assert list(dict.fromkeys(world.receiver.ids(stream, url))) == expected


@pytest.mark.parametrize("failures", [0.0, 0.3])
@pytest.mark.parametrize("calls", range(1, 72, 5))
def test_death_after_so_many_calls(tmp_path: Path, calls: int, failures: float) -> None:
    world = world_of(tmp_path, calls, failures)

    async def scenario() -> None:
        seen = world.receiver.seen
        async with world.running(MortalJournal(world.tables(), lambda: len(seen) >= calls)):
            await world.receiver.has_seen(calls)
        await world.dispatch_for(3600)

    run(scenario())
    check(world)


@pytest.mark.parametrize("seed", range(8))
def test_death_again_and_again(tmp_path: Path, seed: int) -> None:
    world = world_of(tmp_path, seed, 0.4)

    async def scenario() -> None:
        for life in range(15):
            end = asyncio.get_running_loop().time() + random.Random(seed * 100 + life).random() * 8
            await live_and_die_once(world, end)
        await world.dispatch_for(7200)

    run(scenario())
    check(world)


async def live_and_die_once(world: World, end: float) -> None:
    loop = asyncio.get_running_loop()
    async with world.running(MortalJournal(world.tables(), lambda: loop.time() >= end)):
        await asyncio.sleep(max(0, end - loop.time()) + 0.2)


def test_a_held_lane_keeps_its_tries_and_its_place(tmp_path: Path) -> None:
    async def refuse(_: Call) -> Answer:
        return Response(500, b"")

    async def scenario() -> None:
        world = World(tmp_path, FakeLog(application()), Receiver(refuse))
        for _ in range(3):
            world.log.append(CONVERSATIONS[0])
        await world.dispatch_for(16)
        await world.dispatch_for(18)
        assert [one.attempt for one in world.receiver.seen] == [1, 2, 3]
        await world.dispatch_for(2)
        assert [one.attempt for one in world.receiver.seen] == [1, 2, 3, 4]
        assert {one.position for one in world.receiver.seen} == {1}

    run(scenario())


def test_a_held_lane_that_is_ahead_of_the_reader_is_not_read_again(tmp_path: Path) -> None:
    held, slow = CONVERSATIONS[0], CONVERSATIONS[1]

    async def first(call: Call) -> Answer:
        return await (stuck(call) if slow.encode() in call.body else always(500)(call))

    async def then(call: Call) -> Answer:
        return await (stuck(call) if slow.encode() in call.body else always(200)(call))

    async def scenario() -> None:
        world = World(tmp_path, FakeLog(application()), Receiver(first))
        world.log.append(slow)
        for _ in range(3):
            world.log.append(held)
        await world.dispatch_for(1)
        world.receiver.answer = then
        world.with_settings(window_events=1, total_timeout_ms=20_000)
        await world.dispatch_for(60)
        assert world.receiver.ids(held) == [1, 2, 3]

    run(scenario())


class FailingJournal(Journal):
    """A full disk, for a while."""

    is_failing = True

    async def write(self, batch: Batch) -> Collection[ApplicationId]:
        if self.is_failing:
            raise Unavailable("the journal: database or disk is full")
        return await super().write(batch)


def test_a_full_disk_stops_the_reading_and_loses_nothing(tmp_path: Path) -> None:
    world = world_of(tmp_path, 1, 0.2)
    world.with_settings(backlog=15, poll_ms=1000, window_events=5)

    async def scenario() -> None:
        journal = FailingJournal(world.tables())
        async with world.running():
            pass
        async with world.running(journal):
            await asyncio.sleep(300)
            assert len(world.receiver.seen) < 60
            journal.is_failing = False
            await asyncio.sleep(600)

    run(scenario())
    check(world)
    assert len(world.receiver.accepted()) == len(world.log.log) + sum(
        event.conversation_id == CONVERSATIONS[0] for event in world.log.log
    )


def test_a_journal_that_fails_to_the_end_never_passes_an_event(tmp_path: Path) -> None:
    world = world_of(tmp_path, 2, 0.5)

    async def scenario() -> None:
        async with world.running():
            pass
        async with world.running(FailingJournal(world.tables())):
            await asyncio.sleep(1)
        async with world.reading() as reader:
            assert not any(counts.cursor for counts in await reader.counts())
        await world.dispatch_for(3600)

    run(scenario())
    check(world)
