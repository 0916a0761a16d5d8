"""The events that were read and are not settled, in the order of the log."""

from typing import NamedTuple

from tertulia.model.event import Event
from tertulia.model.ids import Position
from tertulia.model.instant import Instant


class Oldest(NamedTuple):
    position: Position
    timestamp: Instant


class Outstanding:
    """An event is added once for each lane that has it, and settled as often."""

    def __init__(self) -> None:
        self._lanes_left: dict[Position, tuple[int, Instant]] = {}

    def __len__(self) -> int:
        return len(self._lanes_left)

    def add(self, event: Event) -> None:
        lanes, _ = self._lanes_left.get(event.position, (0, event.timestamp))
        self._lanes_left[event.position] = lanes + 1, event.timestamp

    def settle(self, event: Event) -> None:
        lanes, timestamp = self._lanes_left[event.position]
        if lanes > 1:
            self._lanes_left[event.position] = lanes - 1, timestamp
        else:
            del self._lanes_left[event.position]

    @property
    def oldest(self) -> Oldest | None:
        """The first added comes first: positions rise."""
        for position, (_, timestamp) in self._lanes_left.items():
            return Oldest(position, timestamp)
        return None
