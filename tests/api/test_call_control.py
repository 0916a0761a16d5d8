"""Call scripts on phones: what each action does to the call, and what its application hears."""

from typing import Any

import msgspec
import pytest
from tests.api.conftest import Play
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
from tertulia.model.call_request import CallDraft, ChangeDraft, changed, requested
from tertulia.model.commands import Close, Detect, Offer, Press, Socket, Tell
from tertulia.model.commands import Play as PlaySound
from tertulia.model.ids import LegId, UserId
from tertulia.model.state import Endpoint
from tertulia.testing.world import NUMBER, SECRET, World

ASK = "https://app.test/ask"
SECOND = "15550101"


async def dialled(world: World, **members: Any) -> str:
    """The application calls somebody; the leg."""
    given = {"to": [{"type": "phone", "number": CALLEE}], "event_url": [EVENT], **members}
    if "ncco" not in given and "answer_url" not in given:
        given["ncco"] = [{"action": "talk", "text": "hello"}]
    world.answers.answers.setdefault(EVENT, {})

    draft = msgspec.convert({**given, "from": {"type": "phone", "number": NUMBER}}, CallDraft)
    actor = Actor(world.application.id)
    line = await world.hub.services.voice_calls.create(requested(draft), actor)
    leg = line.leg
    await world.settle()
    return leg.id


async def answered(world: World, leg: str) -> None:
    world.exchange.rings(leg)
    world.exchange.answers(leg)
    await world.settle()


async def change(world: World, leg: str, **members: Any) -> None:
    draft = ChangeDraft(**members)
    await world.hub.services.voice_calls.change(
        LegId(leg), changed(draft), Actor(world.application.id)
    )
    await world.settle()


def over(world: World, leg: str) -> bool:
    return not world.exchange.is_open(leg)


def test_an_outbound_call_says_its_script_and_ends(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg = await dialled(world)
        await answered(world, leg)
        (sound,) = world.studio.told(PlaySound)
        world.studio.finish_play(sound.play)
        await world.settle()
        assert over(world, leg)
        assert statuses(world, leg) == ["started", "ringing", "answered", "completed"]
        last = world.answers.told(EVENT)[-1]
        assert (last["disconnected_by"], last["sip_code"]) == ("platform", 200)
        assert await types(world) == [
            "conversation:created", "sip:ringing", "sip:answered", "member:joined", "member:media",
            "audio:say", "audio:say:done", "sip:hangup", "sip:status", "member:left",
        ]  # fmt: skip
        assert [each.leg for each in world.studio.told(Close)] == [leg]

    play(scenario)


def test_an_answer_url_is_asked_when_the_call_is_answered(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.answers[ASK] = [{"action": "talk", "text": "hello"}]
        leg = await dialled(world, answer_url=[ASK])
        world.exchange.rings(leg)
        await world.settle()
        assert world.answers.told(ASK) == []
        world.exchange.answers(leg)
        await world.settle()
        assert world.answers.told(ASK)[0]["uuid"] == leg
        assert "audio:say" in await types(world)

    play(scenario)


@pytest.mark.parametrize("behaviour", ["continue", "hangup"])
def test_a_machine_is_told_apart(play: Play, behaviour: str) -> None:
    async def scenario(world: World) -> None:
        leg = await dialled(world, machine_detection=behaviour)
        await answered(world, leg)
        (detect,) = world.studio.told(Detect)
        world.studio.judged(detect.detect, "machine", 91, "long_greeting")
        await world.settle()
        told = [each for each in world.answers.told(EVENT) if each.get("status") == "machine"]
        assert [each["call_uuid"] for each in told] == [leg]
        assert "sip:machine" in await types(world)
        assert over(world, leg) is (behaviour == "hangup")

    play(scenario)


def test_the_beep_of_a_machine_is_told_and_may_change_the_script(play: Play) -> None:
    async def scenario(world: World) -> None:
        advanced = {"behavior": "continue", "mode": "detect_beep", "beep_timeout": 45}
        leg = await dialled(world, advanced_machine_detection=advanced)
        await answered(world, leg)
        (detect,) = world.studio.told(Detect)
        assert detect.beep
        world.studio.judged(detect.detect, "machine", 91, "long_greeting")
        await world.settle()
        world.answers.answers[EVENT] = [{"action": "talk", "text": "a message"}]
        world.studio.beeped(detect.detect)
        await world.settle()
        told = world.answers.told(EVENT)
        assert "beep_start" in [each.get("sub_state") for each in told]
        said = [event.body for event in await world.store.follow(0) if event.type == "audio:say"]  # type: ignore[arg-type]
        assert b"a message" in said[-1]

    play(scenario)


def test_an_unanswered_call_rings_out(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg = await dialled(world)
        world.exchange.rings(leg)
        await world.settle()
        call = world.hub.services.dialling._under_way[LegId(leg)]
        assert len(call.line.live.timers) == 1
        world.exchange.declines(leg, 480)
        await world.settle()
        assert statuses(world, leg)[-1] == "unanswered"
        assert not world.hub.services.errands._timers

    play(scenario)


def test_a_failed_connect_asks_what_to_do_instead(play: Play) -> None:
    async def scenario(world: World) -> None:
        asking = connect(eventType="synchronous", eventUrl=[ASK])
        world.answers.answers[ASK] = [connect(SECOND)]
        await answering(world, [asking])
        incoming(world)
        await world.settle()
        world.exchange.declines(world.exchange.dials[0].leg, 486)
        await world.settle()
        asked = [each for each in world.answers.told(ASK) if each["status"] == "busy"]
        assert len(asked) == 1
        assert world.exchange.dials[1].to.number == SECOND

    play(scenario)


def test_a_websocket_is_a_callee(play: Play) -> None:
    async def scenario(world: World) -> None:
        endpoint = {
            "type": "websocket", "uri": "wss://bot.test/audio", "headers": {"language": "en"},
            "content-type": "audio/l16;rate=8000", "authorization": {"type": "vonage"},
        }  # fmt: skip
        await answering(world, [{"action": "connect", "endpoint": [endpoint]}])
        caller = incoming(world)
        await world.settle()
        (socket,) = world.studio.told(Socket)
        assert (socket.url, socket.rate) == ("wss://bot.test/audio", 8000)
        assert socket.headers["Authorization"].startswith("Bearer ")
        assert '"language":"en"' in socket.greeting
        assert verbs(world, caller) == ["ring", "answer"]
        world.studio.digit(caller, "5", 260)
        await world.settle()
        (told,) = world.studio.told(Tell)
        assert msgspec.json.decode(told.text) == {
            "event": "websocket:dtmf", "digit": "5", "duration": 260,
        }  # fmt: skip
        world.studio.down(socket.leg, "closed")
        await world.settle()
        assert statuses(world, socket.leg)[-1] == "disconnected"
        assert over(world, caller)

    play(scenario)


def test_keys_are_pressed_when_the_callee_answers(play: Play) -> None:
    async def scenario(world: World) -> None:
        endpoint = {"type": "phone", "number": CALLEE, "dtmfAnswer": "12p3"}
        await answering(world, [{"action": "connect", "from": NUMBER, "endpoint": [endpoint]}])
        incoming(world)
        await world.settle()
        leg = world.exchange.dials[0].leg
        await answered(world, leg)
        assert Press(leg, "12p3") in world.studio.told(Press)

    play(scenario)


def test_a_callee_may_hear_a_script_of_its_own_first(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.answers[ASK] = [{"action": "talk", "text": "a call for you"}]
        endpoint = {"type": "phone", "number": CALLEE, "onAnswer": {"url": ASK}}
        await answering(world, [{"action": "connect", "from": NUMBER, "endpoint": [endpoint]}])
        caller = incoming(world)
        await world.settle()
        leg = world.exchange.dials[0].leg
        await answered(world, leg)
        assert "answer" not in verbs(world, caller)
        world.studio.finish_play(world.studio.told(PlaySound)[-1].play)
        await world.settle()
        assert "answer" in verbs(world, caller)
        legs = {live.leg.id: live.leg for live in world.hub.services.legs}
        assert legs[LegId(leg)].conversation_id == legs[LegId(caller)].conversation_id

    play(scenario)


def test_a_call_is_transferred_to_another_script(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg = await dialled(world, ncco=[{"action": "wait", "timeout": 60}])
        await answered(world, leg)
        await change(
            world, leg, action="transfer",
            destination={"type": "ncco", "ncco": [{"action": "talk", "text": "elsewhere"}]},
        )  # fmt: skip
        said = [event.body for event in await world.store.follow(0) if event.type == "audio:say"]  # type: ignore[arg-type]
        assert b"elsewhere" in said[-1]
        moved = [each for each in world.answers.told(EVENT) if each.get("type") == "transfer"]
        assert len(moved) == 1
        assert moved[0]["conversation_uuid_from"] != moved[0]["conversation_uuid_to"]
        await change(world, leg, action="hangup")
        assert over(world, leg)

    play(scenario)


def test_a_softphone_transfers_its_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        user = await world.call("POST", "/v1/users", {"name": "alice"})
        me = UserId(user.json["id"])
        leg = incoming(world, number="alice", to=CALLEE, user_id=me)
        await world.settle()
        far = world.exchange.dials[0].leg
        await answered(world, far)
        assert "answer" in verbs(world, leg)
        world.exchange.refers(leg, Endpoint(type="phone", number=SECOND))
        await world.settle()
        third = world.exchange.dials[1].leg
        await answered(world, third)
        assert [each.code for each in world.exchange.of(leg, "referred")][-1] == 200
        assert over(world, leg)
        assert not over(world, far)
        world.exchange.hangs_up(far)
        await world.settle()
        assert over(world, third)

    play(scenario)


@pytest.mark.parametrize("number", [SECOND, SECRET])
def test_calls_by_trunks_that_want_it_offer_srtp(play: Play, number: str) -> None:
    async def scenario(world: World) -> None:
        await dialled(world, to=[{"type": "phone", "number": number}])
        (offer,) = world.studio.told(Offer)
        assert offer.secure is (number == SECRET)

    play(scenario)


async def spoken(world: World, me: UserId, *, softphone_calls: bool) -> tuple[str, str]:
    """A softphone and somebody far away who talk: their legs."""
    if not softphone_calls:
        await answering(world, [connect()])
    caller = incoming(world, number="alice", to=CALLEE, user_id=me) if softphone_calls else None
    caller = caller or incoming(world)
    await world.settle()
    callee = world.exchange.dials[0].leg
    world.exchange.rings(callee)
    world.exchange.answers(callee, is_softphone=not softphone_calls)
    await world.settle()
    return (caller, callee) if softphone_calls else (callee, caller)


@pytest.mark.parametrize("calls", ["softphone", "far end"])
@pytest.mark.parametrize("becomes", ["answered", "declined"])
def test_a_softphone_that_hangs_up_has_transferred_its_call(
    play: Play, calls: str, becomes: str
) -> None:
    async def scenario(world: World) -> None:
        user = await world.call("POST", "/v1/users", {"name": "alice"})
        me = UserId(user.json["id"])
        leg, far = await spoken(world, me, softphone_calls=calls == "softphone")
        before = len(world.exchange.dials)
        world.exchange.refers(leg, Endpoint(type="phone", number=SECOND))
        await world.settle()
        third = world.exchange.dials[before].leg
        world.exchange.hangs_up(leg)
        await world.settle()
        assert over(world, leg)
        assert not over(world, far)
        if becomes == "answered":
            await answered(world, third)
            assert not over(world, far)
            world.exchange.hangs_up(third)
        else:
            world.exchange.declines(third, 486)
        await world.settle()
        assert over(world, third)
        assert over(world, far)

    play(scenario)


def test_a_phone_that_called_in_may_not_transfer(play: Play) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect()])
        caller = incoming(world)
        await world.settle()
        await answered(world, world.exchange.dials[0].leg)
        world.exchange.refers(caller, Endpoint(type="phone", number="19005550100"))
        await world.settle()
        assert [each.code for each in world.exchange.of(caller, "referred")][-1] == 603
        assert len(world.exchange.dials) == 1

    play(scenario)


def test_a_notice_may_replace_the_script_before_the_call_is_answered(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.answers[ASK] = [connect(SECOND)]
        notify = {"action": "notify", "payload": {"step": 1}, "eventUrl": [ASK]}
        await answering(world, [notify, {"action": "talk", "text": "never"}])
        caller = incoming(world)
        await world.settle()
        assert world.answers.told(ASK)[0]["payload"] == {"step": 1}
        assert "answer" not in verbs(world, caller)
        assert world.exchange.dials[0].to.number == SECOND

    play(scenario)


def test_each_key_of_an_asynchronous_input_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        keys = {"action": "input", "type": ["dtmf"], "mode": "asynchronous", "eventUrl": [ASK]}
        world.answers.answers[ASK] = {}
        await answering(world, [keys, {"action": "wait", "timeout": 60}])
        caller = incoming(world)
        await world.settle()
        world.exchange.keys(caller, "4")
        world.studio.digit(caller, "2")
        await world.settle()
        assert [each["dtmf"]["digits"] for each in world.answers.told(ASK)] == ["4", "2"]

    play(scenario)
