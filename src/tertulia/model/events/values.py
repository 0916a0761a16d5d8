"""Values that bodies of several headings share, and the spellings they are accepted in."""

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from tertulia.model.events.registry import Body
from tertulia.model.ids import EventId
from tertulia.model.validation import EVENT_NUMBER, LEVEL, WEB_URI

NUMBER_MAX = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""

EventNumber = Annotated[int, Meta(ge=0, le=NUMBER_MAX)] | Annotated[str, Meta(pattern=EVENT_NUMBER)]
"""COMPAT: integer by most sources, string by the public reference; emitted as integer
(wire-api 8 #5)."""

Level = Annotated[float, Meta(ge=-1, le=1)] | Annotated[str, Meta(pattern=LEVEL)]
"""COMPAT: number of events, string of the talk and stream calls; emitted as number
(wire-api 8 #13)."""

WebUri = Annotated[str, Meta(max_length=2048, pattern=WEB_URI)]

Count = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Part(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An object inside a body. Closed, as bodies are."""


class CustomData(Part, frozen=True):
    """An application's own members of a user or a knock."""

    custom_data: dict[str, Any]


class EventReference(Body, frozen=True):
    """A body that points at an earlier event of its conversation."""

    event_id: EventNumber

    def __post_init__(self) -> None:
        force_setattr(self, "event_id", int(self.event_id))

    @property
    def target(self) -> EventId:
        return EventId(int(self.event_id))

    @property
    def targets(self) -> tuple[EventId, ...]:
        """All that it names, the one that it is about first."""
        return (self.target,)


def whole(value: float | str) -> float:
    """The number, as an int when it is whole.

    COMPAT: the browser SDK reads the level of `audio:say` as an integer and drops `1.0`.
    """
    number = float(value)
    return int(number) if number.is_integer() else number
