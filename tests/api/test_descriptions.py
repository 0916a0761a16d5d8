"""The served descriptions: open to everybody, and true of what the server answers."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

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
from tests.api.catalogue import BODIES, EXTENSIONS, V03, V1
from tests.api.conftest import Play
from tests.api.test_calls import OFFER
from tests.live.visitor import Client
from tests.web.pointers import closed, references, resolve

from tertulia.testing.world import NUMBER, Answer, World
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
            found = set(references(document))
            assert found
            for reference in found:
                assert resolve(document, reference), reference
            for schema in document["components"]["schemas"].values():
                Draft202012Validator.check_schema(schema)

    play(scenario)


@pytest.mark.parametrize(
    "edition, names",
    [("v1", (*V1, *EXTENSIONS)), ("v0.3", (*V03, *EXTENSIONS, "ephemeral"))],
)
def test_the_events_that_can_be_created_are_described(
    play: Play, edition: str, names: tuple[str, ...]
) -> None:
    async def scenario(world: World) -> None:
        description = await described(world)
        target = f"/{edition}/conversations/CON-1/events"
        for name, body in BODIES.items():
            draft = {"type": name, "from": "MEM-1", "body": body}
            assert description.accepts("POST", target, draft) == (name in names), name
        for name in ("custom:", "custom:tertulia:", "custom:tertulia:edit"):
            assert not description.accepts("POST", target, {"type": name, "body": {}})

    play(scenario)


def test_answers_are_as_described(play: Play) -> None:
    async def scenario(world: World) -> None:
        description = await described(world)
        everything = _Checked(world, description)
        await _conversations_and_members(everything)
        await _events(everything)
        await _users(everything)
        await _applications(everything)
        await _media(everything)
        await _older_conversations(everything)
        await _older_events(everything)
        await _older_users(everything)
        await _sessions(everything)
        await _discovery(everything)
        await _extensions(everything)
        await _legs(everything)
        await _older_legs(everything)
        await _audio(everything)
        await _calls(everything)
        await _messages_beyond_the_app(everything)
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

    async def upload(self, target: str, status: int, body: bytes, **how: Any) -> Answer:
        """A body that is not JSON."""
        answer = await self.world.call("POST", target, body, **how)
        assert answer.status == status, (target, answer.json)
        self._description.check("POST", target, answer)
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
    stream = "/tertulia/v1/events"
    await checked.call("GET", f"{stream}?after=0", 200)
    await checked.call("GET", f"{stream}?after=99999", 400)
    await checked.call("GET", f"{stream}?epoch=other", 409)
    await checked.call("GET", f"{stream}?conversation_id=CON-none", 404)


async def _extensions(checked: _Checked) -> None:
    world = checked.world
    cid = (await conversation(world))["id"]
    mid = (await joined(world, cid, "searcher"))["id"]
    number = (await say(world, cid, mid, "needle"))["id"]
    events = f"/v1/conversations/{cid}/events"
    reaction = {"event_id": number, "reaction": "x", "action": "add"}
    reply = {"event_id": (await say(world, cid, mid, "yes"))["id"], "reply_to": number}
    for kind, body in (("edit", {"event_id": number, "text": "a needle"}),
                       ("reaction", reaction), ("reply", reply)):  # fmt: skip
        draft = {"type": f"custom:tertulia:{kind}", "from": mid, "body": body}
        await checked.call("POST", events, 201, draft)
    await say(world, cid, mid, "gone")
    await checked.call("DELETE", f"{events}/{reply['event_id'] + 4}", 204)
    await checked.call("GET", f"/tertulia/v1/conversations/{cid}/messages", 200)
    await world.hub.services.indexer.catch_up()
    by: dict[str, Any] = {"user": "searcher"}
    found = await checked.call("GET", "/tertulia/v1/search?q=needle", 200, **by)
    assert found.json["results"]
    await checked.call("GET", "/tertulia/v1/search?q=needle&conversation_id=CON-none", 404, **by)
    await checked.call("GET", "/tertulia/v1/search?q=!", 400, **by)


async def _messages_beyond_the_app(checked: _Checked) -> None:
    draft = {"channel": "sms", "message_type": "text", "to": "447700900001", "from": NUMBER}
    sent = await checked.call("POST", "/v1/messages", 202, {**draft, "text": "Hi"})
    await checked.call("POST", "/v1/messages", 422, draft)
    one = f"/v1/messages/{sent.json['message_uuid']}"
    await checked.call("PATCH", one, 400, {"status": "revoked"})
    await checked.call("PATCH", "/v1/messages/none", 404, {"status": "revoked"})
    rcs = {**draft, "channel": "rcs", "text": "Hi"}
    sent = await checked.call("POST", "/v1/messages", 202, {**rcs, "failover": [rcs]})
    await checked.world.settle()
    one = f"/v1/messages/{sent.json['message_uuid']}"
    await checked.call("PATCH", one, 200, {"status": "revoked"})
    await checked.call("GET", f"/tertulia{one}", 200)
    await checked.call("PATCH", one, 422, {"status": "gone"})
    await checked.call("POST", "/v1/messages", 401, rcs, headers=NOBODY)
    fields = {"api_key": "x", "api_secret": "x", "to": "447700900001", "from": "A", "text": "Hi"}
    for method in ("GET", "POST"):
        asked = fields if method == "POST" else None
        await checked.call(method, f"/sms/json?{urlencode(fields)}", 200, asked, headers=NOBODY)
        await checked.call(method, "/carriers/none", 404, headers=NOBODY)
    shown = await checked.call("GET", "/tertulia/v1/message-carriers", 200)
    assert [each["name"] for each in shown.json["carriers"]] == ["post", "other"]
    handset = "/tertulia/v1/handsets/sms/15550110"
    await checked.call("GET", "/tertulia/v1/handsets", 404)
    await checked.call("GET", handset, 404)
    await checked.call("POST", f"{handset}/messages", 404, {"to": NUMBER, "text": "Hi"})


async def _talker(checked: _Checked, name: str) -> tuple[str, str]:
    """A new conversation with a member of that name: its path behind the edition, the member."""
    cid = (await conversation(checked.world))["id"]
    mid = (await joined(checked.world, cid, name))["id"]
    return f"/conversations/{cid}", mid


async def _audible(checked: _Checked, room: str, mid: str, name: str) -> str:
    """Audio for the member: its leg."""
    offer = {"from": mid, "body": {"offer": OFFER}}
    made = await checked.call("POST", f"/v0.3{room}/rtc", 201, offer, user=name)
    await checked.world.settle()
    return str(made.json["id"])


async def _legs(checked: _Checked) -> None:
    room, mid = await _talker(checked, "speaker")
    by = {"user": "speaker"}
    await checked.call("GET", f"/tertulia/v1{room}/levels", 200)
    leg_id = await _audible(checked, room, mid, "speaker")
    rtc = f"/v0.3{room}/rtc/{leg_id}"
    offer = {"from": mid, "body": {"offer": OFFER}}
    await checked.call("POST", f"{rtc}/offer", 201, offer, **by)
    await checked.call("POST", f"{rtc}/ice", 201, {"body": {}}, **by)
    for path in ("/v0.3/legs", f"/v0.3{room}/legs", f"/v0.3/legs/{leg_id}"):
        await checked.call("GET", path, 200)
    await checked.call("PUT", f"/v0.3/legs/{leg_id}", 200, {"action": "mute"})
    await checked.call("PUT", f"/v0.3/legs/{leg_id}", 409, {"action": "answer"})
    await checked.call("DELETE", rtc, 204, **by)
    await checked.call("DELETE", f"/v0.3/legs/{leg_id}", 204)
    called = await _ringing(checked, room, mid, "callee")
    answer = {"from": mid, "body": {"answer": OFFER["sdp"]}}
    path = f"/v0.3{room}/rtc/{called}/answer"
    await checked.call("POST", path, 201, answer, user="callee")
    own = await checked.call("POST", "/v0.3/legs", 200, {"body": {"offer": OFFER}}, **by)
    knock = {"channel": {"type": "app", "id": own.json["rtc_id"]}}
    made = await checked.call("POST", "/v0.3/knocking", 201, knock, **by)
    await checked.call("POST", "/v0.3/knocking", 409, knock, **by)
    await checked.call("DELETE", f"/v0.3/knocking/{made.json['id']}", 204, **by)
    await checked.call("DELETE", f"/v0.3/knocking/{made.json['id']}", 404, **by)


async def _ringing(checked: _Checked, room: str, host: str, name: str) -> str:
    """A leg that rings, whose user has joined already."""
    await user(checked.world, name)
    guest = entrance(name, "invited", media={"audio_settings": {"enabled": True}})
    made = await checked.call("POST", f"/v0.3{room}/members", 201, {**guest, "from": host})
    path = f"/v0.3{room}/members/{made.json['id']}"
    await checked.call("PUT", path, 200, {"state": "joined"}, user=name)
    await checked.world.settle()
    return str(made.json["channel"]["id"])


async def _older_legs(checked: _Checked) -> None:
    for edition in ("beta", "v0.1", "beta2", "v0.2"):
        name = f"speaker-{edition}"
        room, mid = await _talker(checked, name)
        by, old = {"user": name}, f"/{edition}"
        offer = {"from": mid, "body": {"offer": OFFER}}
        made = await checked.call("POST", f"{old}{room}/rtc", 200, offer, **by)
        await checked.world.settle()
        rtc = f"{old}{room}/rtc/{made.json['id']}"
        await checked.call("POST", f"{rtc}/offer", 200, offer, **by)
        leg = f"{old}/legs/{made.json['id']}"
        await checked.call("GET", leg, 200)
        await checked.call("PUT", leg, 200, {"action": "earmuff"})
        await checked.call("PUT", f"{leg}/stream", 200, {"stream_url": ["https://s.test/a.mp3"]})
        await checked.call("PUT", f"{leg}/talk", 200, {"text": "Hello"})
        await checked.call("PUT", f"{leg}/recording", 200, {"format": "wav"})
        await checked.call("PUT", f"{leg}/dtmf", 200, {"digits": "1"})
        checked.world.downloads["https://s.test/a.mp3"] = Path("a.mp3")
        for what in ("stream", "talk"):
            await checked.call("DELETE", f"{leg}/{what}", 204)
        await checked.call("DELETE", f"{leg}/recording", 404)
        await checked.call("DELETE", rtc, 200, **by)
        own = await checked.call("POST", f"{old}/legs", 200, {"body": {"offer": OFFER}}, **by)
        knock = {"channel": {"type": "app", "id": own.json["rtc_id"]}}
        knocked = await checked.call("POST", f"{old}/knocking", 200, knock, **by)
        await checked.call("DELETE", f"{old}/knocking/{knocked.json['id']}", 200, **by)
        await checked.call("DELETE", f"{old}/legs/{own.json['rtc_id']}", 200, **by)
        called = await _ringing(checked, room, mid, f"callee-{edition}")
        answer = {"body": {"answer": OFFER["sdp"]}}
        path = f"{old}{room}/rtc/{called}/answer"
        await checked.call("POST", path, 200, answer, user=f"callee-{edition}")


async def _audio(checked: _Checked) -> None:
    world = checked.world
    room, mid = await _talker(checked, "singer")
    leg = f"/v0.3/legs/{await _audible(checked, room, mid, 'singer')}"
    world.downloads["https://s.test/a.mp3"] = Path("a.mp3")
    stream = {"stream_url": ["https://s.test/a.mp3"], "loop": 0}
    for method, target in (("POST", leg), ("PUT", leg), ("PUT", f"/v1{room}")):
        await checked.call(method, f"{target}/stream", 200, stream)
        await checked.call(
            method, f"{target}/talk", 200, {"text": "Hello", "loop": 0, "queue": True}
        )
        recording = "record" if room in target else "recording"
        await checked.call(method, f"{target}/{recording}", 200, {"format": "wav"})
        await world.settle()
        for what in ("stream", "talk", recording):
            await checked.call("DELETE", f"{target}/{what}", 204)
            await world.settle()
            await checked.call("DELETE", f"{target}/{what}", 404)
    await checked.call("POST", f"{leg}/dtmf", 200, {"digits": "12#"})
    await checked.call("PUT", f"{leg}/dtmf", 200, {"digits": "12#"})
    made = await checked.call("POST", f"{leg}/asr", 201, {"language": "en-GB"})
    await checked.call("PATCH", f"{leg}/asr/{made.json['id']}", 200, {"active": False})
    await checked.call("PUT", f"{leg}/asr", 200, {"start_timeout": 3})
    await checked.call("DELETE", f"{leg}/asr", 204)


async def _calls(checked: _Checked) -> None:
    exchange = checked.world.exchange
    draft = {"to": [{"type": "phone", "number": "15550100"}], "ncco": [{"action": "wait"}],
             "from": {"type": "phone", "number": "15550199"}, "ringing_timer": 30}  # fmt: skip
    made = await checked.call("POST", "/v1/calls", 201, draft)
    await checked.call("POST", "/v1/calls", 400, {**draft, "to": []})
    await checked.call("POST", "/v1/calls", 403, draft, user="singer")
    await checked.call("POST", "/v1/calls", 404, {**draft, "to": [{"type": "app", "user": "x"}]})
    one = f"/v1/calls/{made.json['uuid']}"
    stream = {"stream_url": ["https://s.test/a.mp3"], "loop": 0, "level": "0.5"}
    await checked.call("PUT", f"{one}/stream", 400, stream)
    exchange.rings(made.json["uuid"])
    exchange.answers(made.json["uuid"])
    await checked.world.settle()
    await checked.call("PUT", one, 204, {"action": "mute"})
    await checked.call("GET", one, 200)
    await checked.call("GET", f"{one}/timeline", 200)
    for what, body in (("stream", stream), ("talk", {"text": "Hello", "loop": 0})):
        await checked.call("PUT", f"{one}/{what}", 200, body)
        await checked.call("DELETE", f"{one}/{what}", 200)
    await checked.call("PUT", f"{one}/dtmf", 200, {"digits": "1p2"})
    await checked.call("PUT", f"{one}/input/dtmf", 200, {"event_url": ["https://app.test/keys"]})
    await checked.call("DELETE", f"{one}/input/dtmf", 204)
    await checked.call("PUT", one, 204, {"action": "hangup"})
    await checked.world.settle()
    await checked.call("PUT", one, 404, {"action": "hangup"})
    await checked.call("GET", one, 200)
    await checked.call("GET", "/v1/calls?status=completed&page_size=1&order=desc", 200)
    await checked.call("GET", "/v1/calls?page_size=1&record_index=1", 200)
    await checked.call("GET", "/v1/calls?date_start=yesterday", 400)


async def _media(checked: _Checked) -> None:
    form = (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="cat.gif"\r\n\r\n'
        b"GIF89a\r\n--xyz--\r\n"
    )
    by = {"headers": {"content-type": "multipart/form-data; boundary=xyz"}}
    await checked.upload("/v1/image", 200, form, **by)
    await checked.upload("/v1/image", 400, b"", **by)
    await checked.upload("/v1/image", 415, form.replace(b"GIF89a", b"%PDF-1"), **by)
    made = await checked.upload("/v3/media", 201, form, **by)
    one = f"/v3/media/{made.json['id']}"
    await checked.call("GET", f"{one}/info", 200)
    await checked.call("GET", one, 200, headers={"accept": "image/*"})
    await checked.call("GET", one, 304, headers={"if-none-match": "*"})
    await checked.call("GET", one, 401, headers=NOBODY)
    sound = await checked.upload("/v3/media", 201, b"ID3 sound")
    part = f"/v3/media/{sound.json['id']}"
    await checked.call("GET", part, 206, headers={"range": "bytes=0-2"})
    await checked.call("GET", part, 416, headers={"range": "bytes=9-"})
    for path in ("/v1/files", "/v3/files"):
        file = f"{path}/{sound.json['id']}?compat=api.nexmo.com"
        await checked.call("GET", file, 200)
        await checked.call("GET", file, 206, headers={"range": "bytes=0-2"})
    await checked.call("DELETE", one, 204)
    await checked.call("GET", one, 404)
    await checked.call("GET", f"{one}/info", 404)


OLDER = ("beta", "v0.1", "beta2", "v0.2")


async def _older_conversations(checked: _Checked) -> None:
    for edition in OLDER:
        await user(checked.world, f"guest-{edition}", **FULL_USER)
        made = await checked.call(
            "POST", f"/{edition}/conversations", 200, {**ROOM, "name": edition}
        )
        one = f"/{edition}/conversations/{made.json['id']}"
        by = {"user": f"guest-{edition}"}
        guest = {"action": "invite", "user_name": f"guest-{edition}", "knocking_id": "k"}
        mid = (await checked.call("POST", f"{one}/members", 200, guest)).json["id"]
        await checked.call("POST", f"{one}/members", 400, guest)
        await checked.call("PUT", f"{one}/members/{mid}", 200, {"action": "join"}, **by)
        await checked.call("GET", one, 200, **by)
        await checked.call("GET", f"{one}/members?page_size=1", 200)
        await checked.call("GET", f"{one}/members/{mid}", 200)
        await checked.call("GET", f"/{edition}/conversations?page_size=1", 200)
        await checked.call("GET", f"/{edition}/users/guest-{edition}/conversations", 200, **by)
        await checked.call("PUT", one, 200, {"display_name": None})
        left = f"from={mid}&reason_code=c&reason_text=t"
        await checked.call("DELETE", f"{one}/members/{mid}?{left}", 200, **by)
        await checked.call("GET", one, 200, **by)
        await checked.call("DELETE", one, 200)
        await checked.call("DELETE", one, 404)


async def _older_events(checked: _Checked) -> None:
    cid = (await conversation(checked.world))["id"]
    mid = (await joined(checked.world, cid, "elder"))["id"]
    for edition in OLDER:
        path = f"/{edition}/conversations/{cid}/events"
        made = await checked.call("POST", path, 200, text("Hi", mid))
        await checked.call("POST", path, 200, {"type": "ephemeral"}, user="elder")
        play = {"type": "audio:play", "body": {"stream_url": ["https://a/b.mp3"]}}
        await checked.call("POST", path, 200, play)
        await checked.call("POST", path, 400, {"type": "audio:earmuff:on", "to": mid})
        await checked.call("GET", f"{path}?start_id=1&end_id=3", 200)
        one = f"{path}/{made.json['id']}"
        await checked.call("GET", one, 200)
        await checked.call("DELETE", one, 200)
        await checked.call("GET", path, 200)
        await checked.call("GET", f"{path}/99", 404)


async def _older_users(checked: _Checked) -> None:
    for edition in OLDER:
        body = {"name": edition, **FULL_USER}
        made = await checked.call("POST", f"/{edition}/users", 200, body)
        one = f"/{edition}/users/{made.json['id']}"
        await checked.call("POST", f"/{edition}/users", 409, body)
        await checked.call("GET", one, 200)
        await checked.call("PUT", one, 200, {"display_name": None})
        await checked.call("GET", f"/{edition}/users?page_size=2", 200)
        await checked.call("DELETE", one, 200)
        await checked.call("GET", one, 404)


async def _sessions(checked: _Checked) -> None:
    await user(checked.world, "visitor")
    for edition, ended in (("v0.3", 204), ("v0.2", 200), ("beta2", 200)):
        client = await Client(checked.world).connect("visitor")
        (success,) = client.told()
        one = f"/{edition}/sessions/{success.payload['body']['id']}"
        for listing in ("/v1/users/visitor", "/v0.3/users/visitor", "/tertulia/v1"):
            listed = await checked.call("GET", f"{listing}/sessions", 200)
            assert len(listed.json["_embedded"]["sessions"]) == 1
        await checked.call("PUT", one, 200, user="visitor")
        await checked.call("DELETE", one, ended)
        await checked.call("DELETE", one, 404)
    client = await Client(checked.world).connect("visitor")
    (success,) = client.told()
    one = f"/v0.3/sessions/{success.payload['body']['id']}"
    await checked.call("POST", f"{one}/touch", 200, user="visitor")


async def _discovery(checked: _Checked) -> None:
    await checked.call("GET", "/v0.3/discovery/api", 200)
    await checked.call("GET", "/v0.3/discovery/media/local", 200)
    await checked.call("GET", "/v0.3/discovery/media/other", 404)
    report = {"metrics": [{"name": "TIME_TO_RECONNECT_SUCCESS", "time": 1, "attempt": 1}]}
    await checked.call("POST", "/v2/rtc/metrics", 200, {"body": report}, headers=NOBODY)
    await checked.call("POST", "/v2/rtc/metrics", 400, {}, headers=NOBODY)


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
                assert asked in ([], [expected], [{"bearer"}, {"basic"}]), path

    play(scenario)
