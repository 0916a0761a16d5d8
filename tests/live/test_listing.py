"""Sessions over REST: who may list them, renew them and end them (wire-api 4, wire-clients 5.2)."""

from typing import Any

import pytest
from tests.api.cast import following, pages, refusal, stranger
from tests.live.conftest import Play
from tests.live.test_delivery import arrived
from tests.live.test_resume import enter
from tests.live.visitor import Client, names, settle

from tertulia.testing.world import World

NONE = (404, "session:error:not-found")


def ids(found: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [[each["id"] for each in page] for page in found]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("path", ["/v1/users/bob/sessions", "/tertulia/v1/sessions"])
def test_pages_go_both_ways(play: Play, path: str, order: str) -> None:
    async def scenario(world: World) -> None:
        made = [(await enter(world, "bob"))[1] for _ in range(5)]
        wanted = made if order == "asc" else made[::-1]
        target = f"{path}?page_size=2&order={order}"
        forth = await pages(world, target, "sessions")
        assert ids(forth) == [wanted[:2], wanted[2:4], wanted[4:]]
        second = await world.call("GET", following(await world.call("GET", target)))
        end = await world.call("GET", following(second))
        back = following(end, "prev")
        assert ids(await pages(world, back, "sessions", link="prev")) == [wanted[2:4], wanted[:2]]

    play(scenario)


def test_only_the_connected_are_listed(play: Play) -> None:
    async def scenario(world: World) -> None:
        here, session_id = await enter(world, "bob")
        away, _ = await enter(world, "bob")
        away.lose()
        await enter(world, "alice")
        answer = await world.call("GET", "/v1/users/bob/sessions", user="bob")
        (listed,) = answer.json["_embedded"]["sessions"]
        assert listed["id"] == session_id
        assert listed["_embedded"]["user"]["name"] == "bob"
        assert listed["properties"]["ttl"] > 0
        here.lose()
        answer = await world.call("GET", "/v1/users/bob/sessions")
        assert answer.json["_embedded"]["sessions"] == []

    play(scenario)


def test_nobody_lists_the_sessions_of_others(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        theirs = await Client(world).connect(token=other.token(sub="zoe"))
        assert names(theirs.hear()) == ["session:success"]
        await arrived(world, "alice", "bob")
        alice = await world.call("GET", "/v1/users/bob/sessions", user="alice")
        assert refusal(alice) == (403, "system:error:permission")
        everybody = await world.call("GET", "/tertulia/v1/sessions", user="alice")
        assert refusal(everybody) == (403, "system:error:permission")
        (mine,) = await pages(world, "/tertulia/v1/sessions", "sessions")
        assert [each["_embedded"]["user"]["name"] for each in mine] == ["alice", "bob"]
        found = await world.call("GET", "/tertulia/v1/sessions", token=other.token())
        (zoe,) = found.json["_embedded"]["sessions"]
        assert zoe["_embedded"]["user"]["name"] == "zoe"
        there = await world.call("GET", "/v1/users/bob/sessions", token=other.token())
        assert there.status == 404

    play(scenario)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v0.2/sessions/{}"), ("DELETE", "/v0.3/sessions/{}"),
        ("PUT", "/v0.2/sessions/{}"), ("PUT", "/v0.3/sessions/{}"),
        ("POST", "/v0.3/sessions/{}/touch"),
    ],
)  # fmt: skip
def test_only_its_user_and_its_application_have_a_say_in_a_session(
    play: Play, method: str, path: str
) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        bob, session_id = await enter(world, "bob")
        await arrived(world, "alice")
        target = path.format(session_id)
        for token in (world.token("alice"), other.token()):
            assert refusal(await world.call(method, target, token=token)) == NONE
        assert (await world.call(method, target, token=other.token(sub="bob"))).status == 401
        narrow: dict[str, Any] = {"paths": {"/*/users/**": {}}}
        refused = await world.call(method, target, token=world.token("bob", acl=narrow))
        assert refusal(refused) == (403, "system:error:permission")
        assert (await world.call(method, path.format("SES-none"), user="bob")).status == 404
        assert bob.wire.is_open
        assert (await world.call(method, target, user="bob")).status in (200, 204)
        await settle()
        assert bob.wire.is_open is (method != "DELETE")
        if method == "DELETE":
            assert names(bob.told()) == ["session:terminated"]
            assert (await world.call(method, target, user="bob")).status == 404

    play(scenario)
