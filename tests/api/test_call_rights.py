"""Whose legs and conversations calls and their audio are: what others ask of them is refused."""

import asyncio

from tests.api.cast import (
    NOT_GRANTED,
    conversation,
    entrance,
    history,
    joined,
    pages,
    refusal,
    user,
)
from tests.api.conftest import SETTINGS, Play
from tests.api.test_calls import OFFER, QUIET, enabled, joined_member, knock, leg, types

from tertulia.model.commands import FULL, Answer, Close, Hearing, Join, Listen, StopListen
from tertulia.services.knocking import Knock
from tertulia.services.recognition import LISTENINGS_MAX
from tertulia.testing.world import World, with_limits

URL = "https://sounds.test/hello.mp3"
NO_ROOM = (429, "leg:error:max-open-legs")


async def by_leg(world: World, cid: str, name: str, leg_id: str) -> str:
    """A user joins by the leg of that id; its member."""
    body = entrance(name) | {"channel": {"type": "app", "id": leg_id}}
    made = await world.call("POST", f"/v0.3/conversations/{cid}/members", body, user=name)
    assert made.status == 201, made.json
    await world.settle()
    return str(made.json["id"])


def test_nobody_joins_by_the_leg_of_another(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "mallory")
        await conversation(world)
        await conversation(world)
        member = await joined(world, "CON-1", "alice")
        leg_id = await enabled(world, member["id"], "alice")
        before = await types(world)
        thief = await by_leg(world, "CON-2", "mallory", leg_id)
        assert [each.room for each in world.studio.told(Join)] == ["CON-1"]
        offered = {"from": thief, "body": {"offer": OFFER}}
        own = await world.call("POST", "/v0.3/conversations/CON-2/rtc", offered, user="mallory")
        assert own.status == 201 and own.json["id"] != leg_id
        await world.call("DELETE", f"/v0.3/conversations/CON-2/members/{thief}", user="mallory")
        await world.settle()
        assert leg_id not in [each.leg for each in world.studio.told(Close)]
        assert await types(world) == before

    play(scenario)


def test_nobody_ends_a_leg_that_waits_by_naming_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await user(world, "mallory")
        await conversation(world)
        leg_id = await leg(world, "alice")
        thief = await by_leg(world, "CON-1", "mallory", leg_id)
        offered = {"from": thief, "body": {"offer": OFFER}}
        await world.call("POST", "/v0.3/conversations/CON-1/rtc", offered, user="mallory")
        assert [each.leg for each in world.studio.told(Answer)].count(leg_id) == 1
        await world.call("DELETE", f"/v0.3/conversations/CON-1/members/{thief}", user="mallory")
        await world.settle()
        assert leg_id not in [each.leg for each in world.studio.told(Close)]
        assert (await knock(world, leg_id, "mallory")).status == 404

    play(scenario)


def test_a_user_mutes_no_leg_but_its_own(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        alice = (await joined(world, "CON-1", "alice"))["id"]
        bob = (await joined(world, "CON-1", "bob"))["id"]
        leg_id = await enabled(world, alice, "alice")
        path = "/v0.3/conversations/CON-1/events"
        wanted = {"type": "audio:mute:on", "to": alice, "body": {"rtc_id": leg_id}}
        foreign = await world.call("POST", path, wanted | {"from": bob}, user="bob")
        assert refusal(foreign) == (403, NOT_GRANTED)
        own = await world.call("POST", path, wanted | {"from": alice}, user="alice")
        assert own.status == 201
        server = await world.call("PUT", f"/v0.3/legs/{leg_id}", {"action": "unmute"})
        assert not server.json["media_state"]["mute"]
        await world.settle()
        assert [each.muted for each in world.studio.told(Hearing)][-2:] == [True, False]

    play(scenario)


def test_only_who_has_joined_controls_the_audio(play: Play) -> None:
    async def scenario(world: World) -> None:
        for name in ("alice", "bob"):
            await user(world, name)
        await conversation(world)
        host = await joined_member(world, "alice")
        leg_id = await enabled(world, host, "alice")
        invited = entrance("bob", "invited") | {"media": QUIET, "from": host}
        made = await world.call("POST", "/v0.3/conversations/CON-1/members", invited, user="alice")
        ringing = made.json["channel"]["id"]
        stream, talk = {"stream_url": [URL]}, {"text": "Hi"}
        for target, body in (
            ("/v1/conversations/CON-1/stream", stream), ("/v1/conversations/CON-1/talk", talk),
            ("/v1/conversations/CON-1/record", {}),
        ):  # fmt: skip
            assert refusal(await world.call("PUT", target, body, user="bob")) == (403, NOT_GRANTED)
            assert (await world.call("DELETE", target, user="bob")).status == 403
            assert (await world.call("PUT", target, body, user="alice")).status == 200
        for name, body in (("stream", stream), ("talk", talk), ("recording", {}), ("asr", {}),
                           ("dtmf", {"digits": "1"})):  # fmt: skip
            foreign = await world.call("POST", f"/v0.3/legs/{leg_id}/{name}", body, user="bob")
            assert foreign.status in {403, 404}
            early = await world.call("POST", f"/v0.3/legs/{ringing}/{name}", body, user="bob")
            assert refusal(early) == (403, NOT_GRANTED)
            own = await world.call("POST", f"/v0.3/legs/{leg_id}/{name}", body, user="alice")
            assert own.status in {200, 201}

    play(scenario)


def test_what_is_listened_for_again_was_listened_for_before(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        leg_id = await enabled(world, (await joined(world, "CON-1", "alice"))["id"], "alice")
        path = f"/v0.3/legs/{leg_id}/asr"
        for foreign in ("x", "..%2F..%2Fx"):
            again = await world.call("PATCH", f"{path}/{foreign}", {"active": True})
            assert again.status == 404
        begun = await world.call("POST", path, {"start_timeout": 7})
        asr_id = begun.json["id"]
        assert (await world.call("PATCH", f"{path}/{asr_id}", {"active": False})).status == 200
        await world.settle()
        assert (await world.call("PATCH", f"{path}/{asr_id}", {"active": True})).status == 200
        await world.settle()
        first, second = world.studio.told(Listen)
        assert (second.listen, second.start_ms) == (first.listen, 7000)
        assert second.path != first.path
        assert (await world.call("PUT", path, {})).status == 200
        assert [each.listen for each in world.studio.told(StopListen)] == [asr_id, asr_id]

    play(scenario)


def test_a_leg_is_listened_to_so_often_at_a_time(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        leg_id = await enabled(world, (await joined(world, "CON-1", "alice"))["id"], "alice")
        path = f"/v0.3/legs/{leg_id}/asr"
        found = [(await world.call("POST", path, {})).status for _ in range(LISTENINGS_MAX + 1)]
        assert found == [201] * LISTENINGS_MAX + [409]

    play(scenario)


def test_open_legs_are_counted(play: Play) -> None:
    async def scenario(world: World) -> None:
        for name in ("alice", "bob", "carol"):
            await user(world, name)
        await conversation(world)
        host = await joined_member(world, "carol")
        legs = [await leg(world, "alice") for _ in range(2)]
        body = {"body": {"offer": OFFER}}
        assert refusal(await world.call("POST", "/v0.3/legs", body, user="alice")) == NO_ROOM
        invited = entrance("alice", "invited") | {"media": QUIET, "from": host}
        path = "/v0.3/conversations/CON-1/members"
        assert refusal(await world.call("POST", path, invited, user="carol")) == NO_ROOM
        assert (await world.call("DELETE", f"/v0.3/legs/{legs[0]}", user="alice")).status == 204
        await leg(world, "alice")
        await leg(world, "bob")
        full = await world.call("POST", "/v0.3/legs", body, user="bob")
        assert refusal(full) == NO_ROOM and "application" in full.json["detail"]
        assert "member:invited" not in [each["type"] for each in await history(world, "CON-1")]

    play(scenario, with_limits(SETTINGS, legs=3, legs_per_user=2))


def test_a_worker_that_is_full_is_nobodys_mistake(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        world.studio.refusal = FULL
        opened = await world.call("POST", "/v0.3/legs", {"body": {"offer": OFFER}}, user="alice")
        assert opened.status == 503
        assert not list(world.hub.services.legs)
        await leg(world, "alice")

    play(scenario)


def test_a_knock_is_not_larger_than_an_event(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        leg_id = await leg(world, "alice")
        body = {
            "channel": {"type": "app", "id": leg_id},
            "properties": {"custom_data": {"a": "x" * 70_000}},
        }
        assert (await world.call("POST", "/v0.3/knocking", body, user="alice")).status == 400
        assert (await knock(world, leg_id)).status == 201

    play(scenario)


def test_nobody_sees_what_another_was_answered(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        for name in ("alice", "bob"):
            await enabled(world, (await joined(world, "CON-1", name))["id"], name)
        whole = [each["type"] for each in await history(world, "CON-1")]
        assert whole.count("rtc:answer") == 2
        for size, order in ((1, "asc"), (2, "desc"), (100, "asc")):
            target = f"/v0.3/conversations/CON-1/events?page_size={size}&order={order}"
            found = [
                event["type"]
                for page in await pages(world, target, "events", user="bob")
                for event in page
            ]
            assert found.count("rtc:answer") == 1 and len(found) == len(whole) - 1
        gap = await world.call(
            "GET", f"/v0.2/conversations/CON-1/events?start_id=1&end_id={len(whole)}", user="bob"
        )
        listed = gap.json["_embedded"]["data"]["events"]
        assert [each["type"] for each in listed].count("rtc:answer") == 1
        foreign = whole.index("rtc:answer") + 1
        one = await world.call("GET", f"/v0.3/conversations/CON-1/events/{foreign}", user="bob")
        assert one.status == 404

    play(scenario)


def test_a_client_is_told_that_its_call_was_given_up(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        never = asyncio.Event()

        async def wait(_: Knock) -> None:
            await never.wait()

        world.hub.services.knocking.decide = wait
        made = await knock(world, await leg(world))
        gone = await world.call("DELETE", f"/v0.2/knocking/{made.json['id']}", user="alice")
        assert (gone.status, gone.json) == (200, {"type": "knocking:delete:success"})
        never.set()
        await world.settle()
        assert not list(world.hub.services.legs)

    play(scenario)
