"""Events of a conversation as a whole."""

from tertulia.model.events.registry import Body, Keep, Reach, event
from tertulia.model.state import ConversationState


@event("conversation:updated")
class ConversationUpdated(Body, frozen=True):
    """The fields of a conversation were changed."""

    id: str
    name: str
    timestamp: dict[str, str]
    """`created`, `updated`, `destroyed`, each once it has happened."""
    state: ConversationState | None = None
    display_name: str | None = None
    image_url: str | None = None


@event("conversation:created", reaches=Reach.WEBHOOK, keep=Keep.APPLICATION)
class ConversationCreated(Body, frozen=True):
    """A conversation was created."""

    id: str
    name: str
    timestamp: dict[str, str]
    state: ConversationState
    display_name: str | None = None
    image_url: str | None = None


@event("conversation:deleted", reaches=Reach.WEBHOOK, keep=Keep.APPLICATION)
class ConversationDeleted(Body, frozen=True):
    """A conversation was deleted, or its time to live ran out."""

    id: str
    name: str
    timestamp: dict[str, str]
    reason: str
