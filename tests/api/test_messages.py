"""Messages: every subtype, every report, and our extensions: edits, replies, reactions."""

import asyncio
from typing import Any

import pytest
from tests.api.cast import (
    EVENTS,
    NO_CONVERSATION,
    NO_EVENT,
    NOT_GRANTED,
    OLDER,
    TARGETS,
    WRONG_STATE,
    blamed,
    conversation,
    entrance,
    following,
    history,
    joined,
    pages,
    post,
    refusal,
    room,
    say,
    stranger,
)
from tests.api.conftest import Play
from tests.api.late import LateStore

from tertulia.model.event import RECEIPTS, Event
from tertulia.model.ids import ConversationId, EventId
from tertulia.services import events, messages
from tertulia.testing.world import Answer, World

MESSAGES = "/tertulia/v1/conversations/CON-1/messages"
URL = "https://h/a"
SUBTYPES: dict[str, dict[str, Any]] = {
    "text": {"text": "Hi"}, "image": {"image": {"url": URL, "caption": "c"}},
    "audio": {"audio": {"url": URL}}, "video": {"video": {"url": URL}},
    "file": {"file": {"url": URL}}, "custom": {"custom": {"a": 1}}, "random": {"random": {"a": 1}},
    "vcard": {"vcard": {"url": URL}}, "location": {"location": {"longitude": 1, "latitude": 2}},
    "template": {"template": {"name": "n"}, "whatsapp": {"policy": "p", "locale": "en"}},
}  # fmt: skip


async def extend(
    world: World, kind: str, body: dict[str, Any], sender: str | None = "MEM-1", **how: Any
) -> Answer:
    return await post(world, f"custom:tertulia:{kind}", body, sender, **how)


async def shown(world: World, **how: Any) -> dict[int, dict[str, Any]]:
    """The messages by number."""
    answer = await world.call("GET", f"{MESSAGES}?page_size=100", **how)
    assert answer.status == 200, answer.json
    return {each["id"]: each for each in answer.json["_embedded"]["messages"]}


# Subtypes and reports.


@pytest.mark.parametrize("edition", ["v1", "v0.3"])
@pytest.mark.parametrize("kind", SUBTYPES)
def test_every_subtype_lives_from_post_to_deletion(play: Play, edition: str, kind: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        events = f"/{edition}/conversations/CON-1/events"
        body = {"message_type": kind, **SUBTYPES[kind]}
        draft = {"type": "message", "from": "MEM-1", "body": body}
        made = await world.call("POST", events, draft, user="alice")
        assert (made.status, made.json["body"]["message_type"]) == (201, kind)
        for report in ("submitted", "delivered", "seen", "rejected", "undeliverable"):
            told = {"type": f"message:{report}", "from": "MEM-2", "body": {"event_id": 3}}
            assert (await world.call("POST", events, told, user="bob")).status == 201
        state = (await world.call("GET", f"{events}/3")).json["state"]
        assert {name: [*members] for name, members in state.items()} == {
            name: ["MEM-2"] for kind, name in RECEIPTS.items() if kind.startswith("message:")
        }
        assert (await world.call("DELETE", f"{events}/3", user="alice")).status == 204
        grave = (await world.call("GET", f"{events}/3")).json
        assert set(grave["body"]) == {"timestamp"} and grave["state"] == state

    play(scenario)


@pytest.mark.parametrize("name", RECEIPTS)
def test_a_member_reports_for_itself_once(play: Play, name: str) -> None:
    kind = name.partition(":")[0]

    async def scenario(world: World) -> None:
        await room(world)
        await post(world, kind, TARGETS[kind])
        await joined(world, "CON-1", "carol", state="invited")
        body = {"event_id": 3}
        for by, sender, expected in (
            ("bob", "MEM-1", (403, NOT_GRANTED)), ("carol", "MEM-3", (400, WRONG_STATE)),
        ):  # fmt: skip
            assert refusal(await post(world, name, body, sender, user=by)) == expected
        for nobody in (None, ""):
            assert (await post(world, name, body, nobody)).status in (400, 404)
        first = await post(world, name, body, "MEM-2", user="bob")
        await post(world, name, body, "MEM-2", user="bob")
        state = (await world.call("GET", f"{OLDER}/3")).json["state"]
        assert state == {RECEIPTS[name]: {"MEM-2": first.json["timestamp"]}}
        for number in (1, 4, 99):  # another kind, a report, nothing
            answer = await post(world, name, {"event_id": number}, "MEM-2")
            assert refusal(answer) == (404, NO_EVENT)
        await world.call("DELETE", f"{OLDER}/3")
        assert refusal(await post(world, name, body, "MEM-1")) == (404, NO_EVENT)

    play(scenario)


# Extensions.


def test_an_edit_is_an_event_and_shows_with_its_message(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        sent = await say(world, "CON-1", "MEM-1", "Helo")
        first = await extend(world, "edit", {"event_id": "3", "text": "Hell"}, user="alice")
        assert first.status == 201
        assert first.json["body"] == {"event_id": 3, "text": "Hell"}
        second = await extend(world, "edit", {"event_id": 3, "text": "Hello"})
        assert (await world.call("GET", f"{EVENTS}/3")).json["body"] == sent["body"]
        message = (await shown(world, user="bob"))[3]
        assert message.pop("edited") == {"text": "Hello", "at": second.json["timestamp"]}
        assert message == (await world.call("GET", f"{OLDER}/3")).json
        types = [event["type"] for event in await history(world, "CON-1")]
        assert types[3:] == ["custom:tertulia:edit"] * 2

    play(scenario)


def test_only_its_author_edits_a_text(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        await post(world, "message", {"message_type": "image", "image": {"url": URL}})
        await post(world, "text", {"text": "Hi"})
        await say(world, "CON-1", None, "from the application")
        await post(world, "custom:a", {"text": "Hi"})
        edit: dict[str, Any] = {"event_id": 3, "text": "x"}
        assert refusal(await extend(world, "edit", edit, "MEM-2", user="bob")) == (403, NOT_GRANTED)
        assert refusal(await extend(world, "edit", edit, "MEM-2")) == (403, NOT_GRANTED)
        assert refusal(await extend(world, "edit", edit, "MEM-1", user="bob")) == (403, NOT_GRANTED)
        assert blamed(await extend(world, "edit", edit, None)) == "from"
        assert blamed(await extend(world, "edit", {**edit, "event_id": 4})) == "body.event_id"
        answer = await extend(world, "edit", {**edit, "event_id": 6})
        assert refusal(answer) == (403, NOT_GRANTED)
        for number in (0, 1, 7, 8, 99):
            answer = await extend(world, "edit", {**edit, "event_id": number})
            assert refusal(answer) == (404, NO_EVENT), number
        assert (await extend(world, "edit", {**edit, "event_id": 5})).status == 201

    play(scenario)


def test_who_comes_back_still_owns_what_was_said(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        members = "/v1/conversations/CON-1/members"
        await world.call("PATCH", f"{members}/MEM-1", {"state": "left"}, user="alice")
        edit = {"event_id": 3, "text": "x"}
        answer = await extend(world, "edit", edit, "MEM-1", user="alice")
        assert refusal(answer) == (400, WRONG_STATE)
        again = await world.call("POST", members, entrance("alice"))
        answer = await extend(world, "edit", edit, again.json["id"], user="alice")
        assert answer.status == 201

    play(scenario)


def test_a_reply_names_an_earlier_message(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-2", "Tea?")
        await say(world, "CON-1", "MEM-1", "Yes")
        await post(world, "image", TARGETS["image"])
        reply: dict[str, Any] = {"event_id": 4, "reply_to": "3"}
        made = await extend(world, "reply", reply, user="alice")
        assert made.json["body"] == {"event_id": 4, "reply_to": 3}
        assert {n: each.get("reply_to") for n, each in (await shown(world)).items()} == {
            3: None, 4: 3, 5: None,
        }  # fmt: skip
        assert refusal(await extend(world, "reply", reply, "MEM-2")) == (403, NOT_GRANTED)
        for change, expected in (
            ({"reply_to": 4}, "body.reply_to"), ({"reply_to": 5}, "body.reply_to"),
            ({"reply_to": "x"}, "body.reply_to"), ({"more": 1}, "body.more"),
        ):  # fmt: skip
            assert blamed(await extend(world, "reply", {**reply, **change})) == expected
        for change in ({"reply_to": 1}, {"reply_to": 99}, {"event_id": 6}, {"event_id": 99}):
            answer = await extend(world, "reply", {**reply, **change})
            assert refusal(answer) == (404, NO_EVENT), change
        await world.call("DELETE", f"{EVENTS}/3")
        assert refusal(await extend(world, "reply", reply)) == (404, NO_EVENT)

    play(scenario)


def test_reactions_come_and_go(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        for sender, reaction, action in (
            ("MEM-2", "👍", "add"), ("MEM-1", "👍", "add"), ("MEM-1", "🎉", "add"),
            ("MEM-2", "👍", "add"), ("MEM-1", "🎉", "remove"), ("MEM-2", "never", "remove"),
        ):  # fmt: skip
            body = {"event_id": 3, "reaction": reaction, "action": action}
            assert (await extend(world, "reaction", body, sender)).status == 201
        assert (await shown(world))[3]["reactions"] == {"👍": ["MEM-1", "MEM-2"]}
        for sender in ("MEM-1", "MEM-2"):
            body = {"event_id": 3, "reaction": "👍", "action": "remove"}
            await extend(world, "reaction", body, sender)
        assert "reactions" not in (await shown(world))[3]

    play(scenario)


@pytest.mark.parametrize("change, blame", [
    ({"reaction": ""}, "body.reaction"), ({"reaction": 33 * "x"}, "body.reaction"),
    ({"reaction": "a\nb"}, "body.reaction"), ({"reaction": "a\n"}, "body.reaction"),
    ({"reaction": "\u0085"}, "body.reaction"), ({"reaction": 1}, "body.reaction"),
    ({"action": "toggle"}, "body.action"), ({"event_id": -1}, "body.event_id"),
    ({"extra": 1}, "body.extra"),
])  # fmt: skip
def test_a_reaction_is_a_few_letters(play: Play, change: dict[str, Any], blame: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        body = {"event_id": 3, "reaction": "👍", "action": "add", **change}
        assert blamed(await extend(world, "reaction", body)) == blame

    play(scenario)


@pytest.mark.parametrize("name", ["custom:tertulia:", "custom:tertulia:pin", "custom:tertulia:a:b"])
def test_other_names_of_ours_are_reserved(play: Play, name: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        answer = await post(world, name, {})
        assert blamed(answer) == "type"
        assert "reserved" in answer.json["invalid_parameters"][0]["reason"]
        assert (await post(world, "custom:tertulias:pin", {})).status == 201

    play(scenario)


@pytest.mark.parametrize("name", ["message", "text"])
def test_edits_go_with_their_message(play: Play, name: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await post(world, name, TARGETS[name])
        await say(world, "CON-1", "MEM-2", "other")
        for number in range(3):
            await extend(world, "edit", {"event_id": 3, "text": f"secret {number}"})
        await post(world, "text:update", {"original_event_id": 3, "text": "secret too"})
        await extend(world, "edit", {"event_id": 4, "text": "kept"}, "MEM-2")
        await extend(world, "reaction", {"event_id": 3, "reaction": "x", "action": "add"})
        for number in (5, 10):
            answer = await world.call("DELETE", f"{EVENTS}/{number}")
            assert blamed(answer) == "event_id"
        assert (await world.call("DELETE", f"{EVENTS}/3", user="alice")).status == 204
        events = await history(world, "CON-1")
        assert "secret" not in str(events) and "kept" in str(events)
        deleted = [event for event in events if event["type"] == "event:delete"]
        assert [event["body"]["event_id"] for event in deleted] == [3, 5, 6, 7, 8]
        assert {event["from"] for event in deleted} == {"MEM-1"}
        grave = (await shown(world))[3]
        assert grave["deleted"] == deleted[0]["timestamp"]
        assert not grave.keys() & {"edited", "reactions"}
        assert (await world.call("DELETE", f"{EVENTS}/3")).status == 204
        assert len(await history(world, "CON-1")) == len(events)

    play(scenario)


class StaleReads(LateStore):
    """The first event that is read is old when it arrives."""

    turns = 0

    async def event(self, conversation_id: ConversationId, event_id: EventId) -> Event | None:
        found = await super().event(conversation_id, event_id)
        turns, self.turns = self.turns, 0
        for _ in range(turns):
            await asyncio.sleep(0)
        return found


@pytest.mark.parametrize("stale", [0, 50])
@pytest.mark.parametrize("turns", range(12))
def test_an_edit_that_crosses_a_deletion_does_not_stay(
    keys: tuple[str, str], turns: int, stale: int
) -> None:
    async def later(world: World) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        assert (await world.call("DELETE", f"{EVENTS}/3", user="alice")).status == 204

    async def scenario() -> None:
        store = StaleReads()
        world = await World.open(keys=keys, store=store)
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        edit = {"event_id": 3, "text": "secret"}
        store.turns = stale
        await asyncio.gather(extend(world, "edit", edit, user="alice"), later(world))
        events = await history(world, "CON-1")
        assert "secret" not in str(events)
        await world.check_replay()

    asyncio.run(scenario())


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_messages_are_paged_both_ways(play: Play, order: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for number in range(7):
            await say(world, "CON-1", "MEM-1", str(number))
            edit = {"event_id": 3 + 2 * number, "text": f"edited {number}"}
            await extend(world, "edit", edit)
        target = f"{MESSAGES}?page_size=3&order={order}"
        there = await pages(world, target, "messages", user="bob")
        flat = [message["id"] for page in there for message in page]
        assert flat == sorted(range(3, 17, 2), reverse=order == "desc")
        for message in (each for page in there for each in page):
            assert message["edited"]["text"] == f"edited {message['body']['text']}"
        answer = await world.call("GET", target)
        while following(answer):
            answer = await world.call("GET", following(answer))
        back = await pages(world, following(answer, "prev"), "messages", link="prev")
        assert [message["id"] for page in back[::-1] for message in page] == flat[:6]

    play(scenario)


def test_many_edits_go_a_page_at_a_time(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EDITS_PAGE", 2)

    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "tea")
        for number in range(5):
            await extend(world, "edit", {"event_id": 3, "text": f"secret {number}"})
        assert (await world.call("DELETE", f"{OLDER}/3")).status == 204
        told = await history(world, "CON-1")
        assert "secret" not in str(told)
        deleted = [each["body"]["event_id"] for each in told if each["type"] == "event:delete"]
        assert deleted == [3, 4, 5, 6, 7, 8]

    play(scenario)


@pytest.mark.parametrize("limit", ["ADDITIONS_MAX", "ADDITIONS_OCTETS"])
def test_additions_are_read_newest_first_and_so_many(
    play: Play, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(messages, "READ_AT_ONCE", 2)

    async def scenario(world: World) -> None:
        await room(world)
        for number in (3, 4):
            assert (await say(world, "CON-1", "MEM-1", "tea"))["id"] == number
        for number in (4, 3, 3, 3, 3):
            await extend(world, "edit", {"event_id": number, "text": "word " * 10})
        assert all("edited" in each for each in (await shown(world)).values())
        monkeypatch.setattr(messages, limit, {"ADDITIONS_MAX": 4}.get(limit, 250))
        assert [number for number, each in (await shown(world)).items() if "edited" in each] == [3]

    play(scenario)


def test_messages_are_for_those_who_see_the_history(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        await conversation(world)
        await joined(world, "CON-2", "eve")
        assert set(await shown(world, user="alice")) == {3}
        hows: list[dict[str, Any]] = [{"user": "eve"}, {"token": (await stranger(world)).token()}]
        for how in hows:
            assert refusal(await world.call("GET", MESSAGES, **how)) == (404, NO_CONVERSATION)
        answer = await world.call("GET", MESSAGES.replace("CON-1", "CON-2"))
        assert answer.json["_embedded"] == {"messages": []}

    play(scenario)
