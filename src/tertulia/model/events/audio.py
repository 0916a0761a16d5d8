"""Events of audio: what is played, said, recorded, muted, heard and recognised.

Requests and facts share a type: `audio:play` asks for audio and says that it started. The
platform adds an id, which stop and done events name.
"""

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import force_setattr

from tertulia.model.events.registry import EVERYWHERE, Body, Creator, event
from tertulia.model.events.values import Count, Level, Part, WebUri, whole
from tertulia.model.state import Channel
from tertulia.model.validation import DIGITS

_SERVER = Creator.REST | Creator.PLATFORM
_ANYONE = Creator.REST | Creator.CLIENT | Creator.PLATFORM
_RINGING = Creator.REST_LEGACY | Creator.CLIENT | Creator.PLATFORM

Digits = Annotated[str, Meta(pattern=DIGITS)]
Language = Annotated[str, Meta(max_length=35)]


@event("audio:dtmf", creators=_ANYONE, reaches=EVERYWHERE)
class AudioDtmf(Body, frozen=True):
    """A DTMF tone was received from a leg, or is to be sent into it."""

    digit: Digits | None = None
    digits: Digits | None = None
    channel: Channel | None = None
    method: Literal["in"] | None = None
    """`in`: the tone was received. Absent: it is to be sent."""
    duration: Count | None = None
    """Milliseconds."""
    dtmf_id: str | None = None
    dtmf_seq: Count | None = None

    def __post_init__(self) -> None:
        if self.digit is None and self.digits is None:
            raise ValueError("must contain at least one of [digit, digits]")
        if self.method is not None and self.duration is None:
            raise ValueError("`duration` is required")


class LegAudio(Body, frozen=True):
    """A body that names the leg whose audio is changed."""

    rtc_id: str
    """Id of the leg."""


@event("audio:earmuff:off", creators=_ANYONE, reaches=EVERYWHERE)
class AudioEarmuffOff(LegAudio, frozen=True):
    """A leg hears the conversation again."""


@event("audio:earmuff:on", creators=_ANYONE, reaches=EVERYWHERE)
class AudioEarmuffOn(LegAudio, frozen=True):
    """A leg stopped hearing the conversation."""


@event("audio:mute:off", creators=_ANYONE, reaches=EVERYWHERE)
class AudioMuteOff(LegAudio, frozen=True):
    """A leg is heard by the conversation again."""


@event("audio:mute:on", creators=_ANYONE, reaches=EVERYWHERE)
class AudioMuteOn(LegAudio, frozen=True):
    """A leg stopped being heard by the conversation."""


@event("audio:play:stop", creators=_SERVER)
class AudioPlayStop(Body, frozen=True):
    """Streamed audio was stopped on request."""

    play_id: str


@event("audio:play:done")
class AudioPlayDone(Body, frozen=True):
    """Streamed audio ended by itself."""

    play_id: str
    error: str | None = None
    channel: Channel | None = None


@event("audio:play", creators=_SERVER, mints="play_id")
class AudioPlay(Body, frozen=True):
    """Audio started to be streamed into the conversation or one leg."""

    stream_url: Annotated[list[WebUri], Meta(min_length=1)]
    level: Level
    """-1 to 1; 0 leaves the audio as it is."""
    loop: Count
    """Times to play; 0 is endless."""
    queue: bool | None = None
    play_id: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "level", whole(self.level))


@event("audio:record:stop", creators=_SERVER)
class AudioRecordStop(Body, frozen=True):
    """A recording was stopped on request."""

    record_id: str
    """COMPAT: the `recording_id` of `audio:record`, by another name (wire-api 8 #9)."""


@event("audio:record:done")
class AudioRecordDone(Body, frozen=True):
    """The file of a recording is ready."""

    recording_id: str
    destination_url: str
    format: str
    start_time: str
    end_time: str
    size: Count
    """Bytes."""
    event_id: int | None = None
    """The `audio:record` event."""
    channel: Channel | None = None
    error: str | None = None
    """Why there is no file; ours."""


class Transcription(Part, frozen=True):
    """How a recording is to be turned into text."""

    language: Language
    sentiment_analysis: bool | None = None


@event("audio:record", creators=_SERVER, mints="recording_id")
class AudioRecord(Body, frozen=True):
    """The conversation or one leg began to be recorded."""

    format: Literal["mp3", "wav", "ogg"] | None = None
    validity: Annotated[int, Meta(ge=1)] | None = None
    streamed: bool | None = None
    beep_start: bool | None = None
    beep_stop: bool | None = None
    detect_speech: bool | None = None
    split: bool | None = None
    multitrack: bool | None = None
    channels: Annotated[int, Meta(ge=1, le=32)] | None = None
    transcription: Transcription | None = None
    end_on_silence: Annotated[int, Meta(ge=1, le=60)] | None = None
    """Seconds of silence that end it. Ours, as the next two, after the call action `record`."""
    end_on_key: Annotated[str, Meta(pattern=r"^[0-9*#]$")] | None = None
    time_limit: Annotated[int, Meta(ge=1, le=7200)] | None = None
    """Seconds."""
    recording_id: str = ""
    mulitrack: bool | None = None
    """COMPAT: as the public reference spells it (wire-api 8 #10). This and the following are read
    as the member they mean, and never emitted."""
    multi_track: bool | None = None
    """COMPAT: this and the following as the types of the Node SDK make a program send them."""
    detect_speach: bool | None = None
    beep_end: bool | None = None
    record_id: str | None = None
    """COMPAT: required by those types, though only this server can name a recording."""

    def __post_init__(self) -> None:
        for alias, meant in _RECORD_ALIASES.items():
            value = getattr(self, alias)
            if value is not None:
                if meant is not None and getattr(self, meant) is None:
                    force_setattr(self, meant, value)
                force_setattr(self, alias, None)


_RECORD_ALIASES = {
    "mulitrack": "multitrack", "multi_track": "multitrack", "detect_speach": "detect_speech",
    "beep_end": "beep_stop", "record_id": None,
}  # fmt: skip


class AsrWord(Part, frozen=True):
    """A reading of what was said."""

    word: str
    confidence: float


class Asr(Part, frozen=True):
    """What speech recognition understood."""

    asr_id: str
    results: list[AsrWord]
    error: str | None
    call_id: str | None = None
    timeout_reason: str | None = None


@event("audio:asr:done")
class AudioAsrDone(Body, frozen=True):
    """Speech recognition on a leg finished."""

    asr: Asr
    channel: Channel


class AsrRecording(Part, frozen=True):
    """The audio that speech recognition listened to."""

    asr_id: str
    call_id: str
    destination_url: str
    format: Literal["mp3", "wav"]
    start_time: str
    end_time: str
    size: Count
    """Bytes."""
    media_service_uuid: str
    error: str | None


@event("audio:asr:record:done")
class AudioAsrRecordDone(Body, frozen=True):
    """The audio that speech recognition saved is ready."""

    asr: AsrRecording
    channel: Channel


@event("audio:say:stop", creators=_SERVER)
class AudioSayStop(Body, frozen=True):
    """Text to speech was stopped on request."""

    say_id: str


@event("audio:say:done", creators=Creator.REST_LEGACY | Creator.PLATFORM, reaches=EVERYWHERE)
class AudioSayDone(Body, frozen=True):
    """Text to speech ended by itself."""

    say_id: str
    error: str | None = None
    channel: Channel | None = None


@event("audio:say", creators=_ANYONE, reaches=EVERYWHERE, mints="say_id")
class AudioSay(Body, frozen=True):
    """Text to speech started in the conversation or one leg."""

    text: str
    level: Level
    """-1 to 1; 0 leaves the voice as it is."""
    loop: Count
    """Times to say it; 0 is endless."""
    queue: bool | None = None
    voice_name: str | None = None
    language: Language | None = None
    style: Annotated[int, Meta(ge=0, le=1000)] | None = None
    premium: bool | None = None
    ssml: bool | None = None
    say_id: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "level", whole(self.level))


@event("audio:speaking:on")
class AudioSpeakingOn(Body, frozen=True):
    """Somebody began to speak on a leg."""

    channel: Channel


@event("audio:speaking:off")
class AudioSpeakingOff(Body, frozen=True):
    """Somebody stopped speaking on a leg."""

    channel: Channel


@event("audio:transcribe:done")
class AudioTranscribeDone(Body, frozen=True):
    """The transcription of a recording is ready."""

    request_id: str
    recording_id: str
    transcription_url: str | None = None
    error: str | None = None
    channel: Channel | None = None


@event("audio:ringing:start", creators=_RINGING, reaches=EVERYWHERE)
class AudioRingingStart(Body, frozen=True):
    """A ringback tone started."""


@event("audio:ringing:stop", creators=_RINGING, reaches=EVERYWHERE)
class AudioRingingStop(Body, frozen=True):
    """A ringback tone stopped."""
