"""Events of knocking: a client's call to the application, before there is a conversation."""

from tertulia.model.events.registry import Body, Keep, Reach, event
from tertulia.model.events.values import CustomData, Part
from tertulia.model.state import Channel, Reason


class Knocker(Part, frozen=True):
    """The user who knocks."""

    id: str


@event("app:knocking", reaches=Reach.WEBHOOK, keep=Keep.APPLICATION)
class AppKnocking(Body, frozen=True):
    """A user calls the application."""

    user: Knocker
    channel: Channel | None = None
    properties: CustomData | None = None


@event("app:knocking:cancel", reaches=Reach.WEBHOOK, keep=Keep.APPLICATION)
class AppKnockingCancel(Body, frozen=True):
    """A user gave up calling the application."""

    user: Knocker
    timestamp: dict[str, str]
    """`created`, `updated`, `destroyed`, `left`, each once it has happened."""
    reason: Reason | None = None
