"""What a callee does in one call: its script as a pure state machine.

Time, what is heard and what has become of orders go in; each method returns the orders that follow.
`now` is in seconds, monotonic.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tertulia.phones.callee import (
    CALLS,
    START,
    Answer,
    AnyStep,
    Beep,
    Callee,
    Decline,
    Early,
    Echo,
    Go,
    HangUp,
    Hold,
    Pause,
    Play,
    Press,
    Reacting,
    Record,
    Redirect,
    Ring,
    Say,
    Sound,
    Tone,
    Transfer,
    Wait,
)
from tertulia.phones.orders import (
    Answers,
    Echoes,
    GoesEarly,
    Holds,
    Hushes,
    Leaves,
    Order,
    Presses,
    Records,
    Refers,
    Refuses,
    Rings,
    Sounds,
)

TYPED_MAX = 64
"""Keys that wait for a step that asks for them."""
AT_ONCE_MAX = 200
"""Steps without time between them, after which a script goes round in circles."""
TRANSFER_SECONDS = 30.0
PRESS_SECONDS = 60.0
"""After which keys are taken for pressed."""


class Conduct:
    """Of one call. Nothing is ordered after Refuses or Leaves."""

    def __init__(self, callee: Callee, *, calls: bool = False) -> None:
        """`calls`: it is the callee who has called; tell `answered`, not `start`."""
        self._callee = callee
        self._part = CALLS if calls and CALLS in callee.parts else START
        self._at = 0
        self._step: AnyStep | None = None
        self._audible = self._answered = calls
        self._prepared = False
        self._speaks = False
        self._fell_silent = 0.0
        """When the other end last stopped speaking; or when the step began, if that is later."""
        self._typed: deque[str] = deque(maxlen=TYPED_MAX)
        self._deadline: float | None = None
        self._orders: list[Order] = []
        self.is_over = False

    @property
    def wake(self) -> float | None:
        """When to tell `passed`, if nothing happens before."""
        if self.is_over:
            return None
        quiet = self._silent_at()
        times = [each for each in (self._deadline, quiet) if each is not None]
        return min(times, default=None)

    @property
    def step(self) -> AnyStep | None:
        """What is being done."""
        return self._step

    # ── what happens ──

    def start(self, now: float) -> list[Order]:
        """The call is there, or, of one who calls, answered."""
        return self._advance(now)

    def prepared(self, now: float) -> list[Order]:
        """All sounds can be played at once: until then nothing is answered."""
        self._prepared = True
        if isinstance(self._step, Answer | Early):
            self._enter(self._step, now)
        return self._advance(now)

    def speaks(self, on: bool, now: float, since: float | None = None) -> list[Order]:
        """The other end begins to speak, or has stopped; perhaps since a while ago."""
        self._speaks = on
        if not on:
            self._fell_silent = max(self._fell_silent, now if since is None else since)
        else:
            self._heard_speech()
        return self._advance(now)

    def pressed(self, digit: str, now: float) -> list[Order]:
        self._typed.append(digit)
        self._take_typed()
        return self._advance(now)

    def played(self, now: float) -> list[Order]:
        """A sound, or keys, are over."""
        if isinstance(self._step, Sound | Press):
            self._step = None
        return self._advance(now)

    def transferred(self, now: float) -> list[Order]:
        """Known by now, one way or the other."""
        if isinstance(self._step, Transfer):
            self._leave()
        return self._advance(now)

    def passed(self, now: float) -> list[Order]:
        """Time has passed."""
        quiet = self._silent_at()
        if quiet is not None and now >= quiet:
            self._turned_silent()
        elif self._deadline is not None and now >= self._deadline:
            self._timed_out()
        return self._advance(now)

    # ── steps ──

    def _advance(self, now: float) -> list[Order]:
        """Take steps until one needs time."""
        for _ in range(AT_ONCE_MAX):
            if self._step is not None or self.is_over:
                break
            self._next(now)
        else:
            self._end(Leaves("the script goes round without end"))
        orders, self._orders = self._orders, []
        return orders

    def _next(self, now: float) -> None:
        steps = self._callee.parts[self._part]
        if self._at >= len(steps):
            self._end(Leaves() if self._answered else Refuses(480))
            return
        self._at += 1
        self._fell_silent = now
        self._enter(steps[self._at - 1], now)

    def _enter(self, step: AnyStep, now: float) -> None:
        self._step = step
        self._deadline = None
        _ENTER[type(step)](self, step, now)
        self._take_typed()
        if isinstance(self._step, Wait) and self._speaks:
            self._heard_speech()

    def _lasts(self, seconds: float, now: float) -> None:
        self._deadline = now + seconds

    def _leave(self, to: str | None = None) -> None:
        """The step is over; on with the next one, or with that part."""
        step, self._step, self._deadline = self._step, None, None
        if isinstance(step, Sound):
            self._orders.append(Hushes())
        elif isinstance(step, Echo):
            self._orders.append(Echoes(False))
        elif isinstance(step, Record):
            self._orders.append(Records(False))
        elif isinstance(step, Hold):
            self._orders.append(Holds(False))
        if to is not None:
            self._part, self._at = to, 0

    def _end(self, order: Refuses | Leaves) -> None:
        self._step, self._deadline, self.is_over = None, None, True
        self._orders.append(order)

    # ── what cuts a step short ──

    def _branch(self, *triggers: str) -> bool:
        """Go where the step says for the first of these that it names."""
        if isinstance(self._step, Reacting):
            for trigger in triggers:
                if (to := self._step.on.get(trigger)) is not None:
                    self._leave(to)
                    return True
        return False

    def _take_typed(self) -> None:
        """A key is for the first step that asks for keys, also when it came before that."""
        step = self._step
        if not self._typed or not isinstance(step, Reacting):
            return
        if isinstance(step, Wait) and step.until == "digit":
            if not self._branch(self._typed.popleft(), "digit"):
                self._leave()
        elif step.on.keys() - {"speech", "silence"}:
            while self._typed and not self._branch(self._typed.popleft(), "digit"):
                pass  # a key without a meaning here

    def _heard_speech(self) -> None:
        if not self._branch("speech") and isinstance(self._step, Wait):
            if self._step.until == "speech":
                self._leave()

    def _silent_at(self) -> float | None:
        """When it will have been silent for as long as the step waits for."""
        step = self._step
        if self._speaks or not isinstance(step, Reacting):
            return None
        if "silence" in step.on or (isinstance(step, Wait) and step.until == "silence"):
            return self._fell_silent + step.quiet
        return None

    def _turned_silent(self) -> None:
        if not self._branch("silence"):
            self._leave()

    def _timed_out(self) -> None:
        self._leave(self._step.otherwise if isinstance(self._step, Wait) else None)

    # ── each kind ──

    def _ring(self, step: Ring, now: float) -> None:
        if self._answered:
            self._step = None
        else:
            self._orders.append(Rings())
            self._lasts(step.seconds, now)

    def _early(self, _: Early, now: float) -> None:
        if self._audible:
            self._step = None
        elif self._prepared:
            self._step, self._audible = None, True
            self._orders.append(GoesEarly())

    def _answer(self, _: Answer, now: float) -> None:
        if self._answered:
            self._step = None
        elif self._prepared:
            self._step, self._answered, self._audible = None, True, True
            self._orders.append(Answers())

    def _decline(self, step: Decline, now: float) -> None:
        self._end(Leaves() if self._answered else Refuses(step.code, step.text))

    def _redirect(self, step: Redirect, now: float) -> None:
        self._end(Leaves() if self._answered else Refuses(302, to=step.to))

    def _sound(self, step: Sound, now: float) -> None:
        """Before there is a way for it, it is not heard and takes no time."""
        if self._audible:
            self._orders.append(Sounds(step))
        else:
            self._step = None

    def _pause(self, step: Pause | Wait, now: float) -> None:
        self._lasts(step.seconds, now)

    def _press(self, step: Press, now: float) -> None:
        if self._audible:
            self._orders.append(Presses(step))
            self._lasts(PRESS_SECONDS, now)
        else:
            self._step = None

    def _echo(self, step: Echo, now: float) -> None:
        self._orders.append(Echoes(True))
        self._lasts(step.seconds, now)

    def _record(self, step: Record, now: float) -> None:
        self._orders.append(Records(True, step.seconds))
        self._lasts(step.seconds, now)

    def _hold(self, step: Hold, now: float) -> None:
        if self._answered:
            self._orders.append(Holds(True))
            self._lasts(step.seconds, now)
        else:
            self._step = None

    def _transfer(self, step: Transfer, now: float) -> None:
        if self._answered:
            self._orders.append(Refers(step.to))
            self._lasts(TRANSFER_SECONDS, now)
        else:
            self._step = None

    def _hang_up(self, _: HangUp, now: float) -> None:
        self._end(Leaves() if self._answered else Refuses(480))

    def _go(self, step: Go, now: float) -> None:
        self._step = None
        self._part, self._at = step.part, 0


_ENTER: Mapping[type[AnyStep], Callable[[Conduct, Any, float], None]] = {
    Ring: Conduct._ring,
    Early: Conduct._early,
    Answer: Conduct._answer,
    Decline: Conduct._decline,
    Redirect: Conduct._redirect,
    Say: Conduct._sound,
    Play: Conduct._sound,
    Tone: Conduct._sound,
    Beep: Conduct._sound,
    Pause: Conduct._pause,
    Press: Conduct._press,
    Wait: Conduct._pause,
    Echo: Conduct._echo,
    Record: Conduct._record,
    Hold: Conduct._hold,
    Transfer: Conduct._transfer,
    HangUp: Conduct._hang_up,
    Go: Conduct._go,
}
