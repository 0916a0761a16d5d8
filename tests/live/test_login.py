"""Who is let in, what is said first, and how a client is refused (wire-clients 1.1-1.4, 6)."""

import pytest
from tests.live.conftest import Play
from tests.live.visitor import BASE, Client, handshake, names, settle

from tertulia.protocols import socketio
from tertulia.protocols.http1 import HttpError
from tertulia.testing.world import World


def test_the_server_speaks_first(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice")
        opened, connected, success = client.packets()
        assert isinstance(opened, socketio.Opened)
        assert (opened.ping_interval, opened.ping_timeout) == (25_000, 20_000)
        assert isinstance(connected, socketio.Connect)
        assert isinstance(success, socketio.Emitted)
        assert success.name == "session:success"
        assert success.ack is not None
        user = (await world.call("GET", "/v0.3/users/alice")).json
        again = await Client(world).connect("alice")
        (told,) = again.told()
        assert told.payload == {
            "body": {"id": "SES-2", "user_id": user["id"], "name": "alice", "api_key": "key"}
        }

    play(scenario)


def test_the_older_generation_is_connected_without_asking(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice", path="/rtc/", query={"EIO": "3"})
        opened, connected, success = client.packets()
        assert isinstance(opened, socketio.Opened)
        assert connected == socketio.Connect("/", b"")
        assert isinstance(success, socketio.Emitted)
        client.text(b"2probe")
        assert client.packets() == [socketio.Pong(b"probe")]

    play(scenario)


def test_the_oldest_clients_log_in_by_an_event(play: Play) -> None:
    async def scenario(world: World) -> None:
        token = world.token("alice")
        client = await Client(world).connect(
            path="/rtc/", query={"EIO": "3"}, greet=False, token=token
        )
        client = Client(world)
        doorway = world.hub.live.doorway
        _, client._protocol = doorway.enter(handshake("/rtc/", "EIO=3&transport=websocket"))
        client._protocol.connection_made(client.wire)
        await settle()
        assert [type(each) for each in client.packets()] == [socketio.Opened, socketio.Connect]
        client.say("session:login", {"tid": "t1", "body": {"token": token}})
        await settle()
        (told,) = client.told()
        assert (told.name, told.payload["rid"], told.ack) == ("session:success", "t1", None)
        client.say("session:update-token", {"tid": "t2", "body": {"token": world.token("alice")}})
        await settle()
        assert client.told() == [("session:update-token:success", {"rid": "t2", "body": {}}, None)]

    play(scenario)


def test_a_client_logs_out(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("alice")
        (success,) = client.hear()
        client.say("session:logout", {"tid": "t1", "body": {}})
        assert client.told() == [("session:logged-out", {"rid": "t1", "body": {}}, None)]
        again = await Client(world).connect(
            "alice", query={"session_id": success.payload["body"]["id"]}
        )
        (other,) = again.told()
        assert other.payload["body"]["id"] != success.payload["body"]["id"]

    play(scenario)


def refusal_of(told: list[str]) -> str:
    (name,) = told
    return name


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"exp": 1_777_885_100}, "system:error:expired-token"),
        ({"application_id": "nobody"}, "system:error:invalid-token"),
        ({"acl": {"paths": {"/*/users/**": {}}}}, "system:error:permission"),
        ({"acl": {"paths": {"/*/sessions/**": {}}}}, "session:success"),
        ({}, "session:success"),
    ],
)
def test_a_token_that_is_not_good_is_refused_by_name(
    play: Play, claims: dict[str, object], name: str
) -> None:
    async def scenario(world: World) -> None:
        token = world.token("alice", **{"iat": 1_777_885_000, **claims})
        client = await Client(world).connect(token=token)
        assert refusal_of(names(client.told())) == name

    play(scenario)


def test_who_nobody_knows_is_refused(play: Play) -> None:
    async def scenario(world: World) -> None:
        stranger = await Client(world).connect("nobody")
        assert refusal_of(names(stranger.told())) == "user:error:invalid-user"
        machine = await Client(world).connect(None)
        assert refusal_of(names(machine.told())) == "user:error:invalid-user"
        garbage = await Client(world).connect(token="not-a-jwt")
        assert refusal_of(names(garbage.told())) == "system:error:invalid-token"
        without = await Client(world).connect(is_anonymous=True)
        assert refusal_of(names(without.told())) == "system:error:invalid-token"

    play(scenario, create_users=False)


@pytest.mark.parametrize("name", ["x\0y", "é" * 201])
def test_a_name_that_nobody_can_have_is_nobodys(play: Play, name: str) -> None:
    async def scenario(world: World) -> None:
        stranger = await Client(world).connect(name)
        assert refusal_of(names(stranger.told())) == "user:error:invalid-user"

    play(scenario)


def test_a_user_has_so_many_sessions_and_no_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        first = await Client(world).connect("alice")
        await Client(world).connect("alice")
        third = await Client(world).connect("alice")
        assert refusal_of(names(third.told())) == "session:error:max-open-sessions"
        other = await Client(world).connect("bob")
        assert refusal_of(names(other.told())) == "session:success"
        first.lose()
        fourth = await Client(world).connect("alice")
        assert refusal_of(names(fourth.told())) == "session:success"

    play(scenario, per_user=2)


def test_nobody_takes_the_session_of_another(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice = await Client(world).connect("alice")
        (success,) = alice.hear()
        thief = await Client(world).connect(
            "bob", query={"session_id": success.payload["body"]["id"]}
        )
        assert refusal_of(names(thief.told())) == "session:error:invalid"
        assert alice.wire.is_open

    play(scenario)


@pytest.mark.parametrize(
    ("query", "path", "status"),
    [
        ({**BASE, "EIO": "2"}, "/v2/rtc/", 400),
        ({**BASE, "transport": "polling"}, "/v2/rtc/", 400),
        ({}, "/v2/rtc/", 400),
        (BASE, "/v1/conversations", 404),
    ],
)
def test_a_handshake_that_is_none_is_answered(
    play: Play, query: dict[str, str], path: str, status: int
) -> None:
    async def scenario(world: World) -> None:
        told = "&".join(f"{name}={value}" for name, value in query.items())
        with pytest.raises(HttpError) as refused:
            world.hub.live.doorway.enter(handshake(path, told))
        assert refused.value.status == status

    play(scenario)


def test_there_are_so_many_sockets_and_no_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        first = await Client(world).connect("alice")
        await Client(world).connect("bob")
        with pytest.raises(HttpError) as refused:
            await Client(world).connect("carol")
        assert refused.value.status == 503
        first.lose()
        await Client(world).connect("carol")

    play(scenario, max_sockets=2)
