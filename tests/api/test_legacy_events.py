"""Events in the older editions: what nexmo-client sends and reads (wire-clients 3.2 and 1.5)."""

from typing import Any

import pytest
from tests.api.cast import (
    NO_CONVERSATION,
    NO_EVENT,
    NO_MEMBER,
    NOT_GRANTED,
    ORIGIN,
    blamed,
    conversation,
    entrance,
    following,
    history,
    joined,
    refusal,
    user,
)
from tests.api.conftest import Play

from tertulia.model.events.registry import Creator, all_types
from tertulia.testing.world import Answer, World

OLDER = ("/beta", "/v0.1", "/beta2", "/v0.2")
EVENTS = "/beta/conversations/CON-1/events"
RANGES = "/beta2/conversations/CON-1/events"


async def room(world: World) -> None:
    """CON-1 with alice (MEM-1), who has a leg, and bob (MEM-2), who has none."""
    await conversation(world)
    await user(world, "alice")
    entered = entrance("alice", channel={"type": "app", "id": "leg-1"})
    await world.call("POST", "/v1/conversations/CON-1/members", entered)
    await joined(world, "CON-1", "bob")


async def post(world: World, draft: dict[str, Any], name: str | None = "alice") -> Answer:
    sent = {**draft, "cid": "CON-1", "originating_session": "SES-1"}
    return await world.call("POST", EVENTS, sent, user=name)


def shown(answer: Answer) -> list[int]:
    """Numbers of the events of a page."""
    return [event["id"] for event in answer.json["_embedded"]["data"]["events"]]


SENT: dict[str, Any] = {
    "text": {"text": "Hi"}, "text:typing:on": {"activity": 1}, "text:typing:off": {"activity": 0},
    "text:delivered": {"event_id": 3}, "text:seen": {"event_id": 3},
    "message": {"message_type": "text", "text": "Hi"}, "message:delivered": {"event_id": 4},
    "message:seen": {"event_id": 4}, "image": {"representations": {"original": {"id": "MED-1"}}},
    "image:delivered": {"event_id": 5}, "image:seen": {"event_id": 5}, "ephemeral": {"x": 1},
    "custom:mine": {"a": 1}, "audio:ringing:start": {}, "audio:ringing:stop": {},
    "audio:say": {
        "text": "Hi", "voice_name": "Amy", "level": 1, "queue": True, "loop": 1, "ssml": False,
    },
    "audio:play": {"stream_url": ["https://a/b.mp3"], "level": 0},
    "audio:mute:on": {"rtc_id": "leg-1"}, "audio:mute:off": {"rtc_id": "leg-1"},
    "audio:dtmf": {"digit": "1", "channel": {"type": "app", "id": "leg-1"}},
}  # fmt: skip
"""What nexmo-client sends by REST, as it sends it."""


def test_what_the_client_sends_can_be_sent(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for name in ("text", "message", "image"):  # events 3 to 5, for the reports on them
            answer = await post(world, {"type": name, "body": SENT[name], "from": "MEM-1"})
            assert answer.status == 200, answer.json
        for name, body in SENT.items():
            for sender in ({"from": "MEM-2"}, {}):
                answer = await post(world, {"type": name, "body": body, **sender}, "bob")
                assert (answer.status, answer.json["from"]) == (200, "MEM-2"), (name, answer.json)
                assert answer.json["timestamp"]
        assert len(world.announced) == 6

    play(scenario)


def test_a_session_can_send_nothing_that_rest_cannot() -> None:
    anything = Creator.REST | Creator.REST_LEGACY
    sessions = [found for found in all_types() if found.creators & Creator.CLIENT]
    assert sessions and all(found.creators & anything for found in sessions)


@pytest.mark.parametrize("edition", OLDER)
def test_an_event_is_sent_shown_and_deleted(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        path = f"{edition}/conversations/CON-1/events"
        draft = {"type": "text", "from": "MEM-1", "body": {"text": "Hi"}}
        made = await world.call("POST", path, draft, user="alice")
        href = f"{ORIGIN}{path}/3"
        assert (made.status, made.json) == (200, {
            "id": 3, "type": "text", "from": "MEM-1", "body": {"text": "Hi"}, "href": href,
            "timestamp": made.json["timestamp"], "_links": {"self": {"href": href}},
            "_embedded": {
                "from_user": {"id": "USR-1", "name": "alice"}, "from_member": {"id": "MEM-1"},
            },
        })  # fmt: skip
        assert (await world.call("GET", f"{path}/3")).json == made.json
        gone = await world.call("DELETE", f"{path}/3?from=MEM-1", user="alice")
        assert (gone.status, gone.json) == (200, {})
        blank = (await world.call("GET", f"{path}/3")).json
        assert set(blank["body"]) == {"timestamp"} and blank["from"] == "MEM-1"
        assert refusal(await world.call("GET", f"{path}/9")) == (404, NO_EVENT)
        assert blamed(await world.call("GET", f"{path}/x")) == "event_id"
        other = await post(world, draft)
        foreign = await world.call("DELETE", f"{path}/{other.json['id']}?from=MEM-1", user="bob")
        assert refusal(foreign) == (403, NOT_GRANTED)

    play(scenario)


def test_what_is_not_kept_has_no_number(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for name in ("ephemeral", "text:typing:on"):
            answer = await post(world, {"type": name, "from": "MEM-1", "body": {}})
            assert set(answer.json) == {"type", "from", "timestamp", "body", "_embedded"}
        assert len(await history(world, "CON-1")) == 2

    play(scenario)


@pytest.mark.parametrize("name", [
    "audio:earmuff:on", "audio:earmuff:off", "audio:mute:on", "audio:mute:off",
])  # fmt: skip
def test_the_leg_of_a_member_need_not_be_named(play: Play, name: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        drafts: list[dict[str, Any]] = [{"to": "MEM-1"}, {"from": "MEM-1"}, {}, {"body": {}}]
        for draft in drafts:
            answer = await post(world, {"type": name, **draft})
            assert answer.status == 200, answer.json
            assert (answer.json["from"], answer.json["body"]) == ("MEM-1", {"rtc_id": "leg-1"})
        named = await post(world, {"type": name, "to": "MEM-1", "body": {"rtc_id": "leg-9"}})
        assert named.json["body"] == {"rtc_id": "leg-9"}
        assert blamed(await post(world, {"type": name, "to": "MEM-2"})) == "body.rtc_id"
        assert blamed(await post(world, {"type": name}, "bob")) == "body.rtc_id"
        assert blamed(await post(world, {"type": name}, None)) == "body.rtc_id"
        assert refusal(await post(world, {"type": name, "to": "MEM-9"})) == (404, NO_MEMBER)
        bodies: list[Any] = [[], {"other": 1}, "x", None]
        for body in bodies:
            assert refusal(await post(world, {"type": name, "body": body}))[0] == 400
        v03 = {"type": name, "to": "MEM-1"}
        later = await world.call("POST", "/v0.3/conversations/CON-1/events", v03, user="alice")
        assert blamed(later) == "body.rtc_id"

    play(scenario)


def test_a_stream_is_played_once_when_nobody_says_how_often(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        url = ["https://a/b.mp3"]
        played = await post(world, {"type": "audio:play", "body": {"stream_url": url}})
        assert played.json["body"] == {
            "stream_url": url, "level": 0, "loop": 1, "play_id": played.json["body"]["play_id"],
        }  # fmt: skip
        twice = await post(world, {"type": "audio:play", "body": {"stream_url": url, "loop": 2}})
        assert twice.json["body"]["loop"] == 2
        assert blamed(await post(world, {"type": "audio:play"})) == "body.stream_url"

    play(scenario)


def test_a_conversation_named_by_a_member_is_none(play: Play) -> None:
    """COMPAT: `member.playStream` of nexmo-client posts so."""

    async def scenario(world: World) -> None:
        await room(world)
        for draft in ({"type": "audio:play", "body": {"stream_url": ["https://a/b"], "loop": 1}},
                      {"type": "audio:earmuff:on", "to": "MEM-1"}):  # fmt: skip
            answer = await world.call(
                "POST", "/beta/conversations/MEM-1/events", draft, user="alice"
            )
            assert refusal(answer) == (404, NO_CONVERSATION)

    play(scenario)


@pytest.mark.parametrize("edition", ["/beta2", "/v0.2"])
def test_a_gap_is_answered_whole(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for number in range(3, 131):
            await post(world, {"type": "custom:count", "body": {"n": number}})
        path = f"{edition}/conversations/CON-1/events"
        gap = await world.call("GET", f"{path}?start_id=5&end_id=40", user="bob")
        assert (shown(gap), gap.json["page_size"]) == (list(range(5, 41)), 100)
        assert set(gap.json["_links"]) == {"first", "self"}
        beyond = await world.call("GET", f"{path}?start_id=120&end_id=500", user="bob")
        assert shown(beyond) == list(range(120, 131))
        wide = await world.call("GET", f"{path}?start_id=1&end_id=130", user="bob")
        assert shown(wide) == list(range(1, 101))
        rest = await world.call("GET", following(wide), user="bob")
        assert shown(rest) == list(range(101, 131))
        sized = await world.call("GET", f"{path}?start_id=5&end_id=40&page_size=2", user="bob")
        assert shown(sized) == [5, 6]
        event = gap.json["_embedded"]["data"]["events"][0]
        assert event["href"] == f"{ORIGIN}{path}/5"

    play(scenario)


def test_a_history_is_paged_and_narrowed(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for name in ("text", "message", "text", "custom:mine"):
            await post(world, {"type": name, "body": SENT[name]})
        await post(world, {"type": "text:seen", "body": {"event_id": 3}}, "bob")
        first = await world.call("GET", f"{RANGES}?page_size=3&order=asc", user="alice")
        assert shown(first) == [1, 2, 3]
        seen = first.json["_embedded"]["data"]["events"][2]["state"]["seen_by"]
        assert set(seen) == {"MEM-2"}
        assert shown(await world.call("GET", following(first), user="alice")) == [4, 5, 6]
        for query, expected in (
            ("event_type=text", [3, 5]), ("event_type=text,custom:mine&order=desc", [6, 5, 3]),
            ("state=&cursor=", [1, 2, 3, 4, 5, 6, 7]),
        ):  # fmt: skip
            assert shown(await world.call("GET", f"{RANGES}?{query}")) == expected
        whole = (await world.call("GET", EVENTS, user="alice")).json
        assert [event["id"] for event in whole] == [1, 2, 3, 4, 5, 6, 7]
        some = (await world.call("GET", f"{EVENTS}?start_id=2&end_id=3&order=desc")).json
        assert [event["id"] for event in some] == [3, 2]
        await user(world, "eve")
        for target in (EVENTS, RANGES, f"{RANGES}/1"):
            assert refusal(await world.call("GET", target, user="eve")) == (404, NO_CONVERSATION)

    play(scenario)
