"""What becomes of one message, by the rules of its handset: pure, the time is given.

First the carrier judges, and when it takes the message, a course begins.
"""

import re

from msgspec import Struct
from msgspec.structs import replace

from tertulia.phones.handset import Act, AnyStep, Handset, Pause, Refuse, Rule, Throttle, Verdict

OPEN_S = 10.0
"""For which a carrier that has had too much to do takes what comes; then it begins anew."""


class Gate(Struct, frozen=True):
    """Of a carrier that has too much to do at times."""

    turned_away: int = 0
    open_until: float | None = None


def steps(handset: Handset, channel: str, text: str) -> tuple[AnyStep, ...]:
    """Those for such a message."""
    return next((rule.do for rule in handset.rules if _fits(rule, channel, text)), ())


def judged(do: tuple[AnyStep, ...], gate: Gate, now: float) -> tuple[Verdict, Gate]:
    """What the carrier says to a message, and the gate for the next one to the same address."""
    first = do[0] if do else None
    if isinstance(first, Throttle):
        verdict, gate = _throttled(first, gate, now)
        if verdict is not None:
            return verdict, gate
    refusal = next((step for step in do[:2] if isinstance(step, Refuse)), None)
    return refusal, gate


class Course(Struct, frozen=True):
    """Of a message that the carrier has taken."""

    left: tuple[AnyStep, ...]
    due: float
    """When the first of them is done."""

    @classmethod
    def of(cls, do: tuple[AnyStep, ...], now: float) -> "Course":
        return cls(tuple(step for step in do if not isinstance(step, Throttle | Refuse)), now)._on()

    @property
    def is_over(self) -> bool:
        return not self.left

    def advance(self, now: float) -> tuple[list[Act], "Course"]:
        """What is to be done by now, and how it goes on."""
        done: list[Act] = []
        course = self
        while course.left and course.due <= now:
            step = course.left[0]
            assert not isinstance(step, Throttle | Refuse | Pause), "no course has these"
            done.append(step)
            course = replace(course, left=course.left[1:])._on()
        return done, course

    def _on(self) -> "Course":
        """With the pauses behind it that come next."""
        left, due = self.left, self.due
        while left and isinstance(left[0], Pause):
            due += left[0].seconds
            left = left[1:]
        return Course(left, due)


def worded(template: str, *, text: str, sender: str, recipient: str) -> str:
    """A reply with its `{text}`, `{from}` and `{to}` filled in."""
    members = {"{text}": text, "{from}": sender, "{to}": recipient}
    return re.sub(r"\{(?:text|from|to)\}", lambda found: members[found[0]], template)


def _fits(rule: Rule, channel: str, text: str) -> bool:
    if rule.channels and channel not in rule.channels:
        return False
    return not rule.says or any(_stands_in(word, text) for word in rule.says)


def _stands_in(word: str, text: str) -> bool:
    """As a word of it, whatever its case."""
    return bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))


def _throttled(step: Throttle, gate: Gate, now: float) -> tuple[Verdict, Gate]:
    if gate.open_until is not None:
        if now < gate.open_until:
            return None, gate
        gate = Gate()
    if gate.turned_away < step.times:
        return step, replace(gate, turned_away=gate.turned_away + 1)
    return None, replace(gate, open_until=now + OPEN_S)
