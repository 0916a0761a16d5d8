"""Call scripts: what an application wants done with a call, action by action (wire-api 5.3).

COMPAT: scripts are written by hand in many languages, so numbers and truth values may come as
text, lists of one address as that address, and members that an action does not know are passed
over.
"""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from tertulia.model.conversation import Name
from tertulia.model.endpoints import Callee, renamed, respelled
from tertulia.model.errors import TertuliaError
from tertulia.model.events.values import WebUri
from tertulia.model.machine import AdvancedMachineDetection, Detection, OnMachine, detection
from tertulia.model.validation import NO_CONTROLS, check_nesting, explain

SCRIPT_MAX = 48 * 1024
"""Octets of JSON."""
ACTIONS_MAX = 100
SPOKEN_MAX = 1500
"""Characters of a text to be said, without SSML tags."""

Level = Annotated[float, Meta(ge=-1, le=1)]
"""0 leaves the audio as it is."""
Loop = Annotated[int, Meta(ge=0, le=10_000)]
"""Times to play; 0 is endless."""
Urls = Annotated[list[WebUri], Meta(min_length=1, max_length=3)]
Method = Annotated[str, Meta(max_length=10)]
Language = Annotated[str, Meta(max_length=35)]
LegOrConversation = Annotated[str, Meta(min_length=1, max_length=200)]
"""An id."""
Legs = Annotated[list[LegOrConversation], Meta(max_length=500)]
CallSeconds = Annotated[int, Meta(ge=1, le=7200)]
Caller = Annotated[str, Meta(min_length=1, max_length=128, pattern=NO_CONTROLS)]
"""Who is to be shown as calling: a number; whoever carries the call may know better."""

_TAG = re.compile("<[^<>]*>")


class ScriptRefused(TertuliaError):
    """It is not a script, or not one that can be carried out; the message says why."""


class _Action(Struct, frozen=True, rename="camel", tag_field="action"):
    """Members as in JSON, in camel case there."""


class Talk(_Action, frozen=True, tag="talk"):
    """Say a text, plain or SSML."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000)]
    barge_in: bool = False
    """Whoever hears it may interrupt it."""
    loop: Loop = 1
    level: Level = 0.0
    language: Language = "en-US"
    style: Annotated[int, Meta(ge=0, le=1000)] = 0
    premium: bool = False

    def __post_init__(self) -> None:
        is_ssml = self.text.lstrip().startswith("<speak")
        if len(_TAG.sub("", self.text) if is_ssml else self.text) > SPOKEN_MAX:
            limit = f"less than or equal to {SPOKEN_MAX} characters long"
            raise ValueError(f"`text` length must be {limit}")


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
    """Wait for keys, for speech, or for what comes first; or report every key of the call from
    now on (asynchronous) and go on."""

    type: Annotated[list[Literal["dtmf", "speech"]], Meta(min_length=1, max_length=2)]
    dtmf: Keys = Keys()
    speech: Speech = Speech()
    mode: Literal["synchronous", "asynchronous"] = "synchronous"
    event_url: Urls | None = None
    event_method: Method = "POST"

    def __post_init__(self) -> None:
        if self.is_endless and "speech" in self.type:
            raise ValueError("`type` must be [dtmf] in asynchronous mode")
        if self.is_endless and self.dtmf != Keys():
            raise ValueError("`dtmf` must be left out in asynchronous mode")

    @property
    def is_endless(self) -> bool:
        return self.mode == "asynchronous"


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
    transcription: Transcribed | None = None
    event_url: Urls | None = None
    """Of the recording."""
    event_method: Method = "POST"


class Connect(_Action, frozen=True, tag="connect"):
    """Call somebody into the conversation. The script waits until that call is over."""

    endpoint: Annotated[list[Callee], Meta(min_length=1, max_length=1)]
    from_: Caller | None = field(default=None, name="from")
    random_from_number: bool = False
    """Some number of the application's."""
    event_type: Literal["synchronous", "asynchronous"] = "asynchronous"
    """Synchronous: the application is asked what becomes of a call that did not succeed."""
    timeout: CallSeconds = 60
    """Seconds to ring."""
    limit: CallSeconds = 7200
    """Seconds that it may last once it is answered."""
    machine_detection: OnMachine | None = None
    advanced_machine_detection: AdvancedMachineDetection | None = None
    event_url: Urls | None = None
    event_method: Method = "POST"
    ringback_tone: WebUri | None = None
    """What the caller hears until the answer."""

    def __post_init__(self) -> None:
        if self.from_ and self.random_from_number:
            raise ValueError("`randomFromNumber` must not be set together with from")

    @property
    def callee(self) -> Callee:
        return self.endpoint[0]

    @property
    def asks(self) -> bool:
        return self.event_type == "synchronous"

    @property
    def detection(self) -> Detection | None:
        return detection(self.machine_detection, self.advanced_machine_detection)


class Notify(_Action, frozen=True, tag="notify"):
    """Tell the application something, which may answer with another script."""

    payload: dict[str, Any]
    event_url: Urls
    event_method: Method = "POST"


class Wait(_Action, frozen=True, tag="wait"):
    """Do nothing for a while."""

    timeout: float = 10.0
    """As given."""

    @property
    def seconds(self) -> float:
        """COMPAT: what is out of bounds counts as the bound."""
        return min(max(self.timeout, 0.1), 7200.0)


class Transfer(_Action, frozen=True, tag="transfer"):
    """Move the call into a conversation that is there already, where it stays."""

    conversation_id: LegOrConversation
    can_hear: Legs | None = None
    """Ids of the legs that it hears; None is all. The next alike: that hear it."""
    can_speak: Legs | None = None
    mute: bool = False


Action = Talk | Stream | Record | Input | Meeting | Connect | Notify | Wait | Transfer
Script = tuple[Action, ...]

ACTIONS = (
    "talk", "stream", "record", "input", "conversation", "connect", "notify", "wait", "transfer",
)  # fmt: skip
WITHDRAWN = ("pay",)

_SPELLINGS = {"advanced_machine_detection": "advancedMachineDetection"}
_LISTS = ("eventUrl", "streamUrl", "musicOnHoldUrl", "uuid")


def answers(action: Action) -> bool:
    """Whether a call that came in must be answered for this. A connect answers it only when the
    callee answers."""
    return not isinstance(action, Connect | Notify | Wait)


def parse(raw: bytes) -> Script:
    """Read a script from JSON. Raises ScriptRefused."""
    if len(raw) > SCRIPT_MAX:
        raise ScriptRefused(f"the script is larger than {SCRIPT_MAX} octets")
    try:
        check_nesting(raw)
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, TertuliaError):
        raise ScriptRefused("the script is not JSON") from None
    return read(given)


def read(given: Any) -> Script:
    """As `parse`, from decoded JSON."""
    if not isinstance(given, list):
        raise ScriptRefused("the script is not an array of actions")
    if len(given) > ACTIONS_MAX:
        raise ScriptRefused(f"the script has more than {ACTIONS_MAX} actions")
    return tuple(_action(each, number) for number, each in enumerate(given, 1))


def _action(given: Any, number: int) -> Action:
    name = given.get("action") if isinstance(given, dict) else None
    if not isinstance(name, str):
        raise ScriptRefused(f"action {number} has no name")
    if name in WITHDRAWN:
        raise ScriptRefused(f"action {number}: {name!r} has been withdrawn")
    if name not in ACTIONS:
        raise ScriptRefused(f"action {number}: {name[:40]!r} is not an action that is known here")
    try:
        action: Action = msgspec.convert(_spelled(given), Action, strict=False)
    except msgspec.ValidationError as error:
        (parameter,) = explain(error).parameters
        raise ScriptRefused(f"action {number} ({name}): {parameter.reason}") from None
    return action


def _spelled(given: dict[str, Any]) -> dict[str, Any]:
    """An action in the one spelling that is documented."""
    members = _listed(renamed(given, _SPELLINGS))
    match members.get("ringbackTone"):
        case [str() as url]:  # COMPAT: the Python SDK's type
            members["ringbackTone"] = url
    if isinstance(callees := members.get("endpoint"), list):
        members["endpoint"] = [respelled(each) for each in callees]
    if isinstance(advanced := members.get("advancedMachineDetection"), dict):
        members["advancedMachineDetection"] = renamed(advanced, {"beepTimeout": "beep_timeout"})
    for name in ("speech", "transcription"):
        if isinstance(inner := members.get(name), dict):
            members[name] = _listed(renamed(inner, {}))
    return members


def _listed(members: dict[str, Any]) -> dict[str, Any]:
    for name in _LISTS:
        if isinstance(one := members.get(name), str):
            members[name] = [one]
        elif one == []:  # COMPAT: the Node SDK's way to say none
            del members[name]
    return members
