"""What goes wrong in calls: a worker that dies, a client that freezes, audio that cannot be had.

With TERTULIA_FULL=1 in the environment the frozen client is waited for until it is given up.
"""

import asyncio
import io
import os
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.system.caller import Answer
from tests.system.conftest import Plant
from tests.system.file_server import SLOW, serving
from tests.system.hall import Hall, hall
from tests.system.softphone import Softphone
from tests.system.speakers import SENTENCES, needs_speech
from tests.system.tones import Samples, level
from tests.system.tree import is_ready, until

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
HERTZ, BENS = 700, 1_100
RECORDED_S = 2.0
GIVEN_UP_S = 90.0
"""Consent runs out after thirty seconds, and then the client may come back for twenty."""
SPOILED: dict[str, tuple[Callable[[str], str], str]] = {
    "empty of lines": (lambda sdp: "hello", "malformed"),
    "too long": (lambda sdp: sdp + "a=x\r\n" * 1_001, "too long"),
    "no audio": (lambda sdp: sdp.replace("m=audio", "m=video"), "no audio"),
    "no codec of ours": (
        lambda sdp: re.sub(r"(m=audio \d+ \S+) .*", r"\1 9", sdp), "no common codec"
    ),
    "not over DTLS": (lambda sdp: sdp.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "not over DTLS"),
    "no multiplexing": (lambda sdp: sdp.replace("a=rtcp-mux\r\n", ""), "no rtcp-mux"),
    "no fingerprint": (lambda sdp: re.sub(r"a=fingerprint:.*\r\n", "", sdp), "fingerprint"),
    "no credentials": (lambda sdp: re.sub(r"a=ice-pwd:.*\r\n", "", sdp), "no ICE credentials"),
    "no role": (lambda sdp: sdp.replace("a=setup:actpass", "a=setup:holdconn"), "no DTLS role"),
    "a candidate that is none": (
        lambda sdp: re.sub(r"a=candidate:.*", "a=candidate:1 1 udp", sdp), "malformed candidate"
    ),
}  # fmt: skip
"""By what is wrong: how an offer is spoiled, and what of that is told."""


def test_a_worker_dies_in_the_middle_of_a_call(plant: Plant) -> None:
    async def session() -> None:
        async with hall(plant) as here:
            anne, ben = await here.guest("anne"), await here.guest("ben")
            anne.tone(HERTZ)
            await ben.hears(HERTZ)
            take = (await here.post("audio:record", {"format": "wav"}))["body"]["recording_id"]
            play = await here.put(f"/v0.3/legs/{ben.leg}/talk", {"text": "Hello.", "loop": 0})
            await asyncio.sleep(RECORDED_S)
            await asyncio.to_thread(here.tree.kill_part, "media")
            killed = time.time()
            for phone in (anne, ben):
                await facts_of_death(here, phone)
            assert (await here.diary.see("audio:say:done", say_id=play["id"])).body["error"]
            await salvaged(here, take, killed)
            await the_next_call(here)
            await here.diary.check()

    asyncio.run(session())


async def facts_of_death(here: Hall, phone: Softphone) -> None:
    hangup = (await here.diary.see("rtc:hangup", leg=phone.leg)).body
    assert (hangup["reason"]["code"], hangup["reason"]["sip_code"]) == ("REMOTE_FAILURE", 500)
    await here.diary.see("rtc:status", leg=phone.leg)
    (*_, status) = here.diary.told("leg:status:update", leg=phone.leg)
    assert status.body["status"] == "failed"
    assert status.body["state"]["reason"] == "server_internal_error"
    await here.diary.see("member:media", leg=phone.leg, audio=False)


async def salvaged(here: Hall, recording: str, killed: float) -> None:
    """A file of about the right length, with the voice in it up to the end."""
    done = (await here.diary.see("audio:record:done", recording_id=recording)).body
    assert "error" not in done
    started = datetime.fromisoformat(done["start_time"]).timestamp()
    sound, rate = soundfile.read(io.BytesIO(await download(here, done)), dtype="int16")
    assert killed - started - 1.0 <= len(sound) / rate <= killed - started + 0.1
    pieces = np.array_split(np.asarray(sound, np.int16), 10)
    assert min(level(each, HERTZ * 16_000 / rate) for each in pieces) > 0.1


async def download(here: Hall, done: dict[str, Any]) -> bytes:
    content = await here.download(done["destination_url"])
    assert len(content) == done["size"]
    return content


async def the_next_call(here: Hall) -> None:
    url = here.stage.document.api_url
    await asyncio.to_thread(until, "a worker again", lambda: here.tree.has("media"))
    await asyncio.to_thread(until, "ready", lambda: is_ready(url))
    cleo, dora = await here.guest("cleo"), await here.guest("dora")
    cleo.tone(BENS)
    await dora.hears(BENS)


@needs_speech
def test_a_client_freezes_while_it_speaks(plant: Plant, voices: dict[str, Samples]) -> None:
    async def session() -> None:
        async with hall(plant) as here:
            anne, ben = await here.guest("anne"), await here.guest("ben")
            speaking = asyncio.create_task(anne.say(voices[SENTENCES[0]]))
            await here.diary.see("audio:speaking:on", leg=anne.leg)
            await ben.hears_something()
            anne.line.is_cut = True
            await here.diary.see("audio:speaking:off", leg=anne.leg)
            await ben.hears_silence()
            await speaking
            if FULL:
                hangup = await here.diary.see("rtc:hangup", within=GIVEN_UP_S, leg=anne.leg)
                assert hangup.body["reason"]["code"] == "REMOTE_FAILURE"
                (*_, status) = here.diary.told("leg:status:update", leg=anne.leg)
                assert status.body["state"]["reason"] == "flow_failed"

    asyncio.run(session())


@needs_speech
def test_what_cannot_be_had_is_told(plant: Plant, voices: dict[str, Samples]) -> None:
    """Descriptions that are none, sounds that cannot be played, speech without an engine."""

    async def session() -> None:
        settings = {
            "TERTULIA_MEDIA__DOWNLOAD_TIMEOUT_S": "1",
            "TERTULIA_SPEECH__SYNTHESIS": "none",
            "TERTULIA_SPEECH__RECOGNITION": "none",
        }
        async with hall(plant, **settings) as here:
            anne = await here.guest("anne")
            await refused_descriptions(here, await here.phone("ben"), anne)
            await unplayable(here, anne)
            await unspeakable(here, anne, voices[SENTENCES[0]])
            anne.tone(HERTZ)
            ben = await here.guest("cleo")
            await ben.hears(HERTZ)

    asyncio.run(session())


async def refused_descriptions(here: Hall, stranger: Softphone, guest: Softphone) -> None:
    offer = await stranger.offer()
    path = f"/conversations/{here.conversation}/rtc"
    for name, (spoil, reason) in SPOILED.items():
        body = {"offer": {"type": "offer", "sdp": spoil(offer)}}
        for answer in (
            await stranger.ask("POST", "/legs", {"body": body}),
            await guest.ask("POST", path, {"from": guest.member, "body": body}),
            await guest.ask("POST", f"{path}/{guest.leg}/offer", {"body": body}),
        ):
            check_refusal(name, answer, reason)
    await here.diary.read()
    legs = {entry.body["leg_id"] for entry in here.diary.told("leg:status:update")}
    assert legs == {guest.leg}


def check_refusal(name: str, answer: Answer, reason: str) -> None:
    assert answer.status == 400, (name, answer)
    assert "sdp" in answer.raw.decode() and reason in answer.raw.decode(), (name, answer)


async def unplayable(here: Hall, anne: Softphone) -> None:
    """Each is told with its reason; the worker goes on."""
    async with serving({"/notes.txt": b"This is no sound. " * 1_000, "/none.wav": b""}) as address:
        reasons = {
            "http://169.254.169.254/latest/meta-data": "not permitted",
            f"{address}{SLOW}": "within 1 second",
            f"{address}/notes.txt": "not WAV, MP3 or Ogg",
            f"{address}/none.wav": "not WAV, MP3 or Ogg",
            "http://127.0.0.1:9/tone.wav": "cannot connect",
        }
        for url, reason in reasons.items():
            body = {"stream_url": [url], "level": 0, "loop": 1}
            for place in ({}, {"to": anne.member}):
                made = await here.post("audio:play", body, **place)
                play = made["body"]["play_id"]
                done = (await here.diary.see("audio:play:done", play_id=play)).body
                assert reason in done["error"]


async def unspeakable(here: Hall, anne: Softphone, voice: Samples) -> None:
    """No engine speaks, and none listens."""
    said = await here.put(f"/v0.3/legs/{anne.leg}/talk", {"text": "Hello."})
    done = (await here.diary.see("audio:say:done", say_id=said["id"])).body
    assert done["error"] == "speech synthesis is switched off"
    asked = await anne.must("POST", f"/legs/{anne.leg}/asr", {"end_on_silence_timeout": 0.4})
    await anne.say(voice)
    asr = await here.diary.see_asr(asked["id"])
    assert (asr["results"], asr["error"]) == ([], "speech recognition is switched off")
    record = {"format": "wav", "transcription": {"language": "en-US"}}
    take = (await here.post("audio:record", record))["body"]["recording_id"]
    await asyncio.sleep(0.2)
    await here.post("audio:record:stop", {"record_id": take})
    assert "error" not in (await here.diary.see("audio:record:done", recording_id=take)).body
    text = (await here.diary.see("audio:transcribe:done", recording_id=take)).body
    assert text["error"] == "speech recognition is switched off"
