"""Server calls: what an application's own server says becomes of them, and the house line."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.api.cast import conversation, history, joined, user
from tests.api.conftest import SETTINGS, Play, Scenario

from tertulia.model.commands import Close, Echo, Hearing, Join, Listen, Record
from tertulia.model.commands import Play as PlayCommand
from tertulia.model.events.voicehook import VOICE_WEBHOOK
from tertulia.model.state import Capability, Webhook
from tertulia.testing.world import NUMBER, Answer, World

OFFER = {"type": "offer", "sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"}
ANSWER = "https://app.test/answer"
FALLBACK = "https://app.test/fallback"
EVENT = "https://app.test/event"
INPUT = "https://app.test/input"
MUSIC = "https://app.test/music.mp3"

Script = list[dict[str, Any]]


async def called(
    world: World, *scripts: Any, name: str = "alice", number: str = "447700900000"
) -> str:
    """A user's call, which is answered by these at answer_url and fallback_answer_url; its leg."""
    webhooks = {"event_url": Webhook(EVENT)}
    for url, key, script in zip(
        (ANSWER, FALLBACK), ("answer_url", "fallback_answer_url"), scripts, strict=False
    ):
        webhooks[key] = Webhook(url)
        world.answers.answers[url] = script
    for url in (EVENT, INPUT):
        world.answers.answers.setdefault(url, b"")
    if scripts:
        capabilities = {"voice": Capability(webhooks=webhooks)}
        await world.store.put_application(replace(world.application, capabilities=capabilities))
    return await knocked(world, name, number)


async def knocked(world: World, name: str, number: str = "447700900000") -> str:
    """The leg of a user who calls."""
    await user(world, name)
    opened = await world.call("POST", "/v0.3/legs", {"body": {"offer": OFFER}}, user=name)
    leg_id = str(opened.json["rtc_id"])
    world.studio.up(leg_id)
    await world.studio.settle()
    body = {
        "channel": {"type": "app", "id": leg_id, "to": {"type": "phone", "number": number}},
        "properties": {"custom_data": {"a": 1}},
    }
    answer = await world.call("POST", "/v0.3/knocking", body, user=name)
    assert answer.status == 201, answer.json
    return leg_id


async def shown(world: World, leg_id: str) -> dict[str, Any]:
    answer = await world.call("GET", f"/v0.3/legs/{leg_id}")
    return dict(answer.json)


async def types(world: World, cid: str = "CON-1") -> list[str]:
    return [event["type"] for event in await history(world, cid)]


def statuses(world: World) -> list[str]:
    return [each["status"] for each in world.answers.told(EVENT) if "status" in each]


def reasons(world: World) -> list[str]:
    return [each["reason"] for each in world.answers.told(EVENT) if "reason" in each]


async def finish_sound(world: World) -> None:
    world.studio.finish_play(world.studio.told(PlayCommand)[-1].play)
    await world.settle()


async def press(world: World, leg_id: str, digits: str) -> None:
    for digit in digits:
        world.studio.digit(leg_id, digit)
    await world.settle()


def talk(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"action": "talk", "text": text, **more}


def meeting(name: str = "standup", **more: Any) -> dict[str, Any]:
    return {"action": "conversation", "name": name, **more}


def keys(**more: Any) -> dict[str, Any]:
    return {"action": "input", "type": ["dtmf"], "eventUrl": [INPUT], **more}


def test_a_script_is_carried_out_and_then_the_call_ends(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, [talk("One"), {"action": "stream", "streamUrl": [MUSIC]}])
        world.downloads[MUSIC] = world.outside.scratch / "music.mp3"
        await world.settle()
        (asked,) = world.answers.told(ANSWER)
        assert asked == {
            "to": "447700900000", "from": "alice", "from_user": "alice", "uuid": leg_id,
            "conversation_uuid": "CON-1", "endpoint_type": "app", "custom_data": '{"a":1}',
            "region_url": "https://tertulia.test",
        }  # fmt: skip
        await finish_sound(world)
        assert world.studio.told(PlayCommand)[-1].path.endswith("music.mp3")
        assert (await shown(world, leg_id))["status"] == "answered"
        await finish_sound(world)
        assert await types(world) == [
            "member:joined", "leg:status:update", "rtc:answered", "member:media", "audio:say",
            "audio:say:done", "audio:play", "audio:play:done", "leg:status:update", "rtc:hangup",
            "rtc:status", "member:left",
        ]  # fmt: skip
        channel = (await history(world, "CON-1"))[0]["body"]["channel"]
        assert channel["id"] == leg_id and channel["knocking_id"].startswith("knocking-")
        assert statuses(world) == ["started", "answered", "completed"]
        completed = world.answers.told(EVENT)[-1]
        assert completed["direction"] == "inbound" and completed["duration"].isdigit()
        assert [each.leg for each in world.studio.told(Close)] == [leg_id]

    play(scenario)


def test_a_call_goes_straight_into_a_conversation(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world, name="standup")
        await joined(world, "CON-1", "bob")
        leg_id = await called(world, [meeting(mute="true", record=True)])
        await world.settle()
        assert (await types(world))[1:] == [
            "member:joined", "leg:status:update", "rtc:answered", "member:media", "audio:record"
        ]  # fmt: skip
        assert (await history(world, "CON-1"))[4]["body"]["media"]["audio_settings"]["muted"]
        assert [each.room for each in world.studio.told(Join)] == ["CON-1"]
        assert world.studio.told(Hearing)[-1] == Hearing(leg_id, muted=True)
        (record,) = world.studio.told(Record)
        assert (record.room, record.leg) == ("CON-1", None)
        world.studio.recorded(record.record)
        await world.settle()
        assert "recording_url" in world.answers.told(EVENT)[-1]
        assert (await shown(world, leg_id))["status"] == "answered"

    play(scenario)


def test_a_conversation_that_is_not_there_is_made(play: Play) -> None:
    async def scenario(world: World) -> None:
        await called(world, [meeting("fresh")])
        await world.settle()
        made = await world.call("GET", "/v1/conversations/CON-1")
        assert made.json["name"] == "fresh"
        assert world.answers.told(ANSWER)[0]["conversation_uuid"] == "CON-1"

    play(scenario)


def test_a_call_is_brought_into_a_conversation_later(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, [talk(), meeting()])
        await world.settle()
        await finish_sound(world)
        assert await types(world, "CON-2") == [
            "member:joined", "leg:status:update", "rtc:transfer", "member:media"
        ]  # fmt: skip
        assert (await types(world))[-1] == "member:left"
        transfer = world.answers.told(EVENT)[-1]
        assert transfer["type"] == "transfer"
        assert transfer["conversation_uuid_to"] == "CON-2"
        assert (await shown(world, leg_id))["conversation_id"] == "CON-2"

    play(scenario)


def test_keys_are_told_and_the_answer_goes_on(play: Play) -> None:
    async def scenario(world: World) -> None:
        script = [talk(bargeIn=True), keys(dtmf={"maxDigits": 3, "submitOnHash": True})]
        leg_id = await called(world, script)
        world.answers.answers[INPUT] = [talk("Thank you")]
        await world.settle()
        await press(world, leg_id, "12#")
        (result,) = world.answers.told(INPUT)
        assert result["dtmf"] == {"digits": "12", "timed_out": False}
        assert (result["uuid"], result["from"], result["to"]) == (leg_id, "alice", "447700900000")
        assert "speech" not in result
        told = await types(world)
        assert told[4:].count("audio:dtmf") == 3
        assert told.index("audio:say:stop") < len(told) - 1 - told[::-1].index("audio:say")
        await finish_sound(world)
        assert (await shown(world, leg_id))["status"] == "completed"

    play(scenario)


def test_keys_that_the_client_sends_count(play: Play) -> None:
    async def scenario(world: World) -> None:
        await called(world, [keys(dtmf={"maxDigits": 2})])
        await world.settle()
        member = (await history(world, "CON-1"))[0]["from"]
        for digit in "45":
            event = {"type": "audio:dtmf", "from": member, "body": {"digit": digit}}
            path = "/v0.3/conversations/CON-1/events"
            made = await world.call("POST", path, event, user="alice")
            assert made.status == 201, made.json
        await world.settle()
        assert world.answers.told(INPUT)[0]["dtmf"]["digits"] == "45"

    play(scenario)


def test_speech_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        action = {
            "action": "input", "type": ["speech"], "eventUrl": [INPUT],
            "speech": {"context": ["yes", "no"], "startTimeout": 5, "endOnSilence": 0.5},
        }  # fmt: skip
        leg_id = await called(world, [action])
        await world.settle()
        (listen,) = world.studio.told(Listen)
        assert (listen.leg, listen.start_ms, listen.silence_ms) == (leg_id, 5000, 500)
        world.studio.listened(listen.listen, "start_timeout", b"")
        await world.settle()
        (result,) = world.answers.told(INPUT)
        assert result["speech"] == {"results": [], "timeout_reason": "start_timeout"}
        assert (await shown(world, leg_id))["status"] == "completed"

    play(scenario)


def test_a_recording_is_waited_for_and_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        url = "https://app.test/recorded"
        record = {
            "action": "record", "format": "wav", "split": "conversation", "endOnKey": "#",
            "beepStart": True, "eventUrl": [url],
        }  # fmt: skip
        leg_id = await called(world, [record, talk()])
        world.answers.answers[url] = b""
        await world.settle()
        (command,) = world.studio.told(Record)
        assert (command.leg, command.channels, command.end_key) == (leg_id, 2, "#")
        assert command.beep_start and command.format == "wav"
        assert not world.studio.told(PlayCommand)
        world.studio.recorded(command.record, "key")
        await world.settle()
        (told,) = world.answers.told(url)
        assert told["recording_url"].startswith("https://tertulia.test/v1/files/")
        assert told["recording_uuid"] == command.record and told["size"] == 4
        assert len(world.studio.told(PlayCommand)) == 1

    play(scenario)


def test_a_recording_without_an_end_is_not_waited_for(play: Play) -> None:
    async def scenario(world: World) -> None:
        await called(world, [{"action": "record"}, talk()])
        await world.settle()
        assert len(world.studio.told(Record)) == len(world.studio.told(PlayCommand)) == 1
        await finish_sound(world)
        assert "recording_url" in world.answers.told(EVENT)[-1]

    play(scenario)


BAD: dict[str, Any] = {
    "down": None, "html": b"<html>", "no array": {}, "unknown": [{"action": "levitate"}],
    "incomplete": [{"action": "talk"}], "large": b"[" + b" " * 50_000 + b"]",
    "deep": b"[" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("script", BAD.values(), ids=BAD)
def test_bad_answers_end_the_call(play: Play, script: Any) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, script)
        await world.settle()
        assert reasons(world)[0].startswith("answer_url: ")
        assert [each for each in statuses(world) if each != "answered"] == ["started", "failed"]
        told = world.answers.told(EVENT)[-1]
        assert told["detail"] == "bad_gateway"
        assert (await shown(world, leg_id))["status"] == "failed"
        found = await world.store.follow(0)  # type: ignore[arg-type]
        events = [event.type for event in found if event.type != VOICE_WEBHOOK]
        if script is None:  # it was asked again and again, and the caller let in meanwhile
            assert events[-1] == "member:left"
        else:
            assert events[-2:] == ["app:knocking:cancel", "leg:status:update"]

    play(scenario)


def test_the_fallback_is_asked_when_there_is_no_answer(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, None, [meeting()])
        await world.settle()
        assert reasons(world) == ["answer_url: nobody is there"]
        assert (await shown(world, leg_id))["status"] == "answered"

    play(scenario)


async def turn(world: World) -> None:
    """As `settle`, while somebody lets us wait."""
    for _ in range(4):
        await world.hub.services.conductor.catch_up()
        await world.studio.settle()


def test_a_caller_is_let_in_before_a_slow_answer(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.held.clear()
        leg_id = await called(world, [meeting()])
        await turn(world)
        assert (await types(world))[0] == "member:joined"
        assert (await shown(world, leg_id))["status"] == "answered"
        world.answers.held.set()
        await world.settle()
        assert (await shown(world, leg_id))["conversation_id"] == "CON-2"

    play(scenario)


def test_a_bad_answer_that_comes_late_ends_the_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.held.clear()
        leg_id = await called(world, {})
        await turn(world)
        world.answers.held.set()
        await world.settle()
        assert (await types(world))[-4:] == [
            "leg:status:update", "rtc:hangup", "rtc:status", "member:left"
        ]  # fmt: skip
        assert (await shown(world, leg_id))["status"] == "failed"

    play(scenario)


async def hang_up(world: World, leg_id: str, name: str = "alice") -> Answer:
    answer = await world.call("PUT", f"/v0.3/legs/{leg_id}", {"action": "hangup"}, user=name)
    await world.settle()
    return answer


@pytest.mark.parametrize(
    "script",
    [[talk(), talk()], [keys()], [{"action": "record", "timeOut": 9}], [meeting()],
     [talk(loop=0, bargeIn=True), {"action": "input", "type": ["speech", "dtmf"]}]],
)  # fmt: skip
def test_a_caller_may_hang_up_at_any_time(play: Play, script: Script) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, script)
        await world.settle()
        assert (await hang_up(world, leg_id)).status == 200
        assert statuses(world) == ["started", "answered", "completed"]
        assert (await types(world)).count("member:left") == 1
        assert not reasons(world)

    play(scenario)


def test_a_caller_that_gives_up_before_the_answer(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.answers.held.clear()
        leg_id = await called(world, [talk()])
        await turn(world)
        await world.call("PUT", f"/v0.3/legs/{leg_id}", {"action": "hangup"}, user="alice")
        world.answers.held.set()
        await world.settle()
        assert statuses(world) == ["started", "answered", "completed"]
        assert "audio:say" not in await types(world)

    play(scenario)


def test_a_sound_that_cannot_be_played_is_told_and_passed_over(play: Play) -> None:
    async def scenario(world: World) -> None:
        await called(world, [{"action": "stream", "streamUrl": [MUSIC]}, meeting()])
        await world.settle()
        assert reasons(world) == [f"nothing at {MUSIC}"]
        assert (await types(world, "CON-2"))[0] == "member:joined"

    play(scenario)


def test_an_answer_to_an_input_that_is_no_script_ends_the_call(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, [keys(dtmf={"maxDigits": 1}), meeting()])
        world.answers.answers[INPUT] = [{"action": "levitate"}]
        await world.settle()
        await press(world, leg_id, "1")
        assert reasons(world) == [
            "input: action 1: 'levitate' is not an action that is known here"
        ]  # fmt: skip
        assert (await shown(world, leg_id))["status"] == "failed"

    play(scenario)


def test_an_input_whose_result_nobody_takes_goes_on(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, [keys(dtmf={"maxDigits": 1}), meeting()])
        world.answers.answers[INPUT] = None
        await world.settle()
        await press(world, leg_id, "1")
        assert len(world.answers.told(INPUT)) == 2
        assert reasons(world) == ["input: nobody is there"]
        assert (await shown(world, leg_id))["conversation_id"] == "CON-2"

    play(scenario)


def test_who_waits_hears_music_until_somebody_opens_the_room(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.downloads[MUSIC] = world.outside.scratch / "music.mp3"
        waits = meeting(startOnEnter=False, musicOnHoldUrl=[MUSIC], canHear=[])
        first = await called(world, [waits])
        await world.settle()
        assert world.studio.told(Hearing)[-1] == Hearing(first, can_hear=[], can_speak=[])
        music = world.studio.told(PlayCommand)[-1]
        assert (music.leg, music.loop) == (first, 0)
        world.answers.answers[ANSWER] = [meeting(endOnExit=True)]
        second = await knocked(world, "bob")
        await world.settle()
        assert world.studio.told(Hearing)[-1] == Hearing(first, can_hear=[])
        assert (await types(world))[-1] == "audio:play:stop"
        await hang_up(world, second, "bob")
        assert (await shown(world, first))["status"] == "completed"

    play(scenario)


def test_a_call_without_a_worker_for_its_sound_goes_on(play: Play) -> None:
    async def scenario(world: World) -> None:
        leg_id = await called(world, [talk(), talk()])
        await world.settle()
        world.studio.die()
        await world.settle()
        assert statuses(world)[-1] == "failed"
        assert (await shown(world, leg_id))["status"] == "failed"

    play(scenario)


@pytest.fixture
def at_home(keys: tuple[str, str]) -> Callable[[Scenario], None]:
    """Run a scenario on a world whose house answers."""

    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            world = await World.open(keys=keys, settings=SETTINGS, house=True)
            await scenario(world)
            await world.check_replay()

        asyncio.run(whole())

    return run


def test_the_house_answers_where_no_application_does(
    at_home: Callable[[Scenario], None],
) -> None:
    async def scenario(world: World) -> None:
        caller = await called(world, number=NUMBER)
        await eventually(world, "audio:say")
        (echo,) = world.studio.told(Echo)
        found = await history(world, "CON-1")
        house = next(each for each in found if each["type"] == "member:invited")["from"]
        mine = [each["type"] for each in found if each.get("from") == house]
        assert mine == [
            "member:invited", "leg:status:update", "member:joined", "leg:status:update",
            "member:media",
        ]  # fmt: skip
        media = [each for each in found if each["type"] == "member:media"][-1]
        assert media["body"]["audio"] is True
        assert media["_embedded"]["from_user"]["name"] == "house"
        leg = await shown(world, echo.leg)
        known = (leg["type"], leg["direction"], leg["status"])
        assert known == ("websocket", "outbound", "answered")
        assert leg["to"] == {"type": "websocket", "uri": "house"}
        greeting = world.studio.told(PlayCommand)[-1]
        assert greeting.leg == caller
        rooms = {each.leg: each.room for each in world.studio.told(Join)}
        assert rooms == {caller: "CON-1", echo.leg: "CON-1"}
        await hang_up(world, caller)
        assert (await shown(world, echo.leg))["status"] == "completed"
        left = [each for each in await history(world, "CON-1") if each["type"] == "member:left"]
        assert len(left) == 2

    at_home(scenario)


def test_the_caller_leaves_when_the_house_does(at_home: Callable[[Scenario], None]) -> None:
    async def scenario(world: World) -> None:
        caller = await called(world, number=NUMBER)
        await eventually(world, "audio:say")
        (echo,) = world.studio.told(Echo)
        await world.call("DELETE", f"/v0.3/legs/{echo.leg}")
        await world.settle()
        assert (await shown(world, caller))["status"] == "completed"

    at_home(scenario)


def test_in_development_a_client_talks_to_the_phone_that_it_dials(
    at_home: Callable[[Scenario], None],
) -> None:
    async def scenario(world: World) -> None:
        caller = await called(world, number="+15550105")
        await eventually(world, "member:joined")
        (call,) = world.exchange.dials
        assert (call.to.number, call.caller) == ("15550105", NUMBER)
        world.exchange.answers(call.leg)
        await eventually(world, "sip:answered")
        rooms = {each.leg: each.room for each in world.studio.told(Join)}
        assert rooms[caller] == rooms[call.leg]
        connected = await world.call("GET", f"/v1/calls/{caller}/timeline")
        assert connected.json["connected"] == [call.leg]
        connected = await world.call("GET", f"/v1/calls/{call.leg}/timeline")
        assert connected.json["connected"] == [caller]
        world.exchange.hangs_up(call.leg)
        await world.settle()
        assert (await shown(world, caller))["status"] == "completed"
        assert not world.exchange.is_open(call.leg)

    at_home(scenario)


@pytest.mark.parametrize("number", ["", "alice", "1555\r\n0105"])
def test_what_cannot_be_dialled_is_for_the_house(
    at_home: Callable[[Scenario], None], number: str
) -> None:
    async def scenario(world: World) -> None:
        await called(world, number=number)
        await eventually(world, "audio:say")
        assert world.exchange.dials == []

    at_home(scenario)


def test_elsewhere_a_client_calls_nobody_unless_the_application_says_so(play: Play) -> None:
    """Calls cost money."""

    async def scenario(world: World) -> None:
        leg_id = await called(world, number="15550105")
        await world.settle()
        assert (await shown(world, leg_id))["status"] == "rejected"
        assert world.exchange.dials == []

    play(scenario)


async def eventually(world: World, wanted: str) -> None:
    """Settle, with the timers that are due at once, until there is such an event."""
    for _ in range(50):
        await asyncio.sleep(0)
        await world.settle()
        if wanted in await types(world):
            return
    pytest.fail(f"no {wanted} in {msgspec.json.encode(await types(world)).decode()}")
