"""Sending again on request, and dead letters that come back to life."""

import asyncio
from pathlib import Path

from tests.dispatch.fakes import (
    APP,
    OTHER,
    FakeLog,
    Receiver,
    World,
    always,
    application,
    conversation,
)
from tests.dispatch.virtual import START, run

from tertulia.dispatch.reading import AttemptFilter, JournalReader
from tertulia.dispatch.records import Purpose, Replay, ReplayState
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.state import Callback

A, B = conversation(1), conversation(2)


def world_of(tmp_path: Path, policy: str = "hold") -> World:
    world = World(tmp_path, FakeLog(application(policy=policy)), Receiver())
    for number in range(10):
        world.log.append(A if number % 2 else B)
    return world


async def replayed(world: World, requests: list[Replay], seconds: float = 5) -> list[Replay]:
    """Let the dispatcher carry them out, and read how they ended."""
    world.receiver.seen.clear()
    await world.dispatch_for(seconds)
    async with world.reading() as reader:
        found = [await reader.replay(APP, request.id) for request in requests]
        return [one for one in found if one is not None]


def positions(world: World) -> list[int]:
    assert {one.attempt for one in world.receiver.seen} <= {0}
    return [one.position for one in world.receiver.seen]


async def ask(
    reader: JournalReader,
    *,
    first: int | None = None,
    last: int | None = None,
    conversation_: bool = False,
    target: str | None = None,
    application_id: ApplicationId = APP,
) -> Replay:
    return await reader.request_replay(
        application_id,
        now=START,
        conversation_id=A if conversation_ else None,
        first=None if first is None else Position(first),
        last=None if last is None else Position(last),
        target=target,
    )


def test_one_a_range_a_conversation_and_all(tmp_path: Path) -> None:
    world = world_of(tmp_path)

    async def scenario() -> None:
        await world.dispatch_for(1)
        async with world.reading() as reader:
            requests = [
                await ask(reader, first=4, last=4),
                await ask(reader, first=2, last=5),
                await ask(reader, conversation_=True),
                await ask(reader, conversation_=True, first=4, last=8),
                await ask(reader, first=9),
                await ask(reader, first=50, last=60),
                await ask(reader),
            ]
        ends = await replayed(world, requests)
        assert {end.state for end in ends} == {ReplayState.DONE}
        assert [end.delivered for end in ends] == [1, 4, 5, 3, 2, 0, 10]
        assert positions(world) == [
            4, 2, 3, 4, 5, 2, 4, 6, 8, 10, 4, 6, 8, 9, 10, *range(1, 11)
        ]  # fmt: skip

    run(scenario())


def test_a_wake_begins_it(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.with_settings(poll_ms=600_000)

    async def scenario() -> None:
        async with world.running() as dispatcher:
            await asyncio.sleep(1)
            world.receiver.seen.clear()
            async with world.reading() as reader:
                await ask(reader, first=1, last=2)
            dispatcher.wake()
            await asyncio.sleep(0.5)

    run(scenario())
    assert positions(world) == [1, 2]


def test_a_dead_letter_that_arrives_is_none_any_more(tmp_path: Path) -> None:
    world = world_of(tmp_path, policy="skip:1")
    world.receiver.answer = always(500)

    async def scenario() -> None:
        await world.dispatch_for(5)
        async with world.reading() as reader:
            assert len(await reader.list_dead_letters(APP)) == 10
            request = await ask(reader, first=3, last=6)
        world.receiver.answer = always(200)
        await replayed(world, [request])
        async with world.reading() as reader:
            left = [one.letter.position for one in await reader.list_dead_letters(APP)]
            assert left == [1, 2, 7, 8, 9, 10]
            listed = await reader.list_attempts(AttemptFilter(APP, delivered=True))
            assert {one.attempt.purpose for one in listed} == {Purpose.REPLAY}
            assert {one.attempt.number for one in listed} == {0}

    run(scenario())


def test_failures_are_not_retried_and_break_it_off(tmp_path: Path) -> None:
    world = world_of(tmp_path)

    async def scenario() -> None:
        await world.dispatch_for(1)
        async with world.reading() as reader:
            request = await ask(reader)
        world.receiver.answer = always(500)
        [end] = await replayed(world, [request], seconds=100)
        assert (end.state, end.failed, end.after) == (ReplayState.BROKEN_OFF, 5, 5)
        assert positions(world) == [1, 2, 3, 4, 5]

    run(scenario())


def test_only_to_one_target(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.log.callbacks[A] = Callback("http://callback.example/")

    async def scenario() -> None:
        await world.dispatch_for(1)
        async with world.reading() as reader:
            request = await ask(reader, conversation_=True, target="callback")
        await replayed(world, [request])
        assert {one.url for one in world.receiver.seen} == {"http://callback.example/"}
        assert len(world.receiver.seen) == 5

    run(scenario())


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    world = world_of(tmp_path)

    async def scenario() -> None:
        await world.dispatch_for(1)
        async with world.reading() as reader:
            request = await ask(reader)
        world.receiver.seen.clear()
        journal = world.journal()
        async with world.running(journal):
            await world.receiver.has_seen(4)
        [end] = await replayed_on(world, request)
        assert end.state is ReplayState.DONE
        assert positions(world) == list(range(1, 11))

    run(scenario())


async def replayed_on(world: World, request: Replay) -> list[Replay]:
    await world.dispatch_for(5)
    async with world.reading() as reader:
        found = await reader.replay(APP, request.id)
        return [found] if found else []


def test_nobody_replays_what_is_not_theirs(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.log.by_id[OTHER] = application(OTHER)

    async def scenario() -> None:
        await world.dispatch_for(1)
        async with world.reading() as reader:
            requests = [
                await ask(reader, conversation_=True, application_id=OTHER),
                await ask(reader, application_id=OTHER),
            ]
            assert await reader.replay(APP, requests[0].id) is None
        await replayed(world, requests)
        assert positions(world) == []

    run(scenario())
