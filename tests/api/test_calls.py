"""Calls over REST: legs, knocking, invitations that ring, and what is told of them."""

from typing import Any

from tests.api.cast import conversation, entrance, history, user
from tests.api.conftest import Play

from tertulia.model.commands import Close, Hearing, Join
from tertulia.testing.world import Answer, World

OFFER = {"type": "offer", "sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"}
QUIET = {"audio_settings": {"enabled": True, "earmuffed": False, "muted": False}}


async def types(world: World, cid: str = "CON-1") -> list[str]:
    return [event["type"] for event in await history(world, cid)]


async def leg(world: World, name: str = "alice") -> str:
    opened = await world.call("POST", "/v0.3/legs", {"body": {"offer": OFFER}}, user=name)
    assert opened.status == 200, opened.json
    assert opened.json["sdp"].startswith("v=0")
    return str(opened.json["rtc_id"])


async def knock(world: World, leg_id: str, name: str = "alice") -> Answer:
    body = {
        "channel": {
            "type": "app", "id": leg_id, "to": {"type": "phone", "number": "447700900000"},
            "from": {"type": "app", "user": name},
        },
        "properties": {"custom_data": {"a": 1}},
    }  # fmt: skip
    return await world.call("POST", "/v0.3/knocking", body, user=name)


async def joined_member(world: World, name: str) -> str:
    made = await world.call(
        "POST", "/v0.3/conversations/CON-1/members",
        {"state": "joined", "user": {"name": name}, "channel": {"type": "app"}}, user=name,
    )  # fmt: skip
    return str(made.json["id"])


async def enabled(world: World, mid: str, name: str) -> str:
    """Audio for a member: its leg, whose media path is up."""
    answer = await world.call(
        "POST", "/v0.3/conversations/CON-1/rtc", {"from": mid, "body": {"offer": OFFER}}, user=name
    )
    assert answer.status == 201, answer.json
    leg_id = str(answer.json["id"])
    await world.settle()
    world.studio.up(leg_id)
    await world.settle()
    return leg_id


async def called(world: World) -> tuple[str, Answer]:
    """Alice, in CON-1, calls bob: her member, and the answer to her invitation."""
    for name in ("alice", "bob"):
        await user(world, name)
    await conversation(world)
    host = await joined_member(world, "alice")
    guest = {
        "state": "invited", "user": {"name": "bob"}, "channel": {"type": "app"}, "media": QUIET,
        "from": host,
    }  # fmt: skip
    return host, await world.call("POST", "/v0.3/conversations/CON-1/members", guest, user="alice")


def test_a_knock_that_nobody_answers(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        leg_id = await leg(world)
        world.studio.up(leg_id)
        answer = await knock(world, leg_id)
        assert answer.status == 201
        await world.settle()
        shown = await world.call("GET", f"/v0.3/legs/{leg_id}", user="alice")
        assert shown.json["status"] == "rejected"
        told = [event.type for event in await world.store.follow(0)]  # type: ignore[arg-type]
        assert told == [
            "leg:status:update", "app:knocking", "app:knocking:cancel", "leg:status:update"
        ]  # fmt: skip
        again = await world.call("DELETE", f"/v0.3/knocking/{answer.json['id']}", user="alice")
        assert again.status == 404

    play(scenario)


def test_audio_of_a_member(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await conversation(world)
        mid = await joined_member(world, "alice")
        leg_id = await enabled(world, mid, "alice")
        assert await types(world) == [
            "member:joined", "rtc:answer", "leg:status:update", "rtc:answered", "member:media"
        ]  # fmt: skip
        (join,) = world.studio.told(Join)
        assert (join.leg, join.room) == (leg_id, "CON-1")
        mute = {"type": "audio:mute:on", "from": mid, "to": mid, "body": {"rtc_id": leg_id}}
        made = await world.call("POST", "/v0.3/conversations/CON-1/events", mute, user="alice")
        assert made.status == 201
        await world.settle()
        assert world.studio.told(Hearing)[-1].muted
        assert (await history(world, "CON-1"))[-1]["body"]["media"]["audio_settings"]["muted"]
        gone = await world.call(
            "DELETE", f"/v0.3/conversations/CON-1/rtc/{leg_id}?from={mid}", user="alice"
        )
        assert gone.status == 204
        await world.settle()
        assert (await types(world))[7:] == [
            "rtc:terminate", "leg:status:update", "rtc:hangup", "rtc:status", "member:media"
        ]  # fmt: skip
        assert [each.leg for each in world.studio.told(Close)] == [leg_id]
        shown = await world.call("GET", f"/v0.3/legs/{leg_id}")
        assert shown.json["status"] == "completed"
        me = await world.call("GET", f"/v0.3/conversations/CON-1/members/{mid}")
        assert me.json["state"] == "JOINED" and "id" not in me.json["channel"]

    play(scenario)


def test_an_invitation_with_audio_rings_and_is_answered(play: Play) -> None:
    async def scenario(world: World) -> None:
        _, invited = await called(world)
        mid, leg_id = invited.json["id"], invited.json["channel"]["id"]
        body = (await history(world, "CON-1"))[1]["body"]
        assert body["sdp"].startswith("v=0") and body["invited_by"] == "alice"
        assert body["channel"]["from"] == {"type": "app", "user": "alice"}
        answer: Any = {"state": "joined", "channel": {"type": "app"}, "from": mid}
        path = f"/v0.3/conversations/CON-1/members/{mid}"
        assert (await world.call("PUT", path, answer, user="bob")).status == 200
        await world.settle()
        accepted = await world.call(
            "POST", f"/v0.3/conversations/CON-1/rtc/{leg_id}/answer",
            {"from": mid, "body": {"answer": OFFER["sdp"]}}, user="bob",
        )  # fmt: skip
        assert accepted.status == 201, accepted.json
        world.studio.up(leg_id)
        await world.settle()
        left = await world.call("DELETE", path, user="bob")
        assert left.status == 204
        await world.settle()
        assert await types(world) == [
            "member:joined", "member:invited", "leg:status:update", "rtc:ringing", "rtc:offer",
            "member:joined", "leg:status:update", "rtc:answered", "member:media",
            "leg:status:update", "rtc:hangup", "rtc:status", "member:left",
        ]  # fmt: skip

    play(scenario)


def test_one_who_answers_with_an_offer_of_its_own_is_answered_once(play: Play) -> None:
    """As the older clients do, which take no offer from the server."""

    async def scenario(world: World) -> None:
        _, invited = await called(world)
        mid, call = invited.json["id"], invited.json["channel"]["id"]
        await world.call(
            "POST", "/v0.3/conversations/CON-1/members",
            {"state": "joined", "user": {"name": "bob"}, "channel": {"type": "app"}}, user="bob",
        )  # fmt: skip
        await world.settle()
        assert await enabled(world, mid, "bob") == call
        told = await types(world)
        assert told.count("rtc:answered") == 1
        shown = await world.call("GET", f"/v0.3/legs/{call}")
        assert shown.json["media_state"] == {
            "mute": False, "earmuff": False, "play_stream": False, "tts": False,
            "recording": False, "transcribing": False,
        }  # fmt: skip

    play(scenario)


def test_a_caller_that_gives_up_stops_the_ringing(play: Play) -> None:
    async def scenario(world: World) -> None:
        host, _ = await called(world)
        await world.call("DELETE", f"/v0.3/conversations/CON-1/members/{host}", user="alice")
        await world.settle()
        found = await history(world, "CON-1")
        assert [event["type"] for event in found][5:] == [
            "member:left", "leg:status:update", "rtc:hangup", "rtc:status", "member:left"
        ]  # fmt: skip
        assert found[7]["body"]["reason"]["code"] == "REMOTE_CANCEL"

    play(scenario)


def test_a_leg_moves_to_another_conversation(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await conversation(world)
        await conversation(world)
        mid = await joined_member(world, "alice")
        leg_id = await enabled(world, mid, "alice")
        moved = await world.call(
            "POST", "/v0.3/conversations/CON-2/members",
            entrance("alice") | {"channel": {"type": "app", "id": leg_id}},
        )  # fmt: skip
        assert moved.status == 201
        await world.settle()
        assert await types(world, "CON-2") == [
            "member:joined", "leg:status:update", "rtc:transfer", "member:media"
        ]  # fmt: skip
        assert (await types(world))[-1] == "member:left"
        assert [each.room for each in world.studio.told(Join)] == ["CON-1", "CON-2"]

    play(scenario)


def test_the_death_of_a_worker_ends_its_legs(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await conversation(world)
        mid = await joined_member(world, "alice")
        await enabled(world, mid, "alice")
        world.studio.die()
        await world.settle()
        found = await history(world, "CON-1")
        assert [event["type"] for event in found][5:] == [
            "leg:status:update", "rtc:hangup", "rtc:status", "member:media"
        ]  # fmt: skip
        assert found[5]["body"]["state"]["reason"] == "server_internal_error"

    play(scenario)
