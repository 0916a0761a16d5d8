"""How many calls a second are carried: a wave at the wished rate, then faster and faster ones."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from bench.sip.server import Served, cost
from bench.sip.sipp import Outcome, Wave

WARM_UP = Wave(50, 150)
UP, DOWN = 1.15, 0.8
"""From one rate to the next."""


class Effort(NamedTuple):
    calls: int
    """Of the wave at the wished rate."""
    steps: int
    """Rates that are tried beyond it."""
    seconds: float
    """Of each of these."""


class Figure(Struct, frozen=True):
    """One wave."""

    outcome: Outcome
    cost: dict[str, float]
    """Milliseconds of CPU a call, by part."""

    @property
    def of_core(self) -> float:
        """Calls a second for which the first core would do."""
        return 1000 / next(iter(self.cost.values()))


class Found(Struct, frozen=True):
    main: Figure
    tried: list[Figure]

    @property
    def most(self) -> Figure | None:
        carried = [each for each in (self.main, *self.tried) if each.outcome.is_carried]
        return max(carried, key=lambda figure: figure.outcome.wave.rate, default=None)


Run = Callable[[Wave], Outcome]


def measured(served: Served, run: Run, wave: Wave) -> Figure:
    before = served.cpu()
    outcome = run(wave)
    return Figure(outcome, cost(before, served.cpu(), wave.calls))


def search(served: Served, run: Run, rate: float, effort: Effort) -> Found:
    """Begin with the wished rate; upwards from there until it is too much, or downwards until it is
    not."""
    main = measured(served, run, Wave(rate, effort.calls))
    tried: list[Figure] = []
    step = UP if main.outcome.is_carried else DOWN
    for _ in range(effort.steps):
        rate *= step
        tried.append(measured(served, run, Wave(rate, round(rate * effort.seconds))))
        if tried[-1].outcome.is_carried == (step == DOWN):
            break
    return Found(main, tried)
