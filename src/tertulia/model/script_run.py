"""A call's way through its script, as a pure state machine.

It is told what has happened and says what is to be done; whoever runs it does that, and tells what
has come of it. Each kind of action is an act of its own, so that others can be added.
"""

from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Protocol

from msgspec import Struct

from tertulia.model.script import Action, Input, Meeting, Record, Script, Speech, Stream, Talk

UNDER_SOUND = 3600.0
"""Seconds that a listening waits while something is being said that may be interrupted: its own
time to start begins when that is over."""
PACE = 1.0
"""Seconds that an input waits for keys at the least: scripts that go round must not race."""

DIGITS = frozenset("0123456789*#ABCD")


# ── what happens ──


class SoundOver(Struct, frozen=True):
    """What was played or said is over; with the reason if it never was."""

    error: str | None = None


class RecordOver(Struct, frozen=True):
    """The recording that the script waits for has ended, or another one failed."""

    error: str | None = None


class Barred(Struct, frozen=True):
    """The conversation cannot be entered."""

    error: str


class Pressed(Struct, frozen=True):
    digit: str


class Spoke(Struct, frozen=True):
    """Somebody began to speak on the leg."""


class Reading(Struct, frozen=True):
    text: str
    confidence: float


class Heard(Struct, frozen=True):
    """What was listened for has come to an end."""

    results: tuple[Reading, ...] = ()
    reason: str | None = None
    """`end_on_silence_timeout`, `start_timeout`, `max_duration`, `stopped` …"""
    error: str | None = None


class Elapsed(Struct, frozen=True):
    """The time of a Wait is up."""

    mark: int


class Told(Struct, frozen=True):
    """What the application said to a result: a script that replaces this one, or nothing."""

    script: Script = ()
    error: str | None = None
    """It said something that is no script."""


class HungUp(Struct, frozen=True):
    pass


Happening = (
    SoundOver | RecordOver | Barred | Pressed | Spoke | Heard | Elapsed | Told | HungUp
)  # fmt: skip


# ── what is to be done ──


class Hush(Struct, frozen=True):
    """End what is being played or said."""


class Listen(Struct, frozen=True):
    speech: Speech
    start_timeout: float


class Unlisten(Struct, frozen=True):
    """Stop listening. What was heard so far is still told."""


class Wait(Struct, frozen=True):
    """A newer one takes the place of it."""

    mark: int
    seconds: float


class Submit(Struct, frozen=True):
    """Tell the application the result of an input; then Told."""

    action: Input
    digits: str
    timed_out: bool
    speech: Heard | None


class Complain(Struct, frozen=True):
    """Something could not be done; the script goes on."""

    reason: str


class End(Struct, frozen=True):
    """The call ends: with its script, or because that is of no use."""

    error: str | None = None


Order = Talk | Stream | Record | Meeting | Hush | Listen | Unlisten | Wait | Submit | Complain | End
"""An action is an order to begin it."""


class Run:
    """Calls are never nested: an order is carried out before the next happening is told."""

    def __init__(self, script: Script) -> None:
        self._rest = deque(script)
        self._act: _Act | None = None
        self._marks = count(1)
        self.is_over = False

    def begin(self) -> list[Order]:
        return self._go_on()

    def on(self, happening: Happening) -> list[Order]:
        """What is to be done now, in this order."""
        if self.is_over or self._act is None:
            return []
        if isinstance(happening, HungUp):
            self.is_over = True
            return []
        orders = [*_complaints(happening), *self._act.on(happening)]
        if isinstance(self._act, _Input) and self._act.replacement:
            self._rest = deque(self._act.replacement)
        if any(isinstance(order, End) for order in orders):
            self.is_over = True
            return orders
        return [*orders, *self._go_on()]

    def _go_on(self) -> list[Order]:
        orders: list[Order] = []
        while self._act is None or self._act.is_over:
            if not self._rest:
                self.is_over = True
                return [*orders, End()]
            orders += self._start(self._rest.popleft())
        return orders

    def _start(self, action: Action) -> list[Order]:
        if isinstance(action, Talk | Stream) and action.barge_in:
            if self._rest and isinstance(following := self._rest[0], Input):
                self._rest.popleft()
                self._act = _Input(following, self._marks, under_sound=True)
                return [action, *self._act.begin()]
        self._act = self._act_of(action)
        return list(self._act.begin())

    def _act_of(self, action: Action) -> "_Act":
        match action:
            case Talk() | Stream():
                return _Sound(action)
            case Record():
                return _Recording(action)
            case Meeting():
                return _Attendance(action)
            case Input():
                return _Input(action, self._marks)


def _complaints(happening: Happening) -> list[Order]:
    if isinstance(happening, SoundOver | RecordOver | Barred) and happening.error:
        return [Complain(happening.error)]
    return []


# ── acts ──


class _Act(Protocol):
    is_over: bool

    def begin(self) -> Sequence[Order]: ...

    def on(self, happening: Happening) -> Sequence[Order]: ...


class _Sound:
    def __init__(self, action: Talk | Stream) -> None:
        self._action = action
        self.is_over = False

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        interrupts = isinstance(happening, Pressed | Spoke) and self._action.barge_in
        self.is_over = interrupts or isinstance(happening, SoundOver)
        return [Hush()] if interrupts else []


class _Recording:
    def __init__(self, action: Record) -> None:
        self._action = action
        self.is_over = not action.has_end

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        self.is_over = isinstance(happening, RecordOver)
        return []


class _Attendance:
    """It lasts as long as the call."""

    def __init__(self, action: Meeting) -> None:
        self._action = action
        self.is_over = False

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        return [End(happening.error)] if isinstance(happening, Barred) else []


class _Input:
    """Keys win over speech: with the first one nobody listens any more."""

    def __init__(self, action: Input, marks: "count[int]", *, under_sound: bool = False) -> None:
        self._action = action
        self._marks = marks
        self._sounds = under_sound
        self._wants_keys = "dtmf" in action.type
        self._listens = "speech" in action.type
        self._digits = ""
        self._mark = 0
        self._gave_up: str | None = None
        """The reason, once listening was ended by us."""
        self._submitted = False
        self.replacement: Script = ()
        self.is_over = False

    def begin(self) -> Sequence[Order]:
        speech = self._action.speech
        if self._listens:
            return [Listen(speech, UNDER_SOUND if self._sounds else speech.start_timeout)]
        return [] if self._sounds else [self._wait_for_keys()]

    def on(self, happening: Happening) -> Sequence[Order]:
        if self._submitted:
            return self._told(happening) if isinstance(happening, Told) else []
        match happening:
            case Pressed(digit=digit) if self._wants_keys:
                return self._pressed(digit)
            case Spoke() if self._listens:
                return self._spoke()
            case SoundOver() if self._sounds:
                return self._sound_over()
            case Elapsed(mark=mark) if mark == self._mark:
                return self._elapsed()
            case Heard() if self._listens:
                return self._heard(happening)
        return []

    def _pressed(self, digit: str) -> list[Order]:
        if digit.upper() not in DIGITS:
            return []
        orders = self._quiet()
        is_end = digit == "#" and self._action.dtmf.submit_on_hash
        if not is_end:
            self._digits += digit.upper()
        if is_end or len(self._digits) >= self._action.dtmf.max_digits:
            return [*orders, *self._submit(timed_out=False)]
        return [*orders, self._wait_for_keys()]

    def _spoke(self) -> list[Order]:
        """From now on there is something to hear, which has an end."""
        if self._gave_up or not self._action_waits_for_start():
            return []
        speech = self._action.speech
        hush: list[Order] = [Hush()] if self._sounds else []
        self._sounds = False
        return [*hush, self._wait(speech.start_timeout + speech.max_duration)]

    def _action_waits_for_start(self) -> bool:
        """Only a listening that began under a sound is timed here."""
        return self._sounds or self._mark > 0

    def _sound_over(self) -> list[Order]:
        self._sounds = False
        if self._listens:
            return [self._wait(self._action.speech.start_timeout)]
        return [self._wait_for_keys()]

    def _elapsed(self) -> list[Order]:
        if not self._listens:
            return self._submit(timed_out=True)
        if self._gave_up:
            return []
        self._gave_up = "start_timeout"
        return [Unlisten()]

    def _heard(self, heard: Heard) -> list[Order]:
        self._listens = False
        if self._gave_up and heard.reason == "stopped":
            reason = "max_duration" if heard.results else self._gave_up
            heard = Heard(heard.results, reason, heard.error)
        return [*self._quiet(), *self._submit(timed_out=self._wants_keys, speech=heard)]

    def _quiet(self) -> list[Order]:
        """Neither sound nor listening any more."""
        orders: list[Order] = [Hush()] if self._sounds else []
        if self._listens:
            orders.append(Unlisten())
        self._sounds = self._listens = False
        return orders

    def _submit(self, *, timed_out: bool, speech: Heard | None = None) -> list[Order]:
        self._submitted = True
        if speech is None and "speech" in self._action.type:
            speech = Heard()
        return [Submit(self._action, self._digits, timed_out, speech)]

    def _told(self, told: Told) -> list[Order]:
        if told.error is not None:
            return [Complain(told.error), End(told.error)]
        self.replacement = told.script
        self.is_over = True
        return []

    def _wait_for_keys(self) -> Wait:
        return self._wait(max(self._action.dtmf.time_out, PACE))

    def _wait(self, seconds: float) -> Wait:
        self._mark = next(self._marks)
        return Wait(self._mark, seconds)
