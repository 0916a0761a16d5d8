"""Phone calls, with a far end that does what the test says: what becomes of them, in the log, at
the webhooks, and at the phone."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.api.conftest import Play as PlayScenario

from tertulia.model.commands import Accept, Answer, Join, Offer, Play, Press
from tertulia.model.events.voicehook import VOICE_WEBHOOK
from tertulia.model.state import Capability, Endpoint, Webhook
from tertulia.testing.world import NUMBER, World

ANSWER, EVENT = "https://app.test/answer", "https://app.test/event"
CALLEE = "15550100"
WITHOUT = ("leg:status:update", VOICE_WEBHOOK)


async def answering(world: World, script: Any) -> None:
    """The application answers its calls with a script."""
    webhooks = {"answer_url": Webhook(ANSWER), "event_url": Webhook(EVENT)}
    application = replace(world.application, capabilities={"voice": Capability(webhooks=webhooks)})
    await world.store.put_application(application)
    world.answers.answers |= {ANSWER: script, EVENT: {}}


def connect(number: str = CALLEE, **members: Any) -> dict[str, Any]:
    return {
        "action": "connect", "from": NUMBER, "endpoint": [{"type": "phone", "number": number}],
        **members,
    }  # fmt: skip


def incoming(
    world: World, *, number: str = "447700900001", to: str = NUMBER, **members: Any
) -> str:
    """A phone calls the application, or whom it likes; the leg."""
    if "user_id" in members:
        members["from_"] = Endpoint(type="sip", uri=f"sip:{number}@phones.test")
    else:
        members["from_"] = Endpoint(type="phone", number=number)
    return world.exchange.call(to, world.application.id, **members)


def verbs(world: World, leg: str) -> list[str]:
    """What the phone was told."""
    return [each.verb for each in world.exchange.told if each.leg == leg]


async def types(
    world: World, *, without: tuple[str, ...] = ("leg:status:update", VOICE_WEBHOOK)
) -> list[str]:
    found = await world.store.follow(0)  # type: ignore[arg-type]
    return [event.type for event in found if event.type not in WITHOUT]


def statuses(world: World, leg: str) -> list[str]:
    return [
        each["status"] for each in world.answers.told(EVENT)
        if each.get("uuid") == leg and "status" in each
    ]  # fmt: skip


def test_a_two_party_call_has_the_documented_order(play: PlayScenario) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect()])
        caller = incoming(world, number="447700900001")
        await world.settle()
        (call,) = world.exchange.dials
        assert (call.to.number, call.caller) == (CALLEE, NUMBER)
        world.exchange.rings(call.leg)
        await world.settle()
        assert "answer" not in verbs(world, caller)
        world.exchange.answers(call.leg)
        await world.settle()
        assert await types(world) == [
            "conversation:created", "member:joined", "sip:ringing", "sip:answered",
            "member:joined", "member:media", "sip:answered", "member:joined", "member:media",
        ]  # fmt: skip
        assert verbs(world, caller) == ["ring", "answer"]
        world.exchange.hangs_up(call.leg)
        await world.settle()
        assert verbs(world, caller)[-1] == "hang_up"
        assert statuses(world, caller) == ["started", "ringing", "answered", "completed"]
        assert statuses(world, call.leg) == ["started", "ringing", "answered", "completed"]
        assert not any(map(world.exchange.is_open, [caller, call.leg]))
        assert len(world.hub.services.dialling) == 0

    play(scenario)


def test_a_talk_answers_the_call_before_it_is_said(play: PlayScenario) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [{"action": "talk", "text": "hello"}])
        caller = incoming(world)
        await world.settle()
        assert verbs(world, caller) == ["ring", "answer"]
        assert (await types(world))[:5] == [
            "conversation:created", "member:joined", "sip:answered", "member:media", "audio:say",
        ]  # fmt: skip

    play(scenario)


@pytest.mark.parametrize(
    ("code", "status"),
    [(486, "busy"), (603, "rejected"), (480, "unanswered"), (404, "failed"), (503, "failed")],
)
def test_a_declined_callee_lets_the_script_go_on(
    play: PlayScenario, code: int, status: str
) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect(), {"action": "talk", "text": "nobody is there"}])
        caller = incoming(world)
        await world.settle()
        (call,) = world.exchange.dials
        world.exchange.declines(call.leg, code)
        await world.settle()
        assert statuses(world, call.leg)[-1] == status
        assert verbs(world, caller) == ["ring", "answer"]
        assert "audio:say" in await types(world)

    play(scenario)


def test_a_caller_who_gives_up_takes_the_callee_along(play: PlayScenario) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect()])
        caller = incoming(world)
        await world.settle()
        (call,) = world.exchange.dials
        world.exchange.rings(call.leg)
        await world.settle()
        world.exchange.hangs_up(caller)
        await world.settle()
        assert verbs(world, call.leg)[-1] == "hang_up"
        assert statuses(world, caller)[-1] == "cancelled"
        assert statuses(world, call.leg)[-1] == "cancelled"
        assert not any(map(world.exchange.is_open, [caller, call.leg]))

    play(scenario)


def test_descriptions_pass_between_phone_and_worker(play: PlayScenario) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect()])
        incoming(world, sdp="m=audio v=0 of the caller")
        await world.settle()
        assert world.studio.told(Answer)[-1].sdp == "m=audio v=0 of the caller"
        assert world.studio.told(Answer)[-1].kind == "rtp"
        assert world.studio.told(Offer)[-1].kind == "rtp"
        (call,) = world.exchange.dials
        world.exchange.rings(call.leg, "m=audio early")
        world.exchange.answers(call.leg, "m=audio final")
        await world.settle()
        sdps = [each.sdp for each in world.studio.told(Accept)]
        assert sdps == ["m=audio early", "m=audio final"]
        assert {each.leg for each in world.studio.told(Join)} >= {call.leg}

    play(scenario)


def test_a_tone_is_heard_until_the_callee_answers(play: PlayScenario) -> None:
    async def scenario(world: World) -> None:
        script = [{"action": "talk", "text": "one moment"}, connect()]
        await answering(world, script)
        incoming(world)
        await world.settle()
        sound = world.studio.told(Play)[-1]
        world.studio.finish_play(sound.play)
        await world.settle()
        (call,) = world.exchange.dials
        world.exchange.rings(call.leg)
        await world.settle()
        assert world.studio.told(Play)[-1].path == "ringback"
        world.exchange.answers(call.leg)
        await world.settle()
        assert "member:media" in await types(world)

    play(scenario)


def test_keys_reach_whom_one_talks_to(play: PlayScenario) -> None:
    async def scenario(world: World) -> None:
        await answering(world, [connect()])
        caller = incoming(world)
        await world.settle()
        (call,) = world.exchange.dials
        world.studio.digit(caller, "1")  # nobody is there yet
        await world.settle()
        world.exchange.answers(call.leg)
        await world.settle()
        world.studio.digit(caller, "2")
        world.studio.digit(caller, "3", tones=True)  # they have been heard
        world.studio.digit(call.leg, "#")
        await world.settle()
        pressed = [(each.leg, each.digits) for each in world.studio.told(Press)]
        assert pressed == [(call.leg, "2"), (caller, "#")]

    play(scenario)
