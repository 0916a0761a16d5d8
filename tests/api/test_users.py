"""Users over REST: life, names, lists, and what becomes of their memberships."""

from typing import Any

import pytest
from tests.api.cast import (
    INVALID,
    NO_USER,
    NOT_GRANTED,
    ORIGIN,
    blamed,
    conversation,
    entrance,
    following,
    history,
    joined,
    pages,
    refusal,
    say,
    user,
)
from tests.api.conftest import Play

from tertulia.model.conversation import CUSTOM_DATA_MAX
from tertulia.model.ids import Position
from tertulia.testing.world import World

TAKEN = (409, "user:error:duplicate-name")
FULL: dict[str, Any] = {
    "display_name": "Alice", "image_url": "https://i/a.png",
    "properties": {"custom_data": {"a": {"b": [1, None]}}, "ttl": 60},
    "channels": {"pstn": [{"number": 447700900000}], "websocket": [{
        "uri": "wss://h/x", "content-type": "audio/l16;rate=16000", "headers": {"x": "y"},
    }]},
}  # fmt: skip


@pytest.mark.parametrize("edition", ["v1", "v0.3"])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_user_is_created_shown_changed_and_deleted(play: Play, edition: str, method: str) -> None:
    async def scenario(world: World) -> None:
        path = f"/{edition}/users/USR-1"
        made = await world.call("POST", f"/{edition}/users", {"name": "alice", **FULL})
        assert made.status == 201
        assert made.json == {
            "id": "USR-1", "name": "alice", **FULL, "timestamp": made.json["timestamp"],
            "_links": {"self": {"href": ORIGIN + path}},
        }  # fmt: skip
        assert set(made.json["timestamp"]) == {"created"}
        for target in (path, f"/{edition}/users/alice"):
            shown = await world.call("GET", target)
            assert (shown.status, shown.json) == (200, made.json)

        same = await world.call(method, path, {"name": "alice", "display_name": "Alice"})
        assert (same.status, same.json) == (200, made.json)
        changed = await world.call(method, path, {
            "name": "alicia", "display_name": None, "properties": {"custom_data": {"new": 1}},
        })  # fmt: skip
        assert changed.status == 200
        assert changed.json["name"] == "alicia" and "display_name" not in changed.json
        assert changed.json["properties"] == {"custom_data": {"new": 1}}
        assert changed.json["channels"] == FULL["channels"]
        assert changed.json["timestamp"]["updated"] > made.json["timestamp"]["created"]
        assert (await world.call("GET", path)).json == changed.json
        assert refusal(await world.call("GET", f"/{edition}/users/alice")) == (404, NO_USER)

        gone = await world.call("DELETE", path)
        assert (gone.status, gone.raw) == (204, b"")
        for target in (path, f"/{edition}/users/alicia"):
            for again in ("GET", "DELETE", method):
                answer = await world.call(again, target, {} if again == method else None)
                assert refusal(answer) == (404, NO_USER)

    play(scenario)


def test_a_user_without_a_name_is_given_one(play: Play) -> None:
    async def scenario(world: World) -> None:
        # the Python SDK sends no body at all
        made = [await world.call("POST", "/v1/users", body) for body in (b"", {}, {"name": None})]
        names = [answer.json["name"] for answer in made]
        assert all(name.startswith("NAM-") for name in names) and len(set(names)) == 3

    play(scenario)


def test_a_name_is_unique_while_its_user_lives(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await user(world, "bob")
        twice = await world.call("POST", "/v1/users", {"name": "alice"})
        assert refusal(twice) == TAKEN and twice.json["title"] == "Conflict."
        assert refusal(await world.call("PATCH", "/v1/users/USR-2", {"name": "alice"})) == TAKEN
        assert (await world.call("GET", "/v1/users/USR-2")).json["name"] == "bob"
        await world.call("PATCH", "/v1/users/USR-1", {"name": "alicia"})
        await user(world, "alice")
        await world.call("DELETE", "/v1/users/bob")
        assert (await user(world, "bob"))["id"] != "USR-2"
        # names are told apart to the letter
        await user(world, "Alice")
        await user(world, "a b/ç")
        assert (await world.call("GET", "/v1/users/a%20b%2F%C3%A7")).json["name"] == "a b/ç"

    play(scenario)


@pytest.mark.parametrize("body, name", [
    (b"{", "body"), (b"[]", "body"), ({"name": ""}, "name"), ({"name": "x" * 201}, "name"),
    ({"name": 5}, "name"), ({"display_name": "x" * 71}, "display_name"),
    ({"image_url": "x" * 2049}, "image_url"), ({"properties": []}, "properties"),
    ({"properties": {"custom_data": "x"}}, "properties.custom_data"),
    ({"properties": {"ttl": "x"}}, "properties.ttl"), ({"channels": []}, "channels"),
])  # fmt: skip
def test_bad_bodies_are_named(play: Play, body: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        made = await user(world, "alice")
        assert blamed(await world.call("POST", "/v1/users", body)) == name
        assert blamed(await world.call("PATCH", "/v1/users/USR-1", body)) == name
        assert (await world.call("GET", "/v1/users/USR-1")).json == made
        assert len(await pages(world, "/v1/users", "users")) == 1

    play(scenario)


def test_custom_data_has_a_size(play: Play) -> None:
    async def scenario(world: World) -> None:
        room = CUSTOM_DATA_MAX - len('{"a":""}')
        fits = {"properties": {"custom_data": {"a": room * "x"}}}
        await user(world, "alice", **fits)
        await conversation(world, **fits)
        too_much = {"properties": {"custom_data": {"a": (room + 1) * "x"}}}
        for method, target in (
            ("POST", "/v1/users"), ("PATCH", "/v1/users/USR-1"),
            ("POST", "/v1/conversations"), ("PUT", "/v1/conversations/CON-1"),
        ):  # fmt: skip
            answer = await world.call(method, target, too_much)
            assert refusal(answer) == (400, "custom-data:error:max-data-sum-limit-exceeded")
        assert (await world.call("GET", "/v1/users/alice")).json["properties"] == fits["properties"]

    play(scenario)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 2, 10])
def test_the_list_shows_each_user_once_while_others_come(play: Play, order: str, size: int) -> None:
    async def scenario(world: World) -> None:
        made = [(await user(world, f"u{number}"))["id"] for number in range(5)]
        if order == "desc":
            made.reverse()
        await world.call("DELETE", "/v1/users/u2")
        shown: list[str] = []
        target = f"/v1/users?page_size={size}&order={order}"
        while target and len(shown) < 4:
            answer = await world.call("GET", target)
            shown += [item["id"] for item in answer.json["_embedded"]["users"]]
            await user(world, f"late{len(shown)}")
            target = following(answer)
        assert [item for item in shown if item in made] == [i for i in made if i != "USR-3"]

    play(scenario)


def test_items_of_the_list_are_short(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice", **FULL)
        await user(world, "bob")
        (listed,) = await pages(world, "/v1/users", "users")
        assert listed == [
            {"id": "USR-1", "name": "alice", "display_name": "Alice", "image_url": "https://i/a.png",
             "_links": {"self": {"href": f"{ORIGIN}/v1/users/USR-1"}}},
            {"id": "USR-2", "name": "bob",
             "_links": {"self": {"href": f"{ORIGIN}/v1/users/USR-2"}}},
        ]  # fmt: skip
        (named,) = await pages(world, "/v1/users?name=bob", "users")
        assert [item["id"] for item in named] == ["USR-2"]
        assert await pages(world, "/v1/users?name=nobody", "users") == [[]]

    play(scenario)


def test_with_a_user_its_memberships_end(play: Play) -> None:
    async def scenario(world: World) -> None:
        for number in (1, 2, 3, 4):
            await conversation(world, name=f"room-{number}")
        alice = await joined(world, "CON-1", "alice")
        for cid, state in (("CON-2", "invited"), ("CON-3", "joined"), ("CON-4", "joined")):
            await world.call("POST", f"/v1/conversations/{cid}/members", entrance("alice", state))
        await world.call("DELETE", "/v1/conversations/CON-4")
        await world.call("PATCH", "/v1/conversations/CON-3/members/MEM-3", {"state": "left"})
        second = entrance("alice", channel={"type": "phone"})
        await world.call("POST", "/v1/conversations/CON-3/members", second)
        await say(world, "CON-1", alice["id"], "Hi")

        assert (await world.call("DELETE", "/v1/users/alice")).status == 204
        reason = {"code": "user:deleted", "text": "The user was deleted."}
        for cid, mid in (("CON-1", "MEM-1"), ("CON-2", "MEM-2"), ("CON-3", "MEM-5")):
            member = (await world.call("GET", f"/v1/conversations/{cid}/members/{mid}")).json
            assert (member["state"], member["reason"]) == ("LEFT", reason)
            assert member["_embedded"]["user"]["name"] == "alice"
            event = (await history(world, cid))[-1]
            assert (event["type"], event["from"]) == ("member:left", mid)
            assert event["body"]["reason"] == reason
            assert event["body"]["initiator"]["left"] == {"isSystem": True}
        # history goes on to name it, its token is worth nothing, its name is free
        assert (await history(world, "CON-1"))[1]["_embedded"]["from_user"]["name"] == "alice"
        answer = await world.call("GET", "/v1/conversations", user="alice")
        assert refusal(answer) == (401, "system:error:invalid-token")
        for target in ("/v1/users/USR-1/conversations", "/v1/users/USR-1/sessions"):
            assert refusal(await world.call("GET", target)) == (404, NO_USER)
        back = entrance("alice", user={"id": "USR-1"})
        answer = await world.call("POST", "/v1/conversations/CON-1/members", back)
        assert refusal(answer) == (404, NO_USER)
        new = await joined(world, "CON-1", "alice")
        assert new["_embedded"]["user"]["id"] == "USR-2"

    play(scenario)


def test_a_user_of_many_conversations_leaves_them_all(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        for number in range(1, 103):  # more than the service looks at in one go
            await conversation(world)
            target = f"/v1/conversations/CON-{number}/members"
            assert (await world.call("POST", target, entrance("alice"))).status == 201
        assert (await world.call("DELETE", "/v1/users/USR-1")).status == 204
        log = await world.store.follow(Position(await world.store.head() - 102))
        assert {event.type for event in log} == {"member:left"}
        assert len({event.conversation_id for event in log}) == 102

    play(scenario)


def test_users_change_nobody_but_themselves(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await user(world, "bob")
        for method, target, body in (
            ("POST", "/v1/users", {"name": "eve"}), ("PATCH", "/v1/users/bob", {"name": "x"}),
            ("PUT", "/v0.3/users/USR-2", {"display_name": "x"}), ("DELETE", "/v1/users/bob", None),
            ("GET", "/v1/users/bob/sessions", None),
        ):  # fmt: skip
            answer = await world.call(method, target, body, user="alice")
            assert refusal(answer) == (403, NOT_GRANTED), (method, target)
        others = await world.call("GET", "/v1/users/bob/conversations", user="alice")
        assert refusal(others) == (404, NO_USER)
        assert (await world.call("GET", "/v1/users/bob", user="alice")).json["name"] == "bob"
        changed = await world.call("PATCH", "/v1/users/alice", {"display_name": "A"}, user="alice")
        assert changed.json["display_name"] == "A"
        assert (await world.call("DELETE", "/v1/users/alice", user="alice")).status == 204
        assert [item["id"] for item in (await pages(world, "/v1/users", "users"))[0]] == ["USR-2"]

    play(scenario)


@pytest.mark.parametrize("edition", ["v1", "v0.3"])
def test_nobody_is_logged_in_yet(play: Play, edition: str) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        target = f"/{edition}/users/USR-1/sessions?page_size=5"
        answer = await world.call("GET", target, user="alice")
        assert answer.json["_embedded"] == {"sessions": []}
        assert answer.json["page_size"] == 5
        link = {"href": f"{ORIGIN}/{edition}/users/USR-1/sessions?order=asc&page_size=5"}
        assert answer.json["_links"] == {"first": link, "self": link}
        assert refusal(await world.call("GET", f"{target}&order=x")) == (400, INVALID)

    play(scenario)
