"""Messages beyond the app: to the members of conversations, and from phones into them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import convert
from msgspec.json import decode
from msgspec.structs import replace
from tests.api.cast import conversation, history, joined, post, say, user
from tests.api.conftest import Play

from tertulia.live.dialect import payload, shown
from tertulia.model.ids import Position
from tertulia.model.sending import Content as Said
from tertulia.model.sending import Order, Problem, Sending, SendingStatus
from tertulia.model.session import Dialect
from tertulia.model.state import Capability
from tertulia.ports.messaging import (
    CarrierHealth,
    Congested,
    Declined,
    OutOfReach,
    Terms,
)
from tertulia.testing.world import NUMBER, World

PHONE = "447700900001"
HOOK = "https://app.test/inbound"
STATUS = "https://app.test/status"
TEXT = Order("sms", PHONE, NUMBER, Said("text", {"text": "Hi"}))


async def reached(world: World, name: str, channel: str = "sms", at: str = PHONE) -> str:
    """A new user as a member whom a messaging channel reaches."""
    await user(world, name)
    end = "id" if channel in ("messenger", "email") else "number"
    draft = {
        "state": "joined", "user": {"name": name},
        "channel": {
            "type": channel, "to": {"type": channel, end: at},
            "from": {"type": channel, end: NUMBER},
        },
    }  # fmt: skip
    answer = await world.call("POST", "/v1/conversations/CON-1/members", draft)
    assert answer.status == 201, answer.json
    return str(answer.json["id"])


async def pair(world: World) -> tuple[str, str]:
    """CON-1 with alice in a browser and bob on a phone; their member ids."""
    await conversation(world)
    alice = (await joined(world, "CON-1", "alice"))["id"]
    return alice, await reached(world, "bob")


def test_the_typed_client_is_told_of_members_without_their_ends(play: Play) -> None:
    """It cannot parse those, and refuses the page that they are in."""

    async def scenario(world: World) -> None:
        await pair(world)
        path = "/v1/conversations/CON-1/events?filter_group_type=ChatEvents&filter_group_version=3"
        (_, bob), (_, whole) = [
            (await world.call("GET", each)).json["_embedded"]
            for each in (path, path.partition("?")[0])
        ]
        assert bob["body"]["channel"]["type"] == whole["body"]["channel"]["type"] == "sms"
        assert {"to", "from"} <= whole["body"]["channel"].keys()
        assert not {"to", "from"} & bob["body"]["channel"].keys()
        (event,) = [each for each in await world.store.follow(Position(0)) if b'"sms"' in each.body]
        assert b'"to"' in payload(shown(Dialect.OPEN, event))
        typed = decode(payload(shown(Dialect.TYPED, event)))
        assert typed["body"]["channel"] == bob["body"]["channel"]

    play(scenario)


async def types(world: World) -> list[str]:
    return [each["type"] for each in await history(world, "CON-1")]


async def hooks(world: World, **urls: str) -> None:
    """The application has a messages capability."""
    webhooks = {name: {"address": url, "http_method": "POST"} for name, url in urls.items()}
    capabilities = {"messages": {"webhooks": webhooks}}
    found = await world.store.application(world.application.id)
    assert found is not None
    made = convert(capabilities, dict[str, Capability])
    await world.store.put_application(replace(found, capabilities=made))


def test_a_message_goes_out_and_what_becomes_of_it_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice, bob = await pair(world)
        said = await say(world, "CON-1", alice, "Hello")
        await world.settle()
        (sending,) = world.post.taken
        order = sending.order
        assert (order.channel, order.to, order.from_) == ("sms", PHONE, NUMBER)
        assert order.content == Said("text", {"text": "Hello"})
        await world.post.delivers("post-1")
        await world.settle()
        told = (await history(world, "CON-1"))[-4:]
        assert [(each["type"], each["from"]) for each in told] == [
            ("message:submitted", bob), ("member:message:status", bob),
            ("message:delivered", bob), ("member:message:status", bob),
        ]  # fmt: skip
        assert told[0]["body"] == {"event_id": said["id"]}
        assert told[3]["body"] == {
            "original_event_id": said["id"], "message_type": "text", "channel_type": "sms",
            "from": NUMBER, "to": PHONE, "message_uuid": sending.id, "text": "Hello",
        }  # fmt: skip
        answer = await world.call("GET", f"/v1/conversations/CON-1/events/{said['id']}")
        assert {kind: list(by) for kind, by in answer.json["state"].items()} == {
            "submitted_to": [bob],
            "delivered_to": [bob],
        }

    play(scenario)


def test_each_recipient_gets_it_once_and_its_origin_not_at_all(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice, bob = await pair(world)
        carol = await reached(world, "carol", "whatsapp", "447700900002")
        newest = await reached(world, "also bob", "sms", PHONE)
        await world.post.brings("Hi all", PHONE, NUMBER)
        await world.settle()
        said = (await history(world, "CON-1"))[-3]
        assert (said["type"], said["from"]) == ("message", newest)
        assert said["body"] == {"message_type": "text", "text": "Hi all"}
        assert [each.order.to for each in world.post.taken] == ["447700900002"]
        await say(world, "CON-1", alice, "Welcome")
        await world.settle()
        assert [each.order.to for each in world.post.taken[1:]] == [PHONE, "447700900002"]
        assert {each.place.member_id for each in world.post.taken if each.place} == {bob, carol}

    play(scenario)


def test_what_a_channel_cannot_carry_is_rejected(play: Play) -> None:
    async def scenario(world: World) -> None:
        await pair(world)
        body = {"message_type": "template", "template": {"name": "a:b"},
                "whatsapp": {"policy": "deterministic", "locale": "en"}}  # fmt: skip
        await world.call("POST", "/v1/conversations/CON-1/events", {
            "type": "message", "from": "MEM-1", "body": body
        })  # fmt: skip
        await world.settle()
        assert world.post.taken == []
        assert (await types(world))[-2:] == ["message:rejected", "member:message:status"]
        status = (await history(world, "CON-1"))[-1]["body"]
        assert "carries no" in status["error"]["reason"]

    play(scenario)


@pytest.mark.parametrize("failure", ["declined", "undeliverable"])
def test_a_carrier_that_will_not_or_cannot(play: Play, failure: str) -> None:
    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        problem = Problem("1210", "Spam it said")
        if failure == "declined":
            world.post.answers.append(Declined(problem))
        await say(world, "CON-1", alice, "Hello")
        await world.settle()
        if failure == "undeliverable":
            await world.post.tells("post-1", SendingStatus.UNDELIVERABLE, problem)
            await world.post.delivers("post-1")  # too late: it has its final status
            await world.settle()
        wanted = "rejected" if failure == "declined" else "undeliverable"
        assert (await types(world))[-2:] == [f"message:{wanted}", "member:message:status"]
        status = (await history(world, "CON-1"))[-1]["body"]
        assert status["error"] == {"code": "1210", "reason": "Spam it said"}

    play(scenario)


def test_a_message_of_parts_is_delivered_when_all_are(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        world.post.answers.append(("a", "b"))
        await say(world, "CON-1", alice, "Hello")
        await world.settle()
        await world.post.delivers("a", "a")
        assert "message:delivered" not in await types(world)
        await world.post.delivers("b")
        assert (await types(world)).count("message:delivered") == 1
        await world.post.reads("a")
        assert (await types(world))[-2] == "message:seen"

    play(scenario)


def test_a_carrier_that_asks_for_patience_gets_it_later(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        world.post.answers.extend([Congested("later", 0.0), Congested("later", 0.0)])
        for words in ("one", "two", "three"):
            await say(world, "CON-1", alice, words)
        while len(world.post.taken) < 3:
            await world.settle()
        assert [each.order.content.text for each in world.post.taken] == ["one", "two", "three"]
        assert world.other_post.taken == []

    play(scenario)


def test_what_waits_for_a_carrier_out_of_reach_goes_to_the_next(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        world.post.answers.append(OutOfReach("down"))
        await say(world, "CON-1", alice, "one")
        await world.settle()
        assert world.post.taken == []
        assert [each.order.content.text for each in world.other_post.taken] == ["one"]

    play(scenario)


def test_what_moves_to_another_carrier_keeps_its_order(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    async def scenario(world: World) -> None:
        cut = asyncio.Event()

        async def submit(sending: Sending) -> Sequence[str]:
            await cut.wait()
            raise OutOfReach("cut")

        monkeypatch.setattr(world.post, "submit", submit)
        world.post.terms = Terms(world.post.terms.channels, window=2)
        other = replace(TEXT, to="447700900002")
        orders = [
            replace(each, content=Said("text", {"text": str(number)}))
            for number, each in enumerate([TEXT, TEXT, other, TEXT, other])
        ]
        for each in orders:
            await world.hub.services.sendings.send([each], world.application.id)
        cut.set()
        await world.settle()
        for to in (TEXT.to, other.to):
            taken = [each.order for each in world.other_post.taken if each.order.to == to]
            assert taken == [each for each in orders if each.to == to]

    play(scenario)


def test_what_comes_too_late_to_a_carrier_is_not_handed_over(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.post.answers.append(Congested("later", 0.0))
        world.other_post.terms = Terms(frozenset())
        sent = await world.hub.services.sendings.send(
            [replace(TEXT, ttl=20)], world.application.id
        )  # fmt: skip
        await asyncio.sleep(0)
        world.clock.advance(21)
        async with asyncio.timeout(10):
            while (kept := await world.store.sending(sent.id)) is not None and not kept.is_over:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert kept is not None
        assert (kept.status, world.post.taken) == (SendingStatus.UNDELIVERABLE, [])

    play(scenario)


@pytest.mark.parametrize("resends", [True, False])
def test_what_a_carrier_may_have_is_resent_or_given_up(play: Play, resends: bool) -> None:
    async def scenario(world: World) -> None:
        alice, _ = await pair(world)
        for each in (world.post, world.other_post):
            each.terms = Terms(each.terms.channels, resends=resends)
        world.post.answers.append(OutOfReach("cut", in_doubt=True))
        await say(world, "CON-1", alice, "one")
        await world.settle()
        taken = [*world.post.taken, *world.other_post.taken]
        assert len(taken) == int(resends)
        final = "message:submitted" if resends else "message:undeliverable"
        assert final in await types(world)

    play(scenario)


@pytest.mark.parametrize(
    ("failure", "is_tried"),
    [
        (OutOfReach("no"), False),
        (Congested("later", 60.0), False),
        (OutOfReach("in the middle", in_part=True), True),
        (Congested("later", 60.0, in_part=True), True),
    ],
)
def test_only_what_a_carrier_may_have_is_in_doubt_after_a_crash(
    play: Play, failure: Congested | OutOfReach, is_tried: bool
) -> None:
    async def scenario(world: World) -> None:
        for each in (world.post, world.other_post):
            each.terms = Terms(each.terms.channels, resends=False)
            each.answers.append(failure)
        sent = await world.hub.services.sendings.send([TEXT], world.application.id)
        await world.settle()
        kept = await world.store.sending(sent.id)
        assert kept is not None
        assert (kept.status, kept.is_tried) == (SendingStatus.ACCEPTED, is_tried)

    play(scenario)


def test_what_waits_for_a_carrier_that_is_down_was_not_tried(play: Play) -> None:
    async def scenario(world: World) -> None:
        for each in (world.post, world.other_post):
            each.terms = Terms(each.terms.channels, resends=False)
            each.health = CarrierHealth("down")
        sent = await world.hub.services.sendings.send([TEXT], world.application.id)
        await world.settle()
        kept = await world.store.sending(sent.id)
        assert kept == sent
        assert world.post.taken == world.other_post.taken == []

    play(scenario)


def test_an_application_is_told_by_its_status_webhook(play: Play) -> None:
    async def scenario(world: World) -> None:
        await hooks(world, status_url=STATUS)
        order = Order("sms", PHONE, NUMBER, Said("text", {"text": "Hi"}), client_ref="mine")
        sent = await world.hub.services.sendings.send([order], world.application.id)
        await world.settle()
        await world.post.delivers("post-1")
        await world.settle()
        told = world.answers.told(STATUS)
        assert [each["status"] for each in told] == ["submitted", "delivered"]
        assert {each["message_uuid"] for each in told} == {sent.id}
        assert {each["client_ref"] for each in told} == {"mine"}

    play(scenario)


def test_what_fails_is_followed_by_the_next_of_its_workflow(play: Play) -> None:
    async def scenario(world: World) -> None:
        await hooks(world, status_url=STATUS)
        text = Said("text", {"text": "Hi"})
        orders = [Order(each, PHONE, NUMBER, text) for each in ("whatsapp", "viber", "sms")]
        world.post.answers.append(Declined(Problem("1300", "no")))
        await world.hub.services.sendings.send(orders, world.application.id)
        await world.settle()
        await world.post.tells("post-1", SendingStatus.UNDELIVERABLE, Problem("1260"))
        await world.settle()
        await world.post.delivers("post-2")
        await world.settle()
        told = world.answers.told(STATUS)
        assert [(each["channel"], each["status"]) for each in told] == [
            ("whatsapp", "rejected"), ("viber_service", "submitted"),
            ("viber_service", "undeliverable"), ("sms", "submitted"), ("sms", "delivered"),
        ]  # fmt: skip
        assert len({each["workflow"]["id"] for each in told}) == 1

    play(scenario)


def test_an_arrival_that_comes_again_is_one_message(play: Play) -> None:
    async def scenario(world: World) -> None:
        await pair(world)
        for _ in range(2):
            await world.post.brings("Hi", PHONE, NUMBER, ref="same")
        await world.settle()
        assert (await types(world)).count("message") == 1

    play(scenario)


def test_a_stranger_opens_a_conversation_where_no_webhook_decides(play: Play) -> None:
    async def scenario(world: World) -> None:
        await world.post.brings("Hi", PHONE, NUMBER)
        await world.post.brings("Anybody?", PHONE, NUMBER)
        await world.settle()
        told = await history(world, "CON-1")
        assert [each["type"] for each in told] == ["member:joined", "message", "message"]
        assert told[0]["body"]["channel"] == {
            "type": "sms", "from": {"type": "sms", "number": NUMBER},
            "to": {"type": "sms", "number": PHONE},
        }  # fmt: skip
        await post(world, "message", {"message_type": "text", "text": "Yes?"}, None)
        listed = await world.call("GET", "/v1/conversations")
        assert len(listed.json["_embedded"]["conversations"]) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("verdict", "rooms"),
    [
        ({"conversation": {"name": "support"}}, 2), ({"conversation": {"id": "CON-1"}}, 1),
        ({}, 1), ([1], 1), (b"OK", 1), (None, 1), ({"conversation": {"id": "CON-9"}}, 1),
    ],
)  # fmt: skip
def test_the_inbound_webhook_decides_about_strangers(play: Play, verdict: Any, rooms: int) -> None:
    async def scenario(world: World) -> None:
        await hooks(world, inbound_url=HOOK)
        await conversation(world)
        world.answers.answers[HOOK] = verdict
        await world.post.brings("Hi", PHONE, NUMBER)
        await world.settle()
        told = world.answers.told(HOOK)
        assert {each["text"] for each in told} == {"Hi"}
        assert len({each["message_uuid"] for each in told}) == 1
        assert len(told) == (2 if verdict is None else 1)  # asked, then told until it has heard
        listed = (await world.call("GET", "/v1/conversations")).json["_embedded"]["conversations"]
        assert len(listed) == rooms
        is_placed = isinstance(verdict, dict) and verdict.get("conversation") != {"id": "CON-9"}
        if is_placed and verdict:
            assert (await history(world, listed[-1]["id"]))[-1]["body"]["text"] == "Hi"

    play(scenario)


def test_a_message_for_a_number_of_nobody_is_dropped(play: Play) -> None:
    async def scenario(world: World) -> None:
        await world.post.brings("Hi", PHONE, "447700900999")
        await world.post.delivers("never-seen")
        await world.settle()
        assert await world.store.follow(await world.store.head()) == []

    play(scenario)
