"""What clients do in calls, with real audio: each event of audio, legs and WebRTC from its cause,
and what it says has really happened to what is heard.
"""

import asyncio
import json
from typing import Any

from tests.system.hall import Hall
from tests.system.proof.venue import FILE_HERTZ, Venue
from tests.system.softphone import Softphone
from tests.system.speakers import SENTENCES, errors
from tests.system.tones import Samples

ANNES, BENS = 700, 1_100
"""Hertz: the voices of Anne and Ben."""
RINGBACK = (440, 480)
SENTENCE = SENTENCES[0]
SLIPS = 2
"""Words that may be misheard: how good the recogniser is, other tests say."""


async def play(venue: Venue, voice: Samples) -> None:
    """All scenes; `voice` says SENTENCE."""
    here = venue.hall
    anne, ben = await here.guest("anne"), await here.guest("ben")
    await who_hears_whom(here, anne, ben)
    await what_is_played(here, anne, ben, venue.file)
    await a_ringing(here, anne, ben)
    await pressed_keys(here, anne, ben)
    await what_is_said(here, anne, ben)
    await what_is_recorded_and_recognised(here, anne, voice)
    await a_call_and_its_transfer(here, anne)
    await a_knock(venue)
    await farewells(here, anne, ben)
    await here.diary.read()
    assert media_of(here, anne) == [
        (True, False, False), (True, True, False), (True, False, False),
        (True, False, True), (True, False, False), (False, False, False),
    ]  # fmt: skip


def media_of(here: Hall, phone: Softphone) -> list[tuple[bool, bool, bool]]:
    """What was told of a member's media: whether there is audio, muted, earmuffed."""
    told = [
        each.body["media"]["audio_settings"]
        for each in here.diary.told("member:media")
        if each.event.sender == phone.member
    ]
    return [(each["enabled"], each["muted"], each["earmuffed"]) for each in told]


async def act(here: Hall, phone: Softphone, action: str) -> None:
    await here.put(f"/v0.3/legs/{phone.leg}", {"action": action})


async def who_hears_whom(here: Hall, anne: Softphone, ben: Softphone) -> None:
    anne.tone(ANNES)
    ben.tone(BENS)
    await anne.hears(BENS)
    await ben.hears(ANNES)
    await act(here, anne, "mute")
    await here.diary.see("audio:mute:on", leg=anne.leg)
    await ben.hears_silence()
    await anne.hears(BENS)
    await act(here, anne, "unmute")
    await ben.hears(ANNES)
    member = anne.member
    earmuff = {"from": member, "to": member, "body": {"rtc_id": anne.leg}}
    path = f"/conversations/{here.conversation}/events"
    await anne.must("POST", path, {"type": "audio:earmuff:on", **earmuff})
    await anne.hears_silence()
    await ben.hears(ANNES)
    await anne.must("POST", path, {"type": "audio:earmuff:off", **earmuff})
    await anne.hears(BENS)
    anne.tone(0)
    ben.tone(0)


async def what_is_played(here: Hall, anne: Softphone, ben: Softphone, url: str) -> None:
    play = {"stream_url": [url], "level": 0, "loop": 1}
    for_all = await here.post("audio:play", play)
    await asyncio.gather(anne.hears(FILE_HERTZ), ben.hears(FILE_HERTZ))
    await here.diary.see("audio:play:done", play_id=for_all["body"]["play_id"])
    await anne.hears_silence()
    endless = await here.put(f"/v0.3/legs/{ben.leg}/stream", {**play, "loop": 0})
    await ben.hears(FILE_HERTZ)
    await anne.hears_silence()
    await here.post("audio:play:stop", {"play_id": endless["id"]})
    await ben.hears_silence()


async def a_ringing(here: Hall, anne: Softphone, ben: Softphone) -> None:
    await here.post("audio:ringing:start", {}, to=anne.member)
    await anne.hears(*RINGBACK)
    await ben.hears_silence()
    await here.post("audio:ringing:stop", {}, to=anne.member)
    await anne.hears_silence()


async def pressed_keys(here: Hall, anne: Softphone, ben: Softphone) -> None:
    since = await here.diary.read()
    for digit in "4#":
        await anne.press(digit)
        pressed = await here.diary.see("audio:dtmf", since=since, leg=anne.leg, digit=digit)
        assert pressed.body["method"] == "in"
        assert 80 <= pressed.body["duration"] <= 120
    await here.put(f"/v0.3/legs/{ben.leg}/dtmf", {"digits": "71"})
    await ben.line.gets("71")
    key = {"digit": "9", "channel": {"type": "app", "id": anne.leg}}
    await anne.must(
        "POST", f"/conversations/{here.conversation}/events",
        {"type": "audio:dtmf", "from": anne.member, "body": key},
    )  # fmt: skip
    await ben.line.gets("719")


async def what_is_said(here: Hall, anne: Softphone, ben: Softphone) -> None:
    said = await here.put(f"/v0.3/legs/{anne.leg}/talk", {"text": "Good morning."})
    await anne.hears_something()
    await ben.hears_silence()
    await here.diary.see("audio:say:done", say_id=said["id"])
    endless = {"text": "Please hold the line.", "level": 0, "loop": 0}
    say = (await here.post("audio:say", endless))["body"]["say_id"]
    await asyncio.gather(anne.hears_something(), ben.hears_something())
    await here.post("audio:say:stop", {"say_id": say})
    await asyncio.gather(anne.hears_silence(), ben.hears_silence())


async def what_is_recorded_and_recognised(here: Hall, anne: Softphone, voice: Samples) -> None:
    record = {"format": "wav", "transcription": {"language": "en-US"}}
    recording = (await here.post("audio:record", record))["body"]["recording_id"]
    asked = await here.caller.call(
        "POST", f"/v0.3/legs/{anne.leg}/asr", {"end_on_silence_timeout": 1, "save_audio": True}
    )
    assert asked.status == 201, asked
    await anne.say(voice)
    await here.diary.see("audio:speaking:on", leg=anne.leg)
    await here.diary.see("audio:speaking:off", leg=anne.leg)
    asr = (await here.diary.see("audio:asr:done", leg=anne.leg)).body["asr"]
    assert asr["error"] is None
    assert errors(SENTENCE, asr["results"][0]["word"]) <= SLIPS
    assert asr["timeout_reason"] == "end_on_silence_timeout"
    saved = (await here.diary.see("audio:asr:record:done")).body["asr"]
    assert (saved["asr_id"], saved["error"]) == (asr["asr_id"], None)
    assert len(await here.download(saved["destination_url"])) == saved["size"]
    await here.post("audio:record:stop", {"record_id": recording})
    done = (await here.diary.see("audio:record:done", recording_id=recording)).body
    assert len(await here.download(done["destination_url"])) == done["size"]
    text = (await here.diary.see("audio:transcribe:done", recording_id=recording)).body
    transcript = json.loads(await here.download(text["transcription_url"]))
    assert errors(SENTENCE, transcript["channels"][0]["text"]) <= SLIPS


async def a_call_and_its_transfer(here: Hall, anne: Softphone) -> None:
    """Anne calls Cleo, whom the application then takes elsewhere."""
    cleo = await here.phone("cleo")
    audio = {"audio_settings": {"enabled": True, "earmuffed": False, "muted": False}}
    await anne.must(
        "POST", f"/conversations/{here.conversation}/members",
        {"state": "invited", "user": {"name": "cleo"}, "channel": {"type": "app"},
         "media": audio, "from": anne.member},
    )  # fmt: skip
    await cleo.event("member:invited")
    await cleo.pick_up()
    await here.diary.see("rtc:ringing", leg=cleo.leg)
    await here.diary.see("rtc:offer", leg=cleo.leg)
    await here.diary.see("rtc:answered", leg=cleo.leg)
    anne.tone(ANNES)
    await cleo.hears(ANNES)
    elsewhere = await here.another()
    joining = {"state": "joined", "user": {"name": "cleo"}}
    await here.caller.post(
        f"/v0.3/conversations/{elsewhere}/members",
        {**joining, "channel": {"type": "app", "id": cleo.leg}},
    )
    moved = await here.diary.see("rtc:transfer", leg=cleo.leg)
    assert moved.body["transferred_from"] == here.conversation
    await cleo.hears_silence()
    await act(here, cleo, "hangup")


async def a_knock(venue: Venue) -> None:
    """Dora calls the application, which takes its time, and gives up."""
    here = venue.hall
    dora = await here.phone("dora")
    await dora.open()
    channel = {"type": "app", "id": dora.leg, "to": {"type": "phone", "number": "447700900000"}}
    with venue.thinking():
        knocking = await dora.must("POST", "/knocking", {"channel": channel})
        # at once: a caller is let in after 2.5 seconds without an answer
        await dora.must("DELETE", f"/knocking/{knocking['id']}?reason_code=TIRED")
    await here.diary.see("app:knocking", leg=dora.leg)
    given_up = await here.diary.see("app:knocking:cancel")
    assert given_up.body["reason"]["code"] == "TIRED"


async def farewells(here: Hall, anne: Softphone, ben: Softphone) -> None:
    """Anne keeps her membership and gives up her audio; Ben's leg is hung up."""
    path = f"/conversations/{here.conversation}/rtc/{anne.leg}"
    await anne.must("DELETE", f"{path}?from={anne.member}")
    await here.diary.see("rtc:terminate", leg=anne.leg)
    await act(here, ben, "hangup")
    for phone in (anne, ben):
        hangup = (await here.diary.see("rtc:hangup", leg=phone.leg)).body
        check_account(hangup)
        status = (await here.diary.see("rtc:status", leg=phone.leg)).body
        assert float(status["duration"]) > 1
        assert status["mos"] == hangup["quality"]["mos_score"]


def check_account(hangup: dict[str, Any]) -> None:
    """A clean line: nearly nothing lost, and a good score, though the machine may be busy."""
    quality, bandwidth = hangup["quality"], hangup["bandwidth"]
    assert quality["packet_cnt"] > 100
    assert quality["packet_loss_perc"] < 2
    assert quality["mos_score"] > 3.5, hangup
    assert bandwidth["bytes_in"] > 1_000 and bandwidth["bytes_out"] > 1_000
