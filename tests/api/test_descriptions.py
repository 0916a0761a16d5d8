"""The served descriptions: open to everybody, and true of what the server answers."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.api.cast import (
    ACCOUNT,
    NOBODY,
    ORIGIN,
    conversation,
    entrance,
    joined,
    say,
    text,
    user,
)
from tests.api.catalogue import BODIES, V03, V1
from tests.api.conftest import Play

from tertulia.testing.world import Answer, World
from tertulia.web.asyncapi import asyncapi

ROOM: dict[str, Any] = {
    "name": "room", "display_name": "Room", "image_url": "https://i/r.png",
    "properties": {"ttl": 60, "type": "t", "custom_sort_key": "k", "custom_data": {"a": [1]}},
    "numbers": [{"type": "phone", "number": "447700900000"}],
    "callback": {"url": "https://h/hook", "event_mask": "message", "method": "POST",
                 "params": {"applicationId": "a", "ncco_url": "https://h/ncco"}},
}  # fmt: skip
FULL_USER: dict[str, Any] = {
    "display_name": "Alice", "image_url": "https://i/a.png",
    "properties": {"custom_data": {"a": 1}, "ttl": 5}, "channels": {"pstn": [{"number": 44}]},
}  # fmt: skip


class Description:
    """An OpenAPI document that answers can be held against."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._closed = closed(document)
        self.used: set[tuple[str, str]] = set()
        self._paths: dict[str, re.Pattern[str]] = {
            path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in document["paths"]
        }

    def check(self, method: str, target: str, answer: Answer) -> None:
        """Raises AssertionError or ValidationError when the answer is not as described."""
        path = self._path(target.partition("?")[0])
        operation = self._closed["paths"][path][method.lower()]
        self.used.add((method, path))
        response = self._resolved(operation["responses"][str(answer.status)])
        content = response.get("content", {})
        assert bool(content) == bool(answer.raw), (method, path, answer.status)
        for name, header in response.get("headers", {}).items():
            assert name in answer.headers or not header.get("required"), (path, name)
        if "application/json" in content:
            schema = {**content["application/json"]["schema"], **_components(self._closed)}
            Draft202012Validator(schema).validate(answer.json)

    def accepts(self, method: str, target: str, body: Any) -> bool:
        """Whether a request with this body is as described."""
        path = self._path(target.partition("?")[0])
        described = self.document["paths"][path][method.lower()]["requestBody"]
        schema = described["content"]["application/json"]["schema"]
        return Draft202012Validator({**schema, **_components(self.document)}).is_valid(body)

    def _path(self, target: str) -> str:
        found = [path for path, pattern in self._paths.items() if pattern.fullmatch(target)]
        return min(found, key=lambda path: path.count("{"))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            node = resolve(self._closed, node["$ref"])
        return node


def _components(document: dict[str, Any]) -> dict[str, Any]:
    return {"components": document["components"]}


def resolve(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


def closed(node: Any) -> Any:
    """The schemas with objects that hold no more than they name, so that nothing is left out."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {name: closed(each) for name, each in node.items()}
    if node.get("type") == "object" and "properties" in node:
        copy.setdefault("additionalProperties", False)
    return copy


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from nodes(child)


async def described(world: World) -> Description:
    answer = await world.call("GET", "/openapi.json", headers=NOBODY)
    assert answer.status == 200
    return Description(answer.json)


def test_the_descriptions_are_open_to_everybody(play: Play) -> None:
    async def scenario(world: World) -> None:
        for name, member in (("openapi", "paths"), ("asyncapi", "channels")):
            for host in ("tertulia.test", "[::1]:8080"):
                answer = await world.call("GET", f"/{name}.json", headers={**NOBODY, "host": host})
                assert answer.status == 200
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert answer.json[member]
                assert host in str(answer.json["servers"])
        assert answer.json == asyncapi("https://[::1]:8080")

    play(scenario)


def test_every_route_is_described_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        document = (await described(world)).document
        found = {
            (method.upper(), path): operation
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        assert set(found) == {(route.method, route.path) for route in world.hub.router.routes}
        names = [operation["operationId"] for operation in found.values()]
        assert len(set(names)) == len(names)
        for (_, path), operation in found.items():
            assert operation["summary"]
            placed = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            assert placed == re.findall(r"\{(\w+)\}", path)

    play(scenario)


def test_references_lead_somewhere_and_schemas_are_schemas(play: Play) -> None:
    async def scenario(world: World) -> None:
        for name in ("openapi", "asyncapi"):
            document = (await world.call("GET", f"/{name}.json", headers=NOBODY)).json
            references = {node["$ref"] for node in nodes(document) if "$ref" in node}
            assert references
            for reference in references:
                assert resolve(document, reference), reference
            for schema in document["components"]["schemas"].values():
                Draft202012Validator.check_schema(schema)

    play(scenario)


@pytest.mark.parametrize("edition, names", [("v1", V1), ("v0.3", (*V03, "ephemeral"))])
def test_the_events_that_can_be_created_are_described(
    play: Play, edition: str, names: tuple[str, ...]
) -> None:
    async def scenario(world: World) -> None:
        description = await described(world)
        target = f"/{edition}/conversations/CON-1/events"
        for name, body in BODIES.items():
            draft = {"type": name, "from": "MEM-1", "body": body}
            assert description.accepts("POST", target, draft) == (name in names), name
        assert not description.accepts("POST", target, {"type": "custom:", "body": {}})

    play(scenario)


def test_answers_are_as_described(play: Play) -> None:
    async def scenario(world: World) -> None:
        description = await described(world)
        everything = _Checked(world, description)
        await _conversations_and_members(everything)
        await _events(everything)
        await _users(everything)
        await _applications(everything)
        for path in ("/healthz", "/readyz", "/openapi.json", "/asyncapi.json"):
            await everything.call("GET", path, 200, headers=NOBODY)
        known = {(route.method, route.path) for route in world.hub.router.routes}
        left = {path for _, path in known - description.used}
        assert left == {"/metrics"}

    play(scenario)


class _Checked:
    """Calls a world, and holds each answer against the description."""

    def __init__(self, world: World, description: Description) -> None:
        self.world = world
        self._description = description

    async def call(
        self, method: str, target: str, status: int, body: Any = None, **how: Any
    ) -> Answer:
        answer = await self.world.call(method, target, body, **how)
        assert answer.status == status, (method, target, answer.json)
        self._description.check(method, target, answer)
        if body is not None and status < 300:
            assert self._description.accepts(method, target, body), (method, target)
        return answer


async def _conversations_and_members(checked: _Checked) -> None:
    world = checked.world
    for edition in ("v1", "v0.3"):
        await user(world, f"guest-{edition}", **FULL_USER)
        room = {**ROOM, "name": edition}
        made = await checked.call("POST", f"/{edition}/conversations", 201, room)
        one = f"/{edition}/conversations/{made.json['id']}"
        await checked.call("POST", f"/{edition}/conversations", 409, room)
        guest = entrance(f"guest-{edition}", "invited", knocking_id="k")
        mid = (await checked.call("POST", f"{one}/members", 201, guest)).json["id"]
        await checked.call("POST", f"{one}/members", 400, guest)
        await checked.call("PUT", f"{one}/members/{mid}", 200, {"state": "joined"})
        by = {"user": f"guest-{edition}"}
        await checked.call("GET", f"{one}/members/me", 200, **by)
        await checked.call("GET", one, 200, **by)
        await checked.call("GET", f"/{edition}/conversations?page_size=1", 200)
        await checked.call("GET", f"/{edition}/conversations", 200, **by)
        await checked.call("GET", f"/{edition}/users/guest-{edition}/conversations", 200)
        await checked.call("PUT", one, 200, {"display_name": None, "state": "INACTIVE"})
        await checked.call("PATCH", one, 200, {"properties": None})
        left = {"state": "left", "reason": {"code": "c", "text": "t"}}
        await checked.call("PATCH", f"{one}/members/me", 200, left, **by)
        await checked.call("PATCH", f"{one}/members/{mid}", 400, left)
        await checked.call("GET", f"{one}/members/{mid}", 200)
        await checked.call("GET", f"{one}/members/none", 404)
        again = await checked.call("POST", f"{one}/members", 201, {**guest, "state": "joined"})
        await checked.call("DELETE", f"{one}/members/{again.json['id']}", 204)
        await checked.call("GET", f"{one}/members?page_size=1", 200)
        await checked.call("DELETE", one, 204)
        await checked.call("DELETE", one, 404)


async def _events(checked: _Checked) -> None:
    cid = (await conversation(checked.world))["id"]
    mid = (await joined(checked.world, cid, "talker"))["id"]
    for edition in ("v1", "v0.3"):
        path = f"/{edition}/conversations/{cid}/events"
        made = await checked.call("POST", path, 201, text("Hi", mid))
        await checked.call("POST", path, 201, text("Hi"))
        await checked.call("POST", path, 201, {"type": "ephemeral", "from": mid})
        seen = {"type": "message:seen", "from": mid, "body": {"event_id": made.json["id"]}}
        await checked.call("POST", path, 201, seen)
        await checked.call("POST", path, 400, {"type": "member:joined"})
        await checked.call("GET", f"{path}/{made.json['id']}", 200)
        await checked.call("DELETE", f"{path}/{made.json['id']}", 204)
        await checked.call("GET", f"{path}/{made.json['id']}", 200)
        await checked.call("GET", f"{path}?page_size=3", 200)
        await checked.call("GET", path, 200, headers={"user-agent": "vonage-java-sdk/9"})
        await checked.call("GET", f"{path}/99", 404)
    await say(checked.world, cid, mid, "still here")


async def _users(checked: _Checked) -> None:
    for edition in ("v1", "v0.3"):
        made = await checked.call("POST", f"/{edition}/users", 201, {"name": edition, **FULL_USER})
        one = f"/{edition}/users/{made.json['id']}"
        await checked.call("POST", f"/{edition}/users", 409, {"name": edition})
        await checked.call("GET", one, 200)
        await checked.call("GET", one, 406, headers={"accept": "text/html"})
        await checked.call("PATCH", one, 200, {"display_name": None})
        await checked.call("PUT", one, 415, {"name": "x"}, headers={"content-type": "text/plain"})
        await checked.call("PUT", one, 403, {"name": "x"}, user="talker")
        await checked.call("GET", f"/{edition}/users?page_size=2", 200)
        await checked.call("GET", f"/{edition}/users?page_size=0", 400)
        await checked.call("GET", f"{one}/sessions", 200)
        await checked.call("DELETE", one, 401, headers=NOBODY)
        await checked.call("DELETE", one, 204)
        await checked.call("GET", one, 404)


async def _applications(checked: _Checked) -> None:
    hook = {"address": "https://h/x", "http_method": "POST", "socket_timeout": 1000}
    body = {"name": "n", "privacy": {"improve_ai": False},
            "capabilities": {"rtc": {"webhooks": {"event_url": hook}}}}  # fmt: skip
    by = {"headers": ACCOUNT}
    made = await checked.call("POST", "/v2/applications", 201, body, **by)
    one = f"/v2/applications/{made.json['id']}"
    await checked.call("GET", one, 200, **by)
    await checked.call("PUT", one, 200, {"name": "m", "capabilities": None}, **by)
    await checked.call("GET", "/v2/applications?page_size=1", 200, **by)
    await checked.call("GET", one, 401)
    await checked.call("DELETE", one, 204, **by)
    await checked.call("DELETE", one, 404, **by)
    desk = "/tertulia/v1/webhooks"
    await checked.call("GET", f"{desk}/attempts", 200)
    await checked.call("GET", f"{desk}/dead-letters", 200)
    await checked.call("POST", f"{desk}/replay", 202, {"position": 1})
    await checked.call("GET", f"{desk}/replay/1", 404)
    await checked.call("GET", f"{desk}/policy", 200)
    await checked.call("PUT", f"{desk}/policy", 200, {"policy": "skip", "tries": 3})


def test_links_of_the_description_lead_to_this_server(play: Play) -> None:
    async def scenario(world: World) -> None:
        document = (await described(world)).document
        assert document["servers"] == [{"url": ORIGIN}]
        schemes = document["components"]["securitySchemes"]
        assert {scheme["scheme"] for scheme in schemes.values()} == {"bearer", "basic"}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                asked = [set(each) for each in operation.get("security", [])]
                expected = {"basic"} if path.startswith("/v2/") else {"bearer"}
                assert asked in ([], [expected]), path

    play(scenario)
