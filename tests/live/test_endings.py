"""What ends a session, and what does not; and that of one that has ended nothing is left."""

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace
from tests.api.cast import ACCOUNT, entrance, say, stranger, user
from tests.live.conftest import SETTINGS, Play
from tests.live.test_delivery import arrived, room
from tests.live.test_resume import enter, resume
from tests.live.visitor import Client, names, settle

from tertulia.devkit import RsaSmith
from tertulia.live.sessions import Visitor
from tertulia.live.socket import STRIKES_MAX
from tertulia.model.errors import InvalidToken, Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import Position, UserId
from tertulia.ports import Joined
from tertulia.protocols import socketio
from tertulia.protocols.http1 import HttpError
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import World

OLDER: Mapping[str, str] = {"EIO": "3"}


class GatedStore(MemoryStore):
    """Its reads of where users are, and of what they follow, wait while the gate is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_broken = False
        self.pages = 1 << 30
        """That can be read until the gate shuts."""

    async def joined(self, user_id: UserId) -> Joined:
        await self.gate.wait()
        return await super().joined(user_id)

    async def follow_user(
        self, after: Position, user_id: UserId, *, limit: int = 500
    ) -> list[Event]:
        if self.pages == 0:
            self.gate.clear()
        self.pages -= 1
        await self.gate.wait()
        if self.is_broken:
            raise Unavailable("the disk is gone")
        return await super().follow_user(after, user_id, limit=limit)


async def gated(keys: tuple[str, str], **sessions: float) -> tuple[World, GatedStore]:
    store = GatedStore()
    settings = replace(SETTINGS, sessions=replace(SETTINGS.sessions, **sessions))
    return await World.open(keys=keys, store=store, settings=settings), store


def is_empty(world: World) -> bool:
    """Nobody is there, and nothing tells that anybody was."""
    live = world.hub.live
    attendance = live.sessions.attendance
    return not (
        attendance.presences or attendance.rooms or live.sessions.count or live.sessions.away
        or world.outside.ledger.load()
    )  # fmt: skip


# --- applications


def test_the_sessions_of_a_deleted_application_end(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        theirs = await Client(world).connect(token=other.token(sub="zoe"))
        away = await Client(world).connect(token=other.token(sub="yan"))
        assert names(theirs.told()) == names(away.hear()) == ["session:success"]
        away.lose()
        (ours,) = await arrived(world, "alice")
        path = f"/v2/applications/{other.id}"
        assert (await world.call("DELETE", path, headers=ACCOUNT)).status == 204
        assert theirs.packets() == [
            socketio.Emitted("session:terminated", b'{"body":{}}', None), socketio.Disconnect("/"),
        ]  # fmt: skip
        assert not theirs.wire.is_open
        assert ours.wire.is_open
        assert (world.hub.live.sessions.count, world.hub.live.sessions.away) == (1, 0)

    play(scenario)


def test_with_another_key_of_their_application_tokens_have_expired(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        theirs = await Client(world).connect(token=other.token(sub="zoe"))
        (ours,) = await arrived(world, "alice")
        path = f"/v2/applications/{other.id}"
        draft: dict[str, object] = {"name": "renamed"}
        assert (await world.call("PUT", path, draft, headers=ACCOUNT)).status == 200
        world.hub.live.doorway.sweep()
        assert names(theirs.told()) == ["session:success"]
        assert theirs.wire.is_open
        _, public_key = RsaSmith().new_pair()
        draft |= {"keys": {"public_key": public_key}}
        assert (await world.call("PUT", path, draft, headers=ACCOUNT)).status == 200
        world.hub.live.doorway.sweep()
        assert theirs.packets() == [socketio.Disconnect("/")]
        assert not theirs.wire.is_open
        assert ours.wire.is_open

    play(scenario)


def test_who_logs_in_while_its_application_goes_is_not_let_in(keys: tuple[str, str]) -> None:
    async def scenario() -> None:
        world, store = await gated(keys)
        other = await stranger(world)
        store.gate.clear()
        client = await Client(world).connect(token=other.token(sub="zoe"))
        path = f"/v2/applications/{other.id}"
        assert (await world.call("DELETE", path, headers=ACCOUNT)).status == 204
        store.gate.set()
        await settle()
        assert names(client.told())[-1] == "session:terminated"
        assert is_empty(world)

    asyncio.run(scenario())


def test_a_token_that_is_taken_back_while_it_is_looked_at_renews_nothing(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("bob", path="/rtc/", query=OLDER)
        assert names(client.hear()) == ["session:success"]
        doorway, live = world.hub.live.doorway, world.hub.live
        good = doorway._identify

        async def identify(token: str) -> Visitor:
            visitor = await good(token)
            if live.sessions.revocations:
                raise InvalidToken()
            await live.desk.expire_application(visitor.application_id)
            return visitor

        monkeypatch.setattr(doorway, "_identify", identify)
        asked = {"tid": "t", "body": {"token": world.token("bob")}}
        client.say("session:update-token", asked)
        await settle()
        assert names(client.told()) == ["system:error:invalid-token"]
        doorway.sweep()
        assert not client.wire.is_open

    play(scenario)


# --- users


def test_who_logs_in_while_it_is_deleted_is_not_let_in(keys: tuple[str, str]) -> None:
    async def scenario() -> None:
        world, store = await gated(keys)
        await room(world, "bob")
        store.gate.clear()
        client = await Client(world).connect("bob")
        assert (await world.call("DELETE", "/v1/users/bob")).status == 204
        store.gate.set()
        await settle()
        assert names(client.told()) == ["user:error:invalid-user"]
        assert is_empty(world)

    asyncio.run(scenario())


def test_a_session_is_renewed_for_its_user_whatever_that_is_called(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = await Client(world).connect("bob", path="/rtc/", query=OLDER)
        (success,) = client.hear()
        body = success.payload["body"]
        path = f"/v1/users/{body['user_id']}"
        assert (await world.call("PATCH", path, {"name": "robert"})).status == 200
        assert (await world.call("POST", "/v1/users", {"name": "bob"})).status == 201
        for name, answer in (
            ("bob", "session:error:invalid"), ("robert", "session:update-token:success"),
        ):  # fmt: skip
            asked = {"tid": "t", "body": {"token": world.token(name)}}
            client.say("session:update-token", asked)
            await settle()
            assert names(client.told()) == [answer]
        target = f"/v0.2/sessions/{body['id']}"
        assert (await world.call("PUT", target, user="bob")).status == 404
        assert (await world.call("PUT", target, user="robert")).status == 200

    play(scenario)


# --- logins


def test_a_connection_has_one_session_however_often_it_asks(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = Client(world)
        client.enter({"EIO": "3"}, path="/rtc/")
        for name in ("bob", "bob", "alice"):
            client.say("session:login", {"tid": name, "body": {"token": world.token(name)}})
        await settle()
        assert names(client.told()) == [
            "system:error:invalid-event", "system:error:invalid-event", "session:success",
        ]  # fmt: skip
        assert world.hub.live.sessions.count == 1
        client.say("session:logout", {"tid": "t", "body": {}})
        client.say("session:login", {"tid": "t", "body": {"token": world.token("alice")}})
        await settle()
        assert names(client.told()) == ["session:logged-out", "session:success"]
        client.lose()
        assert (world.hub.live.sessions.count, world.hub.live.sessions.away) == (0, 1)

    play(scenario)


def test_logins_that_are_refused_are_counted(play: Play) -> None:
    async def scenario(world: World) -> None:
        client = Client(world)
        client.enter({"EIO": "3"}, path="/rtc/")
        for _ in range(STRIKES_MAX + 1):
            client.say("session:login", {"body": {"token": "nonsense"}})
            await settle()
        assert len(client.told()) == STRIKES_MAX + 1
        assert not client.wire.is_open

    play(scenario)


@pytest.mark.parametrize("how", ["lost", "closed", "timed out"])
def test_a_login_ends_with_its_connection(
    keys: tuple[str, str], how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        world, store = await gated(keys)
        await room(world, "bob")
        store.gate.clear()
        client = await Client(world).connect("bob")
        if how == "lost":
            client.lose()
        elif how == "closed":
            client.text(b"41")
        else:
            world.clock.advance(11)
            world.hub.live.doorway.sweep()
        store.gate.set()
        await settle()
        assert client.told() == []
        assert is_empty(world)

    asyncio.run(scenario())
    assert caplog.records == []


def test_a_new_session_owes_nothing_to_the_store(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.live.catchup.NEAR", -1)

    async def scenario() -> None:
        world, store = await gated(keys)
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        bob.lose()
        await say(world, cid, alice, "missed")
        await settle()
        store.is_broken = True
        again = await Client(world).connect("bob", query={"session_id": session_id})
        assert again.told() == []
        assert not again.wire.is_open
        await arrived(world, "bob")
        store.is_broken = False
        _, success = await resume(world, "bob", session_id)
        assert success.payload["body"]["id"] == session_id

    asyncio.run(scenario())


def test_who_logs_out_while_it_is_told_what_it_missed_hears_no_more(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.live.catchup.NEAR", -1)
    monkeypatch.setattr("tertulia.live.catchup.PAGE", 2)

    async def scenario() -> None:
        world, store = await gated(keys)
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        bob.lose()
        for number in range(5):
            await say(world, cid, alice, str(number))
        again = Client(world)
        store.pages = 2
        again = await Client(world).connect("bob", query={"session_id": session_id})
        assert names(again.told()) == ["session:success", "message", "message"]
        again.say("session:logout", {"tid": "t", "body": {}})
        store.gate.set()
        await settle()
        assert names(again.told()) == ["session:logged-out"]
        assert is_empty(world)

    asyncio.run(scenario())


def test_who_is_told_what_it_missed_and_does_not_read_gets_few_answers(
    keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.live.catchup.NEAR", -1)

    async def scenario() -> None:
        world, store = await gated(keys)
        cid, (alice, _) = await room(world, "alice", "bob")
        bob, session_id = await enter(world, "bob")
        bob.lose()
        await say(world, cid, alice, "missed")
        await settle()
        store.gate.clear()
        again = await Client(world).connect("bob", query={"session_id": session_id})
        again.stall()
        await settle()
        assert again.wire.is_open
        for _ in range(STRIKES_MAX + 10):
            again.text(b"2" + b"x" * 10)
        assert not again.wire.is_open
        assert len(again.wire.written) < STRIKES_MAX + 10
        assert world.hub.live.sessions.away == 1

    asyncio.run(scenario())


# --- the house


def test_nobody_comes_in_when_the_server_goes_away(play: Play) -> None:
    async def scenario(world: World) -> None:
        await world.hub.live.close()
        with pytest.raises(HttpError) as refused:
            await Client(world).connect("alice")
        assert refused.value.status == 503

    play(scenario)


def test_of_conversations_that_are_deleted_nothing_is_kept_or_owed(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (here,) = await arrived(world, "bob")
        bob, session_id = await enter(world, "bob")
        bob.lose()
        await say(world, cid, alice, "gone soon")
        assert (await world.call("DELETE", f"/v1/conversations/{cid}")).status == 204
        await settle()
        assert names(here.hear()) == ["message"]
        attendance = world.hub.live.sessions.attendance
        assert attendance.rooms == {}
        assert [each.joined for each in attendance.presences.values()] == [{}]
        _, success = await resume(world, "bob", session_id)
        assert "pending_events" not in success.payload["body"]

    play(scenario)


def test_nothing_grows_with_those_who_were_there(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        path = f"/v0.3/conversations/{cid}/members"
        await user(world, "carol")
        for number in range(300):
            (bob,) = await arrived(world, "bob")
            if number % 3 == 0:
                member = (await world.call("POST", path, entrance("carol"))).json["id"]
                (carol,) = await arrived(world, "carol")
                await say(world, cid, alice, "hello")
                await world.call("PATCH", f"{path}/{member}", {"state": "left"})
                await settle()
                carol.say("session:logout", {"tid": "t", "body": {}})
                carol.lose()
            stranger = await Client(world).connect(token="nonsense")
            stranger.lose()
            silent = await Client(world).connect("bob", greet=False)
            silent.lose()
            bob.lose()
            world.clock.advance(1000)
            world.hub.live.doorway.sweep()
        assert is_empty(world)
        assert not world.hub.live.doorway._sockets
        assert not world.hub.live.doorway._work

    play(scenario)
