"""The dispatcher in virtual time: order, holding, giving up, isolation, bounds."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from tests.dispatch.fakes import (
    APP,
    OTHER,
    SETTINGS,
    URL,
    FakeLog,
    Receiver,
    World,
    always,
    application,
    conversation,
    profile,
    stuck,
)
from tests.dispatch.virtual import START, run

from tertulia.dispatch.answer import Answer, Call, Response
from tertulia.dispatch.reading import AttemptFilter
from tertulia.dispatch.records import Purpose
from tertulia.model.event import Event
from tertulia.model.ids import EventId, MemberId
from tertulia.model.state import Callback, Capability, Webhook
from tertulia.protocols.signature import signing_key, verify

A, B = conversation(1), conversation(2)
DAY = 86_400.0


def failing(unreliable: Callable[[Call], bool]) -> Callable[[Call], Awaitable[Answer]]:
    async def answer(call: Call) -> Answer:
        await asyncio.sleep(0.001)
        return Response(500 if unreliable(call) else 200, b"")

    return answer


def about(call: Call, text: str) -> bool:
    return text.encode() in call.body


def test_an_event_arrives_signed_and_labelled(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application()), Receiver())
    world.log.append(A)
    run(world.dispatch_for(1))
    [seen] = world.receiver.seen
    headers = dict(line.split(": ", 1) for line in seen.call.headers.decode().splitlines())
    claims = verify(
        signing_key("secret"), headers["Authorization"].removeprefix("Bearer "), seen.call.body
    )
    assert claims is not None
    assert (claims.api_key, claims.application_id, claims.iat) == ("key", APP, START // 1000)
    assert headers["Content-Type"] == "application/json"
    assert headers["Tertulia-Epoch"] == "epoch-1"
    assert (seen.position, seen.attempt, seen.call.method, seen.url) == (1, 1, "POST", URL)
    assert seen.event["type"] == "message"


def test_get_carries_the_members_in_the_query_and_signs_nothing(tmp_path: Path) -> None:
    log = FakeLog(application())
    hook = Webhook("http://receiver.example/x?a=1", "get")
    capability = Capability(webhooks={"event_url": hook})
    log.by_id[APP] = application()
    log.by_id[APP].capabilities["rtc"] = capability
    world = World(tmp_path, log, Receiver())
    log.append(A)
    run(world.dispatch_for(1))
    [seen] = world.receiver.seen
    assert seen.call.method == "GET"
    assert seen.call.body == b""
    assert parse_qs(seen.call.query) == {
        "type": ["message"],
        "application_id": ["app-1"],
        "timestamp": ["2026-05-04T09:15:22.000Z"],
        "id": ["1"],
        "conversation_id": [A],
        "from": ["MEM-1"],
        "params": ["{}"],
        "body": ['{"text":"hello"}'],
    }
    token = seen.call.headers.decode().partition("Bearer ")[2].partition("\r\n")[0]
    assert verify(signing_key("secret"), token, b"") is not None


def test_a_wake_is_answered_at_once(tmp_path: Path) -> None:
    async def scenario() -> float:
        world = World(tmp_path, FakeLog(application()), Receiver())
        async with world.running() as dispatcher:
            await asyncio.sleep(0.4)
            appended = asyncio.get_running_loop().time()
            world.log.append(A)
            dispatcher.wake()
            await asyncio.sleep(0.1)
        return world.receiver.seen[0].at - appended

    assert run(scenario()) < 0.01


@pytest.mark.parametrize("seed", range(12))
def test_order_without_gaps_under_random_failures(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    receiver = Receiver(failing(lambda _: dice.random() < 0.3))
    world = World(tmp_path, FakeLog(application()), receiver)
    world.with_settings(poll_ms=600_000)

    async def scenario() -> None:
        async with world.running() as dispatcher:
            for _ in range(300):
                world.log.append(dice.choice([A, B, conversation(3), None]))
                if dice.random() < 0.1:
                    dispatcher.wake()
                    await asyncio.sleep(dice.random() * 3)
            await asyncio.sleep(DAY / 2)

    run(scenario())
    for one in (A, B, conversation(3)):
        expected = [event.id for event in world.log.log if event.conversation_id == one]
        assert receiver.ids(one) == expected
    own = [event.position for event in world.log.log if event.conversation_id is None]
    assert receiver.ids(None) == own


def test_a_refused_creation_holds_no_other(tmp_path: Path) -> None:
    log = FakeLog(application())
    for one in (A, B):
        log.append(None, "conversation:created", became=profile(one, None))
    log.append(None, "app:knocking")
    log.append(None, "conversation:deleted", became=profile(A, None))
    receiver = Receiver(failing(lambda call: b"Tertulia-Position: 1\r" in call.headers))
    world = World(tmp_path, log, receiver)

    async def scenario() -> None:
        async with world.running():
            await asyncio.sleep(30)
            assert sorted(one.position for one in receiver.seen if one.ok) == [2, 3]
        async with world.running():  # what is held is found again in the journal
            receiver.answer = always(200)
            await asyncio.sleep(60)
            assert [one.position for one in receiver.seen if one.ok][2:] == [1, 4]

    run(scenario())


def test_a_failing_conversation_is_held_and_no_other(tmp_path: Path) -> None:
    receiver = Receiver(failing(lambda call: about(call, A)))
    world = World(tmp_path, FakeLog(application()), receiver)
    for _ in range(10):
        world.log.append(A)
        world.log.append(B)

    async def scenario() -> None:
        async with world.running() as dispatcher:
            await asyncio.sleep(36)
            assert receiver.ids(B) == list(range(1, 11))
            tries = [one for one in receiver.seen if not one.ok]
            assert [one.attempt for one in tries] == [1, 2, 3, 4]
            assert [round(one.at) for one in tries] == [0, 5, 15, 35]
            assert {one.position for one in tries} == {1}
            world.log.append(A)
            dispatcher.wake()
            receiver.answer = always(200)
            await asyncio.sleep(40)

    run(scenario())
    assert receiver.ids(A) == list(range(1, 12))
    assert [one.attempt for one in receiver.accepted()][10:] == [5] + [1] * 10


def test_the_own_stream_of_an_application_is_held_too(tmp_path: Path) -> None:
    failures = iter([True, False, True])
    receiver = Receiver(failing(lambda call: not about(call, A) and next(failures, False)))
    world = World(tmp_path, FakeLog(application()), receiver)
    for _ in range(30):
        world.log.append(None, "conversation:created")
        world.log.append(A)
    run(world.dispatch_for(60))
    assert receiver.ids(None) == list(range(1, 60, 2))
    assert receiver.ids(A) == list(range(1, 31))


def test_skip_makes_dead_letters_and_goes_on(tmp_path: Path) -> None:
    receiver = Receiver(failing(lambda call: about(call, '"id":2,')))
    world = World(tmp_path, FakeLog(application(policy="skip:3")), receiver)
    for _ in range(4):
        world.log.append(A)

    async def scenario() -> None:
        await world.dispatch_for(60)
        async with world.reading() as reader:
            [listed] = await reader.list_dead_letters(APP)
            assert (listed.letter.event_id, listed.letter.tries) == (2, 3)
            assert listed.letter.reason == "status 500"
            assert [count.held for count in await reader.counts()] == [0]

    run(scenario())
    assert receiver.ids(A) == [1, 3, 4]


def test_hold_gives_up_when_the_window_ends(tmp_path: Path) -> None:
    receiver = Receiver(always(503))
    world = World(tmp_path, FakeLog(application()), receiver)
    world.with_settings(poll_ms=600_000)
    for _ in range(3):
        world.log.append(A)

    async def scenario() -> None:
        await world.dispatch_for(DAY - 10)
        async with world.reading() as reader:
            assert await reader.list_dead_letters(APP) == []
        await world.dispatch_for(30)
        async with world.reading() as reader:
            letters = [one.letter for one in await reader.list_dead_letters(APP)]
            # What waited behind the first has had its window too: one try each, in order.
            assert [(letter.event_id, letter.tries > 90) for letter in letters] == [
                (1, True),
                (2, False),
                (3, False),
            ]
            assert (await reader.counts())[0].dead == 3

    run(scenario())
    assert [one.event["id"] for one in receiver.seen[-3:]] == [1, 2, 3]


def test_a_stuck_application_delays_no_other(tmp_path: Path) -> None:
    async def answer(call: Call) -> Answer:
        return await (stuck(call) if about(call, OTHER) else always(200)(call))

    receiver = Receiver(answer)
    log = FakeLog(application(), application(OTHER, "http://stuck.example/"))
    world = World(tmp_path, log, receiver, SETTINGS)
    world.with_settings(in_flight=160)
    for number in range(300):
        log.append(conversation(number), application_id=OTHER)
        log.append(conversation(1000 + number))
    run(world.dispatch_for(2))
    assert len(receiver.accepted()) == 300


def test_a_stuck_callback_delays_no_webhook(tmp_path: Path) -> None:
    async def answer(call: Call) -> Answer:
        return await (stuck(call) if "stuck" in call.url else always(200)(call))

    receiver = Receiver(answer)
    world = World(tmp_path, FakeLog(application()), receiver)
    for number in range(200):
        world.log.callbacks[conversation(number)] = Callback("http://stuck.example/")
        world.log.append(conversation(number))
    run(world.dispatch_for(2))
    assert len(receiver.accepted(URL)) == 200


def test_reading_stops_at_the_window(tmp_path: Path) -> None:
    receiver = Receiver(stuck)
    world = World(tmp_path, FakeLog(application()), receiver)
    world.with_settings(window_events=50, page=20)
    for _ in range(500):
        world.log.append(A)

    async def scenario() -> None:
        async with world.running():
            await asyncio.sleep(9)
            reads = world.log.reads
            assert reads <= 4
        async with world.reading() as reader:
            assert (await reader.counts())[0].cursor == 0

    run(scenario())


def test_bounds_on_what_is_under_way(tmp_path: Path) -> None:
    receiver = Receiver()
    world = World(tmp_path, FakeLog(application()), receiver)
    world.with_settings(in_flight_per_endpoint=7)
    for number in range(100):
        world.log.append(conversation(number))
    run(world.dispatch_for(5))
    assert receiver.most_under_way == 7
    assert len(receiver.accepted()) == 100


def test_without_a_webhook_the_cursor_moves_on(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application(url=None)), Receiver())
    for _ in range(5):
        world.log.append(A)

    async def scenario() -> None:
        async with world.running() as dispatcher:
            await asyncio.sleep(1)
            world.log.by_id[APP] = application()
            await asyncio.sleep(2)
            world.log.append(A)
            dispatcher.wake()
            await asyncio.sleep(1)

    run(scenario())
    assert world.receiver.ids(A) == [6]


def test_a_changed_webhook_counts_from_the_next_attempt(tmp_path: Path) -> None:
    receiver = Receiver(failing(lambda call: call.url == URL))
    world = World(tmp_path, FakeLog(application()), receiver)
    world.log.append(A)
    world.log.append(A)

    async def scenario() -> None:
        async with world.running():
            await asyncio.sleep(1)
            world.log.by_id[APP] = application(url="http://new.example/")
            await asyncio.sleep(10)

    run(scenario())
    assert receiver.ids(A, "http://new.example/") == [1, 2]


def test_a_removed_webhook_lets_go_of_what_waits(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application()), Receiver(always(500)))
    world.log.append(A)

    async def scenario() -> None:
        async with world.running():
            await asyncio.sleep(1)
            world.log.by_id[APP] = application(url=None)
            await asyncio.sleep(10)
        async with world.reading() as reader:
            assert [count.held for count in await reader.counts()] == [0]

    run(scenario())
    assert len(world.receiver.seen) == 1


def test_a_callback_gets_what_its_mask_wants_beside_the_webhook(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application()), Receiver())
    there, then = "http://callback.example/", "http://later.example/"
    world.log.callbacks[A] = Callback(there, "message, custom:*")
    for type_ in ("message", "member:joined", "custom:order"):
        world.log.append(A, type_)

    async def scenario() -> None:
        async with world.running() as dispatcher:
            await asyncio.sleep(1)
            world.log.change_callback(A, Callback(then))
            world.log.append(A)
            dispatcher.wake()
            await asyncio.sleep(1)
            world.log.change_callback(A, None)
            world.log.append(A)
            dispatcher.wake()
            await asyncio.sleep(1)

    run(scenario())
    assert world.receiver.ids(A, URL) == [1, 2, 3, 4, 5, 6, 7]
    assert world.receiver.ids(A, there) == [1, 3]
    assert world.receiver.ids(A, then) == [4, 5]


def ephemeral() -> Event:
    return Event(APP, A, None, "ephemeral", START, b"{}", sender=MemberId("MEM-1"))


def test_announced_events_are_sent_once_and_not_ordered(tmp_path: Path) -> None:
    receiver = Receiver(always(500))
    world = World(tmp_path, FakeLog(application()), receiver)
    world.with_settings(ephemeral_waiting=3)

    async def scenario() -> None:
        world.log.append(A)
        async with world.running() as dispatcher:
            await asyncio.sleep(1)
            receiver.answer = always(200)
            for _ in range(5):
                dispatcher.announce(ephemeral())
            await asyncio.sleep(1)
            receiver.answer = always(500)
            dispatcher.announce(ephemeral())
            await asyncio.sleep(1)
        async with world.reading() as reader:
            listed = await reader.list_attempts(AttemptFilter(APP))
            purposes = [one.attempt.purpose for one in reversed(listed)]
            assert purposes == [Purpose.LOG] + [Purpose.EPHEMERAL] * 4

    run(scenario())
    assert [one.ok for one in receiver.seen] == [False, True, True, True, False]
    assert [one.position for one in receiver.seen] == [1, 0, 0, 0, 0]


def test_stop_finishes_the_call_under_way(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application()), Receiver())
    for _ in range(100):
        world.log.append(A)

    async def scenario() -> None:
        journal = world.journal()
        dispatcher = world.dispatcher(journal)
        running = asyncio.create_task(dispatcher.run())
        await asyncio.sleep(0.0205)
        dispatcher.stop()
        await running
        await journal.close()
        assert world.receiver.under_way == 0
        sent = len(world.receiver.seen)
        assert 0 < sent < 100
        await world.dispatch_for(2)

    run(scenario())
    assert world.receiver.ids(A) == list(range(1, 101))


def test_a_bug_costs_one_application_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bugs = iter([True, True])

    async def answer(call: Call) -> Answer:
        if about(call, '"id":3') and about(call, APP) and next(bugs, False):
            raise ZeroDivisionError
        return await always(200)(call)

    log = FakeLog(application(), application(OTHER))
    world = World(tmp_path, log, Receiver(answer))
    for _ in range(5):
        log.append(A)
        log.append(B, application_id=OTHER)
    with caplog.at_level(logging.CRITICAL):
        run(world.dispatch_for(5))
    assert world.receiver.ids(B) == [1, 2, 3, 4, 5]
    assert sorted(set(world.receiver.ids(A))) == [1, 2, 3, 4, 5]
    assert world.receiver.ids(A)[-3:] == [3, 4, 5]


def test_a_deleted_application_is_let_go(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application()), Receiver(always(500)))
    world.log.append(A)

    async def scenario() -> None:
        async with world.running():
            await asyncio.sleep(1)
            del world.log.by_id[APP]
            await asyncio.sleep(100)

    run(scenario())
    assert len(world.receiver.seen) == 1


def test_another_epoch_begins_anew(tmp_path: Path) -> None:
    world = World(tmp_path, FakeLog(application()), Receiver())
    for _ in range(3):
        world.log.append(A)

    async def scenario() -> None:
        await world.dispatch_for(1)
        await world.dispatch_for(1)
        assert world.receiver.ids(A) == [1, 2, 3]
        world.log.epoch, world.log.log = "epoch-2", world.log.log[:1]
        await world.dispatch_for(1)

    run(scenario())
    assert world.receiver.ids(A) == [1, 2, 3, 1]


def test_an_event_that_was_deleted_meanwhile_is_sent_erased(tmp_path: Path) -> None:
    receiver = Receiver(always(500))
    world = World(tmp_path, FakeLog(application()), receiver)
    first = world.log.append(A)
    assert first.id == EventId(1)

    async def scenario() -> None:
        async with world.running():
            await asyncio.sleep(1)
            world.log.log[0] = Event(
                APP, A, first.id, "message", START, b"{}", position=first.position, deleted_at=START
            )
            receiver.answer = always(200)
            await asyncio.sleep(6)

    run(scenario())
    assert receiver.seen[-1].event["body"] == {"timestamp": {"deleted": "2026-05-04T09:15:22.000Z"}}
