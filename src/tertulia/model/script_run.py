"""A call's way through its script, as a pure state machine.

It is told what has happened and says what is to be done; whoever runs it does that, and tells what
has come of it. Each kind of action is an act of its own (script_acts, script_input).
"""

from collections import deque
from collections.abc import Callable
from itertools import count

from tertulia.model.script import (
    Action,
    Connect,
    Input,
    Meeting,
    Notify,
    Record,
    Script,
    Stream,
    Talk,
    Transfer,
    Wait,
)
from tertulia.model.script_acts import (
    Act,
    Asking,
    Calling,
    Notice,
    Pause,
    Playing,
    Recording,
    Reporting,
    Sound,
    Stay,
)
from tertulia.model.script_input import DIGITS, PACE, Hearing
from tertulia.model.script_orders import (
    Barred,
    Complain,
    ConnectOver,
    Elapsed,
    End,
    Happening,
    HungUp,
    NewScript,
    Order,
    Pressed,
    RecordOver,
    Report,
    SoundOver,
    Timer,
)

TURNS = 5
"""Scripts that may replace each other within a second (PACE); the next one waits for its end."""
ACTIONS_PER_CALL = 10_000
"""A call that goes round for longer than that is going nowhere."""


class Run:
    """Calls are never nested: an order is carried out before the next happening is told."""

    def __init__(self, script: Script) -> None:
        self._rest = deque(script)
        self._act: Act | None = None
        self._reported: Input | None = None
        """Asynchronous: each key is told."""
        self._marks: Callable[[], int] = count(1).__next__
        self._begun = 0
        self._turns = 0
        self._second: int | None = None
        """Mark of the timer that the turns are counted by."""
        self.is_over = False

    def begin(self) -> list[Order]:
        return self._go_on()

    def on(self, happening: Happening) -> list[Order]:
        """What is to be done now, in this order."""
        if self.is_over:
            return []
        match happening:
            case HungUp():
                self.is_over = True
                return []
            case NewScript(script=script):
                return self._start_over(script)
            case Elapsed(mark=mark) if mark == self._second:
                self._second, self._turns = None, 0
        if self._act is None:
            return []
        orders = [*_complaints(happening), *self._reports(happening), *self._act.on(happening)]
        if any(isinstance(order, End) for order in orders):
            self.is_over = True
            return orders
        if isinstance(self._act, Asking) and self._act.replacement:
            orders += self._replace(self._act.replacement)
        return [*orders, *self._go_on()]

    def _start_over(self, script: Script) -> list[Order]:
        self._rest = deque(script)
        self._reported = None
        if self._act is None:
            return []  # it has not begun: this is what it begins with
        orders = [*self._act.stop()]
        self._act = None
        return [*orders, *self._go_on()]

    def _replace(self, script: Script) -> list[Order]:
        self._rest = deque(script)
        self._turns += 1
        orders: list[Order] = []
        if self._second is None:
            self._second = self._marks()
            orders.append(Timer(self._second, PACE))
        if self._turns > TURNS:
            self._act = Pause(self._second, None)
        return orders

    def _go_on(self) -> list[Order]:
        orders: list[Order] = []
        while self._act is None or self._act.is_over:
            if not self._rest:
                self.is_over = True
                return [*orders, End()]
            if self._begun == ACTIONS_PER_CALL:
                self.is_over = True
                reason = f"the call has more than {ACTIONS_PER_CALL} actions"
                return [*orders, Complain(reason), End(reason)]
            self._begun += 1
            self._act = self._next()
            orders += self._act.begin()
        return orders

    def _next(self) -> Act:
        action = self._rest.popleft()
        if isinstance(action, Talk | Stream) and action.barge_in:
            if (heard := self._heard_under(action)) is not None:
                return heard
        return self._act_of(action)

    def _heard_under(self, sound: Sound) -> Hearing | None:
        """COMPAT: what follows a sound that may be interrupted may be too, up to the input."""
        sounds = [sound]
        for following in self._rest:
            match following:
                case Talk() | Stream():
                    sounds.append(following)
                case Input(mode="synchronous"):
                    for _ in sounds:
                        self._rest.popleft()
                    return Hearing(following, self._marks, sounds)
                case _:
                    return None
        return None

    def _act_of(self, action: Action) -> Act:
        match action:
            case Talk() | Stream():
                return Playing(action)
            case Record():
                return Recording(action)
            case Meeting() | Transfer():
                return Stay(action)
            case Connect():
                return Calling(action, self._marks)
            case Notify():
                return Notice(action, self._marks)
            case Wait():
                return Pause.of(action, self._marks)
            case Input(mode="asynchronous"):
                self._reported = action
                return Reporting()
            case Input():
                return Hearing(action, self._marks)

    def _reports(self, happening: Happening) -> list[Order]:
        if self._reported is None or not isinstance(happening, Pressed):
            return []
        digit = happening.digit.upper()
        return [Report(self._reported, digit)] if digit in DIGITS else []


def _complaints(happening: Happening) -> list[Order]:
    if isinstance(happening, SoundOver | RecordOver | Barred | ConnectOver) and happening.error:
        return [Complain(happening.error)]
    return []
