"""What each action of a script does while it lasts."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tertulia.model.script import (
    Connect,
    Meeting,
    Notify,
    Record,
    Script,
    Stream,
    Talk,
    Transfer,
    Wait,
)
from tertulia.model.script_orders import (
    Announce,
    AskConnect,
    Barred,
    Complain,
    ConnectOver,
    Disconnect,
    Elapsed,
    End,
    Happening,
    Hush,
    Leave,
    MachineAnswered,
    Order,
    Pressed,
    RecordOver,
    SoundOver,
    Spoke,
    Timer,
    Told,
)

UNASKED = frozenset({"completed", "cancelled"})
"""Ends of a connect that the application has no say in: it went well, or was ended by our side."""

Sound = Talk | Stream
Marks = Callable[[], int]
"""A number that was never used before."""


class Act(Protocol):
    is_over: bool

    def begin(self) -> Sequence[Order]: ...

    def on(self, happening: Happening) -> Sequence[Order]: ...

    def stop(self) -> Sequence[Order]:
        """It is to be over now, whatever it does."""


class Playing:
    def __init__(self, action: Sound) -> None:
        self._action = action
        self.is_over = False

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        interrupts = isinstance(happening, Pressed | Spoke) and self._action.barge_in
        self.is_over = interrupts or isinstance(happening, SoundOver)
        return [Hush()] if interrupts else []

    def stop(self) -> Sequence[Order]:
        return [Hush()]


class Recording:
    """It goes on when something else is to be done."""

    def __init__(self, action: Record) -> None:
        self._action = action
        self.is_over = not action.has_end

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        self.is_over = isinstance(happening, RecordOver)
        return []

    def stop(self) -> Sequence[Order]:
        return []


class Reporting:
    """It is over when it has begun: whoever carries the script out goes on reporting."""

    is_over = True

    def begin(self) -> Sequence[Order]:
        return []

    def on(self, happening: Happening) -> Sequence[Order]:
        return []

    def stop(self) -> Sequence[Order]:
        return []


class Stay:
    """In a conversation, for as long as the call lasts."""

    def __init__(self, action: Meeting | Transfer) -> None:
        self._action = action
        self.is_over = False

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        return [End(happening.error)] if isinstance(happening, Barred) else []

    def stop(self) -> Sequence[Order]:
        return [Leave()]


class Pause:
    """Until a timer is up, which it starts itself unless it is told the mark of another."""

    def __init__(self, mark: int, seconds: float | None) -> None:
        self._mark = mark
        self._seconds = seconds
        self.is_over = False

    @classmethod
    def of(cls, action: Wait, marks: Marks) -> "Pause":
        return cls(marks(), action.seconds)

    def begin(self) -> Sequence[Order]:
        return [] if self._seconds is None else [Timer(self._mark, self._seconds)]

    def on(self, happening: Happening) -> Sequence[Order]:
        self.is_over = isinstance(happening, Elapsed) and happening.mark == self._mark
        return []

    def stop(self) -> Sequence[Order]:
        return []


class Asking:
    """Something that the application is asked about, which may replace the script."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._asked: set[int] = set()
        self.replacement: Script = ()
        self.is_over = False

    def _question(self) -> int:
        mark = self._marks()
        self._asked.add(mark)
        return mark

    def _told(self, told: Told) -> Sequence[Order]:
        if told.mark not in self._asked:
            return []
        self._asked.remove(told.mark)
        if told.error is not None:
            return [Complain(told.error), End(told.error)]
        self.replacement = told.script
        self.is_over = bool(told.script) or self._has_ended()
        return []

    def _has_ended(self) -> bool:
        """Whether it is over when the application has nothing to say."""
        return True


class Notice(Asking):
    def __init__(self, action: Notify, marks: Marks) -> None:
        super().__init__(marks)
        self._action = action

    def begin(self) -> Sequence[Order]:
        return [Announce(self._question(), self._action)]

    def on(self, happening: Happening) -> Sequence[Order]:
        return self._told(happening) if isinstance(happening, Told) else []

    def stop(self) -> Sequence[Order]:
        return []


class Calling(Asking):
    """Until the callee is gone, and the application had its say about that. A script that it wants
    because a machine has answered begins at once: the machine stays."""

    def __init__(self, action: Connect, marks: Marks) -> None:
        super().__init__(marks)
        self._action = action
        self._is_gone = False

    def begin(self) -> Sequence[Order]:
        return [self._action]

    def on(self, happening: Happening) -> Sequence[Order]:
        match happening:
            case Told():
                return self._told(happening)
            case MachineAnswered(sub_state=sub_state) if self._action.asks and not self._is_gone:
                return [self._ask("machine", sub_state)]
            case ConnectOver(status=status) if not self._is_gone:
                return self._over(status)
        return []

    def stop(self) -> Sequence[Order]:
        return [] if self._is_gone else [Disconnect()]

    def _over(self, status: str) -> Sequence[Order]:
        self._is_gone = True
        if self._action.asks and status not in UNASKED:
            return [self._ask(status)]
        self.is_over = self._has_ended()
        return []

    def _ask(self, status: str, sub_state: str | None = None) -> Order:
        return AskConnect(self._question(), self._action, status, sub_state)

    def _has_ended(self) -> bool:
        return self._is_gone and not self._asked
