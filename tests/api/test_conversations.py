"""Conversations over REST: life, names, pages, access."""

from typing import Any

import pytest
from tests.api.cast import conversation, joined, user
from tests.api.conftest import Play

from tertulia.model.ids import Position
from tertulia.testing.world import World


def test_a_conversation_is_created_shown_updated_and_deleted(play: Play) -> None:
    async def scenario(world: World) -> None:
        made = await conversation(
            world, name="support", display_name="Support", image_url="https://img.example.org/a.png",
            properties={"ttl": 60, "type": "quick", "custom_data": {"a": {"b": [1]}}},
            numbers=[{"type": "phone", "number": "447700900000"}],
            callback={"url": "https://hook.example.org", "event_mask": "message", "method": "POST"},
        )  # fmt: skip
        assert made["id"] == "CON-1"
        assert made["state"] == "ACTIVE"
        assert made["sequence_number"] == 0
        assert made["_links"]["self"]["href"] == "https://tertulia.test/v1/conversations/CON-1"
        assert made["properties"]["custom_data"] == {"a": {"b": [1]}}

        path = "/v1/conversations/CON-1"
        assert (await world.call("GET", path)).json == made
        changed = await world.call("PUT", path, {"display_name": None, "properties": {"ttl": 5}})
        assert changed.status == 200
        assert "display_name" not in changed.json
        assert changed.json["properties"]["ttl"] == 5
        assert changed.json["properties"]["type"] == "quick"
        assert changed.json["sequence_number"] == 1
        assert changed.json["timestamp"]["updated"] > changed.json["timestamp"]["created"]

        # saying again what is so already is no event
        again = await world.call("PUT", path, {"name": "support"})
        assert again.json["sequence_number"] == 1

        assert (await world.call("DELETE", path)).status == 204
        gone = await world.call("GET", path)
        assert (gone.status, gone.json["code"]) == (404, "conversation:error:not-found")
        assert (await world.call("DELETE", path)).status == 404
        log = await world.store.follow(Position(0))
        assert [event.type for event in log] == [
            "conversation:created", "conversation:updated", "conversation:deleted",
        ]  # fmt: skip

    play(scenario)


def test_a_name_is_unique_while_its_conversation_lives(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world, name="a")
        other = await conversation(world, name="b")
        twice = await world.call("POST", "/v1/conversations", {"name": "a"})
        assert (twice.status, twice.json["code"]) == (409, "conversation:error:duplicate-name")
        path = f"/v1/conversations/{other['id']}"
        renamed = await world.call("PUT", path, {"name": "a"})
        assert renamed.status == 409
        assert (await world.call("GET", path)).json["name"] == "b"
        assert (await world.call("PUT", path, {"name": "c"})).json["name"] == "c"
        await world.call("DELETE", "/v1/conversations/CON-1")
        await conversation(world, name="a")
        unnamed = await conversation(world)
        assert unnamed["name"].startswith("NAM-")

    play(scenario)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [1, 3, 10])
def test_pages_show_each_conversation_once_both_ways(play: Play, order: str, size: int) -> None:
    async def scenario(world: World) -> None:
        made = [(await conversation(world))["id"] for _ in range(7)]
        if order == "desc":
            made.reverse()
        target = f"/v1/conversations?page_size={size}&order={order}"
        shown: list[str] = []
        last: Any = None
        while target:
            answer = await world.call("GET", target)
            assert answer.status == 200
            shown += [item["id"] for item in answer.json["_embedded"]["conversations"]]
            await conversation(world) if order == "desc" else None  # others write meanwhile
            last = answer.json["_links"]
            href = last.get("next", {}).get("href", "")
            assert "?cursor" not in href  # COMPAT: never the first parameter
            target = href.removeprefix("https://tertulia.test")
        assert shown == made
        back: list[str] = []
        while "prev" in last:
            target = last["prev"]["href"].removeprefix("https://tertulia.test")
            answer = await world.call("GET", target)
            page = [item["id"] for item in answer.json["_embedded"]["conversations"]]
            back = page + back
            last = answer.json["_links"]
        before_last = made[: len(made) - (len(made) % size or size)]
        assert [item for item in back if item in made] == before_last

    play(scenario)


@pytest.mark.parametrize("body, name", [
    (b"{", "body"), (b"[]", "body"), ({"name": 5}, "name"), ({"name": "x" * 101}, "name"),
    ({"display_name": "x" * 51}, "display_name"), ({"properties": {"ttl": -1}}, "properties.ttl"),
    ({"properties": {"ttl": "soon"}}, "properties.ttl"), ({"state": "DELETED"}, "state"),
    ({"callback": {"url": "ftp://x"}}, "callback.url"), ({"image_url": "x" * 2049}, "image_url"),
])  # fmt: skip
def test_bad_bodies_are_named(play: Play, body: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("POST", "/v1/conversations", body)
        assert answer.status == 400
        assert answer.json["code"] == "http:error:validation-fail"
        assert answer.json["invalid_parameters"][0]["name"] == name
        assert answer.json["description"] == answer.json["detail"]
        assert (await world.store.head()) == 0

    play(scenario)


@pytest.mark.parametrize("query, code", [
    ("page_size=0", "http:error:validation-fail"), ("page_size=101", "http:error:validation-fail"),
    ("page_size=x", "http:error:validation-fail"), ("order=up", "http:error:validation-fail"),
    ("date_start=yesterday", "http:error:validation-fail"),
    ("cursor=!!", "paginator-builder:error:invalid-cursor"),
    ("cursor=e30%3D", "paginator-builder:error:invalid-cursor"),
    ("cursor=WyJ1c2VycyIsZmFsc2UsWzFdXQ%3D%3D", "paginator-builder:error:invalid-cursor"),
    ("cursor=" + "a" * 2000, "http:error:validation-fail"),
])  # fmt: skip
def test_bad_queries_are_refused(play: Play, query: str, code: str) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("GET", f"/v1/conversations?{query}")
        assert (answer.status, answer.json["code"]) == (400, code)

    play(scenario)


def test_dates_bound_the_list_in_both_spellings(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world, name="early")
        world.clock.advance(3600)
        middle = await conversation(world, name="late")
        for spelling in ("2026-05-04T09:30:00Z", "2026-05-04%2009:30:00.000"):
            after = await world.call("GET", f"/v1/conversations?date_start={spelling}")
            assert [c["name"] for c in after.json["_embedded"]["conversations"]] == ["late"]
            before = await world.call("GET", f"/v1/conversations?date_end={spelling}")
            assert [c["name"] for c in before.json["_embedded"]["conversations"]] == ["early"]
        assert middle["timestamp"]["created"].startswith("2026-05-04T10:00:00")

    play(scenario)


def test_users_see_only_their_conversations(play: Play) -> None:
    async def scenario(world: World) -> None:
        hidden = await conversation(world)
        shared = await conversation(world)
        await joined(world, shared["id"], "alice")
        await user(world, "eve")
        own = await world.call("GET", "/v0.3/conversations", user="alice")
        items = own.json["_embedded"]["conversations"]
        assert [item["id"] for item in items] == [shared["id"]]
        assert items[0]["_embedded"]["member"]["state"] == "JOINED"
        for name, cid, status in (
            ("alice", shared["id"], 200), ("alice", hidden["id"], 404), ("eve", shared["id"], 404),
        ):  # fmt: skip
            answer = await world.call("GET", f"/v0.3/conversations/{cid}", user=name)
            assert answer.status == status
        mine = await world.call("POST", "/v0.3/conversations", {"name": "eve's"}, user="eve")
        assert mine.status == 201
        got = await world.call("GET", f"/v0.3/conversations/{mine.json['id']}", user="eve")
        assert got.status == 200

    play(scenario)


def test_the_conversations_of_a_user_by_state_and_sort_key(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice = await user(world, "alice")
        for number, (key, state) in enumerate(
            (("b", "joined"), ("a", "invited"), ("c", "joined"))
        ):  # fmt: skip
            made = await conversation(
                world, properties={"custom_sort_key": key, "custom_data": {"n": number}}
            )
            await world.call("POST", f"/v1/conversations/{made['id']}/members", {
                "state": state, "user": {"name": "alice"}, "channel": {"type": "app"},
            })  # fmt: skip
        path = f"/v1/users/{alice['id']}/conversations"
        listed = await world.call("GET", f"{path}?order_by=custom_sort_key&page_size=2")
        items = listed.json["_embedded"]["conversations"]
        assert [item["properties"]["custom_sort_key"] for item in items] == ["a", "b"]
        assert items[0]["_embedded"]["state"] == "INVITED"
        following = listed.json["_links"]["next"]["href"].removeprefix("https://tertulia.test")
        rest = (await world.call("GET", following)).json["_embedded"]["conversations"]
        assert [item["properties"]["custom_sort_key"] for item in rest] == ["c"]
        only = await world.call("GET", f"{path}?state=JOINED&include_custom_data=false")
        items = only.json["_embedded"]["conversations"]
        assert len(items) == 2 and "custom_data" not in items[0]["properties"]

    play(scenario)


def test_an_empty_conversation_ends_with_its_time_to_live(play: Play) -> None:
    async def scenario(world: World) -> None:
        made = await conversation(world, properties={"ttl": 60})
        alice = await joined(world, made["id"], "alice")
        world.clock.advance(120)
        await world.hub.services.expiry.sweep()
        path = f"/v1/conversations/{made['id']}"
        assert (await world.call("GET", path)).status == 200
        await world.call("PATCH", f"{path}/members/{alice['id']}", {"state": "left"})
        world.clock.advance(59)
        await world.hub.services.expiry.sweep()
        assert (await world.call("GET", path)).status == 200
        world.clock.advance(2)
        await world.hub.services.expiry.sweep()
        assert (await world.call("GET", path)).status == 404

    play(scenario)
