"""Audio of legs and conversations: play, say, record, press, recognise (wire-api 5.1)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tertulia.model.events.audio import (
    AudioPlay,
    AudioRecord,
    AudioSay,
    Digits,
    Language,
    Transcription,
)
from tertulia.model.events.values import Level, WebUri
from tertulia.model.ids import LegId
from tertulia.protocols.http1 import Response
from tertulia.services.audiocontrol import AudioControl, Place
from tertulia.services.recognition import Wanted
from tertulia.web import answers
from tertulia.web.routing import OLDER, Call, Edition, route

LATEST = (Edition.V03,)
LEG = "/legs/{leg_id}"
CONVERSATION = "/conversations/{conversation_id}"

Loop = Annotated[int, Meta(ge=0, le=10)]


class StreamDraft(Struct, frozen=True):
    """Files to be played."""

    stream_url: Annotated[list[WebUri], Meta(min_length=1, max_length=3)]
    level: Level = 0
    loop: Loop = 1
    queue: bool = False

    def body(self) -> AudioPlay:
        return AudioPlay(
            stream_url=self.stream_url, level=self.level, loop=self.loop, queue=self.queue
        )


class TalkDraft(Struct, frozen=True):
    """A text to be said."""

    text: Annotated[str, Meta(min_length=1, max_length=1500)]
    voice_name: str | None = None
    language: Language | None = None
    style: Annotated[int, Meta(ge=0, le=1000)] | None = None
    premium: bool | None = None
    level: Level = 0
    loop: Loop = 1
    queue: bool = False

    def body(self) -> AudioSay:
        """COMPAT: a text that begins as SSML is SSML."""
        return AudioSay(
            text=self.text, level=self.level, loop=self.loop, queue=self.queue,
            voice_name=self.voice_name, language=self.language, style=self.style,
            premium=self.premium, ssml=self.text.lstrip().startswith("<speak") or None,
        )  # fmt: skip


class RecordDraft(Struct, frozen=True):
    """What is to be recorded, and how."""

    format: Literal["mp3", "wav", "ogg", "vorbis"] = "mp3"
    split: bool = False
    streamed: bool | None = None
    beep: bool = False
    public: bool = False
    validity_time: Annotated[int, Meta(ge=1, le=44_640)] | None = None
    destination_url: list[WebUri] | None = None
    transcription: Transcription | None = None
    multitrack: bool = False
    end_on_silence: Annotated[int, Meta(ge=1, le=60)] | None = None
    end_on_key: Annotated[str, Meta(pattern=r"^[0-9*#]$")] | None = None
    time_limit: Annotated[int, Meta(ge=1, le=7200)] | None = None

    def body(self) -> AudioRecord:
        return AudioRecord(
            format="ogg" if self.format == "vorbis" else self.format,
            split=self.split or None, streamed=self.streamed,
            beep_start=self.beep or None, validity=self.validity_time,
            transcription=self.transcription, multitrack=self.multitrack or None,
            end_on_silence=self.end_on_silence, end_on_key=self.end_on_key,
            time_limit=self.time_limit,
        )  # fmt: skip


class DigitsDraft(Struct, frozen=True):
    """Digits to be sent."""

    digits: Digits
    method: Literal["in", "out"] = "out"


class AsrDraft(Struct, frozen=True):
    """What to listen for. Times in seconds."""

    language: Language = "en-US"
    speech_context: Annotated[list[str], Meta(max_length=500)] = []
    end_on_silence_timeout: Annotated[float, Meta(ge=0.4, le=10)] = 2.0
    start_timeout: Annotated[float, Meta(ge=1, le=60)] = 10.0
    max_duration: Annotated[float, Meta(ge=1, le=60)] = 60.0
    save_audio: bool = False
    sensitivity: Annotated[int, Meta(ge=10, le=100)] = 90
    active: bool = True
    conversation_id: str | None = None

    def wanted(self) -> Wanted:
        return Wanted(
            language=self.language, hints=tuple(self.speech_context),
            end_on_silence=self.end_on_silence_timeout, start_timeout=self.start_timeout,
            max_duration=self.max_duration, save_audio=self.save_audio,
            sensitivity=self.sensitivity,
        )  # fmt: skip


class AsrChange(Struct, frozen=True):
    active: bool


class Begun(Struct, frozen=True):
    """What was begun, by its id."""

    id: str
    message: str


class AudioResource:
    def __init__(self, control: AudioControl) -> None:
        self._control = control

    @route("POST", LEG + "/stream", editions=LATEST, body=StreamDraft,
           answers={200: Begun, 409: None})  # fmt: skip
    @route("PUT", LEG + "/stream", name="put_leg_stream", editions=(*LATEST, *OLDER),
           body=StreamDraft, answers={200: Begun, 409: None})  # fmt: skip
    async def stream_into_leg(self, call: Call) -> Response:
        """Play a file into a leg"""
        return await self._play(call, await self._leg(call))

    @route("DELETE", LEG + "/stream", editions=(*LATEST, *OLDER), answers={204: None, 409: None})
    async def stop_leg_stream(self, call: Call) -> Response:
        """Stop what is played into a leg"""
        return await self._stop(call, await self._leg(call), speech=False)

    @route("POST", LEG + "/talk", editions=LATEST, body=TalkDraft,
           answers={200: Begun, 409: None})  # fmt: skip
    @route("PUT", LEG + "/talk", name="put_leg_talk", editions=(*LATEST, *OLDER),
           body=TalkDraft, answers={200: Begun, 409: None})  # fmt: skip
    async def talk_into_leg(self, call: Call) -> Response:
        """Say a text into a leg"""
        return await self._say(call, await self._leg(call))

    @route("DELETE", LEG + "/talk", editions=(*LATEST, *OLDER), answers={204: None, 409: None})
    async def stop_leg_talk(self, call: Call) -> Response:
        """Stop what is said into a leg"""
        return await self._stop(call, await self._leg(call), speech=True)

    @route("POST", LEG + "/recording", editions=LATEST, body=RecordDraft,
           answers={200: Begun, 409: None})  # fmt: skip
    @route("PUT", LEG + "/recording", name="put_leg_recording", editions=(*LATEST, *OLDER),
           body=RecordDraft, answers={200: Begun, 409: None})  # fmt: skip
    async def record_leg(self, call: Call) -> Response:
        """Record a leg"""
        return await self._record(call, await self._leg(call))

    @route("DELETE", LEG + "/recording", editions=(*LATEST, *OLDER),
           answers={204: None, 409: None})  # fmt: skip
    async def stop_leg_recording(self, call: Call) -> Response:
        """Stop recording a leg"""
        await self._control.stop_recordings(await self._leg(call), call.actor)
        return answers.nothing()

    @route("POST", LEG + "/dtmf", editions=LATEST, body=DigitsDraft,
           answers={200: Begun, 409: None})  # fmt: skip
    @route("PUT", LEG + "/dtmf", name="put_leg_dtmf", editions=(*LATEST, *OLDER),
           body=DigitsDraft, answers={200: Begun, 409: None})  # fmt: skip
    async def send_digits(self, call: Call) -> Response:
        """Send digits into a leg"""
        place = await self._leg(call)
        await self._control.press(place, call.body.digits, call.actor)
        return answers.json(200, Begun(place.leg_id or "", "DTMF sent"))

    @route("POST", LEG + "/asr", editions=LATEST, body=AsrDraft,
           answers={201: Begun, 409: None})  # fmt: skip
    async def listen_to_leg(self, call: Call) -> Response:
        """Recognise what is said on a leg"""
        asr_id = self._control.listen(await self._leg(call), call.body.wanted())
        return answers.json(201, Begun(asr_id, "Listening"))

    @route("PUT", LEG + "/asr", editions=LATEST, body=AsrDraft,
           answers={200: Begun, 409: None})  # fmt: skip
    async def listen_again(self, call: Call) -> Response:
        """Recognise what is said on a leg, instead of what was wanted before"""
        place = await self._leg(call)
        asr_id = self._control.listen(place, call.body.wanted(), instead=True)
        return answers.json(200, Begun(asr_id, "Listening"))

    @route("DELETE", LEG + "/asr", editions=LATEST, answers={204: None, 409: None})
    async def stop_listening(self, call: Call) -> Response:
        """Listen no longer; what was heard is recognised"""
        self._control.stop_listening(await self._leg(call))
        return answers.nothing()

    @route("PATCH", LEG + "/asr/{asr_id}", editions=LATEST, body=AsrChange,
           answers={200: Begun, 409: None})  # fmt: skip
    async def change_listening(self, call: Call) -> Response:
        """Listen no longer, or once more"""
        place, asr_id = await self._leg(call), call.params["asr_id"]
        if call.body.active:
            self._control.listen_again(place, asr_id)
            return answers.json(200, Begun(asr_id, "Listening"))
        self._control.stop_listening(place, asr_id)
        return answers.json(200, Begun(asr_id, "Stopped"))

    @route("PUT", CONVERSATION + "/stream", editions=(Edition.V1,), body=StreamDraft,
           answers={200: Begun})  # fmt: skip
    async def stream_into_conversation(self, call: Call) -> Response:
        """Play a file to all of a conversation"""
        return await self._play(call, await self._conversation(call))

    @route("DELETE", CONVERSATION + "/stream", editions=(Edition.V1,), answers={204: None})
    async def stop_conversation_stream(self, call: Call) -> Response:
        """Stop what is played to all of a conversation"""
        return await self._stop(call, await self._conversation(call), speech=False)

    @route("PUT", CONVERSATION + "/talk", editions=(Edition.V1,), body=TalkDraft,
           answers={200: Begun})  # fmt: skip
    async def talk_into_conversation(self, call: Call) -> Response:
        """Say a text to all of a conversation"""
        return await self._say(call, await self._conversation(call))

    @route("DELETE", CONVERSATION + "/talk", editions=(Edition.V1,), answers={204: None})
    async def stop_conversation_talk(self, call: Call) -> Response:
        """Stop what is said to all of a conversation"""
        return await self._stop(call, await self._conversation(call), speech=True)

    @route("PUT", CONVERSATION + "/record", editions=(Edition.V1,), body=RecordDraft,
           answers={200: Begun})  # fmt: skip
    async def record_conversation(self, call: Call) -> Response:
        """Record a conversation"""
        return await self._record(call, await self._conversation(call))

    @route("DELETE", CONVERSATION + "/record", editions=(Edition.V1,), answers={204: None})
    async def stop_conversation_recording(self, call: Call) -> Response:
        """Stop recording a conversation"""
        await self._control.stop_recordings(await self._conversation(call), call.actor)
        return answers.nothing()

    async def _leg(self, call: Call) -> Place:
        return await self._control.leg(LegId(call.params["leg_id"]), call.actor)

    async def _conversation(self, call: Call) -> Place:
        return await self._control.conversation(call.conversation_id, call.actor)

    async def _play(self, call: Call, place: Place) -> Response:
        play_id = await self._control.play(place, call.body.body(), call.actor)
        return answers.json(200, Begun(play_id, "Stream started"))

    async def _say(self, call: Call, place: Place) -> Response:
        say_id = await self._control.say(place, call.body.body(), call.actor)
        return answers.json(200, Begun(say_id, "Talk started"))

    async def _record(self, call: Call, place: Place) -> Response:
        record_id = await self._control.record(place, call.body.body(), call.actor)
        return answers.json(200, Begun(record_id, "Recording started"))

    async def _stop(self, call: Call, place: Place, *, speech: bool) -> Response:
        await self._control.stop_sounds(place, call.actor, speech=speech)
        return answers.nothing()
