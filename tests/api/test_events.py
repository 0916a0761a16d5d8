"""Sending events over REST: which types, which bodies, by whom."""

from typing import Any

import pytest
from tests.api.cast import (
    EVENTS,
    INVALID,
    NO_CONVERSATION,
    NO_EVENT,
    NO_MEMBER,
    NOT_GRANTED,
    OLDER,
    ORIGIN,
    WRONG_STATE,
    blamed,
    conversation,
    entrance,
    history,
    joined,
    refusal,
    room,
    say,
    text,
    user,
)
from tests.api.catalogue import BODIES, EXTENSIONS, MINTED, UNKEPT, V03, V1
from tests.api.conftest import Play

from tertulia.model.events.registry import all_types
from tertulia.testing.world import Answer, World


async def post(world: World, draft: dict[str, Any], **how: Any) -> Answer:
    return await world.call("POST", EVENTS, draft, **how)


async def draft_of(world: World, name: str) -> dict[str, Any]:
    """A valid request for an event of the type; what a status reports on is sent first."""
    body = BODIES[name]
    kind, _, status = name.partition(":")
    if kind in ("message", "text", "image") and "event_id" in body and "typing" not in status:
        target = {"type": kind, "from": "MEM-1", "body": BODIES[kind]}
        body = {"event_id": (await world.call("POST", OLDER, target)).json["id"]}
    return {"type": name, "from": "MEM-2", "body": body}


def test_the_lists_are_those_of_the_reference() -> None:
    assert (len(V1), len(V03), len(set(V1) | set(V03))) == (19, 34, 35)


@pytest.mark.parametrize(
    "target, name", [*((EVENTS, name) for name in V1), *((OLDER, name) for name in V03)]
)
def test_each_type_that_may_be_created_is(play: Play, target: str, name: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        draft = await draft_of(world, name)
        before = len(await history(world, "CON-1"))
        made = await world.call("POST", target, draft)
        assert made.status == 201, made.json
        event = made.json
        assert (event["type"], event["from"]) == (name, "MEM-2")
        assert event["body"].items() >= draft["body"].items()
        assert event["_embedded"]["from_user"]["name"] == "bob"
        assert event["_embedded"]["from_member"] == {"id": "MEM-2"}
        shown = (await world.call("GET", "/v1/conversations/CON-1")).json["sequence_number"]
        if name in UNKEPT:
            assert "id" not in event and "_links" not in event
            assert [(e.type, e.id) for e in world.announced] == [(name, None)]
            assert shown == len(await history(world, "CON-1")) == before
            return
        assert event["id"] == shown == before + 1
        assert event["_links"]["self"]["href"] == f"{ORIGIN}{target}/{event['id']}"
        assert (await world.call("GET", f"{target}/{event['id']}")).json == event
        assert world.announced == []

    play(scenario)


@pytest.mark.parametrize("target, allowed", [(EVENTS, V1), (OLDER, (*V03, "ephemeral"))])
def test_all_other_types_are_refused(play: Play, target: str, allowed: tuple[str, ...]) -> None:
    refused = {found.name for found in all_types()} - {*allowed, *EXTENSIONS}
    refused |= {"", "custom", "custom:", "custom:a b", "custom:é", "MESSAGE", "message ", "x"}
    refused |= {"custom:" + 94 * "a", "custom:tertulia:", "custom:tertulia:edits"}
    assert "custom:*" in refused and "member:joined" in refused

    async def scenario(world: World) -> None:
        await room(world)
        for name in sorted(refused):
            draft = {"type": name, "from": "MEM-1", "body": BODIES.get(name, {})}
            assert blamed(await world.call("POST", target, draft)) == "type", name
        assert len(await history(world, "CON-1")) == 2

    play(scenario)


@pytest.mark.parametrize("body, stored", [
    ({"message_type": "text", "text": "Hi \U0001f600"}, {}),
    ({"message_type": "text", "text": "", "viber_service": {"category": "promotion", "ttl": 30}},
     {}),
    ({"message_type": "image", "image": {"url": "https://h/a.png", "caption": "c"}}, {}),
    ({"message_type": "audio", "audio": {"url": "https://h/a.mp3"},
      "messenger": {"category": "message_tag", "tag": "t"}}, {}),
    ({"message_type": "video", "video": {"url": "http://h/a.mp4"}}, {}),
    ({"message_type": "file", "file": {"url": "https://h/a.pdf"}}, {}),
    ({"message_type": "template", "template": {"name": "n", "parameters": ["a"]},
      "whatsapp": {"policy": "deterministic", "locale": "en"}}, {}),
    ({"message_type": "template",
      "template": {"name": "n", "whatsapp": {"policy": "deterministic", "locale": "en"}}},
     {"template": {"name": "n"}, "whatsapp": {"policy": "deterministic", "locale": "en"}}),
    ({"message_type": "custom", "custom": {"any": [{"thing": None}]}}, {}),
    ({"message_type": "vcard", "vcard": {"url": "https://h/a.vcf"},
      "image": {"url": "https://h/a.png"}}, {}),
    ({"message_type": "location", "location": {"longitude": "-0.1", "latitude": "51.5",
                                               "name": "n", "address": "a"}}, {}),
    ({"message_type": "location", "location": {"longitude": -0.1, "latitude": 51}},
     {"location": {"longitude": "-0.1", "latitude": "51"}}),
    ({"message_type": "random"}, {}),
])  # fmt: skip
def test_messages_of_all_subtypes(play: Play, body: dict[str, Any], stored: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        made = await post(world, {"type": "message", "from": "MEM-1", "body": body})
        assert made.status == 201, made.json
        assert made.json["body"] == {**body, **stored}
        assert (await world.call("GET", f"{EVENTS}/3")).json["body"] == {**body, **stored}

    play(scenario)


@pytest.mark.parametrize("name, body, blame", [
    ("message", {}, "body.message_type"), ("message", {"message_type": "fax"}, "body.message_type"),
    ("message", {"message_type": "text"}, "body.text"),
    ("message", {"message_type": "text", "text": "a", "extra": 1}, "body.extra"),
    ("message", {"message_type": "image", "image": {"url": "x"}}, "body.image.url"),
    ("message", None, "body"), ("message", [], "body"), ("message", "Hi", "body"),
    ("message:seen", {"event_id": "one"}, "body.event_id"),
    ("audio:play", {"stream_url": ["https://h/a"], "level": 2, "loop": 1}, "body.level"),
    ("audio:play", {"stream_url": ["https://h/a"], "level": 0, "loop": 1, "play_id": "p"},
     "body.play_id"),
    ("audio:dtmf", {"digits": "x"}, "body.digits"), ("custom:a", [], "body"),
    ("ephemeral", "now", "body"),
])  # fmt: skip
def test_bad_bodies_are_named(play: Play, name: str, body: Any, blame: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        assert blamed(await post(world, {"type": name, "from": "MEM-1", "body": body})) == blame
        assert len(await history(world, "CON-1")) == 2 and world.announced == []

    play(scenario)


def test_what_is_no_event_is_refused(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for raw, name in (
            (b"{", "body"), (b"[]", "body"), (b"", "type"), (b'{"type":5}', "type"),
            (b'{"type":"message","from":5}', "from"), (b'{"type":"message","to":[]}', "to"),
            (b'{"type":"message","from":"MEM-1"}', "body.message_type"),
        ):  # fmt: skip
            assert blamed(await world.call("POST", EVENTS, raw)) == name, raw
        assert len(await history(world, "CON-1")) == 2

    play(scenario)


@pytest.mark.parametrize("name, limit", [
    ("custom:a", 4096), ("message", 65_536), ("ephemeral", 65_536),
])  # fmt: skip
def test_bodies_have_a_size(play: Play, name: str, limit: int) -> None:
    start = b'{"message_type":"text","text":"' if name == "message" else b'{"text":"'

    async def scenario(world: World) -> None:
        await room(world)
        for size, status in ((limit, 201), (limit + 1, 400)):
            body = start + b"x" * (size - len(start) - 2) + b'"}'
            assert len(body) == size
            raw = b'{"type":"%b","from":"MEM-1","body":%b}' % (name.encode(), body)
            answer = await world.call("POST", EVENTS, raw)
            assert answer.status == status
        assert blamed(answer) == "body"

    play(scenario)


def test_custom_events_keep_their_type_and_any_object(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        body = {"nested": {"list": [1, 2.5, None, True, "é"]}}
        for name in ("custom:a", "custom:order-status_2:done", "custom:" + 93 * "z"):
            made = await post(world, {"type": name, "from": "MEM-1", "body": body})
            assert (made.status, made.json["type"], made.json["body"]) == (201, name, body)
        assert (await post(world, {"type": "custom:empty"})).json["body"] == {}

    play(scenario)


def test_members_beside_the_known_ones_are_tolerated(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        draft = {**text("Hi", "MEM-1"), "cid": "CON-1", "originating_session": "SES-1", "tid": 5}
        made = await post(world, draft)
        assert made.status == 201
        assert set(made.json) == {"id", "type", "from", "timestamp", "body", "_embedded", "_links"}

    play(scenario)


def test_the_platform_adds_the_ids_that_stop_events_name(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        seen = set()
        for name, minted in zip(("audio:play", "audio:say", "audio:record"), MINTED, strict=True):
            for _ in range(2):
                made = await post(world, {"type": name, "body": BODIES[name]})
                assert made.status == 201
                seen.add(made.json["body"][minted])
                again = await world.call("GET", f"{EVENTS}/{made.json['id']}")
                assert again.json["body"] == made.json["body"]
        assert len(seen) == 6 and all(seen)

    play(scenario)


def test_the_application_speaks_for_itself_or_for_a_member(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for sender in ({}, {"from": None}):
            made = await post(world, {**text("Hi"), **sender})
            assert made.status == 201
            assert made.json["from"] is None and "_embedded" not in made.json
        as_bob = await post(world, text("Hi", "MEM-2"))
        assert as_bob.json["_embedded"]["from_user"]["name"] == "bob"
        for name in ("message:seen", "audio:mute:on", "audio:dtmf"):
            draft = {"type": name, "body": BODIES[name]}
            if name == "message:seen":
                draft["body"] = {"event_id": as_bob.json["id"]}
            assert blamed(await post(world, draft)) == "from"

    play(scenario)


def test_a_user_speaks_as_a_joined_member_of_its_own(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await joined(world, "CON-1", "carol", state="invited")
        await user(world, "eve")
        assert (await post(world, text("Hi", "MEM-1"), user="alice")).status == 201
        unnamed = await post(world, text("Hi"), user="alice")
        assert (unnamed.status, unnamed.json["from"]) == (201, "MEM-1")
        assert blamed(await post(world, text("Hi"), user="carol")) == "from"
        for by, named, expected in (
            ("alice", "MEM-2", (403, NOT_GRANTED)), ("alice", "MEM-9", (404, NO_MEMBER)),
            ("carol", "MEM-3", (400, WRONG_STATE)), ("eve", "MEM-1", (404, NO_CONVERSATION)),
            (None, "MEM-3", (400, WRONG_STATE)), (None, "", (404, NO_MEMBER)),
        ):  # fmt: skip
            assert refusal(await post(world, text("Hi", named), user=by)) == expected, (by, named)
        await world.call("PATCH", "/v1/conversations/CON-1/members/MEM-1", {"state": "left"})
        gone = await post(world, text("Hi", "MEM-1"), user="alice")
        assert refusal(gone) == (400, WRONG_STATE)
        assert [e["type"] for e in await history(world, "CON-1")].count("message") == 2

    play(scenario)


def test_the_member_acted_upon_is_one_of_the_conversation(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await conversation(world)
        entered = await world.call("POST", "/v1/conversations/CON-2/members", entrance("alice"))
        mute = {"type": "audio:mute:on", "from": "MEM-1", "body": {"rtc_id": "leg-1"}}
        made = await post(world, {**mute, "to": "MEM-2"}, user="alice")
        assert (made.status, made.json["to"]) == (201, "MEM-2")
        for other in ("MEM-9", entered.json["id"]):
            assert refusal(await post(world, {**mute, "to": other})) == (404, NO_MEMBER)
        assert "to" not in (await post(world, {**mute, "to": None})).json

    play(scenario)


def test_the_sender_is_shown_as_it_was(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        old = await say(world, "CON-1", "MEM-1", "before")
        data = {"team": "blue"}
        await world.call("PATCH", "/v1/users/USR-1", {
            "display_name": "Alice", "image_url": "https://i/a.png",
            "properties": {"custom_data": data},
        })  # fmt: skip
        new = await say(world, "CON-1", "MEM-1", "after")
        assert old["_embedded"]["from_user"] == {"id": "USR-1", "name": "alice"}
        assert new["_embedded"]["from_user"] == {
            "id": "USR-1", "name": "alice", "display_name": "Alice",
            "image_url": "https://i/a.png", "custom_data": data,
        }  # fmt: skip
        assert (await world.call("GET", f"{EVENTS}/{old['id']}")).json == old

    play(scenario)


def test_nothing_is_sent_to_or_read_from_what_is_gone(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        await world.call("DELETE", "/v1/conversations/CON-1")
        for cid in ("CON-1", "CON-9"):
            path = f"/v1/conversations/{cid}/events"
            for method, target, body in (
                ("POST", path, text("Hi", "MEM-1")), ("GET", path, None),
                ("POST", path, {"type": "ephemeral"}), ("GET", f"{path}/3", None),
                ("DELETE", f"{path}/3", None),
            ):  # fmt: skip
                for by in (None, "alice"):
                    answer = await world.call(method, target, body, user=by)
                    assert refusal(answer) == (404, NO_CONVERSATION), (method, target, by)
        assert world.announced == []

    play(scenario)


def test_an_event_is_named_by_its_number(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        assert (await world.call("GET", f"{EVENTS}/1")).json["type"] == "member:joined"
        for number in ("0", "3", "999999999999999"):
            answer = await world.call("GET", f"{EVENTS}/{number}")
            assert refusal(answer) == (404, NO_EVENT)
        for number in ("x", "-1", "1.0", "1" * 16, "%D9%A1"):
            answer = await world.call("GET", f"{EVENTS}/{number}")
            assert blamed(answer) == "event_id", number
            assert refusal(await world.call("DELETE", f"{EVENTS}/{number}")) == (400, INVALID)

    play(scenario)
