"""Who is told what, once and in order: members, the invited, and nobody else."""

import asyncio
from collections.abc import Mapping

import pytest
from tests.api.cast import conversation, entrance, joined, say, text
from tests.live.conftest import Play
from tests.live.visitor import BASE, TYPED, Client, names, settle

from tertulia.live import delivery
from tertulia.testing.world import World


async def arrived(world: World, *users: str, query: Mapping[str, str] = BASE) -> list[Client]:
    """Connected clients that have read their greeting."""
    clients = []
    for user in users:
        client = await Client(world).connect(user, query=query)
        assert names(client.hear()) == ["session:success"]
        clients.append(client)
    return clients


async def room(world: World, *members: str) -> tuple[str, list[str]]:
    """A conversation, and the ids of its members."""
    cid: str = (await conversation(world))["id"]
    ids = [(await joined(world, cid, name))["id"] for name in members]
    await settle()
    return cid, ids


def test_members_are_told_with_their_position_as_number(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        clients = await arrived(world, "alice", "bob")
        await say(world, cid, alice, "hello")
        await settle()
        for client in clients:
            (told,) = client.hear()
            assert told.name == "message"
            assert told.ack == await world.store.head()
            assert "type" not in told.payload
            assert told.payload == {
                "id": 3, "cid": cid, "conversation_id": cid, "from": alice,
                "application_id": world.application.id, "timestamp": told.payload["timestamp"],
                "body": {"message_type": "text", "text": "hello"},
                "_embedded": told.payload["_embedded"],
            }  # fmt: skip
            assert told.payload["_embedded"]["from_member"] == {"id": alice}

    play(scenario)


def test_nobody_else_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, bob) = await room(world, "alice", "bob")
        _, (_,) = await room(world, "carol")
        clients = await arrived(world, "alice", "bob", "carol")
        await say(world, cid, alice, "one")
        left = {"state": "left"}
        await world.call("PATCH", f"/v1/conversations/{cid}/members/{bob}", left)
        await say(world, cid, alice, "two")
        await settle()
        assert [names(client.hear()) for client in clients] == [
            ["message", "member:left", "message"], ["message", "member:left"], [],
        ]  # fmt: skip

    play(scenario)


def test_the_invited_hear_of_their_invitation_and_of_nothing_before_they_join(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice,) = await room(world, "alice")
        first, bob = await arrived(world, "alice", "bob")
        path = f"/v0.3/conversations/{cid}/members"
        invited = (await world.call("POST", path, entrance("bob", "invited"))).json["id"]
        await say(world, cid, alice, "before")
        await settle()
        (told,) = bob.hear()
        assert (told.name, told.payload["from"]) == ("member:invited", invited)
        assert names(first.hear()) == ["member:invited", "message"]
        answer = {"state": "joined", "from": invited, "channel": {"type": "app"}}
        await world.call("PUT", f"{path}/{invited}", answer, user="bob")
        await say(world, cid, alice, "after")
        await settle()
        assert names(bob.hear()) == ["member:joined", "message"]
        assert names(first.hear()) == ["member:joined", "message"]

    play(scenario)


def test_who_declines_hears_of_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, _ = await room(world, "alice")
        (bob,) = await arrived(world, "bob")
        path = f"/v0.3/conversations/{cid}/members"
        invited = (await world.call("POST", path, entrance("bob", "invited"))).json["id"]
        await world.call("DELETE", f"{path}/{invited}", user="bob")
        await settle()
        assert names(bob.hear()) == ["member:invited", "member:left"]

    play(scenario)


def test_who_is_called_hears_of_the_end_of_the_call(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COMPAT: the client SDK rings on until it was told both (wire-clients 5.4)."""
    monkeypatch.setattr(delivery, "ANSWER_SECONDS", 0.0)

    async def scenario(world: World) -> None:
        cid, _ = await room(world, "alice")
        (bob,) = await arrived(world, "bob", query=BASE | TYPED)
        path = f"/v0.3/conversations/{cid}/members"
        call = entrance("bob", "invited") | {"media": {"audio_settings": {"enabled": True}}}
        for ender in (None, "bob"):  # cancelled, rejected
            invited = (await world.call("POST", path, call)).json["id"]
            await world.call("DELETE", f"{path}/{invited}", user=ender)
            await settle()
            assert names(bob.hear()) == ["member:invited", "rtc:hangup", "member:left"]

    play(scenario)


def test_what_a_rejected_call_causes_waits_for_the_answer(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        cid, _ = await room(world, "alice")
        alice, bob = await arrived(world, "alice", "bob")
        path = f"/v0.3/conversations/{cid}/members"
        call = entrance("bob", "invited") | {"media": {"audio_settings": {"enabled": True}}}
        loop = asyncio.get_running_loop()
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now)
        invited = (await world.call("POST", path, call)).json["id"]
        await world.call("DELETE", f"{path}/{invited}", user="bob")
        await settle()
        assert names(alice.hear())[-2:] == ["rtc:hangup", "member:left"]
        assert names(bob.hear()) == ["member:invited"]
        now += delivery.ANSWER_SECONDS
        await settle()
        assert names(bob.hear()) == ["rtc:hangup", "member:left"]

    play(scenario)


def test_a_user_who_is_in_by_two_members_is_told_once_until_both_left(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        phone = {"type": "phone", "to": {"type": "phone", "number": "15550100"}}
        path = f"/v1/conversations/{cid}/members"
        second = (await world.call("POST", path, entrance("bob", channel=phone))).json["id"]
        await settle()
        (bob,) = await arrived(world, "bob")
        await say(world, cid, alice, "one")
        await world.call("PATCH", f"{path}/{second}", {"state": "left"})
        await say(world, cid, alice, "two")
        await settle()
        assert names(bob.hear()) == ["message", "member:left", "message"]

    play(scenario)


def test_every_session_of_a_user_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice,) = await room(world, "alice")
        clients = await arrived(world, "alice", "alice", "alice")
        clients[1].lose()
        await say(world, cid, alice, "hello")
        await settle()
        assert [names(client.told()) for client in clients] == [["message"], [], ["message"]]

    play(scenario)


def test_what_is_not_kept_is_told_to_who_is_there_without_a_number(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (bob,) = await arrived(world, "bob")
        path = f"/v0.3/conversations/{cid}/events"
        for kind, body in (("text:typing:on", {"activity": 1}), ("ephemeral", {"x": 1})):
            draft = {"type": kind, "from": alice, "body": body}
            assert (await world.call("POST", path, draft, user="alice")).status == 201
        await settle()
        heard = bob.hear()
        assert [(each.name, each.ack) for each in heard] == [
            ("text:typing:on", None), ("ephemeral", None),
        ]  # fmt: skip
        assert "id" not in heard[0].payload

    play(scenario)


def test_what_is_not_kept_keeps_its_place_among_what_is(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (bob,) = await arrived(world, "bob")
        path = f"/v0.3/conversations/{cid}/events"
        loop = asyncio.get_running_loop()
        now = loop.time() + 1
        monkeypatch.setattr(loop, "time", lambda: now)
        monkeypatch.setattr(delivery, "REST_MIN", 0.05)
        await say(world, cid, alice, "first")
        await settle()
        for kind, body in (
            ("text:typing:on", {}), ("text", {"text": "one"}), ("text:typing:off", {}),
            ("text:typing:on", {}), ("text", {"text": "two"}), ("text:typing:off", {}),
        ):  # fmt: skip
            draft = {"type": kind, "from": alice, "body": body}
            assert (await world.call("POST", path, draft, user="alice")).status == 201
        now += 0.06
        await settle()
        assert names(bob.hear()) == [
            "message", "text:typing:on", "text", "text:typing:off", "text:typing:on", "text",
            "text:typing:off",
        ]  # fmt: skip

    play(scenario)


def test_a_typed_client_gets_only_what_it_can_parse(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (typed,) = await arrived(world, "bob", query=TYPED)
        (other,) = await arrived(world, "bob")
        path = f"/v0.3/conversations/{cid}/events"
        for kind, body in (
            ("text", {"text": "old"}), ("message", {"message_type": "text", "text": "new"}),
            ("custom:thing", {"a": 1}), ("text:typing:on", {}), ("text", {"text": "old"}),
        ):  # fmt: skip
            draft = {"type": kind, "from": alice, "body": body}
            assert (await world.call("POST", path, draft, user="alice")).status == 201
        await settle()
        assert names(typed.hear()) == ["message", "custom:thing"]
        assert sorted(names(other.hear())) == sorted(
            ["text", "message", "custom:thing", "text", "text:typing:on"]
        )

    play(scenario)


def test_who_does_not_acknowledge_gets_no_numbers(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        quiet = await Client(world).connect("bob", query={"acknowledge_events": "false"})
        assert [each.ack for each in quiet.told()] == [None]
        await say(world, cid, alice, "hello")
        await settle()
        assert [(each.name, each.ack) for each in quiet.told()] == [("message", None)]

    play(scenario)


def test_what_comes_while_delivery_rests_is_one_write(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "REST_MIN", 0.05)
    monkeypatch.setattr(delivery, "REST_MAX", 0.05)

    async def scenario(world: World) -> None:
        cid, (alice, _) = await room(world, "alice", "bob")
        (bob,) = await arrived(world, "bob")
        loop = asyncio.get_running_loop()
        now = loop.time() + 1
        monkeypatch.setattr(loop, "time", lambda: now)
        await say(world, cid, alice, "first")
        await settle()
        assert [each.payload["body"]["text"] for each in bob.told()] == ["first"]
        for number in range(5):
            await say(world, cid, alice, f"{number}")
        await settle()
        assert bob.wire.written == []
        now += 0.06
        await settle()
        assert len(bob.wire.written) == 1
        assert [each.payload["body"]["text"] for each in bob.told()] == ["0", "1", "2", "3", "4"]

    play(scenario)


def test_a_deletion_of_the_user_ends_its_sessions(play: Play) -> None:
    async def scenario(world: World) -> None:
        cid, _ = await room(world, "alice", "bob")
        alice, bob = await arrived(world, "alice", "bob")
        assert (await world.call("DELETE", "/v1/users/bob")).status == 204
        await settle()
        assert names(alice.told()) == ["member:left"]
        assert names(bob.told()) == ["session:terminated"]
        assert not bob.wire.is_open
        assert cid

    play(scenario)


@pytest.mark.parametrize("query", [{}, TYPED])
def test_a_join_from_a_live_session_is_heard_by_itself(play: Play, query: dict[str, str]) -> None:
    async def scenario(world: World) -> None:
        (alice,) = await arrived(world, "alice", query=query)
        cid = (await world.call("POST", "/v0.3/conversations", {}, user="alice")).json["id"]
        entry = entrance("alice")
        await world.call("POST", f"/v0.3/conversations/{cid}/members", entry, user="alice")
        member = await world.call("GET", f"/v0.3/conversations/{cid}/members/me", user="alice")
        draft = text("hello", member.json["id"])
        await world.call("POST", f"/v0.3/conversations/{cid}/events", draft, user="alice")
        await settle()
        assert names(alice.hear()) == ["member:joined", "message"]

    play(scenario)
