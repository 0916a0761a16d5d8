"""What a simulated handset, and the carrier before it, do with a message: rules, and their steps.

The fields are those of a handset file, docs/simulated-handsets.md. Seconds.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tertulia.model.sending import MessageChannel

SECONDS_MAX = 86_400.0
TEXT_MAX = 10_000

Seconds = Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Why = Literal["unknown", "barred", "content", "unreachable", "expired"]
"""The number is nobody's; the sender is not wanted; what it says is not; it is switched off; it was
for too long."""


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is done."""


class Throttle(Step, frozen=True):
    """The carrier has too much to do, so many times; then it takes what comes."""

    times: Annotated[int, Meta(ge=1, le=1000)] = field(name="throttle")


class Refuse(Step, frozen=True):
    """The carrier does not take the message."""

    why: Why = field(name="refuse")


class Pause(Step, frozen=True):
    seconds: Seconds = field(name="pause")


class Deliver(Step, frozen=True):
    deliver: Literal[True]


class Fail(Step, frozen=True):
    """It was taken, and does not arrive."""

    why: Why = field(name="fail")


class Read(Step, frozen=True):
    """Somebody reads it. Channels without such news do not tell."""

    read: Literal[True]


class Reply(Step, frozen=True):
    """`{text}`, `{from}` and `{to}` are those of the message that came."""

    text: Text = field(name="reply")


class Send(Step, frozen=True):
    """A file answers; on a channel without files nothing does."""

    url: Annotated[str, Meta(pattern=r"^https?://\S+$", max_length=2000)] = field(name="send")
    kind: Literal["image", "audio", "video", "file"] = field(name="type", default="image")
    caption: Annotated[str, Meta(max_length=TEXT_MAX)] = ""


AnyStep = Throttle | Refuse | Pause | Deliver | Fail | Read | Reply | Send
Act = Deliver | Fail | Read | Reply | Send
"""What is done at its time, once the carrier has the message."""
Verdict = Throttle | Refuse | None
"""None: the carrier takes it."""


class Rule(Struct, frozen=True):
    """Holds for messages by one of `channels` in which one of these words stands; without such
    words, or without channels: for all."""

    do: tuple[AnyStep, ...]
    says: tuple[Word, ...] = ()
    channels: tuple[MessageChannel, ...] = ()


class Handset(Struct, frozen=True):
    number: str
    """Its name: digits, with which the addresses end that it has."""
    about: str
    rules: tuple[Rule, ...]
    """The first that fits counts; without one nothing is ever heard of the message."""
