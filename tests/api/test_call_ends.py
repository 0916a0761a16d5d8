"""Calls whose parts end at an awkward time: what is told stays true, and no leg is left behind."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from tests.api.cast import conversation, entrance, history, joined, user
from tests.api.conftest import Play
from tests.api.test_calls import OFFER, QUIET, enabled, joined_member, knock, leg, types

from tertulia.model.calling import Ending
from tertulia.model.commands import Close, Hearing, Join
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ConversationId, MemberId, Position
from tertulia.ports import Append
from tertulia.services.knocking import Knock
from tertulia.services.legs import LiveLeg
from tertulia.store.memory import MemoryStore
from tertulia.testing.world import World

RTC = "/v0.3/conversations/CON-1/rtc"
MEMBERS = "/v0.3/conversations/CON-1/members"


def live(world: World, leg_id: str) -> LiveLeg:
    found = world.hub.services.legs.live(leg_id)
    assert found is not None
    return found


async def with_audio(world: World) -> tuple[str, str]:
    """Alice in CON-1 with audio: her member and her leg."""
    await conversation(world)
    member = await joined(world, "CON-1", "alice")
    return member["id"], await enabled(world, member["id"], "alice")


async def rings(world: World, **channel: Any) -> tuple[str, str]:
    """Alice calls bob: his member and the leg that rings."""
    for name in ("alice", "bob"):
        await user(world, name)
    await conversation(world)
    host = await joined_member(world, "alice")
    draft = entrance("bob", "invited") | {"media": QUIET, "from": host}
    draft["channel"] |= channel
    made = await world.call("POST", MEMBERS, draft, user="alice")
    assert made.status == 201, made.json
    await world.settle()
    return made.json["id"], made.json["channel"]["id"]


def test_a_path_that_comes_back_has_all_its_time_again(play: Play) -> None:
    async def scenario(world: World) -> None:
        mid, leg_id = await with_audio(world)
        assert live(world, leg_id).waiting is None
        world.studio.down(leg_id)
        await world.settle()
        first = live(world, leg_id).waiting
        assert first is not None
        world.studio.up(leg_id)
        await world.settle()
        assert live(world, leg_id).waiting is None
        world.studio.down(leg_id)
        await world.settle()
        second = live(world, leg_id).waiting
        offer = {"from": mid, "body": {"offer": OFFER}}
        assert (
            await world.call("POST", f"{RTC}/{leg_id}/offer", offer, user="alice")
        ).status == 201
        assert live(world, leg_id).waiting not in (None, first, second)

    play(scenario)


def test_an_offer_that_is_refused_leaves_the_path_as_it_was(play: Play) -> None:
    async def scenario(world: World) -> None:
        mid, leg_id = await with_audio(world)
        offer = {"from": mid, "body": {"offer": {"sdp": "v=0"}}}
        assert (
            await world.call("POST", f"{RTC}/{leg_id}/offer", offer, user="alice")
        ).status == 400
        assert live(world, leg_id).is_up and live(world, leg_id).waiting is None

    play(scenario)


def test_settings_come_with_the_member_and_stay_with_the_leg(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        for _ in range(2):
            await conversation(world)
        muted = {"audio_settings": {"enabled": True, "muted": True, "earmuffed": False}}
        draft = entrance("alice") | {"media": muted}
        draft["channel"]["can_hear"] = ["leg-x"]
        member = (await world.call("POST", MEMBERS, draft, user="alice")).json["id"]
        leg_id = await enabled(world, member, "alice")
        (hearing,) = world.studio.told(Hearing)
        assert (hearing.leg, hearing.muted, hearing.can_hear) == (leg_id, True, ["leg-x"])
        kinds = [type(each) for _, each in world.studio.commands]
        assert kinds.index(Hearing) < kinds.index(Join)
        media = (await history(world, "CON-1"))[-1]
        assert media["type"] == "member:media" and media["body"]["media"]["audio_settings"]["muted"]
        moved = entrance("alice") | {"channel": {"type": "app", "id": leg_id}}
        await world.call("POST", "/v0.3/conversations/CON-2/members", moved)
        await world.settle()
        assert world.studio.told(Hearing)[-1].muted
        listed = await world.call("GET", "/v0.3/conversations/CON-2/legs")
        assert listed.json["_embedded"]["legs"][0]["media_state"]["mute"]
        settings = (await history(world, "CON-2"))[-1]["body"]["media"]["audio_settings"]
        assert settings == {"enabled": True, "earmuffed": False, "muted": True}

    play(scenario)


def test_a_leg_that_is_muted_while_it_is_changed_stays_muted(play: Play) -> None:
    async def scenario(world: World) -> None:
        _, leg_id = await with_audio(world)
        await conversation(world)
        calls, moving = world.hub.services.calls, live(world, leg_id)
        moved = entrance("alice") | {"channel": {"type": "app", "id": leg_id}}
        await world.call("POST", "/v0.3/conversations/CON-2/members", moved)
        for _ in range(3):  # until the transfer is under way
            await asyncio.sleep(0)
        await calls.hear(moving, muted=True)
        await world.settle()
        assert moving.leg.conversation_id == "CON-2" and moving.leg.muted
        assert world.studio.told(Hearing)[-1].muted

    play(scenario)


def test_the_answer_follows_what_the_request_is_answered(play: Play) -> None:
    """In one commit with what comes of it, so that delivery tells it behind the response."""

    async def scenario(world: World) -> None:
        store = world.store
        assert isinstance(store, Faulty)
        await conversation(world)
        member = await joined(world, "CON-1", "alice")
        store.appended.clear()
        offer = {"from": member["id"], "body": {"offer": OFFER}}
        await world.call("POST", RTC, offer, user="alice")
        (told,) = [names for names in store.appended if "rtc:answer" in names]
        assert told == ["rtc:answer", "leg:status:update", "rtc:answered"]

    play(scenario, store=Faulty())


def test_whoever_leaves_while_audio_is_made_stays_gone(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        member = (await joined(world, "CON-1", "alice"))["id"]
        offer = {"from": member, "body": {"offer": OFFER}}
        asking = asyncio.create_task(world.call("POST", RTC, offer, user="alice"))
        while not list(world.hub.services.legs):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await world.call("DELETE", f"{MEMBERS}/{member}", user="alice")
        assert (await asking).status == 400
        await world.settle()
        shown = await world.call("GET", f"{MEMBERS}/{member}")
        assert shown.json["state"] == "LEFT"
        assert "rtc:answer" not in await types(world)
        assert not list(world.hub.services.legs) and len(world.studio.told(Close)) == 1

    play(scenario)


def test_a_leg_whose_conversation_goes_ends(play: Play) -> None:
    async def scenario(world: World) -> None:
        _, leg_id = await with_audio(world)
        await conversation(world)
        moved = entrance("alice") | {"channel": {"type": "app", "id": leg_id}}
        await world.call("POST", "/v0.3/conversations/CON-2/members", moved)
        await world.call("DELETE", "/v1/conversations/CON-2")
        await world.settle()
        assert not list(world.hub.services.legs)
        shown = await world.call("GET", f"/v0.3/legs/{leg_id}")
        assert shown.json["status"] == "completed"

    play(scenario)


def test_what_has_ended_does_not_begin_again(play: Play) -> None:
    async def scenario(world: World) -> None:
        mid, leg_id = await rings(world)
        ringing = live(world, leg_id)
        where = await world.hub.services.conversations.newest(ConversationId("CON-1"))
        assert where is not None
        member = where.members[MemberId(mid)]
        await asyncio.gather(
            world.call("DELETE", f"/v0.3/legs/{leg_id}"),
            world.call("DELETE", f"/v0.3/legs/{leg_id}"),
            world.call("DELETE", f"{MEMBERS}/{mid}", user="bob"),
        )
        await world.hub.services.calls.attach(ringing, member)
        await world.settle()
        told = await types(world)
        assert told.count("rtc:hangup") == told.count("member:left") == 1
        assert "rtc:answered" not in told
        assert (await world.call("GET", f"/v0.3/legs/{leg_id}")).json["status"] == "cancelled"

    play(scenario)


def test_the_answer_of_a_second_device_comes_too_late(play: Play) -> None:
    async def scenario(world: World) -> None:
        mid, _ = await rings(world)
        answer = {"state": "joined", "channel": {"type": "app"}, "from": mid}
        found = await asyncio.gather(
            *(world.call("PUT", f"{MEMBERS}/{mid}", answer, user="bob") for _ in range(2))
        )
        assert sorted(each.status for each in found) == [200, 400]
        await world.settle()
        assert (await types(world)).count("rtc:answered") == 1

    play(scenario)


def test_whoever_answers_without_a_path_is_not_waited_for_for_ever(play: Play) -> None:
    async def scenario(world: World) -> None:
        mid, leg_id = await rings(world)
        answer = {"state": "joined", "channel": {"type": "app"}, "from": mid}
        await world.call("PUT", f"{MEMBERS}/{mid}", answer, user="bob")
        await world.settle()
        assert live(world, leg_id).waiting is not None

    play(scenario)


def test_a_user_who_is_deleted_rings_no_more(play: Play) -> None:
    async def scenario(world: World) -> None:
        _, leg_id = await rings(world, ring_timeout=-5)
        assert (await world.call("DELETE", "/v1/users/bob")).status == 204
        await world.settle()
        assert not [each for each in world.hub.services.legs if each.leg.id == leg_id]
        assert (await types(world)).count("rtc:hangup") == 1

    play(scenario)


def test_a_call_that_ends_while_it_is_let_in_leaves_nobody_there(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await conversation(world)
        knocking, calls = world.hub.services.knocking, world.hub.services.calls

        async def admit_the_dead(knock: Knock) -> None:
            await asyncio.gather(
                knocking.admit(knock, ConversationId("CON-1")),
                calls.end(knock.live, Ending.HUNG_UP),
            )

        knocking.decide = admit_the_dead
        leg_id = await leg(world)
        await knock(world, leg_id)
        await world.settle()
        assert not list(world.hub.services.legs)
        assert await types(world) == ["member:joined", "member:left"]

    play(scenario)


def test_a_room_that_cannot_be_entered_refuses_the_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        knocking = world.hub.services.knocking

        async def nowhere(knock: Knock) -> None:
            await knocking.admit(knock, ConversationId("CON-404"))

        knocking.decide = nowhere
        leg_id = await leg(world)
        await knock(world, leg_id)
        await world.settle()
        told = [event.type for event in await world.store.follow(0)]  # type: ignore[arg-type]
        assert told[-2:] == ["app:knocking:cancel", "leg:status:update"]
        assert not list(world.hub.services.legs)

    play(scenario)


def test_what_the_store_did_not_take_is_told_later(play: Play) -> None:
    async def scenario(world: World) -> None:
        store = world.store
        assert isinstance(store, Faulty)
        mid, leg_id = await with_audio(world)
        store.is_full = True
        left = await world.call("DELETE", f"{MEMBERS}/{mid}", user="alice")
        assert left.status == 503
        store.is_full = False
        await world.hub.services.errands.settle()
        assert "rtc:hangup" in await types(world)
        assert (await world.call("GET", f"/v0.3/legs/{leg_id}")).json["status"] == "completed"
        assert (await world.call("DELETE", f"{MEMBERS}/{mid}", user="alice")).status == 204

    play(scenario, store=Faulty())


def test_a_leg_that_cannot_be_told_of_is_closed(play: Play) -> None:
    async def scenario(world: World) -> None:
        store = world.store
        assert isinstance(store, Faulty)
        await user(world, "alice")
        store.is_full = True
        opened = await world.call("POST", "/v0.3/legs", {"body": {"offer": OFFER}}, user="alice")
        assert opened.status == 503
        assert len(world.studio.told(Close)) == 1 and not list(world.hub.services.legs)
        store.is_full = False

    play(scenario, store=Faulty())


def test_the_death_of_a_worker_during_a_knock_is_told_at_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        never = asyncio.Event()

        async def wait(knock: Knock) -> None:
            await never.wait()

        world.hub.services.knocking.decide = wait
        leg_id = await leg(world)
        await knock(world, leg_id)
        world.studio.die()
        for _ in range(3):
            await world.studio.settle()
        assert not list(world.hub.services.legs)
        never.set()
        await world.settle()
        told = [event.type for event in await world.store.follow(0)]  # type: ignore[arg-type]
        assert told.count("app:knocking:cancel") == 1

    play(scenario)


class Faulty(MemoryStore):
    """Notes what is appended, and takes nothing while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.appended: list[list[str]] = []

    def append(self, append: Append) -> Awaitable[Position]:
        if self.is_full:
            return self._refuse()
        self.appended.append([event.type for event in append.events])
        return super().append(append)

    async def _refuse(self) -> Position:
        raise Unavailable("the disk is full")
