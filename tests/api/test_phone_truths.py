"""What is told of phone calls is so: who ended them and how, and that nobody passes for another."""

import pytest
from msgspec.structs import replace
from tests.api.conftest import Play
from tests.api.test_call_control import SECOND, answered, change, dialled, over
from tests.api.test_phones import (
    CALLEE,
    EVENT,
    answering,
    connect,
    incoming,
    statuses,
    types,
    verbs,
)

from tertulia.model.actor import Actor
from tertulia.model.commands import Detect, Hearing, Join, Offer, StopPlay
from tertulia.model.commands import Play as PlaySound
from tertulia.model.conversation import ConversationDraft
from tertulia.model.ids import ApplicationId
from tertulia.model.state import Endpoint
from tertulia.testing.exchange import OFFER
from tertulia.testing.world import NUMBER, World

WAIT = [{"action": "wait", "timeout": 60}]


@pytest.mark.parametrize("by", ["user", "platform"])
@pytest.mark.parametrize("is_answered", [False, True], ids=["ringing", "answered"])
def test_an_outbound_call_says_who_has_ended_it(play: Play, by: str, is_answered: bool) -> None:
    expected = {
        ("user", False): ("rejected", 603), ("platform", False): ("cancelled", 487),
        ("user", True): ("completed", 200), ("platform", True): ("completed", 200),
    }  # fmt: skip

    async def scenario(world: World) -> None:
        leg = await dialled(world, ncco=WAIT)
        world.exchange.rings(leg)
        if is_answered:
            await answered(world, leg)
        await world.settle()
        if by == "platform":
            await change(world, leg, action="hangup")
        elif is_answered:
            world.exchange.hangs_up(leg)
        else:
            world.exchange.declines(leg, 603)
        await world.settle()
        last = world.answers.told(EVENT)[-1]
        assert (last["status"], last["sip_code"]) == expected[by, is_answered]
        assert last["disconnected_by"] == by
        assert (last.get("detail") is None) is is_answered

    play(scenario)


def test_a_caller_who_is_refused_hears_the_code_that_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        await answering(world, WAIT)
        caller = incoming(world)
        await world.settle()
        await change(world, caller, action="hangup")
        (refused,) = world.exchange.of(caller, "refuse")
        assert refused.code == world.answers.told(EVENT)[-1]["sip_code"] == 480

    play(scenario)


def test_who_gives_up_while_the_worker_makes_an_offer_is_not_called_for(play: Play) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect()])
        caller = incoming(world)
        while not world.studio.told(Offer):
            await world.hub.services.conductor.catch_up()
            await world.hub.services.errands.settle()
        await world.settle()
        calls = len(world.exchange.dials)
        world.exchange.hangs_up(caller)
        await world.settle()
        assert len(world.exchange.dials) == calls
        assert all(over(world, each.leg) for each in world.exchange.dials)

    play(scenario)


def test_an_offer_that_the_worker_refuses_fails_the_connect(play: Play) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [{"action": "talk", "text": "one moment"}, connect(), *WAIT])
        caller = incoming(world)
        await world.settle()
        world.studio.refusal = "not now"
        world.studio.finish_play(world.studio.told(PlaySound)[-1].play)
        await world.settle()
        assert world.exchange.dials == []
        assert len(world.hub.services.dialling) == 0
        assert world.exchange.is_open(caller)  # its script goes on

    play(scenario)


def test_a_callee_is_heard_who_rang_before(play: Play) -> None:
    """180, then 183 with a description: the tone gives way to what the far end says."""

    async def scenario(world: World) -> None:
        await answering(world, [{"action": "talk", "text": "one moment"}, connect()])
        incoming(world)
        await world.settle()
        world.studio.finish_play(world.studio.told(PlaySound)[-1].play)
        await world.settle()
        (call,) = world.exchange.dials
        world.exchange.rings(call.leg)
        await world.settle()
        tone = world.studio.told(PlaySound)[-1]
        assert tone.path == "ringback"
        world.exchange.rings(call.leg, OFFER)
        await world.settle()
        assert StopPlay(tone.play) in world.studio.told(StopPlay)
        assert call.leg in [each.leg for each in world.studio.told(Join)]
        assert statuses(world, call.leg) == ["started", "ringing"]

    play(scenario)


def test_a_transfer_counts_more_than_what_was_to_be_done(play: Play) -> None:
    async def scenario(world: World) -> None:
        waiting = {"behavior": "continue", "mode": "detect"}
        first = [{"action": "talk", "text": "at first"}]
        leg = await dialled(world, ncco=first, advanced_machine_detection=waiting)
        await answered(world, leg)
        elsewhere = {"type": "ncco", "ncco": [{"action": "talk", "text": "elsewhere"}, *WAIT]}
        await change(world, leg, action="transfer", destination=elsewhere)
        (detect,) = world.studio.told(Detect)
        world.studio.judged(detect.detect, "human")
        await world.settle()
        said = [each.body for each in await world.store.follow(0) if each.type == "audio:say"]  # type: ignore[arg-type]
        assert [b"elsewhere" in each for each in said] == [True]
        (human,) = [each for each in world.answers.told(EVENT) if each.get("status") == "human"]
        assert human["call_uuid"] == leg

    play(scenario)


def test_two_calls_of_one_number_are_two_members(play: Play) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [{"action": "conversation", "name": "room"}])
        one, other = incoming(world), incoming(world)
        await world.settle()
        legs = {each.leg.id: each.leg for each in world.hub.services.legs}
        assert legs[one].conversation_id == legs[other].conversation_id  # type: ignore[index]
        assert legs[one].member_id != legs[other].member_id  # type: ignore[index]
        world.exchange.hangs_up(one)
        await world.settle()
        assert not over(world, other)

    play(scenario)


def test_a_caller_without_a_number_is_no_user_of_an_app(play: Play) -> None:
    async def scenario(world: World) -> None:
        made = await world.call("POST", "/v1/users", {"name": "anonymous"})
        await answering(world, WAIT)
        world.exchange.call(NUMBER, world.application.id, from_=Endpoint())
        await world.settle()
        (live,) = world.hub.services.legs
        assert live.leg.user_id != made.json["id"]

    play(scenario)


def test_a_caller_by_trunk_is_no_softphone_whatever_it_says(play: Play) -> None:
    async def scenario(world: World) -> None:
        user = await world.call("POST", "/v1/users", {"name": "alice"})
        from_ = Endpoint(type="sip", uri="sip:alice@phones.test")
        stranger = world.exchange.call("19005550100", world.application.id, from_=from_)
        await world.settle()
        assert over(world, stranger) and world.exchange.dials == []  # nobody pays for it
        await answering(world, [connect()])
        caller = world.exchange.call(NUMBER, world.application.id, from_=from_)
        await world.settle()
        await answered(world, world.exchange.dials[0].leg)
        legs = [each.leg for each in world.hub.services.legs]
        assert user.json["id"] not in [leg.user_id for leg in legs]
        world.exchange.refers(caller, Endpoint(type="phone", number=SECOND))
        world.exchange.refers(world.exchange.dials[0].leg, Endpoint(type="phone", number=SECOND))
        await world.settle()
        told = [each.code for each in world.exchange.told if each.verb == "referred"]
        assert told == [603, 603] and len(world.exchange.dials) == 1

    play(scenario)


def test_users_make_no_phone_calls(play: Play) -> None:
    async def scenario(world: World) -> None:
        await world.call("POST", "/v1/users", {"name": "alice"})
        call = {"to": [{"type": "phone", "number": CALLEE}], "ncco": WAIT}
        refused = await world.call("POST", "/v1/calls", call, user="alice")
        assert refused.status == 403
        assert world.exchange.dials == []

    play(scenario)


def test_a_script_does_not_reach_another_application(play: Play) -> None:
    async def scenario(world: World) -> None:
        services = world.hub.services
        another = replace(world.application, id=ApplicationId("another"))
        await world.store.put_application(another)
        foreign = await services.conversations.create(ConversationDraft(), Actor(another.id))
        await answering(world, [{"action": "transfer", "conversationId": foreign.id}])
        caller = incoming(world)
        await world.settle()
        assert over(world, caller)
        assert [each for each in world.answers.told(EVENT) if "reason" in each]
        found = await world.store.follow(0)  # type: ignore[arg-type]
        assert foreign.id not in [each.conversation_id for each in found]

    play(scenario)


def test_a_room_is_opened_by_its_host_and_ends_with_it(play: Play) -> None:
    async def scenario(world: World) -> None:
        waiting = {"action": "conversation", "name": "room", "startOnEnter": False}
        await answering(world, [waiting])
        caller = incoming(world)
        await world.settle()
        hearing = [each for each in world.studio.told(Hearing) if each.leg == caller][-1]
        assert (hearing.can_hear, hearing.can_speak) == ([], [])
        await answering(world, [{"action": "conversation", "name": "room", "endOnExit": True}])
        host = incoming(world, number="447700900002")
        await world.settle()
        hearing = [each for each in world.studio.told(Hearing) if each.leg == caller][-1]
        assert (hearing.can_hear, hearing.can_speak) == (None, None)
        world.exchange.hangs_up(host)
        await world.settle()
        assert over(world, caller)
        assert "hang_up" in verbs(world, caller)
        assert "sip:hangup" in await types(world)

    play(scenario)
