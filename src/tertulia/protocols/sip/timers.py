"""Deadlines by key: set, moved, cancelled; each falls due once."""

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_SLACK = 64
"""Cancelled deadlines that may wait in the heap before it is made anew."""


class Timers(Generic[K]):
    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, tuple[float, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: K, when: float) -> None:
        """Takes the place of the deadline that the key has."""
        self._count += 1
        self._live[key] = (when, self._count)
        heapq.heappush(self._heap, (when, self._count, key))
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = [(at, count, key) for key, (at, count) in self._live.items()]
            heapq.heapify(self._heap)

    def cancel(self, key: K) -> None:
        self._live.pop(key, None)

    @property
    def next(self) -> float | None:
        """When the first one falls due."""
        heap = self._heap
        while heap:
            when, count, key = heap[0]
            if self._live.get(key) == (when, count):
                return when
            heapq.heappop(heap)
        return None

    def due(self, now: float) -> Iterator[K]:
        """Those that fall due by now, in order, also those set while this is iterated."""
        while (when := self.next) is not None and when <= now:
            key = heapq.heappop(self._heap)[2]
            del self._live[key]
            yield key
