"""Decisions about events that somebody sends: who may send what, for whom, about which event."""

from msgspec import Raw, Struct, field

from tertulia.model.actor import Actor
from tertulia.model.decision import Decision
from tertulia.model.errors import (
    EventNotFound,
    Forbidden,
    InvalidMemberState,
    MemberNotFound,
    ValidationFailed,
)
from tertulia.model.event import RECEIPTS, Blank, Event, Fact, Receipt
from tertulia.model.events.deletion import EventDelete
from tertulia.model.events.registry import Creator, EventType, encode_body, find
from tertulia.model.ids import EventId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.state import Conversation, Member, MemberState

SENDER_REQUIRED = frozenset(RECEIPTS) | {
    "audio:dtmf", "audio:mute:on", "audio:mute:off", "audio:earmuff:on", "audio:earmuff:off",
    "text", "text:update", "image",
}  # fmt: skip
"""Types whose stored form always names a member (the `from` notes of the catalogue)."""

DELETABLE = ("message", "text", "image")
"""Beside custom events: messages in each of their generations (wire-api 2.1)."""


class EventDraft(Struct, frozen=True):
    """The body of an event creation. Other top-level members are tolerated (wire-api 2.1)."""

    type: str
    body: Raw = Raw(b"{}")
    from_: MemberId | None = field(default=None, name="from")
    to: MemberId | None = None


def creatable(name: str, creator: Creator) -> EventType:
    """The type of an event that a caller of this kind may create."""
    found = find(name)
    if found is None or not found.creators & creator:
        raise ValidationFailed.of("type", "must be one of the event types that can be created")
    return found


def post(
    conversation: Conversation, now: Instant, *, fact: Fact, actor: Actor, target: Event | None
) -> Decision:
    """Let the event happen. `target` is the event that a status event reports on."""
    _check_sender(conversation, fact, actor)
    if fact.recipient is not None and fact.recipient not in conversation.members:
        raise MemberNotFound()
    kind = RECEIPTS.get(fact.type)
    if kind is None:
        return Decision((fact,))
    if target is None or target.id is None or target.deleted_at or not _is_about(fact, target):
        raise EventNotFound()
    if fact.sender is None:
        raise ValidationFailed.of("from", "is required")
    return Decision((fact,), (Receipt(target.id, kind, fact.sender, now),))


def delete(
    conversation: Conversation, now: Instant, *, target: Event | None, sender: MemberId | None,
    actor: Actor,
) -> Decision:  # fmt: skip
    """Blank an event and say so. Deleting again is fine and does nothing more."""
    if target is None or target.id is None:
        raise EventNotFound()
    if not (target.type in DELETABLE or target.type.startswith("custom:")):
        raise ValidationFailed.of("event_id", "must be the id of a message or custom event")
    if not actor.is_system:
        author = conversation.members.get(target.sender) if target.sender else None
        if author is None or not actor.owns(author):
            raise Forbidden("Only the sender may delete an event.")
    if sender is not None:
        _require_joined(conversation, sender, actor)
    if target.deleted_at is not None:
        return Decision()
    body = encode_body(EventDelete(event_id=target.id))
    fact = Fact("event:delete", body, sender=sender or target.sender)
    return Decision((fact,), (Blank(EventId(target.id), now),))


def _check_sender(conversation: Conversation, fact: Fact, actor: Actor) -> None:
    if fact.sender is not None:
        _require_joined(conversation, fact.sender, actor)
    elif not actor.is_system or fact.type in SENDER_REQUIRED:
        raise ValidationFailed.of("from", "is required")


def _require_joined(conversation: Conversation, member_id: MemberId, actor: Actor) -> Member:
    member = conversation.members.get(member_id)
    if member is None:
        raise MemberNotFound()
    if not actor.owns(member):
        raise Forbidden("A user may only act as a member of its own.")
    if member.state is not MemberState.JOINED:
        raise InvalidMemberState("The sender has not joined the conversation.")
    return member


def _is_about(status: Fact, target: Event) -> bool:
    """`message:seen` reports on a `message`, `text:seen` on a `text`, and so on."""
    return target.type == status.type.partition(":")[0]
