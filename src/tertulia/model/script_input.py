"""What an input does while it lasts."""

from collections import deque
from collections.abc import Sequence

from tertulia.model.script import Input
from tertulia.model.script_acts import Asking, Marks, Sound
from tertulia.model.script_orders import (
    Elapsed,
    Happening,
    Heard,
    Hush,
    Listen,
    Order,
    Pressed,
    SoundOver,
    Spoke,
    Submit,
    Timer,
    Told,
    Unlisten,
)

UNDER_SOUND = 3600.0
"""Seconds that a listening waits while something is being said that may be interrupted: its own
time to start begins when that is over."""
PACE = 1.0
"""Seconds that an input waits for keys at the least: scripts that go round must not race."""
DIGITS = frozenset("0123456789*#ABCD")


class Hearing(Asking):
    """An input, with the sounds before it that may be interrupted.

    Keys win over speech: with the first one nobody listens any more.
    """

    def __init__(self, action: Input, marks: Marks, sounds: Sequence[Sound] = ()) -> None:
        super().__init__(marks)
        self._action = action
        self._sounds = deque(sounds)
        """The first one is being played."""
        self._wants_keys = "dtmf" in action.type
        self._listens = "speech" in action.type
        self._digits = ""
        self._mark = 0
        self._gave_up: str | None = None
        """The reason, once listening was ended by us."""

    def begin(self) -> Sequence[Order]:
        orders: list[Order] = [*list(self._sounds)[:1]]
        if self._listens:
            speech = self._action.speech
            seconds = UNDER_SOUND if self._sounds else speech.start_timeout
            return [*orders, Listen(speech, seconds)]
        return orders or [self._wait_for_keys()]

    def on(self, happening: Happening) -> Sequence[Order]:
        if isinstance(happening, Told):
            return self._told(happening)
        if self._asked:
            return []
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

    def stop(self) -> Sequence[Order]:
        return self._quiet()

    def _pressed(self, digit: str) -> list[Order]:
        if digit.upper() not in DIGITS:
            return []
        orders = self._quiet()
        is_end = digit == "#" and self._action.dtmf.submit_on_hash
        if not is_end:
            self._digits += digit.upper()
        if is_end or len(self._digits) >= self._action.dtmf.max_digits:
            return [*orders, self._submit(timed_out=False)]
        return [*orders, self._wait_for_keys()]

    def _spoke(self) -> list[Order]:
        """From now on there is something to hear, which has an end."""
        if self._gave_up or not self._began_under_sound():
            return []
        hush = self._hushed()
        speech = self._action.speech
        return [*hush, self._wait(speech.start_timeout + speech.max_duration)]

    def _began_under_sound(self) -> bool:
        """Other listenings time themselves."""
        return bool(self._sounds) or self._mark > 0

    def _sound_over(self) -> list[Order]:
        self._sounds.popleft()
        if self._sounds:
            return [self._sounds[0]]
        if self._listens:
            return [self._wait(self._action.speech.start_timeout)]
        return [self._wait_for_keys()]

    def _elapsed(self) -> list[Order]:
        if not self._listens:
            return [self._submit(timed_out=True)]
        if self._gave_up:
            return []
        self._gave_up = "start_timeout"
        return [Unlisten()]

    def _heard(self, heard: Heard) -> list[Order]:
        self._listens = False
        if self._gave_up and heard.reason == "stopped":
            reason = "max_duration" if heard.results else self._gave_up
            heard = Heard(heard.results, reason, heard.error, heard.recording_url)
        return [*self._quiet(), self._submit(timed_out=self._wants_keys, speech=heard)]

    def _quiet(self) -> list[Order]:
        """Neither sound nor listening any more."""
        orders = self._hushed()
        if self._listens and not self._gave_up:
            orders.append(Unlisten())
        self._listens = False
        return orders

    def _hushed(self) -> list[Order]:
        orders: list[Order] = [Hush()] if self._sounds else []
        self._sounds.clear()
        return orders

    def _submit(self, *, timed_out: bool, speech: Heard | None = None) -> Submit:
        if speech is None and "speech" in self._action.type:
            speech = Heard()
        return Submit(self._question(), self._action, self._digits, timed_out, speech)

    def _wait_for_keys(self) -> Timer:
        return self._wait(max(self._action.dtmf.time_out, PACE))

    def _wait(self, seconds: float) -> Timer:
        self._mark = self._marks()
        return Timer(self._mark, seconds)
