"""What somebody at the other end of a simulated call does: steps in parts, and the line between.

The fields are those of a call file, docs/simulated-phones.md. Seconds unless said otherwise.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

START = "start"
"""The part that a call begins with."""
CALLS = "calls"
"""The part that begins when somebody whom this number has called has answered."""
SECONDS_MAX = 3600.0
TEXT_MAX = 2000
QUIET = 0.8

Seconds = Annotated[float, Meta(gt=0, le=SECONDS_MAX)]
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
PartName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Number = Annotated[str, Meta(pattern=r"^\+?\d{1,20}$")]
Hertz = Annotated[float, Meta(ge=50, le=3800)]
Decibels = Annotated[float, Meta(ge=-60, le=3)]
Trigger = Annotated[str, Meta(pattern=r"^([0-9A-D*#]|digit|speech|silence)$")]
Branches = dict[Trigger, PartName]
"""Where to go on by what was heard: a key, `digit` for any other key, `speech`, `silence`."""


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is done."""


class Reacting(Step, frozen=True, kw_only=True):
    """Something that takes its time, and that the other end may cut short."""

    on: Branches = {}
    quiet: Seconds = QUIET
    """For which nothing is said before that counts as silence."""


class Ring(Step, frozen=True):
    seconds: Seconds = field(name="ring")


class Early(Step, frozen=True):
    """From here on the other end hears us, before we answer (183)."""

    early: Literal[True]


class Answer(Step, frozen=True):
    answer: Literal[True]


class Decline(Step, frozen=True):
    code: Annotated[int, Meta(ge=400, le=699)] = field(name="decline")
    text: Annotated[str, Meta(max_length=80, pattern=r"^[ -~]*$")] = ""


class Redirect(Step, frozen=True):
    """To another number (302)."""

    to: Number = field(name="redirect")


class Say(Reacting, frozen=True):
    text: Text = field(name="say")
    language: str | None = None
    voice: str | None = None


class Play(Reacting, frozen=True):
    """An audio file that lies beside the call file, or in a folder there."""

    file: Annotated[str, Meta(min_length=1, max_length=200)] = field(name="play")


class Tone(Reacting, frozen=True):
    hertz: Annotated[list[Hertz], Meta(min_length=1, max_length=4)] = field(name="tone")
    seconds: Seconds = field(name="for")
    level: Decibels = -10.0
    """dBm0 of each sine."""


class Beep(Reacting, frozen=True):
    hertz: Hertz = field(name="beep")
    seconds: Seconds = field(name="for", default=0.4)
    level: Decibels = -10.0


class Pause(Reacting, frozen=True):
    seconds: Seconds = field(name="pause")


class Press(Step, frozen=True):
    """Keys; `p` waits half a second."""

    digits: Annotated[str, Meta(pattern=r"^[0-9A-D*#p]{1,64}$")] = field(name="press")
    seconds: Annotated[float, Meta(ge=0.04, le=5)] = field(name="for", default=0.1)
    by: Literal["rtp", "tones", "info"] = "rtp"


class Wait(Reacting, frozen=True):
    """For what `until` names, then the next step; for what `on` names; no longer than so long."""

    seconds: Seconds = field(name="wait")
    until: Literal["speech", "silence", "digit"] | None = None
    otherwise: PartName | None = field(name="else", default=None)
    """Where to go on when the time is over; without it at the next step."""


class Echo(Reacting, frozen=True):
    """The other end hears itself."""

    seconds: Seconds = field(name="echo")


class Record(Reacting, frozen=True):
    """Keep what the other end says, in a file of the data folder."""

    seconds: Annotated[float, Meta(gt=0, le=300)] = field(name="record")


class Hold(Step, frozen=True):
    seconds: Seconds = field(name="hold")


class Transfer(Step, frozen=True):
    """Ask the other end to call that number in our place."""

    to: Number = field(name="transfer")


class HangUp(Step, frozen=True):
    hang_up: Literal[True]


class Go(Step, frozen=True):
    """On with another part."""

    part: PartName = field(name="go")


AnyStep = (
    Ring | Early | Answer | Decline | Redirect | Say | Play | Tone | Beep | Pause | Press | Wait
    | Echo | Record | Hold | Transfer | HangUp | Go
)  # fmt: skip
Sound = Say | Play | Tone | Beep
"""What is heard of a step."""


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """What the network does to the audio, each way alike."""

    loss: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Percent of the packets."""
    jitter: Annotated[float, Meta(ge=0, le=2000)] = 0.0
    """Milliseconds by which packets are late, at most."""
    delay: Annotated[float, Meta(ge=0, le=5000)] = 0.0
    """Milliseconds by which all are late."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """The same one loses the same packets of every call."""
    codecs: Annotated[list[Literal["PCMU", "PCMA"]], Meta(min_length=1, max_length=2)] = field(
        default_factory=lambda: ["PCMU", "PCMA"]
    )
    keys: Literal["rtp", "tones"] = "rtp"
    """With `tones` the phone does not know RFC 4733: its keys are heard, and it hears none."""

    @property
    def has_events(self) -> bool:
        return self.keys == "rtp"

    @property
    def is_good(self) -> bool:
        return not (self.loss or self.jitter or self.delay)


class Callee(Struct, frozen=True):
    """Somebody who can be called, and who can call."""

    number: str
    about: str
    parts: Mapping[str, tuple[AnyStep, ...]]
    line: Line = Line()

    @property
    def sounds(self) -> tuple[Sound, ...]:
        """All that may be heard, in the order of the file."""
        return tuple(
            step for steps in self.parts.values() for step in steps if isinstance(step, Sound)
        )
