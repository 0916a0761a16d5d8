"""One log of what several nodes commit: pure.

Batches are offered in any order, some of them again, some never; given out is a run without gaps,
in the order of positions. What does not come has to be read from the store.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position

WAITING_MAX = 4096
"""Batches that wait for those before them; of more, the newest are dropped, to be read."""
WAITING_EVENTS = 50_000


class Span(NamedTuple):
    """The positions of a batch, both inclusive. Those of two batches have none in common."""

    first: Position
    last: Position


class Run(NamedTuple):
    """All that there is behind the run before, up to `through`."""

    events: list[Event]
    through: Position
    is_whole: bool
    """Nothing is left out; else, only events of applications that are not attended."""


class _Batch(Struct):
    last: Position
    applications: frozenset[ApplicationId] | None = None
    """Whose events it holds; None: not known yet."""
    parts: dict[ApplicationId, Sequence[Event]] = field(default_factory=dict)

    def has(self, attended: Collection[ApplicationId]) -> bool:
        """All that is wanted of it."""
        return self.applications is not None and all(
            name in self.parts for name in self.applications if name in attended
        )


class Joining:
    def __init__(self, through: Position) -> None:
        self.through = through
        """All up to here has been given out, or is about to be."""
        self._newest = through
        self._attended: set[ApplicationId] = set()
        self._waiting: dict[Position, _Batch] = {}
        """By the first position behind `through`."""
        self._events = 0
        """That wait, about."""
        self._ready: list[Event] = []
        self._taken = through
        self._is_whole = True

    @property
    def is_missing(self) -> bool:
        """Something behind `through` is known to be there, and has not been offered."""
        return self.through < self._newest

    def attend(self, application_id: ApplicationId) -> None:
        """Leave out nothing of it behind `through`."""
        self._attended.add(application_id)

    def reach(self, newest: Position) -> None:
        """The log goes up to there at least."""
        self._newest = max(self._newest, newest)

    def batch(self, span: Span, applications: Collection[ApplicationId]) -> None:
        """There is such a batch, with events of these applications."""
        batch = self._at(span)
        if batch is not None:
            batch.applications = frozenset(applications)
            self._advance()

    def part(self, span: Span, application_id: ApplicationId, events: Sequence[Event]) -> None:
        """All events of one application in a batch, in order."""
        batch = self._at(span)
        if batch is not None and application_id not in batch.parts:
            batch.parts[application_id] = events
            self._events += len(events)
            self._advance()

    def own(self, span: Span, events: Sequence[Event]) -> None:
        """A whole batch."""
        parts: dict[ApplicationId, list[Event]] = {}
        for event in events:
            parts.setdefault(event.application_id, []).append(event)
        for name, part in parts.items():
            self.part(span, name, part)
        self.batch(span, parts)

    def read(self, after: Position, through: Position, events: Sequence[Event]) -> None:
        """All that the store has behind one position, up to another."""
        if after <= self.through < through:
            self._give(events, through)
            self._move_on()
            self._advance()

    def take(self) -> Run | None:
        """What follows the run that was taken before."""
        if self._taken == self.through:
            return None
        run = Run(self._ready, self.through, self._is_whole)
        self._ready, self._taken, self._is_whole = [], self.through, True
        return run

    def _at(self, span: Span) -> _Batch | None:
        """The batch, unless it was given out or has no room."""
        self.reach(span.last)
        if span.last <= self.through:
            return None
        first = Position(max(span.first, self.through + 1))
        batch = self._waiting.get(first)
        if batch is None:
            is_next = first == self.through + 1
            if not is_next and (len(self._waiting) >= WAITING_MAX or self._events > WAITING_EVENTS):
                return None
            batch = self._waiting[first] = _Batch(span.last)
        return batch if batch.last == span.last else None

    def _advance(self) -> None:
        while (batch := self._waiting.get(Position(self.through + 1))) is not None:
            if not batch.has(self._attended):
                return
            self._drop(Position(self.through + 1))
            events = [event for part in batch.parts.values() for event in part]
            if len(batch.parts) > 1:
                events.sort(key=lambda event: event.position)
            self._is_whole &= batch.applications is not None and all(
                name in batch.parts for name in batch.applications
            )
            self._give(events, batch.last)

    def _give(self, events: Sequence[Event], through: Position) -> None:
        before, self.through = self.through, through
        self._ready += [event for event in events if before < event.position <= through]
        self.reach(through)

    def _move_on(self) -> None:
        """Forget what was read otherwise, and know by its new beginning what was read in part."""
        for first in [each for each in self._waiting if each <= self.through]:
            batch = self._waiting[first]
            if batch.last > self.through:
                self._waiting[Position(self.through + 1)] = batch
                del self._waiting[first]
            else:
                self._drop(first)

    def _drop(self, first: Position) -> None:
        batch = self._waiting.pop(first)
        self._events -= sum(map(len, batch.parts.values()))
