"""Events as bytes for sockets: each encoded once, framed once for all who get it.

The acknowledgement number of an event is its position, so one frame serves every receiver and an
acknowledgement is a cursor. A receiver differs from another in two ways only: what it can parse and
whether it acknowledges.
"""

from operator import is_
from typing import NamedTuple

from tertulia.live.dialect import can_parse, payload, shown
from tertulia.model.event import Event
from tertulia.model.ids import Position
from tertulia.model.session import Dialect, SessionRecord
from tertulia.protocols.socketio import emitted
from tertulia.protocols.websocket import frame

VARIANTS = 4


def variant_of(record: SessionRecord) -> int:
    """Which of the forms of a packet a session gets."""
    return 2 * (record.dialect is Dialect.TYPED) + (not record.acknowledges)


class Packet(NamedTuple):
    data: bytes
    """Frames of several events, for one write."""
    positions: list[Position]
    """Of the events in it that have one."""


class Packets:
    """The same events in the forms that sessions need, made when the first one needs it."""

    __slots__ = ("_events", "_made")

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._made: list[Packet | None] = [None] * VARIANTS

    def __getitem__(self, variant: int) -> Packet:
        made = self._made[variant]
        if made is None:
            made = self._made[variant] = self._make(variant)
        return made

    def _make(self, variant: int) -> Packet:
        dialect = Dialect.TYPED if variant & 2 else Dialect.OPEN
        sent = [shown(dialect, event) for event in self._events if can_parse(dialect, event)]
        is_all = len(sent) == len(self._events) and all(map(is_, sent, self._events))
        if variant == 2 and is_all:
            return self[0]
        data = b"".join([_frame(event, acknowledged=not variant & 1) for event in sent])
        return Packet(data, [event.position for event in sent if event.position])


def _frame(event: Event, *, acknowledged: bool) -> bytes:
    number = event.position if acknowledged and event.position else None
    return frame(emitted(event.type, payload(event), number))
