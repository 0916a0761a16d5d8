"""A corpus of greetings given to the detector, and how right it was."""

from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from tests.media.greetings import HELD_OUT, TUNED, Cast, Greeting, corpus

from tertulia.media.detecting import Detectors
from tertulia.model.amd import HUMAN, MACHINE
from tertulia.model.commands import AnyReport, Beeped, Detect, Judged
from tertulia.model.instant import Instant

FRAME_MS = 20
SETS: dict[str, tuple[Cast, int]] = {"tuned": (TUNED, 1), "held out": (HELD_OUT, 2)}
"""Casts with their seeds."""


class Outcome(NamedTuple):
    greeting: Greeting
    verdict: str
    confidence: int
    cause: str
    milliseconds: int
    """From the answer to the verdict."""
    beep: float | None
    """Milliseconds from when the beep began to its report; of a beep that is the first sound, from
    when it ended. None when nothing was reported while or shortly after it sounded."""
    false_beep: bool

    @property
    def truth(self) -> str:
        return MACHINE if self.greeting.machine else HUMAN


def outcomes(name: str, size: int, seed: int = 0) -> list[Outcome]:
    """Of one of SETS, or with another seed of other greetings of its cast."""
    cast, first = SETS[name]
    return [outcome(greeting) for greeting in corpus(cast, first + 1000 * seed, size)]


def outcome(greeting: Greeting) -> Outcome:
    reports: list[AnyReport] = []
    detectors = Detectors(reports.append)
    detectors.advance(Instant(0))
    detectors.start(Detect("d", "leg", beep=True))
    detectors.advance(Instant(0))
    for number, frame in enumerate(greeting.frames(), 1):
        if frame is not None and "leg" in detectors.targets:
            detectors.push("leg", frame)
        detectors.advance(Instant(number * FRAME_MS))
    judged = next((each for each in reports if isinstance(each, Judged)), None)
    beeped = next((each for each in reports if isinstance(each, Beeped)), None)
    delay = None if beeped is None else _delay(greeting, beeped)
    is_false = beeped is not None and beeped.heard and delay is None
    if judged is None:
        return Outcome(greeting, "none", 0, "none", 2 * 5000, delay, is_false)
    return Outcome(
        greeting, judged.verdict, judged.confidence, judged.cause, judged.at, delay, is_false
    )


def _delay(greeting: Greeting, beeped: Beeped) -> float | None:
    if greeting.beep_at is None or abs(beeped.hertz / greeting.beep_hertz - 1) > 0.03:
        return None
    since = greeting.beep_at + (greeting.beep_seconds if greeting.kind == "beep" else 0)
    delay = beeped.at - 1000 * since
    return delay if -1000 * greeting.beep_seconds <= delay <= 1000 else None


class Summary(NamedTuple):
    size: int
    matrix: Counter[tuple[str, str]]
    """By truth and verdict."""
    verdict_ms: float
    """Median, as the next."""
    human_ms: float
    machine_ms: float
    beeps: list[float]
    """Delays in milliseconds."""
    missed_beeps: int
    """Of those that came when a machine was known to have answered."""
    false_beeps: int

    @property
    def right(self) -> float:
        hits = sum(count for (truth, verdict), count in self.matrix.items() if truth == verdict)
        return hits / self.size

    @property
    def humans_lost(self) -> float:
        """The share of persons that were taken for machines."""
        of = sum(count for (truth, _), count in self.matrix.items() if truth == HUMAN)
        return self.matrix[HUMAN, MACHINE] / of


def summary(results: Iterable[Outcome]) -> Summary:
    listed = list(results)
    known = [each for each in listed if each.verdict == MACHINE and each.greeting.beep_at]
    return Summary(
        len(listed),
        Counter((each.truth, each.verdict) for each in listed),
        median(each.milliseconds for each in listed),
        median(_times(listed, HUMAN)),
        median(_times(listed, MACHINE)),
        [each.beep for each in known if each.beep is not None],
        sum(each.beep is None for each in known),
        sum(each.false_beep for each in listed),
    )


def _times(results: list[Outcome], truth: str) -> Iterator[int]:
    return (each.milliseconds for each in results if each.truth == truth)
