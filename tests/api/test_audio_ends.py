"""Audio that nobody can hear, that is stopped before it begins, or that cannot be kept."""

import asyncio
from pathlib import Path

from msgspec.structs import replace
from tests.api.cast import conversation, joined
from tests.api.conftest import SETTINGS, Play
from tests.api.test_audio import URL, names_told, post, put, spoken, stage, told
from tests.api.test_calls import enabled

from tertulia.model import commands
from tertulia.model.commands import Record, StopPlay
from tertulia.ports.speech import Reading, Utterance
from tertulia.services.recordings import RECORDINGS_MAX
from tertulia.services.sounds import SOUNDS_MAX
from tertulia.testing.speaking import ToneSpeech
from tertulia.testing.world import World

FILE = {"stream_url": [URL], "level": "0.5", "loop": 1}
TEXT = {"text": "hello", "level": 0, "loop": 1}


class Slow(ToneSpeech):
    """Speaks and reads when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()

    async def say(self, utterance: Utterance, path: Path) -> int:
        await self.may.wait()
        return await super().say(utterance, path)

    async def transcribe(self, path: Path, *, language: str | None = None) -> list[Reading]:
        await self.may.wait()
        return await super().transcribe(path, language=language)


async def sounding(world: World) -> bool:
    shown = await world.call("GET", "/v0.3/conversations/CON-1")
    state = shown.json["media_state"]
    return bool(state["play_stream"] or state["tts"])


async def turns(world: World) -> None:
    """Let everything happen but what waits for somebody."""
    for _ in range(3):
        await world.hub.services.conductor.catch_up()
        await world.studio.settle()
        await asyncio.sleep(0.01)  # what is done in threads


def scratch(world: World) -> list[str]:
    return sorted(path.name for path in world.outside.scratch.iterdir())


def test_what_is_for_a_member_without_a_leg_is_not_for_all(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        silent = (await joined(world, "CON-1", "bob"))["id"]
        await post(world, "audio:play", FILE, to=silent)
        await post(world, "audio:say", TEXT, to=silent)
        await post(world, "audio:record", {}, to=silent)
        ringing = {"type": "audio:ringing:start", "body": {}, "to": silent}
        rung = await world.call("POST", "/v0.3/conversations/CON-1/events", ringing)
        assert rung.status == 201
        await world.settle()
        assert not world.studio.told(commands.Play) and not world.studio.told(Record)
        for name in ("audio:play", "audio:say", "audio:record"):
            assert "nobody" in (await told(world, name))[1]["body"]["error"]
        assert scratch(world) == []

    play(scenario)


def test_a_play_is_stopped_before_its_file_has_come(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        may = asyncio.Event()
        fetch = world.downloads.fetch

        async def slowly(url: str) -> Path:
            await may.wait()
            return await fetch(url)

        world.downloads.fetch = slowly  # type: ignore[method-assign]
        made = await world.call(
            "POST", "/v1/conversations/CON-1/events", {"type": "audio:play", "body": FILE}
        )
        await turns(world)
        assert await sounding(world)
        stop = {"type": "audio:play:stop", "body": {"play_id": made.json["body"]["play_id"]}}
        await world.call("POST", "/v1/conversations/CON-1/events", stop)
        await turns(world)
        assert not await sounding(world)
        may.set()
        await world.settle()
        assert not world.studio.told(commands.Play)
        assert await names_told(world, "audio:play") == ["audio:play", "audio:play:stop"]

    play(scenario)


def test_speech_that_comes_too_late_leaves_nothing_behind(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.hub.services.audio.sounds._speech = slow = Slow()
        await stage(world, "alice")
        made = await world.call(
            "POST", "/v1/conversations/CON-1/events", {"type": "audio:say", "body": TEXT}
        )
        await turns(world)
        assert len(world.studio.told(commands.Play)) == 1  # before there is anything to be heard
        stop = {"type": "audio:say:stop", "body": {"say_id": made.json["body"]["say_id"]}}
        await world.call("POST", "/v1/conversations/CON-1/events", stop)
        await turns(world)
        assert len(world.studio.told(StopPlay)) == 1 and not await sounding(world)
        slow.may.set()
        await world.settle()
        assert scratch(world) == []
        assert await names_told(world, "audio:say") == ["audio:say", "audio:say:stop"]

    play(scenario)


def test_without_a_worker_nothing_waits_to_be_played(play: Play) -> None:
    async def scenario(world: World) -> None:
        (leg_id,) = await stage(world, "alice")
        world.studio.is_there = False
        await post(world, "audio:play", FILE)
        await post(world, "audio:say", TEXT)
        for name in ("audio:play", "audio:say"):
            assert "worker" in (await told(world, name))[1]["body"]["error"]
        assert not await sounding(world) and scratch(world) == []
        assert (await world.call("POST", f"/v0.3/legs/{leg_id}/asr", {})).status == 503
        assert (await world.call("DELETE", f"/v0.3/legs/{leg_id}/asr")).status == 404

    play(scenario)


def test_there_is_an_end_of_what_waits_in_a_conversation(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        for _ in range(SOUNDS_MAX + 1):
            await world.call(
                "POST", "/v1/conversations/CON-1/events",
                {"type": "audio:play", "body": FILE | {"queue": True}},
            )  # fmt: skip
        for _ in range(RECORDINGS_MAX + 1):
            await world.call(
                "POST", "/v1/conversations/CON-1/events", {"type": "audio:record", "body": {}}
            )
        await world.settle()
        (play_done,) = [each for each in await told(world, "audio:play:done")]
        assert "too much" in play_done["body"]["error"]
        (record_done,) = [each for each in await told(world, "audio:record:done")]
        assert "recordings" in record_done["body"]["error"]
        assert len(world.studio.told(Record)) == RECORDINGS_MAX

    play(scenario)


def test_a_recording_is_told_before_its_text_is_known(play: Play) -> None:
    async def scenario(world: World) -> None:
        world.hub.services.audio.recordings._speech = slow = Slow()
        await stage(world, "alice")
        wanted = {"format": "wav", "transcription": {"language": "en-US"}}
        made = await post(world, "audio:record", wanted)
        (command,) = world.studio.told(Record)
        put(f"{command.path}.wav", await spoken(world, "good morning"))
        stop = {"record_id": made["body"]["recording_id"]}
        await world.call(
            "POST", "/v1/conversations/CON-1/events", {"type": "audio:record:stop", "body": stop}
        )
        await turns(world)
        assert (await names_told(world, "audio:record"))[-1] == "audio:record:done"
        assert await names_told(world, "audio:transcribe") == []
        state = (await world.call("GET", "/v0.3/conversations/CON-1")).json["media_state"]
        assert not state["recording"] and state["transcribing"]
        world.studio.die()  # what has ended is not ended once more
        slow.may.set()
        await world.settle()
        assert await names_told(world, "audio:transcribe") == ["audio:transcribe:done"]
        assert (await names_told(world, "audio:record")).count("audio:record:done") == 1
        assert scratch(world) == []

    play(scenario)


def test_a_recording_that_cannot_be_kept_says_so_and_goes(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        made = await post(world, "audio:record", {"format": "wav"})
        await post(world, "audio:record:stop", {"record_id": made["body"]["recording_id"]})
        (done,) = await told(world, "audio:record:done")
        assert done["body"]["size"] == 0 and "room" in done["body"]["error"]
        assert scratch(world) == []

    play(scenario, replace(SETTINGS, media=replace(SETTINGS.media, quota=1)))


def test_digits_that_are_sent_are_of_the_form_that_clients_read(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        leg_id = await enabled(world, (await joined(world, "CON-1", "alice"))["id"], "alice")
        await world.call("POST", f"/v0.3/legs/{leg_id}/dtmf", {"digits": "12#"})
        await world.settle()
        (sent,) = await told(world, "audio:dtmf")
        assert (sent["body"]["digit"], sent["body"]["channel"]["id"]) == ("12#", leg_id)
        assert [each.digits for each in world.studio.told(commands.Press)] == ["12#"]

    play(scenario)
