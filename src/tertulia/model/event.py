"""The event: a fact in a conversation's log, and the forms it takes on its way there."""

from typing import NamedTuple

from msgspec import Struct

from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, Position
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.sending import Inbound, Sending
from tertulia.model.state import Member, Profile

RECEIPTS = {
    "message:seen": "seen_by",
    "message:delivered": "delivered_to",
    "message:submitted": "submitted_to",
    "message:rejected": "rejected_by",
    "message:undeliverable": "undeliverable_to",
    "text:seen": "seen_by",
    "text:delivered": "delivered_to",
    "image:seen": "seen_by",
    "image:delivered": "delivered_to",
}
"""Status events, and the map of the target's `state` that each folds into (wire-api 2.1)."""

State = dict[str, dict[MemberId, Instant]]
"""What members reported of a message: receipt → member → when first."""


Became = Profile | Member | Leg | Sending | Inbound
"""What an event can have made as it is afterwards."""


class Fact(Struct, frozen=True):
    """What a decision says has happened. The door gives it number, time and sender's card."""

    type: str
    body: bytes
    """Canonical JSON, encoded once."""
    sender: MemberId | None = None
    recipient: MemberId | None = None
    became: Became | None = None
    """What changed as it is afterwards: what a fold needs beyond the body."""


class Event(Struct, frozen=True):
    """A fact with its place in the log."""

    application_id: ApplicationId
    conversation_id: ConversationId | None
    """None for the few events that belong to no conversation."""
    id: EventId | None
    type: str
    timestamp: Instant
    body: bytes
    sender: MemberId | None = None
    recipient: MemberId | None = None
    embedded: bytes | None = None
    """JSON of `_embedded`: the sender's user and member as they were."""
    became: Became | None = None
    position: Position = Position(0)
    """0 until appended; ephemeral events never get one."""
    deleted_at: Instant | None = None
    state: State | None = None

    @property
    def is_kept(self) -> bool:
        """False for an ephemeral event: of a conversation, but without a number."""
        return self.id is not None or self.conversation_id is None


class Receipt(NamedTuple):
    """A member's report on a message. The first of its kind counts; later ones are only events."""

    event_id: EventId
    kind: str
    member_id: MemberId
    at: Instant


class Blank(NamedTuple):
    """The deletion of an event: its body goes, the rest stays. Conflicts when blank already."""

    event_id: EventId
    at: Instant


class Bookmark(NamedTuple):
    """How far a follower of the log has come."""

    name: str
    position: Position


Change = Became | Receipt | Blank | Bookmark
"""A row that changes in the transaction that appends the events which caused it."""
