"""What goes wrong around messages beyond the app, and must not lose one or send it twice."""

import asyncio
from typing import Any

import pytest
from tests.api.cast import history, say
from tests.api.conftest import Play
from tests.api.test_messaging import PHONE, STATUS, hooks, pair, reached, types

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId
from tertulia.model.sending import Arrival, Content, Order, Problem, Sending, SendingStatus
from tertulia.ports.messaging import CarrierHealth, Congested, OutOfReach, Terms, Unsent
from tertulia.services import courier, couriers, errands, recipients
from tertulia.testing import world as testing_world
from tertulia.testing.post import Post
from tertulia.testing.world import NUMBER, World

OTHER = "447700900009"
TEXT = Content("text", {"text": "Hi"})


def order(to: str = PHONE, channel: str = "sms") -> Order:
    return Order(channel, to, NUMBER, TEXT)


async def send(world: World, *orders: Order) -> Sending:
    return await world.hub.services.sendings.send(orders or [order()], world.application.id)


async def kept(world: World, sending: Sending) -> Sending:
    found = await world.store.sending(sending.id)
    assert found is not None
    return found


class Failing:
    """The first call of something finds no store."""

    def __init__(self, act: Any) -> None:
        self.act = act
        self.calls = 0

    async def __call__(self, *args: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise Unavailable("the disk is full")
        return await self.act(*args, **named)


def slow(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Others come in between whenever something is stored."""
    append = world.store.append

    async def later(*args: Any) -> Any:
        await asyncio.sleep(0)
        return await append(*args)

    monkeypatch.setattr(world.store, "append", later)


def gated(monkeypatch: pytest.MonkeyPatch, world: World) -> asyncio.Event:
    """The carrier takes nothing before it is set."""
    gate, submit = asyncio.Event(), world.post.submit

    async def wait(sending: Sending) -> Any:
        await gate.wait()
        return await submit(sending)

    monkeypatch.setattr(world.post, "submit", wait)
    return gate


def test_receipts_of_all_parts_at_once(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: World) -> None:
        slow(monkeypatch, world)
        world.post.answers.append(("a", "b", "c"))
        sent = await send(world)
        await world.settle()

        async def two() -> None:
            await world.post.delivers("a")
            await world.post.delivers("c")

        await asyncio.gather(two(), world.post.delivers("b"))
        assert (await kept(world, sent)).status is SendingStatus.DELIVERED

    play(scenario)


@pytest.mark.parametrize(
    ("seconds", "status"), [(60, SendingStatus.DELIVERED), (3600, SendingStatus.SUBMITTED)]
)
def test_receipts_that_were_far_ahead(play: Play, seconds: int, status: SendingStatus) -> None:
    """Of a part of a message; or long before, of another with the same name."""

    async def scenario(world: World) -> None:
        await world.post.delivers("a")
        world.clock.advance(seconds)
        world.post.answers.append(("a", "b"))
        sent = await send(world)
        await world.settle()
        await world.post.delivers("b")
        assert (await kept(world, sent)).status is status

    play(scenario)


def test_one_is_tried_in_the_place_of_a_failed_one_that_is_read_after_all(play: Play) -> None:
    async def scenario(world: World) -> None:
        await hooks(world, status_url=STATUS)
        await send(world, order(channel="whatsapp"), order())
        await world.settle()
        await world.post.tells("post-1", SendingStatus.UNDELIVERABLE, Problem("1260"))
        await world.post.reads("post-1")
        await world.settle()
        assert [each.order.channel for each in world.post.taken] == ["whatsapp", "sms"]

    play(scenario)


def test_a_bug_of_an_adapter_ends_its_message_and_no_other(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.post.answers.append(LookupError("a bug"))
        ill, well = await send(world), await send(world)
        await world.settle()
        assert (await kept(world, ill)).status is SendingStatus.UNDELIVERABLE
        assert [each.id for each in world.post.taken] == [well.id]
        (report, _) = world.hub.services.couriers.report()
        assert (report.waiting, report.under_way, report.submitted) == (0, 0, 1)

    play(scenario)


def test_what_was_read_before_it_was_handed_over_is_not_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        gate, read = gated(monkeypatch, world), world.store.unsent

        async def late(after: int = 0, limit: int = 500) -> list[Unsent]:
            page = await read(after, limit)
            gate.set()
            await world.settle()
            return page

        monkeypatch.setattr(world.store, "unsent", late)
        sent = await send(world)
        running = asyncio.create_task(world.hub.services.couriers.run())
        while len(world.post.taken) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await world.settle()
        await asyncio.sleep(0.01)
        await world.settle()
        running.cancel()
        assert [each.id for each in world.post.taken] == [sent.id]

    play(scenario)


def test_a_dead_carrier_with_a_full_queue_keeps_no_other_from_its_work(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "HELD_MAX", 4)
    monkeypatch.setattr(couriers, "HELD_MAX", 4)

    async def scenario(world: World) -> None:
        world.post.terms = Terms(frozenset({"sms"}), window=1)
        world.other_post.terms = Terms(frozenset({"whatsapp"}), window=1)
        world.post.answers.append(Congested("busy", 3600.0))
        sent = [await send(world, order(f"44770090{n:04}")) for n in range(10)]
        chats = [await send(world, order(channel="whatsapp")) for _ in range(10)]
        await world.settle()
        world.post.health = CarrierHealth("down")
        work = world.hub.services.couriers
        for _ in range(20):
            await work.sweep()
            await world.settle()
        assert [each.id for each in world.other_post.taken] == [each.id for each in chats]
        assert world.post.taken == []
        world.post.health = CarrierHealth("up")
        while len(world.post.taken) < len(sent):
            await asyncio.sleep(0.01)
            await work.sweep()
            await world.settle()
        assert [each.id for each in world.post.taken] == [each.id for each in sent]

    monkeypatch.setattr(courier, "LOOK_SECONDS", 0.001)
    play(scenario)


def test_a_carrier_that_is_too_busy_for_one_message_only(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "HOPELESS_SECONDS", -1.0)

    async def scenario(world: World) -> None:
        world.post.answers.extend([Congested("no", 0.0), ("a",), Congested("no", 0.0)])
        never, other = await send(world), await send(world, order(OTHER))
        while (await kept(world, never)).status is SendingStatus.ACCEPTED:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        found = await kept(world, never)
        assert found.problem == courier.HOPELESS
        assert [each.id for each in world.post.taken] == [other.id]

    monkeypatch.setattr(courier, "LOOK_SECONDS", 0.001)
    play(scenario)


def test_a_carrier_at_its_rate_is_not_passed_by(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hire(name: str = "post") -> Post:
        return Post(name, Terms(Post().terms.channels, rate=1.0))

    monkeypatch.setattr(testing_world, "Post", hire)

    async def scenario(world: World) -> None:
        for n in range(3):
            await send(world, order(f"44770090{n:04}"))
        await asyncio.sleep(0.01)
        assert (len(world.post.taken), len(world.other_post.taken)) == (1, 0)

    play(scenario)


def test_a_message_that_waits_is_revoked(play: Play) -> None:
    async def scenario(world: World) -> None:
        await hooks(world, status_url=STATUS)
        world.post.answers.append(Congested("busy", 0.3))
        sent = await send(world, order(), order(OTHER))
        await asyncio.sleep(0.01)
        answer = await world.call("PATCH", f"/v1/messages/{sent.id}", {"status": "revoked"})
        assert answer.status == 200
        await world.settle()
        assert world.post.taken == world.other_post.taken == []
        assert [each["status"] for each in world.answers.told(STATUS)] == ["rejected"]
        answer = await world.call("PATCH", f"/v1/messages/{sent.id}", {"status": "revoked"})
        assert answer.status == 400

    play(scenario)


def test_a_message_on_its_way_is_not_revoked(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(world: World) -> None:
        gate = gated(monkeypatch, world)
        sent = await send(world)
        await asyncio.sleep(0.01)
        answer = await world.call("PATCH", f"/v1/messages/{sent.id}", {"status": "revoked"})
        assert answer.status == 400
        gate.set()
        await world.settle()
        assert (await kept(world, sent)).status is SendingStatus.SUBMITTED

    play(scenario)


def test_a_message_to_a_member_goes_out_when_the_store_is_there_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "RETRY_SECONDS", 0.0)

    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        rooms = world.hub.services.conversations
        monkeypatch.setattr(rooms, "happen", Failing(rooms.happen))
        await say(world, "CON-1", alice, "Hello")
        await world.settle()
        assert [each.order.to for each in world.post.taken] == [PHONE]

    play(scenario)


def test_a_stranger_is_placed_when_the_store_is_there_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "RETRY_SECONDS", 0.0)

    async def scenario(world: World) -> None:
        members = world.hub.services.members
        monkeypatch.setattr(members, "create", Failing(members.create))
        await world.post.brings("Hi", PHONE, NUMBER)
        await world.settle()
        assert [each["type"] for each in await history(world, "CON-1")][-1] == "message"

    play(scenario)


def test_a_stranger_to_an_application_that_is_gone(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.routes.owner = ApplicationId("gone")
        await world.post.brings("Hi", PHONE, NUMBER)
        await world.settle()
        assert await world.store.undecided() == []
        assert await world.hub.services.conversations.newest(ConversationId("CON-1")) is None

    play(scenario)


def test_an_arrival_that_comes_twice_at_once_is_one(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        await pair(world)
        slow(monkeypatch, world)
        await asyncio.gather(
            *(world.post.brings("Hi", PHONE, NUMBER, ref="same") for _ in range(3))
        )
        assert (await types(world)).count("message") == 1

    play(scenario)


def test_the_bookmark_stays_before_what_has_not_had_its_turn(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipients, "BOOKMARK_SECONDS", 0.0)

    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        services = world.hub.services
        held = asyncio.Event()

        async def hold() -> None:
            await held.wait()

        services.errands.in_turn("CON-1", hold)
        said = await say(world, "CON-1", alice, "Hello")
        position = await world.store.head()
        await world.call("POST", "/v1/conversations", {"name": "other"})
        room = (await world.call("GET", "/v1/conversations?name=other")).json
        other = room["_embedded"]["conversations"][0]["id"]
        await world.call("POST", f"/v1/conversations/{other}/events", {
            "type": "message", "body": {"message_type": "text", "text": "Else"},
        })  # fmt: skip
        await services.conductor.catch_up()
        await asyncio.sleep(0.01)
        mark = await world.store.bookmark(recipients.bookmark_of(world.application.id))
        assert said["id"] and (mark is None or mark < position)
        held.set()
        await world.settle()
        mark = await world.store.bookmark(recipients.bookmark_of(world.application.id))
        assert mark is not None and mark >= position

    play(scenario)


def test_what_a_carrier_brought_is_told_of_though_no_catalogue_knows_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        await pair(world)
        await reached(world, "carol", "whatsapp", OTHER)
        picture = {"image": {"url": "https://app.test/" + 3000 * "a"}}
        arrival = Arrival("post", "one", "sms", PHONE, NUMBER, Content("image", picture))
        await world.hub.services.arrivals.arrived(arrival)
        await world.settle()
        assert [each.order.to for each in world.post.taken] == [OTHER]
        status = (await history(world, "CON-1"))[-1]
        assert (status["type"], status["body"]["to"]) == ("member:message:status", OTHER)
        assert "image" not in status["body"]

    play(scenario)


def test_what_may_be_repeated_in_one_place_only_goes_to_no_other(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(courier, "PAUSE_MIN", 0.0)

    async def scenario(world: World) -> None:
        world.post.terms = Terms(world.post.terms.channels, resends=False, is_repeatable=True)
        world.post.answers.append(OutOfReach("cut", in_doubt=True))
        await send(world)
        while not world.post.taken and not world.other_post.taken:
            await asyncio.sleep(0.001)
            await world.settle()
        assert (len(world.post.taken), len(world.other_post.taken)) == (1, 0)

    play(scenario)
