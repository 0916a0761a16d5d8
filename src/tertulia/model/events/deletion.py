"""The deletion of an event, which is an event."""

from tertulia.model.events.registry import EVERYWHERE, event
from tertulia.model.events.values import EventReference


@event("event:delete", reaches=EVERYWHERE)
class EventDelete(EventReference, frozen=True):
    """An event was deleted: its body is gone, its place stays."""
