"""The API where the application is at home with another node: the same answers, links and effects.

Two hubs in one process, on one store, with real sockets between them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from msgspec.structs import replace
from tests.api.conftest import SETTINGS
from tests.web.far_node import SECRET, ScriptedHomes
from tests.web.site import site

from tertulia.model.sending import SendingStatus
from tertulia.ports.cluster import Node
from tertulia.settings import Cluster
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import Answer, World

IN_CLUSTER = replace(SETTINGS, cluster=Cluster(node="n", url="http://127.0.0.1", secret=SECRET))
BASIC = {"authorization": "Basic a2V5OnNlY3JldA=="}
Keys = tuple[str, str]


class Nodes(NamedTuple):
    front: World
    home: World
    homes: ScriptedHomes
    """As the front knows them."""


@asynccontextmanager
async def two_nodes(keys: Keys) -> AsyncIterator[Nodes]:
    store, homes = MemoryStore(), ScriptedHomes("front")
    home = await World.open(
        keys=keys, store=store, settings=IN_CLUSTER, homes=ScriptedHomes("home")
    )
    front = await World.open(keys=keys, store=store, settings=IN_CLUSTER, homes=homes)
    try:
        async with site(home.hub.api.answer) as served:
            homes.home = Node("home", f"http://127.0.0.1:{served.port}")
            homes.alive = [homes.home]
            yield Nodes(front, home, homes)
    finally:
        front.hub.forwarding.close()


def run(keys: Keys, scenario: Callable[[Nodes], Awaitable[None]]) -> None:
    async def main() -> None:
        async with two_nodes(keys) as nodes:
            await scenario(nodes)
            await nodes.home.check_replay()

    asyncio.run(asyncio.wait_for(main(), 20))


async def both(nodes: Nodes, method: str, target: str, **more: Any) -> Answer:
    """The answer of the front, which is that of the home."""
    there = await nodes.home.call(method, target, **more)
    here = await nodes.front.call(method, target, **more)
    assert (here.status, here.content_type) == (there.status, there.content_type)
    assert _timeless(here.json) == _timeless(there.json)
    assert here.headers == there.headers
    return here


def _timeless(told: Any) -> Any:
    """Each refusal has its own number."""
    return {**told, "instance": ""} if isinstance(told, dict) and "instance" in told else told


def test_answers_and_links_are_those_of_the_home(keys: Keys) -> None:
    async def scenario(nodes: Nodes) -> None:
        made = await nodes.front.call("POST", "/v0.3/conversations", {"name": "hall"})
        assert made.status == 200 or made.status == 201
        where = f"/v0.3/conversations/{made.json['id']}"
        assert made.json["_links"]["self"]["href"] == f"https://tertulia.test{where}"
        await both(nodes, "GET", where)
        await both(nodes, "GET", "/v0.3/conversations?page_size=1")
        await both(nodes, "GET", "/v0.3/conversations/CON-none")
        await both(nodes, "GET", "/v0.3/conversations?page_size=many")
        head = await nodes.front.respond("HEAD", where)
        assert (head.status, head.body, head.content_type) == (200, b"", "application/json")
        assert nodes.front.ids.conversation() == "CON-1"

    run(keys, scenario)


def test_a_token_is_looked_at_where_it_comes(keys: Keys) -> None:
    async def scenario(nodes: Nodes) -> None:
        await both(nodes, "GET", "/v0.3/conversations", token="none")
        acl: dict[str, Any] = {"paths": {"/*/users/**": {}}}
        token = nodes.home.token(None, acl=acl)
        assert (await both(nodes, "GET", "/v0.3/conversations", token=token)).status == 403

    run(keys, scenario)


def test_a_post_that_comes_again_by_another_node_has_one_effect(keys: Keys) -> None:
    async def scenario(nodes: Nodes) -> None:
        token = nodes.home.token()
        made = [
            await world.call("POST", "/v0.3/conversations", {"name": "once"}, token=token)
            for world in (nodes.front, nodes.home, nodes.front)
        ]
        assert len({each.json["id"] for each in made}) == 1

    run(keys, scenario)


def test_the_event_stream_of_another_node(keys: Keys) -> None:
    async def scenario(nodes: Nodes) -> None:
        headers = {"accept": "text/event-stream"}
        answer: Any = await nodes.front.respond(
            "GET", "/tertulia/v1/events?after=0", headers=headers
        )
        assert answer.content_type == "text/event-stream"
        await nodes.front.call("POST", "/v0.3/conversations", {"name": "hall"})
        seen = b""
        async for piece in answer.pieces:
            seen += piece
            if b"conversation:created" in seen:
                break
        await answer.pieces.aclose()

    run(keys, scenario)


def test_the_account_sends_where_the_application_is_at_home(keys: Keys) -> None:
    async def scenario(nodes: Nodes) -> None:
        order = {
            "message_type": "text", "text": "hi", "to": "15550101", "from": "15550199",
            "channel": "sms",
        }  # fmt: skip
        sent = await nodes.front.call("POST", "/v1/messages", order, headers=BASIC)
        assert sent.status == 202, sent.json
        short = {
            "api_key": "key", "api_secret": "secret", "to": "15550101", "from": "15550199",
            "text": "hi",
        }  # fmt: skip
        told = await nodes.front.call("POST", "/sms/json", short, headers={"authorization": ""})
        assert told.json["messages"][0]["status"] == "0", told.json
        for message_id in (sent.json["message_uuid"], told.json["messages"][0]["message-id"]):
            control = nodes.home.hub.services.message_control
            found: Any = await control.find(message_id, nodes.home.application.id)
            assert found.status is not SendingStatus.REJECTED

    run(keys, scenario)


def test_an_application_is_changed_where_it_is_at_home(keys: Keys) -> None:
    async def scenario(nodes: Nodes) -> None:
        where = f"/v2/applications/{nodes.home.application.id}"
        changed = await nodes.front.call("PUT", where, {"name": "new"}, headers=BASIC)
        assert (changed.status, changed.json["name"]) == (200, "new")
        await both(nodes, "GET", where, headers=BASIC)
        gone = await nodes.front.call("DELETE", where, headers=BASIC)
        assert gone.status == 204
        await both(nodes, "DELETE", where, headers=BASIC)

    run(keys, scenario)


def test_who_may_see_a_file_the_home_knows(keys: Keys) -> None:
    """Its members are known there; the files themselves are where all nodes find them."""

    async def scenario(nodes: Nodes) -> None:
        form = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\nwords\r\n--b--\r\n"
        )
        headers = {"content-type": "multipart/form-data; boundary=b"}
        made = await nodes.front.call("POST", "/v3/media", form, headers=headers)
        assert made.status == 201, made.json
        seen = await both(nodes, "GET", f"/v3/media/{made.json['id']}")
        assert (seen.raw, seen.content_type) == (b"words", "text/plain; charset=utf-8")
        known = {"if-none-match": seen.headers["ETag"]}
        assert (
            await both(nodes, "GET", f"/v3/media/{made.json['id']}", headers=known)
        ).status == 304

    run(keys, scenario)
