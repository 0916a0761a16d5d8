"""Audio over REST and events: what is played, said, recorded, pressed and recognised."""

import wave
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from tests.api.cast import conversation, history, joined, refusal, user
from tests.api.conftest import Play
from tests.api.test_calls import enabled

from tertulia.model import commands
from tertulia.model.commands import Listen, Press, Record, Ripe, Salvage
from tertulia.ports.speech import Utterance
from tertulia.testing.world import World

URL = "https://sounds.test/hello.mp3"
EVENTS = "/v1/conversations/CON-1/events"


async def stage(world: World, *names: str) -> list[str]:
    """CON-1 with these users in it, all of whom have audio; their legs."""
    await conversation(world)
    legs = []
    for name in names:
        member = await joined(world, "CON-1", name)
        legs.append(await enabled(world, member["id"], name))
    world.downloads[URL] = Path("hello.mp3")
    return legs


async def told(world: World, prefix: str) -> list[dict[str, Any]]:
    return [each for each in await history(world, "CON-1") if each["type"].startswith(prefix)]


async def names_told(world: World, prefix: str) -> list[str]:
    return [each["type"] for each in await told(world, prefix)]


async def post(world: World, name: str, body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await world.call("POST", EVENTS, {"type": name, "body": body, **fields})
    assert answer.status == 201, answer.json
    await world.settle()
    made: dict[str, Any] = answer.json
    return made


def test_a_file_is_played_to_its_end(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        made = await post(world, "audio:play", {"stream_url": [URL], "level": 0.5, "loop": 2})
        (command,) = world.studio.told(commands.Play)
        assert command.play == made["body"]["play_id"]
        assert (command.path, command.kind, command.room) == ("hello.mp3", "file", "CON-1")
        assert (command.level, command.loop) == (0.5, 2)
        assert await names_told(world, "audio:play") == ["audio:play"]
        world.studio.finish_play(command.play)
        await world.settle()
        (_, done) = await told(world, "audio:play")
        assert done["type"] == "audio:play:done"
        assert done["body"] == {"play_id": command.play}

    play(scenario)


def test_what_cannot_be_played_says_why(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        await post(world, "audio:play", {"stream_url": [URL], "level": 0, "loop": 1})
        await user(world, "alice")
        assert "nobody" in (await told(world, "audio:play"))[1]["body"]["error"]
        await enabled(world, (await joined(world, "CON-1", "bob"))["id"], "bob")
        await post(
            world, "audio:play", {"stream_url": ["https://no.test/x"], "level": 0, "loop": 1}
        )
        assert "nothing at" in (await told(world, "audio:play"))[3]["body"]["error"]

    play(scenario)


def test_a_play_is_stopped_by_its_id_and_by_its_leg(play: Play) -> None:
    async def scenario(world: World) -> None:
        (leg,) = await stage(world, "alice")
        made = await post(world, "audio:play", {"stream_url": [URL], "level": 0, "loop": 0})
        await post(world, "audio:play:stop", {"play_id": made["body"]["play_id"]})
        assert await names_told(world, "audio:play") == ["audio:play", "audio:play:stop"]
        begun = await world.call("POST", f"/v0.3/legs/{leg}/stream", {"stream_url": [URL]})
        await world.settle()
        assert world.studio.told(commands.Play)[-1].leg == leg
        stopped = await world.call("DELETE", f"/v0.3/legs/{leg}/stream")
        await world.settle()
        assert stopped.status == 204
        assert (await told(world, "audio:play"))[-1]["body"]["play_id"] == begun.json["id"]

    play(scenario)


def test_a_text_is_said(play: Play) -> None:
    async def scenario(world: World) -> None:
        (leg,) = await stage(world, "alice")
        state = await world.call("GET", "/v0.3/conversations/CON-1")
        assert not state.json["media_state"]["tts"]
        made = await post(
            world, "audio:say", {"text": "hello there", "level": 0, "loop": 1, "voice_name": "amy"}
        )
        (command,), (ripe,) = world.studio.told(commands.Play), world.studio.told(Ripe)
        assert command.kind == "raw" and command.play == made["body"]["say_id"] == ripe.play
        assert size_of(command.path) == ripe.size > 0
        state = await world.call("GET", "/v0.3/conversations/CON-1")
        assert state.json["media_state"]["tts"]
        world.studio.finish_play(command.play)
        await world.settle()
        assert await names_told(world, "audio:say") == ["audio:say", "audio:say:done"]
        assert size_of(command.path) is None
        await world.call("POST", f"/v0.3/legs/{leg}/talk", {"text": "!fail"})
        await world.settle()
        done = (await told(world, "audio:say"))[-1]
        assert "not to be said" in done["body"]["error"] and done["body"]["channel"]["id"] == leg

    play(scenario)


def test_a_recording_becomes_a_file(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice", "bob")
        made = await post(world, "audio:record", {"format": "wav", "split": True})
        (command,) = world.studio.told(Record)
        assert (command.room, command.format, command.channels) == ("CON-1", "wav", 2)
        assert (await world.call("GET", "/v0.3/conversations/CON-1")).json["media_state"][
            "recording"
        ]
        await post(world, "audio:record:stop", {"record_id": made["body"]["recording_id"]})
        (_, _, done) = await told(world, "audio:record")
        assert done["type"] == "audio:record:done"
        body = done["body"]
        assert body["event_id"] == made["id"] and body["size"] > 0
        path = body["destination_url"].removeprefix("https://tertulia.test")
        file = await world.call("GET", path)
        assert file.status == 200 and len(file.raw) == body["size"]
        assert (await world.call("GET", path, headers={"authorization": ""})).status == 401
        assert "api.nexmo.com" in path  # COMPAT: published SDKs look for that
        info = await world.call(
            "GET", f"{path.partition('?')[0].replace('v1/files', 'v3/media')}/info"
        )
        signed = info.json["signed_url"].removeprefix("https://tertulia.test")
        assert (await world.call("GET", signed, headers={"authorization": ""})).raw == file.raw

    play(scenario)


def test_a_recording_outlives_its_worker(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        await post(world, "audio:record", {"format": "mp3"})
        world.studio.die()
        await world.settle()
        (salvage,) = world.studio.told(Salvage)
        assert salvage.record == world.studio.told(Record)[0].record
        assert (await names_told(world, "audio:record"))[-1] == "audio:record:done"

    play(scenario)


def test_a_full_disk_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        made = await post(world, "audio:record", {})
        world.studio.recorded(made["body"]["recording_id"], "failed", "no space is left")
        await world.settle()
        done = (await told(world, "audio:record"))[-1]["body"]
        assert done["error"] == "no space is left" and done["size"] == 0

    play(scenario)


def test_keys_are_told_once_and_sent_to_the_others(play: Play) -> None:
    async def scenario(world: World) -> None:
        alice, bob = await stage(world, "alice", "bob")
        world.studio.digit(alice, "5", 120)
        await world.settle()
        (pressed,) = await told(world, "audio:dtmf")
        assert pressed["from"] == "MEM-1"
        assert pressed["body"] | {"channel": None} == {
            "digit": "5", "method": "in", "duration": 120, "dtmf_seq": 1, "channel": None,
        }  # fmt: skip
        assert world.studio.told(Press) == []
        own = {"digit": "7", "channel": {"type": "app", "id": alice}}
        await post(world, "audio:dtmf", own, **{"from": "MEM-1"})
        assert world.studio.told(Press) == [Press(bob, "7")]
        await world.call("POST", f"/v0.3/legs/{alice}/dtmf", {"digits": "12#"})
        await world.settle()
        assert world.studio.told(Press)[1:] == [Press(alice, "12#")]

    play(scenario)


def test_speaking_is_told(play: Play) -> None:
    async def scenario(world: World) -> None:
        (leg,) = await stage(world, "alice")
        for on in (True, False):
            world.studio.speaking(leg, on)
        await world.settle()
        assert await names_told(world, "audio:speaking") == [
            "audio:speaking:on", "audio:speaking:off"
        ]  # fmt: skip

    play(scenario)


def test_what_is_said_is_recognised(play: Play) -> None:
    async def scenario(world: World) -> None:
        (leg,) = await stage(world, "alice")
        wanted = {"speech_context": ["seven"], "start_timeout": 3, "save_audio": True}
        begun = await world.call("POST", f"/v0.3/legs/{leg}/asr", wanted)
        await world.settle()
        (command,) = world.studio.told(Listen)
        assert (command.listen, command.leg, command.start_ms) == (begun.json["id"], leg, 3000)
        heard = await spoken(world, "seven of nine")
        world.studio.listened(command.listen, content=heard)
        await world.settle()
        done, saved = await told(world, "audio:asr")
        assert done["body"]["asr"]["results"][0]["word"] == "seven of nine"
        assert done["body"]["asr"]["error"] is None and world.speech.hints == [("seven",)]
        assert saved["type"] == "audio:asr:record:done"
        assert saved["body"]["asr"]["destination_url"].startswith("https://tertulia.test/v1/files/")
        gone = await world.call("DELETE", f"/v0.3/legs/{leg}/asr")
        assert refusal(gone) == (404, "audio:error:not-found")

    play(scenario)


def test_a_recording_is_transcribed(play: Play) -> None:
    async def scenario(world: World) -> None:
        await stage(world, "alice")
        wanted = {"format": "wav", "transcription": {"language": "en-US"}}
        made = await post(world, "audio:record", wanted)
        (command,) = world.studio.told(Record)
        put(f"{command.path}.wav", await spoken(world, "good morning"))
        await post(world, "audio:record:stop", {"record_id": made["body"]["recording_id"]})
        (text,) = await told(world, "audio:transcribe")
        path = text["body"]["transcription_url"].removeprefix("https://tertulia.test")
        found = await world.call("GET", path)
        assert msgspec.json.decode(found.raw)["channels"][0]["text"] == "good morning"

    play(scenario)


async def spoken(world: World, words: str) -> bytes:
    """A WAV file with these words in it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "spoken.raw")
        await world.speech.say(Utterance(words), path)
        return as_wav(path)


def as_wav(path: Path) -> bytes:
    made = BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(path.read_bytes())
    return made.getvalue()


def size_of(path: str) -> int | None:
    return Path(path).stat().st_size if Path(path).exists() else None


def put(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
