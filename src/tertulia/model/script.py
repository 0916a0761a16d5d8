"""Call scripts: what an application wants done with a call, action by action (wire-api 5.3).

COMPAT: scripts are written by hand in many languages, so numbers and truth values may come as
text, and members that an action does not know are passed over.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from tertulia.model.conversation import Name
from tertulia.model.errors import TertuliaError
from tertulia.model.events.values import WebUri
from tertulia.model.validation import check_nesting, explain

SCRIPT_MAX = 48 * 1024
"""Octets of JSON."""
ACTIONS_MAX = 100

Level = Annotated[float, Meta(ge=-1, le=1)]
"""0 leaves the audio as it is."""
Loop = Annotated[int, Meta(ge=0, le=10_000)]
"""Times to play; 0 is endless."""
Urls = Annotated[list[WebUri], Meta(min_length=1, max_length=3)]
Method = Annotated[str, Meta(max_length=10)]
Language = Annotated[str, Meta(max_length=35)]
Legs = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=500)]


class ScriptRefused(TertuliaError):
    """It is not a script, or not one that can be carried out; the message says why."""


class _Action(Struct, frozen=True, rename="camel", tag_field="action"):
    """Members as in JSON, in camel case there."""


class Talk(_Action, frozen=True, tag="talk"):
    """Say a text, plain or SSML."""

    text: Annotated[str, Meta(min_length=1, max_length=1500)]
    barge_in: bool = False
    """Whoever hears it may interrupt it."""
    loop: Loop = 1
    level: Level = 0.0
    language: Language = "en-US"
    style: Annotated[int, Meta(ge=0, le=1000)] = 0
    premium: bool = False


class Stream(_Action, frozen=True, tag="stream"):
    """Play a file."""

    stream_url: Urls
    level: Level = 0.0
    barge_in: bool = False
    loop: Loop = 1


class Transcribed(Struct, frozen=True, rename="camel"):
    """How a recording is to be turned into text, and where that goes."""

    language: Language = "en-US"
    event_url: Urls | None = None
    event_method: Method = "POST"
    sentiment_analysis: bool = False


class Record(_Action, frozen=True, tag="record"):
    """Record the call. With a condition that ends it the script waits; otherwise it goes on."""

    format: Literal["mp3", "wav", "ogg"] = "mp3"
    split: Literal["conversation"] | None = None
    channels: Annotated[int, Meta(ge=1, le=32)] | None = None
    end_on_silence: Annotated[int, Meta(ge=3, le=10)] | None = None
    """Seconds, as `time_out`."""
    end_on_key: Annotated[str, Meta(pattern=r"^[0-9*#]$")] | None = None
    time_out: Annotated[int, Meta(ge=3, le=7200)] | None = None
    beep_start: bool = False
    event_url: Urls | None = None
    event_method: Method = "POST"
    transcription: Transcribed | None = None

    @property
    def has_end(self) -> bool:
        return any((self.end_on_silence, self.end_on_key, self.time_out))


class Keys(Struct, frozen=True, rename="camel"):
    """Which keys an input waits for."""

    time_out: Annotated[float, Meta(ge=0, le=10)] = 3.0
    """Seconds after the last key."""
    max_digits: Annotated[int, Meta(ge=1, le=20)] = 4
    submit_on_hash: bool = False


class Speech(Struct, frozen=True, rename="camel"):
    """What speech an input waits for. Times in seconds."""

    uuid: Annotated[list[str], Meta(max_length=1)] = []
    """The leg to listen to; none is the call's own."""
    end_on_silence: Annotated[float, Meta(ge=0.4, le=10)] = 2.0
    language: Language = "en-US"
    context: Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=500)] = []
    """What will probably be said."""
    start_timeout: Annotated[float, Meta(ge=1, le=60)] = 10.0
    max_duration: Annotated[float, Meta(ge=1, le=60)] = 60.0
    save_audio: bool = False
    sensitivity: Annotated[int, Meta(ge=10, le=100)] = 90


class Input(_Action, frozen=True, tag="input"):
    """Wait for keys, for speech, or for what comes first."""

    type: Annotated[list[Literal["dtmf", "speech"]], Meta(min_length=1, max_length=2)]
    dtmf: Keys = Keys()
    speech: Speech = Speech()
    mode: Literal["synchronous"] = "synchronous"
    event_url: Urls | None = None
    event_method: Method = "POST"


class Meeting(_Action, frozen=True, tag="conversation"):
    """Put the call into a conversation, where it stays."""

    name: Name
    start_on_enter: bool = True
    """Otherwise it waits until somebody who does not is there."""
    end_on_exit: bool = False
    """When it leaves, the others' calls end."""
    mute: bool = False
    can_speak: Legs | None = None
    """Ids of the legs that hear it; None is all. The next alike: that it hears."""
    can_hear: Legs | None = None
    record: bool = False
    music_on_hold_url: Urls | None = None


Action = Talk | Stream | Record | Input | Meeting
Script = tuple[Action, ...]

ACTIONS = ("talk", "stream", "record", "input", "conversation")


def parse(raw: bytes) -> Script:
    """Read a script from JSON. Raises ScriptRefused."""
    if len(raw) > SCRIPT_MAX:
        raise ScriptRefused(f"the script is larger than {SCRIPT_MAX} octets")
    try:
        check_nesting(raw)
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, TertuliaError):
        raise ScriptRefused("the script is not JSON") from None
    if not isinstance(given, list):
        raise ScriptRefused("the script is not an array of actions")
    if len(given) > ACTIONS_MAX:
        raise ScriptRefused(f"the script has more than {ACTIONS_MAX} actions")
    return tuple(_action(each, number) for number, each in enumerate(given, 1))


def _action(given: Any, number: int) -> Action:
    name = given.get("action") if isinstance(given, dict) else None
    if not isinstance(name, str):
        raise ScriptRefused(f"action {number} has no name")
    if name not in ACTIONS:
        raise ScriptRefused(f"action {number}: {name[:40]!r} is not an action that is known here")
    try:
        action: Action = msgspec.convert(given, Action, strict=False)
    except msgspec.ValidationError as error:
        (parameter,) = explain(error).parameters
        raise ScriptRefused(f"action {number} ({name}): {parameter.reason}") from None
    return action
