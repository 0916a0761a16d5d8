"""The newest part of the log, in memory, for followers that keep up."""

from bisect import bisect_right
from collections.abc import Sequence

from msgspec.structs import replace

from tertulia.model.event import Event
from tertulia.model.ids import Position

EVENTS_MAX = 8192
BYTES_MAX = 16 * 1024 * 1024


class Tail:
    """Events in commit order behind `floor`, below which they have to be read from the store."""

    def __init__(self, floor: Position) -> None:
        self._floor = floor
        self._events: list[Event] = []
        self._positions: list[Position] = []
        self._bytes = 0

    def add(self, events: Sequence[Event], last: Position) -> None:
        """Append what was committed; `last` is the position of the last of them."""
        first = last - len(events) + 1
        for number, event in enumerate(events):
            position = Position(first + number)
            self._events.append(replace(event, position=position))
            self._positions.append(position)
            self._bytes += len(event.body)
        if len(self._events) > EVENTS_MAX or self._bytes > BYTES_MAX:
            self._shorten()

    def restart(self, newest: Position) -> None:
        """Begin behind the newest position, unless that is where it ends already."""
        if newest != (self._positions[-1] if self._positions else self._floor):
            self._floor = newest
            self._events, self._positions, self._bytes = [], [], 0

    def after(self, position: Position) -> list[Event] | None:
        if position < self._floor:
            return None
        if not self._positions or position >= self._positions[-1]:
            return []
        return self._events[bisect_right(self._positions, position) :]

    def _shorten(self) -> None:
        """Let go of the older half: seldom, so that it costs nothing an event."""
        half = (len(self._events) + 1) // 2
        self._floor = self._positions[half - 1]
        self._bytes -= sum(len(event.body) for event in self._events[:half])
        del self._events[:half], self._positions[:half]
