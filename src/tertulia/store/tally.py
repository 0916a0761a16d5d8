"""What a writer has written: in how many batches, of how many events, in how much time."""

from bisect import bisect_left
from collections.abc import Sequence

from tertulia.model.errors import TertuliaError
from tertulia.store.batch import Outcome
from tertulia.store.entry import Entry

EVENTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Histogram:
    """`counts` has one more than `bounds`: what is above all of them."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Tally:
    def __init__(self) -> None:
        self.events = Histogram(EVENTS)
        """Of each batch that stored any."""
        self.seconds = Histogram(SECONDS)
        """For each batch."""
        self.refused = 0
        """Writes that were not stored: the store could not, or they came too late."""

    def add(self, batch: Sequence[Entry], outcomes: Sequence[Outcome], seconds: float) -> None:
        events = 0
        for entry, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, TertuliaError):
                self.refused += 1
            else:
                events += len(entry.events)
        if events:
            self.events.add(events)
        self.seconds.add(seconds)
