"""Conversations, members and users in the older editions, as the older clients ask for them."""

from typing import Any

import pytest
from tests.api.cast import (
    INVALID,
    NO_CONVERSATION,
    NO_MEMBER,
    NO_USER,
    NOT_GRANTED,
    ORIGIN,
    WRONG_STATE,
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

from tertulia.services import members as members_service
from tertulia.testing.world import World
from tertulia.web.rest import legacy_conversations

FIRST = ("/beta", "/v0.1")
SECOND = ("/beta2", "/v0.2")
OLDER = FIRST + SECOND


async def room(world: World) -> None:
    """CON-1 with alice (MEM-1) and bob (MEM-2) in it."""
    await conversation(world, name="room", display_name="Room")
    for name in ("alice", "bob"):
        await joined(world, "CON-1", name)


def data(body: Any, collection: str) -> list[dict[str, Any]]:
    """The items of a page of the second edition."""
    assert set(body) == {"page_size", "_embedded", "_links"}
    items: list[dict[str, Any]] = body["_embedded"]["data"][collection]
    return items


@pytest.mark.parametrize("edition", OLDER)
def test_a_conversation_lives(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        draft = {"name": "room", "display_name": "Room", "originating_session": None}
        path = f"{edition}/conversations"
        made = await world.call("POST", path, draft, user="alice")
        where = f"{path}/CON-1"
        assert (made.status, made.json) == (200, {"id": "CON-1", "href": f"{ORIGIN}{where}"})
        shown = await world.call("GET", where, user="alice")
        created = shown.json["timestamp"]["created"]
        assert (shown.status, shown.json) == (200, {
            "id": "CON-1", "uuid": "CON-1", "name": "room", "display_name": "Room",
            "state": "ACTIVE", "timestamp": {"created": created}, "sequence_number": 0,
            "numbers": {}, "properties": {}, "api_key": "key", "members": [],
            "_links": {"self": {"href": f"{ORIGIN}{where}"}},
        })  # fmt: skip
        changed = await world.call("PUT", where, {"display_name": "Hall"}, user="alice")
        assert (changed.status, changed.json) == (200, made.json)
        assert (await world.call("GET", where)).json["display_name"] == "Hall"
        assert (await world.call("GET", f"{path}/room")).json["uuid"] == "CON-1"
        gone = await world.call("DELETE", where, user="alice")
        assert (gone.status, gone.json) == (200, {})
        assert refusal(await world.call("GET", where)) == (404, NO_CONVERSATION)

    play(scenario)


def test_a_conversation_shows_its_members(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await world.call("DELETE", "/v1/conversations/CON-1/members/MEM-2?reason_code=1")
        shown = (await world.call("GET", "/beta/conversations/CON-1", user="alice")).json
        first, second = shown["members"]
        assert first == {
            "id": "MEM-1", "member_id": "MEM-1", "user_id": "USR-1", "name": "alice",
            "user_name": "alice", "state": "JOINED", "timestamp": first["timestamp"],
            "channel": {"type": "app"}, "initiator": {"joined": {"isSystem": True}},
            "media": {
                "audio_settings": {"enabled": False, "earmuffed": False, "muted": False},
                "audio": False,
            },
            "href": f"{ORIGIN}/beta/conversations/CON-1/members/MEM-1",
        }  # fmt: skip
        assert (second["state"], second["reason"]) == ("LEFT", {"code": "1"})
        assert set(second["timestamp"]) == {"joined", "left"}
        assert shown["sequence_number"] == 3

    play(scenario)


def test_all_who_are_there_are_shown_and_of_those_who_left_the_newest(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_service, "READ_AT_ONCE", 2)
    monkeypatch.setattr(members_service, "EVERYBODY_MAX", 3)

    async def scenario(world: World) -> None:
        await conversation(world)
        for number in range(1, 7):
            await joined(world, "CON-1", f"user{number}")
            if number in (2, 3, 5):
                await world.call("DELETE", f"/v1/conversations/CON-1/members/MEM-{number}")
        shown = (await world.call("GET", "/beta/conversations/CON-1")).json["members"]
        assert [member["id"] for member in shown] == ["MEM-1", "MEM-4", "MEM-5", "MEM-6"]

    play(scenario)


@pytest.mark.parametrize("edition", FIRST)
def test_the_first_edition_pages_by_index(
    play: Play, edition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_conversations, "RECORDS_MAX", 4)

    async def scenario(world: World) -> None:
        for name in "abcde":
            await conversation(world, name=name)
        target = f"{edition}/conversations?page_size=2&record_index=1"
        answer = await world.call("GET", target)
        items = answer.json["_embedded"]["conversations"]
        assert [item["name"] for item in items] == ["c", "d"]
        assert items[0] == {
            "id": "CON-3", "uuid": "CON-3", "name": "c", "sequence_number": 0,
            "timestamp": items[0]["timestamp"], "href": f"{ORIGIN}{edition}/conversations/CON-3",
        }  # fmt: skip
        del answer.json["_embedded"]
        assert answer.json == {
            "count": 4, "page_size": 2, "record_index": 1,
            "_links": {"self": {"href": f"{ORIGIN}{target}"}},
        }  # fmt: skip
        newest = await world.call("GET", f"{edition}/conversations?order=desc&page_size=1")
        assert newest.json["_embedded"]["conversations"][0]["name"] == "e"
        beyond = await world.call("GET", f"{edition}/conversations?record_index=9")
        assert beyond.json["_embedded"]["conversations"] == []
        bare = await world.call("GET", f"{edition}/conversations")
        assert bare.json["_links"]["self"]["href"] == f"{ORIGIN}{edition}/conversations"
        for wrong in ("record_index=-1", "record_index=1001", "page_size=0", "order=x"):
            refused = await world.call("GET", f"{edition}/conversations?{wrong}")
            assert blamed(refused) in wrong

    play(scenario)


@pytest.mark.parametrize("edition", SECOND)
def test_the_second_edition_pages_by_cursor(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        for name in "abc":
            await conversation(world, name=name)
        names: list[str] = []
        target = f"{edition}/conversations?page_size=2"
        while target:
            answer = await world.call("GET", target)
            names += [item["name"] for item in data(answer.json, "conversations")]
            target = following(answer)
            assert target == "" or "&cursor=" in target
        assert names == ["a", "b", "c"]

    play(scenario)


@pytest.mark.parametrize("edition", SECOND)
def test_the_conversations_of_a_user_carry_its_membership(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        await conversation(world, name="hall")
        await world.call("POST", "/v1/conversations/CON-2/members", entrance("alice", "invited"))
        path = f"{edition}/users/USR-1/conversations"
        answer = await world.call("GET", f"{path}?page_size=10&order=asc", user="alice")
        items = data(answer.json, "conversations")
        assert items[0] == {
            "id": "CON-1", "uuid": "CON-1", "name": "room", "display_name": "Room",
            "timestamp": items[0]["timestamp"], "sequence_number": 2, "member_id": "MEM-1",
            "state": "JOINED", "href": f"{ORIGIN}{edition}/conversations/CON-1",
        }  # fmt: skip
        for state, expected in (("INVITED", ["hall"]), ("joined", ["room"]), ("LEFT", [])):
            answer = await world.call("GET", f"{path}?state={state}", user="alice")
            assert [item["name"] for item in data(answer.json, "conversations")] == expected
        assert blamed(await world.call("GET", f"{path}?state=x", user="alice")) == "state"
        assert refusal(await world.call("GET", path, user="bob")) == (404, NO_USER)
        first = await world.call("GET", "/beta/users/alice/conversations?order=desc", user="alice")
        assert [item["name"] for item in first.json] == ["hall", "room"]

    play(scenario)


@pytest.mark.parametrize("edition", OLDER)
def test_members_come_by_either_form_of_the_body(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        for name in ("alice", "bob", "carol", "dave"):
            await user(world, name)
        path = f"{edition}/conversations/CON-1/members"
        host = await world.call("POST", path, {"action": "join"}, user="alice")
        assert (host.status, host.json["user_id"], host.json["state"]) == (200, "USR-1", "JOINED")
        for body, state in (
            ({"action": "invite", "user_name": "bob", "channel": {"type": "app"}}, "INVITED"),
            ({"action": "invite", "user_id": "USR-3", "member_id_inviting": "MEM-1"}, "INVITED"),
            (entrance("dave", "invited"), "INVITED"),
        ):  # fmt: skip
            made = await world.call("POST", path, body, user="alice")
            assert (made.status, made.json["state"]) == (200, state), made.json
            assert made.json["invited_by"] == "MEM-1"
        came = await world.call("POST", path, {"action": "join", "user_id": "USR-2"}, user="bob")
        assert (came.json["id"], came.json["state"]) == ("MEM-2", "JOINED")
        for change in ({"action": "join", "channel": {"type": "app"}}, {"state": "joined"}):
            name = "carol" if "action" in change else "dave"
            member = "MEM-3" if name == "carol" else "MEM-4"
            changed = await world.call("PUT", f"{path}/{member}", change, user=name)
            assert (changed.status, changed.json["state"]) == (200, "JOINED"), changed.json
        left = await world.call("PUT", f"{path}/MEM-3", {"action": "leave"}, user="carol")
        assert left.json["state"] == "LEFT"
        assert (await world.call("GET", f"{path}/MEM-3")).json == left.json

    play(scenario)


@pytest.mark.parametrize(("body", "blame"), [
    ({}, "action"), ({"action": "leave"}, "action"), ({"action": "invite"}, "user"),
    ({"action": "join", "user": {}}, "user"), ({"state": "left", "user_id": "USR-1"}, "state"),
    ({"action": "invite", "user_name": 1}, "user_name"),
    ({"action": "join", "user_name": "alice", "channel": {}}, "channel.type"),
])  # fmt: skip
def test_a_member_is_not_made_of_anything(play: Play, body: Any, blame: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        answer = await world.call("POST", "/beta/conversations/CON-1/members", body)
        assert blamed(answer) == blame
        one = "/beta/conversations/CON-1/members/MEM-1"
        assert blamed(await world.call("PUT", one, {"action": "invite"})) == "action"
        assert blamed(await world.call("PUT", one, {})) == "action"
        assert len(await history(world, "CON-1")) == 2

    play(scenario)


@pytest.mark.parametrize("edition", OLDER)
def test_a_member_leaves_by_delete(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        path = f"{edition}/conversations/CON-1/members"
        query = "from=MEM-1&reason_code=REMOTE_REJECT&reason_text=call-rejected-by-callee"
        answer = await world.call("DELETE", f"{path}/MEM-2?{query}", user="alice")
        assert (answer.status, answer.json) == (200, {})
        left = (await history(world, "CON-1"))[-1]
        assert (left["type"], left["from"]) == ("member:left", "MEM-2")
        assert left["body"]["reason"] == {
            "code": "REMOTE_REJECT", "text": "call-rejected-by-callee",
        }  # fmt: skip
        assert (await world.call("DELETE", f"{path}/MEM-1", user="alice")).json == {}
        again = await world.call("DELETE", f"{path}/MEM-1", user="alice")
        assert refusal(again) == (400, WRONG_STATE)
        assert refusal(await world.call("DELETE", f"{path}/MEM-9")) == (404, NO_MEMBER)

    play(scenario)


@pytest.mark.parametrize("edition", SECOND)
def test_members_are_paged_and_narrowed_to_a_state(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        for number in range(1, 10):
            await joined(world, "CON-1", f"user{number}")
            if number % 3 == 0:
                await world.call("DELETE", f"/v1/conversations/CON-1/members/MEM-{number}")
        path = f"{edition}/conversations/CON-1/members"
        for order in ("asc", "desc"):
            for state, expected in (
                ("", [1, 2, 3, 4, 5, 6, 7, 8, 9]), ("LEFT", [3, 6, 9]),
                ("joined", [1, 2, 4, 5, 7, 8]), ("INVITED", []),
            ):  # fmt: skip
                target = f"{path}?page_size=2&order={order}&state={state}"
                wanted = [f"MEM-{n}" for n in (expected if order == "asc" else expected[::-1])]
                assert await both_ways(world, target) == wanted

    play(scenario)


async def both_ways(world: World, target: str) -> list[str]:
    """Ids along the next links, once the prev links have led back to the same."""
    pages: list[list[str]] = []
    while target:
        answer = await world.call("GET", target)
        pages.append([item["member_id"] for item in data(answer.json, "members")])
        target = following(answer)
    back: list[str] = []
    while target := following(answer, "prev"):
        answer = await world.call("GET", target)
        back = [item["id"] for item in data(answer.json, "members")] + back
    assert back == [each for page in pages[:-1] for each in page]
    return [each for page in pages for each in page]


def test_members_of_the_first_edition_are_an_array(play: Play) -> None:
    async def scenario(world: World) -> None:
        await room(world)
        path = "/beta/conversations/CON-1/members"
        for query, expected in (
            ("", ["alice", "bob"]), ("?order=desc", ["bob", "alice"]), ("?page_size=1", ["alice"]),
            ("?state=left", []),
        ):  # fmt: skip
            found = (await world.call("GET", f"{path}{query}", user="bob")).json
            assert [member["name"] for member in found] == expected
        assert refusal(await world.call("GET", f"{path}/me")) == (404, NO_MEMBER)

    play(scenario)


@pytest.mark.parametrize("edition", OLDER)
def test_a_user_lives(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        path = f"{edition}/users"
        made = await world.call("POST", path, {"name": "alice", "display_name": "Alice"})
        where = f"{path}/USR-1"
        assert (made.status, made.json) == (200, {
            "id": "USR-1", "user_id": "USR-1", "href": f"{ORIGIN}{where}",
        })  # fmt: skip
        twice = await world.call("POST", path, {"name": "alice"})
        assert refusal(twice) == (409, "user:error:duplicate-name")
        for name in ("USR-1", "alice"):
            shown = await world.call("GET", f"{path}/{name}", user="alice")
            assert (shown.status, shown.json) == (200, {
                "id": "USR-1", "name": "alice", "display_name": "Alice", "channels": {},
                "properties": {}, "timestamp": shown.json["timestamp"],
                "href": f"{ORIGIN}{where}",
            })  # fmt: skip
        await user(world, "bob")
        assert refusal(await world.call("POST", path, {}, user="bob")) == (403, NOT_GRANTED)
        for method in ("PUT", "DELETE"):
            refused = await world.call(method, where, {"name": "eve"}, user="bob")
            assert refusal(refused) == (403, NOT_GRANTED)
        changed = await world.call("PUT", where, {"display_name": None}, user="alice")
        assert "display_name" not in changed.json
        gone = await world.call("DELETE", where)
        assert (gone.status, gone.json) == (200, {})
        assert refusal(await world.call("GET", where)) == (404, NO_USER)

    play(scenario)


def test_users_are_listed(play: Play) -> None:
    async def scenario(world: World) -> None:
        for number in range(12):
            await user(world, f"user{number}")
        assert len((await world.call("GET", "/beta/users")).json) == 12
        one = (await world.call("GET", "/beta/users?name=user3")).json
        assert one == [{"id": "USR-4", "name": "user3", "href": f"{ORIGIN}/beta/users/USR-4"}]
        page = await world.call("GET", "/v0.2/users?page_size=5")
        assert len(data(page.json, "users")) == 5
        assert following(page).startswith("/v0.2/users?order=asc&page_size=5&cursor=")

    play(scenario)


def test_what_is_wrong_is_told_to_every_age_of_client(play: Play) -> None:
    async def scenario(world: World) -> None:
        for edition in OLDER:
            answer = await world.call("GET", f"{edition}/conversations/CON-nope")
            assert refusal(answer) == (404, NO_CONVERSATION)
            assert answer.json["detail"] == answer.json["description"]
            sent = await world.call("POST", f"{edition}/conversations", {"name": 1})
            assert refusal(sent) == (400, INVALID)

    play(scenario)
