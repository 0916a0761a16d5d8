"""The history of a conversation over REST: lists, reports on messages, deletions."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.api.cast import (
    EVENTS,
    INVALID,
    NO_CONVERSATION,
    NO_EVENT,
    NO_MEMBER,
    NOT_GRANTED,
    OLDER,
    ORIGIN,
    TARGETS,
    WRONG_STATE,
    blamed,
    following,
    history,
    joined,
    pages,
    post,
    refusal,
    room,
    say,
    text,
    user,
)
from tests.api.conftest import SETTINGS, Play

from tertulia.settings import Wire
from tertulia.testing.world import World

REPORTS = {
    "message:seen": "seen_by", "message:delivered": "delivered_to",
    "message:submitted": "submitted_to", "message:rejected": "rejected_by",
    "message:undeliverable": "undeliverable_to", "text:seen": "seen_by",
    "text:delivered": "delivered_to", "image:seen": "seen_by", "image:delivered": "delivered_to",
}  # fmt: skip


async def listed(world: World, query: str) -> list[Any]:
    answer = await world.call("GET", f"{OLDER}?{query}")
    assert answer.status == 200, answer.json
    events: list[Any] = answer.json["_embedded"]["events"]
    return events


async def numbers(world: World, query: str) -> list[int]:
    return [event["id"] for event in await listed(world, query)]


# Reports on messages.


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_an_event_and_shows_in_the_state_of_its_message(play: Play, name: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        kind = name.partition(":")[0]
        message = (await post(world, kind, TARGETS[kind])).json
        assert "state" not in message
        first = await post(world, name, {"event_id": str(message["id"])}, "MEM-2", user="bob")
        assert first.status == 201
        assert first.json["body"] == {"event_id": 3}
        again = await post(world, name, {"event_id": 3}, "MEM-2")  # is told, and changes nothing
        own = await post(world, name, {"event_id": 3}, "MEM-1", user="alice")
        assert (again.json["id"], own.json["id"]) == (5, 6)
        shown = (await world.call("GET", f"{OLDER}/3")).json
        assert shown["state"] == {REPORTS[name]: {
            "MEM-2": first.json["timestamp"], "MEM-1": own.json["timestamp"],
        }}  # fmt: skip
        assert shown["state"] == (await history(world, "CON-1"))[2]["state"]
        assert {key: shown[key] for key in message if key != "state"} == message

    play(scenario)


def test_reports_of_different_kinds_stand_side_by_side(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        times = {}
        for name in ("message:submitted", "message:delivered", "message:seen"):
            made = await post(world, name, {"event_id": 3}, "MEM-2")
            times[REPORTS[name]] = {"MEM-2": made.json["timestamp"]}
        assert (await world.call("GET", f"{EVENTS}/3")).json["state"] == times

    play(scenario)


def test_a_report_needs_a_message_of_its_kind(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for kind, body in {**TARGETS, "custom:a": {}}.items():
            await post(world, kind, body)  # 3 message, 4 text, 5 image, 6 custom
        await say(world, "CON-1", "MEM-1", "soon gone")
        assert (await world.call("DELETE", f"{EVENTS}/7")).status == 204
        for name, number in (
            ("message:seen", 99), ("message:seen", 0), ("message:seen", 1), ("message:seen", 4),
            ("message:seen", 6), ("message:seen", 7), ("message:seen", 8), ("text:seen", 3),
            ("text:delivered", 5), ("image:seen", 3), ("image:delivered", 4),
        ):  # fmt: skip
            answer = await post(world, name, {"event_id": number}, "MEM-2")
            assert refusal(answer) == (404, NO_EVENT), (name, number)
        assert [event.get("state") for event in await history(world, "CON-1")] == [None] * 8

    play(scenario)


def test_an_edited_text_is_another_event(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await post(world, "text", {"text": "Helo"})
        made = await post(world, "text:update", {"text": "Hello", "original_event_id": "3"})
        assert made.json["body"] == {"text": "Hello", "original_event_id": 3}
        assert (await world.call("GET", f"{OLDER}/3")).json["body"] == {"text": "Helo"}

    play(scenario)


# Deletion.


@pytest.mark.parametrize("name, body", [*TARGETS.items(), ("custom:order", {"n": 1})])
def test_of_a_deleted_event_the_place_stays(play: Play, name: str, body: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        made = (await post(world, name, body)).json
        gone = await world.call("DELETE", f"{OLDER}/3?from=MEM-1", user="alice")
        assert (gone.status, gone.raw) == (204, b"")
        grave, notice = (await history(world, "CON-1"))[2:]
        assert (notice["id"], notice["type"], notice["from"]) == (4, "event:delete", "MEM-1")
        assert notice["body"] == {"event_id": 3}
        assert notice["_embedded"]["from_user"]["name"] == "alice"
        assert grave == {**made, "body": {"timestamp": {"deleted": notice["timestamp"]}}}
        assert (await world.call("GET", f"{OLDER}/3")).json == grave
        assert await numbers(world, "exclude_deleted_events=true") == [1, 2, 4]
        assert await numbers(world, "exclude_deleted_events=false") == [1, 2, 3, 4]

        for by in (None, "alice"):
            assert (await world.call("DELETE", f"{EVENTS}/3", user=by)).status == 204
        assert len(await history(world, "CON-1")) == 4

    play(scenario)


def test_what_members_reported_outlives_the_message(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        await post(world, "message:seen", {"event_id": 3}, "MEM-2")
        await world.call("DELETE", f"{EVENTS}/3")
        grave = (await world.call("GET", f"{EVENTS}/3")).json
        assert set(grave["body"]) == {"timestamp"} and set(grave["state"]) == {"seen_by"}

    play(scenario)


def test_only_what_was_said_can_be_deleted(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await say(world, "CON-1", "MEM-1", "Hi")
        await post(world, "message:seen", {"event_id": 3}, "MEM-2")
        await post(world, "audio:ringing:start", {})
        await world.call("DELETE", f"{EVENTS}/3")
        for number in (1, 4, 5, 6):
            assert blamed(await world.call("DELETE", f"{EVENTS}/{number}")) == "event_id"
        assert refusal(await world.call("DELETE", f"{EVENTS}/7")) == (404, NO_EVENT)
        assert len(await history(world, "CON-1")) == 6

    play(scenario)


def test_members_delete_events_in_their_own_name(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await user(world, "carol")
        await say(world, "CON-1", "MEM-1", "alice's")
        await say(world, "CON-1", None, "the application's")
        await say(world, "CON-1", "MEM-1", "alice's")
        for target, by, expected in (
            ("3?from=MEM-2", "alice", (403, NOT_GRANTED)), ("3", "carol", (404, NO_CONVERSATION)),
            ("3?from=MEM-9", "alice", (404, NO_MEMBER)), ("3?from=MEM-9", None, (404, NO_MEMBER)),
        ):  # fmt: skip
            answer = await world.call("DELETE", f"{EVENTS}/{target}", user=by)
            assert refusal(answer) == expected, (target, by)
        for target, by in (("3", "alice"), ("4?from=MEM-2", "bob")):
            assert (await world.call("DELETE", f"{EVENTS}/{target}", user=by)).status == 204
        await world.call("PATCH", "/v1/conversations/CON-1/members/MEM-2", {"state": "left"})
        left = await world.call("DELETE", f"{EVENTS}/5?from=MEM-2")
        assert refusal(left) == (400, WRONG_STATE)
        gone = await world.call("DELETE", f"{EVENTS}/5", user="bob")
        assert refusal(gone) == (403, NOT_GRANTED)
        notices = [e for e in await history(world, "CON-1") if e["type"] == "event:delete"]
        assert [(e["body"]["event_id"], e["from"]) for e in notices] == [(3, "MEM-1"), (4, "MEM-2")]

    play(scenario)


# Lists.


@pytest.mark.parametrize("query, expected", [
    ("", range(1, 11)), ("page_size=3", [1, 2, 3]), ("order=desc&page_size=3", [12, 11, 10]),
    ("order=DESC&page_size=1", [12]), ("order=ASC&page_size=1", [1]),
    ("page_size=100", range(1, 13)),
    ("start_id=4&end_id=6", [4, 5, 6]), ("start_id=12", [12]), ("start_id=13", []),
    ("end_id=2", [1, 2]), ("end_id=0", []), ("start_id=0&end_id=1", [1]),
    ("start_id=6&end_id=4", []), ("start_id=4&end_id=6&order=desc", [6, 5, 4]),
    ("start_id=10&end_id=99", [10, 11, 12]), ("start_id=2&end_id=9&page_size=2", [2, 3]),
])  # fmt: skip
def test_bounds_are_inclusive_in_either_order(play: Play, query: str, expected: Any) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for number in range(10):
            await say(world, "CON-1", "MEM-1", str(number))
        assert await numbers(world, query) == list(expected)

    play(scenario)


@pytest.mark.parametrize("query, name", [
    ("start_id=x", "start_id"), ("end_id=-1", "end_id"), ("start_id=1.5", "start_id"),
    ("end_id=" + "1" * 16, "end_id"), ("page_size=0", "page_size"), ("page_size=101", "page_size"),
    ("order=newest", "order"), ("exclude_deleted_events=maybe", "exclude_deleted_events"),
    ("event_type=a,b,c,d,e,f", "event_type"),
])  # fmt: skip
def test_bad_queries_are_named(play: Play, query: str, name: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        for target in (EVENTS, OLDER):
            assert blamed(await world.call("GET", f"{target}?{query}")) == name

    play(scenario)


async def varied(world: World) -> None:
    """One event of each sort, from 3 on."""
    await room(world)
    sorts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("message", TARGETS["message"]), ("text", TARGETS["text"]), ("custom:a", {}),
        ("custom:b", {}), ("message:seen", {"event_id": 3}), ("audio:ringing:start", {}),
    )  # fmt: skip
    for name, body in sorts:
        assert (await post(world, name, body)).status == 201
    await world.call("DELETE", f"{EVENTS}/6")
    await world.call("PUT", "/v1/conversations/CON-1", {"display_name": "x"})
    await joined(world, "CON-1", "carol", state="invited")
    await world.call("PATCH", "/v1/conversations/CON-1/members/MEM-3", {"state": "left"})


@pytest.mark.parametrize("query, expected", [
    ("event_type=message", [3]), ("event_type=text,message", [3, 4]),
    ("event_type=custom:a", [5]), ("event_type=custom:*", [5, 6]),
    ("event_type=custom:b,%20member:joined", [1, 2, 6]), ("event_type=conversation:updated", [10]),
    ("event_type=custom", []), ("event_type=unheard:of", []), ("event_type=,", range(1, 13)),
    ("event_type=message,message:seen,text,event:delete,custom:a", [3, 4, 5, 7, 9]),
    ("event_type=custom:*&exclude_deleted_events=true", [5]),
    ("event_type=custom:*&start_id=6", [6]), ("event_type=custom:*&order=desc&page_size=1", [6]),
    ("filter_group_type=ChatEvents&filter_group_version=3", [1, 2, 3, 5, 6, 9, 11, 12]),
    ("filter_group_type=ChatEvents&exclude_deleted_events=true", [1, 2, 3, 5, 9, 11, 12]),
    ("filter_group_type=ChatEvents&event_type=message,text,custom:b", [3, 6]),
    ("filter_group_type=Others", range(1, 13)),
])  # fmt: skip
def test_lists_are_of_the_types_asked_for(play: Play, query: str, expected: Any) -> None:
    async def scenario(world: World) -> None:
        await varied(world)
        found = await numbers(world, f"{query}{'' if 'page_size' in query else '&page_size=50'}")
        assert found == list(expected)

    play(scenario)


def test_a_deleted_message_is_told_to_a_chat_as_an_empty_text(play: Play) -> None:
    async def scenario(world: World) -> None:
        await varied(world)
        await world.call("DELETE", f"{EVENTS}/3")
        query = "start_id=3&end_id=6"
        gone = await listed(world, query)
        of_chat = await listed(world, f"{query}&filter_group_type=ChatEvents")
        assert list(gone[0]["body"]) == ["timestamp"]
        assert of_chat[0]["body"] == {"message_type": "text", "text": "", **gone[0]["body"]}
        assert of_chat[1:] == gone[2:], "a custom event has no kind to name"

    play(scenario)


def test_a_chat_filter_that_leaves_no_type_shows_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        await varied(world)
        query = "filter_group_type=ChatEvents&event_type=text,audio:ringing:start"
        assert await numbers(world, query) == []

    play(scenario)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 3, 4, 50])
@pytest.mark.parametrize("narrow", ["", "&start_id=3&end_id=9", "&event_type=message"])
def test_pages_lead_both_ways_while_others_write(
    play: Play, order: str, size: int, narrow: str
) -> None:
    first, last = (3, 9) if "start_id" in narrow else (3, 12) if narrow else (1, 12)

    async def scenario(world: World) -> None:
        await room(world)
        for number in range(10):
            await say(world, "CON-1", "MEM-1", str(number))
        expected = list(range(first, last + 1))
        if order == "desc":
            expected.reverse()
        shown: list[int] = []
        target = f"{OLDER}?page_size={size}&order={order}{narrow}"
        while target and len(shown) < len(expected):
            answer = await world.call("GET", target)
            page = [event["id"] for event in answer.json["_embedded"]["events"]]
            shown += page
            await say(world, "CON-1", "MEM-2", "meanwhile")
            target = following(answer)
        assert shown[: len(expected)] == expected
        back = await pages(world, following(answer, "prev"), "events", link="prev")
        flat = [event["id"] for each in reversed(back) for event in each]
        before_last = expected[: expected.index(page[0])]
        assert [number for number in flat if number in expected] == before_last
        assert flat == sorted(flat, reverse=order == "desc") and len(set(flat)) == len(flat)

    play(scenario)


def test_links_repeat_what_was_asked(play: Play) -> None:
    async def scenario(world: World) -> None:
        await varied(world)
        asked = "event_type=custom%3A%2A&exclude_deleted_events=false&start_id=1"
        answer = await world.call("GET", f"{EVENTS}?page_size=1&{asked}")
        links = answer.json["_links"]
        assert set(links) == {"first", "self", "next"}
        for name, link in links.items():
            start, _, cursor = link["href"].partition("&cursor=")
            assert start == f"{ORIGIN}{EVENTS}?{asked}&order=asc&page_size=1"
            assert bool(cursor) == (name == "next")
        assert links["first"] == links["self"]
        second = await world.call("GET", following(answer))
        assert set(second.json["_links"]) == {"first", "self", "prev"}
        assert [event["type"] for event in second.json["_embedded"]] == ["custom:b"]

    play(scenario)


def test_cursors_are_of_this_list(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        members = await world.call("GET", "/v1/conversations/CON-1/members?page_size=1")
        other = following(members).rpartition("cursor=")[2]
        for cursor in (other, "x", "!!", "WyJldmVudHMiLGZhbHNlLFsiYSJdXQ%3D%3D"):
            answer = await world.call("GET", f"{EVENTS}?cursor={cursor}")
            assert refusal(answer) == (400, "paginator-builder:error:invalid-cursor"), cursor
        assert refusal(await world.call("GET", f"{EVENTS}?cursor={'a' * 1025}")) == (400, INVALID)

    play(scenario)


# The two forms of the list.


@pytest.mark.parametrize("setting, target, agent, form", [
    ("auto", EVENTS, "", list), ("auto", EVENTS, "@vonage/server-sdk/3.30.1 node/20", list),
    ("auto", EVENTS, "vonage-java-sdk/8.9.1 java/17", dict), ("auto", OLDER, "", dict),
    ("auto", OLDER, "vonage-java-sdk/8.9.1", dict), ("array", EVENTS, "vonage-java-sdk/9", list),
    ("array", OLDER, "", dict), ("object", EVENTS, "", dict), ("object", OLDER, "", dict),
])  # fmt: skip
def test_the_list_has_the_form_that_the_client_reads(
    play: Play, setting: Any, target: str, agent: str, form: type
) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        answer = await world.call("GET", target, headers={"user-agent": agent})
        embedded: Any = answer.json["_embedded"]
        assert isinstance(embedded, list) is (form is list)
        events = embedded if form is list else embedded.pop("events")
        assert [event["id"] for event in events] == [1, 2]
        assert form is list or embedded == {}
        empty = await world.call("GET", f"{target}?start_id=3", headers={"user-agent": agent})
        assert empty.json["_embedded"] == ([] if form is list else {"events": []})

    play(scenario, replace(SETTINGS, wire=Wire(v1_events=setting)))


def test_users_read_the_history_of_where_they_are_or_were(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await world.call("PATCH", "/v1/conversations/CON-1/members/MEM-2", {"state": "left"})
        await world.call("POST", EVENTS, text("still there?", "MEM-1"), user="alice")
        for name in ("alice", "bob"):
            answer = await world.call("GET", EVENTS, user=name)
            assert [event["id"] for event in answer.json["_embedded"]] == [1, 2, 3, 4]

    play(scenario)
