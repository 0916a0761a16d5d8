"""A bad line: packets that are lost or late, the same ones of every call with the same seed."""

import numpy as np

from tertulia.phones.callee import Line

OUTWARD, INWARD = 0, 1


class Impairment:
    """One way of a line. Packets come late, but in their order."""

    def __init__(self, line: Line, way: int) -> None:
        self._line = line
        self._chance = np.random.default_rng((line.seed, way))
        self._last = 0.0

    def arrival(self, now: float) -> float | None:
        """When a packet that is sent now arrives, in seconds; None when it is lost."""
        lost, late = self._chance.random(2).tolist()
        if lost * 100 < self._line.loss:
            return None
        self._last = max(self._last, now + (self._line.delay + late * self._line.jitter) / 1000)
        return self._last
