"""What a session socket says and hears is what `/asyncapi.json` tells of it."""

from typing import Any

from jsonschema import Draft202012Validator
from tests.live.conftest import Play
from tests.live.visitor import BASE, Client, Told, settle
from tests.web.pointers import closed

from tertulia.model.events.registry import find
from tertulia.testing.world import World
from tertulia.web.asyncapi import asyncapi
from tertulia.web.asyncapi_packets import ASKED, HANDSHAKE, TOLD

DOCUMENT: Any = asyncapi("http://127.0.0.1:8080")
SCHEMAS = DOCUMENT["components"]["schemas"]
MESSAGES = DOCUMENT["components"]["messages"]
PACKETS = {packet.name: packet.class_name for packet in TOLD}
MEMBERS = set(SCHEMAS["session.envelope"]["properties"])


def validate(schema: Any, told: object) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(told)


def check(told: Told) -> str:
    """Raises unless it is as described; the name under which it is."""
    if told.name in PACKETS:
        name = PACKETS[told.name]
        assert set(told.payload) <= {"rid", "body"}
    else:
        found = find(told.name)
        assert found is not None
        name = found.class_name
        assert set(told.payload) <= MEMBERS
    message = MESSAGES[f"session.{name}"]
    validate(message["payload"], told.payload)
    assert told.ack is None or "x-ack" in message
    return name


def checked(client: Client) -> list[str]:
    return [check(told) for told in client.hear()]


async def room(world: World, *names: str) -> tuple[str, list[str]]:
    made = await world.call("POST", "/v0.3/conversations", {"name": "room"})
    path = f"/v0.3/conversations/{made.json['id']}"
    members = []
    for name in names:
        body = {"state": "joined", "user": {"name": name}, "channel": {"type": "app"}}
        members.append((await world.call("POST", f"{path}/members", body)).json["id"])
    await settle()
    return path, members


def test_the_handshake() -> None:
    handshake = Draft202012Validator(closed(HANDSHAKE))
    told = {name: value for name, value in BASE.items() if name != "SDK_version"}
    assert handshake.is_valid({**told, "token": "t", "session_id": "SES-1", "SDK_name": "x"})
    assert not handshake.is_valid({**told, "EIO": "5"})
    assert DOCUMENT["channels"]["session"]["bindings"]["ws"]["query"] == HANDSHAKE


def test_events_of_every_kind_and_what_is_owed(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice = await Client(world).connect("alice")
        (welcome,) = alice.hear()
        assert check(welcome) == "SessionSuccess"
        path, (sender,) = await room(world, "alice")
        await world.call("POST", f"{path}/events", {
            "type": "message", "from": sender, "body": {"message_type": "text", "text": "Hi"},
        })  # fmt: skip
        for type_, body in (("custom:a:b", {"c": 1}), ("ephemeral", {}), ("text:typing:on", {})):
            told = {"type": type_, "from": sender, "body": body}
            assert (await world.call("POST", f"{path}/events", told)).status in (200, 201)
        await settle()
        heard = checked(alice)
        assert sorted(heard) == ["Custom", "Ephemeral", "MemberJoined", "Message", "TextTypingOn"]
        alice.lose()
        await world.call("DELETE", f"{path}/events/2")
        await settle()
        back = await Client(world).connect(
            "alice", query={"session_id": welcome.payload["body"]["id"]}
        )
        (again,) = back.hear()
        assert check(again) == "SessionSuccess"
        (owed,) = again.payload["body"]["pending_events"]
        assert owed["type"] == "event:delete"
        assert set(owed) <= {"type", *MEMBERS}

    play(scenario)


def test_refusals(play: Play) -> None:
    async def scenario(world: World) -> None:
        nobody = await Client(world).connect(token="x.y.z")
        late = await Client(world).connect(token=world.token("alice", exp=1))
        bound = await Client(world).connect(token=world.token("alice", acl={"paths": {}}))
        nameless = await Client(world).connect()
        assert [name for client in (nobody, late, bound, nameless) for name in checked(client)] == [
            "SystemErrorInvalidToken", "SystemErrorExpiredToken", "SystemErrorPermission",
            "UserErrorInvalidUser",
        ]  # fmt: skip
        alice = await Client(world).connect("alice")
        (welcome,) = alice.hear()
        query = {"session_id": welcome.payload["body"]["id"]}
        assert checked(await Client(world).connect("bob", query=query)) == ["SessionErrorInvalid"]
        second = await Client(world).connect("alice")
        assert checked(second) == ["SessionErrorMaxOpenSessions"]

    play(scenario, per_user=1)


def test_what_a_client_may_ask(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice", is_anonymous=True, query={"EIO": "3"})
        assert client.told() == []
        bodies: dict[str, dict[str, Any]] = {
            "logIn": {"token": world.token("alice"), "session_id": ""},
            "updateToken": {"token": world.token("alice")},
            "logOut": {},
        }
        for asking in ASKED:
            asked = {"tid": "t", "body": bodies[asking.operation]}
            validate(MESSAGES[f"session.{asking.packet.class_name}"]["payload"], asked)
            client.say(asking.packet.name, asked)
            await settle()
            (told,) = client.hear()
            assert told.payload["rid"] == "t"
            replies = DOCUMENT["operations"][asking.operation]["reply"]["messages"]
            assert {"$ref": f"#/channels/session/messages/{check(told)}"} in replies
        client.say("new:conversation", {"tid": "t", "body": {}})
        assert checked(client) == ["SystemErrorInvalidEvent"]

    play(scenario)


def test_a_session_that_is_ended(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice")
        (welcome,) = client.hear()
        await world.call("DELETE", f"/v0.3/sessions/{welcome.payload['body']['id']}")
        assert checked(client) == ["SessionTerminated"]

    play(scenario)
