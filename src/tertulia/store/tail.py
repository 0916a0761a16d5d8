"""The newest part of the log, in memory, for followers that keep up."""

from bisect import bisect_right
from collections.abc import Sequence

from msgspec.structs import replace

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.ports import Stretch
from tertulia.store.entry import Entry

EVENTS_MAX = 8192
BYTES_MAX = 16 * 1024 * 1024


class Tail:
    """Events in commit order behind `floor`, below which they have to be read from the store.

    Where other nodes write too, what they wrote for applications that are not attended here may be
    left out.
    """

    def __init__(self, floor: Position) -> None:
        self._floor = self._whole_after = self._through = floor
        self._events: list[Event] = []
        self._positions: list[Position] = []
        self._bytes = 0
        self._attended: dict[ApplicationId, Position] = {}

    def stored(self, entry: Entry, last: Position) -> None:
        """Append what was committed as the next; `last` is the position of the last event."""
        self.add(entry.events, last)

    def settled(self) -> None:
        """Nobody else has to know."""

    def add(self, events: Sequence[Event], last: Position) -> None:
        self.extend(placed(events, last), last)

    def extend(self, events: Sequence[Event], through: Position, *, is_whole: bool = True) -> None:
        """Append what there is up to `through`; `is_whole`: of all applications, not only of those
        that are attended."""
        for event in events:
            self._events.append(event)
            self._positions.append(event.position)
            self._bytes += len(event.body)
        self._through = through
        if not is_whole:
            self._whole_after = through
        if len(self._events) > EVENTS_MAX or self._bytes > BYTES_MAX:
            self._shorten()

    def restart(self, newest: Position) -> None:
        """Begin behind the newest position, unless that is where it ends already."""
        if newest != self._through:
            self._floor = self._whole_after = self._through = newest
            self._events, self._positions, self._bytes = [], [], 0

    def attend(self, application_id: ApplicationId) -> Position:
        """From now on, nothing of it is left out. Nor is what is in memory behind the position."""
        since = self._attended.setdefault(application_id, self._whole_after)
        return max(self._floor, since)

    def after(
        self, position: Position, application_id: ApplicationId | None = None
    ) -> list[Event] | None:
        """All events, or all of the application; None when not all are in memory."""
        since = self._whole_after
        if application_id is not None:
            since = min(since, self._attended.get(application_id, since))
        if position < max(self._floor, since):
            return None
        found = self._behind(position)
        if application_id is not None:
            found = [each for each in found if each.application_id == application_id]
        return found

    def stretch(self, position: Position) -> Stretch | None:
        """What there is, whatever was left out."""
        if position < self._floor:
            return None
        return Stretch(self._behind(position), self._through)

    def _behind(self, position: Position) -> list[Event]:
        if not self._positions or position >= self._positions[-1]:
            return []
        return self._events[bisect_right(self._positions, position) :]

    def _shorten(self) -> None:
        """Let go of the older half: seldom, so that it costs nothing an event."""
        half = (len(self._events) + 1) // 2
        self._floor = self._positions[half - 1]
        self._bytes -= sum(len(event.body) for event in self._events[:half])
        del self._events[:half], self._positions[:half]


def placed(events: Sequence[Event], last: Position) -> list[Event]:
    """The events with their positions, which end with `last`."""
    first = last - len(events) + 1
    return [
        replace(event, position=Position(first + number)) for number, event in enumerate(events)
    ]
