"""Decisions about events that somebody sends: who may send what, for whom, about which event."""

from collections.abc import Sequence

from msgspec import Raw, Struct, field
from msgspec.structs import replace

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
from tertulia.model.events.registry import RESERVED, Creator, EventType, encode_body, find
from tertulia.model.extending import EXTENSIONS, MESSAGES, check_extension
from tertulia.model.ids import MemberId
from tertulia.model.instant import Instant
from tertulia.model.state import Conversation, Member, MemberState

SENDER_REQUIRED = frozenset(RECEIPTS) | {
    "audio:dtmf", "audio:mute:on", "audio:mute:off", "audio:earmuff:on", "audio:earmuff:off",
    "text", "text:update", "image", *EXTENSIONS,
}  # fmt: skip
"""Types whose stored form always names a member (the `from` notes of the catalogue)."""

DELETABLE = MESSAGES
"""Beside an application's custom events: messages in each of their generations (wire-api 2.1)."""


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
    if name.startswith(RESERVED) and found.name != name:
        raise ValidationFailed.of("type", f"must not begin with {RESERVED}, which is reserved")
    return found


def post(
    conversation: Conversation, now: Instant, *, fact: Fact, actor: Actor,
    targets: Sequence[Event | None],
) -> Decision:  # fmt: skip
    """Let the event happen. `targets` are the earlier events that its body names."""
    fact = _signed(conversation, fact, actor)
    _check_sender(conversation, fact, actor)
    if fact.recipient is not None and fact.recipient not in conversation.members:
        raise MemberNotFound()
    if fact.type in EXTENSIONS:
        check_extension(conversation, fact, targets)
    kind = RECEIPTS.get(fact.type)
    if kind is None:
        return Decision((fact,))
    (target,) = targets
    if target is None or target.id is None or target.deleted_at or not _is_about(fact, target):
        raise EventNotFound()
    if fact.sender is None:
        raise ValidationFailed.of("from", "is required")
    return Decision((fact,), (Receipt(target.id, kind, fact.sender, now),))


def delete(
    conversation: Conversation, now: Instant, *, target: Event | None, edits: Sequence[Event],
    sender: MemberId | None, actor: Actor,
) -> Decision:  # fmt: skip
    """Blank an event with its edits and say so. Deleting again is fine and does nothing more."""
    if target is None or target.id is None:
        raise EventNotFound()
    if not _is_deletable(target):
        raise ValidationFailed.of("event_id", "must be the id of a message or custom event")
    if sender is not None:
        _require_joined(conversation, sender, actor)
    elif not actor.is_system:
        # any member, not only the author: docs/decisions/0006
        own = actor.membership(conversation)
        if own is None:
            raise Forbidden("Only who has joined the conversation may delete an event.")
        sender = own.id
    gone = [each.id for each in (target, *edits) if each.id and each.deleted_at is None]
    sender = sender or target.sender
    bodies = [encode_body(EventDelete(event_id=number)) for number in gone]
    facts = tuple(Fact("event:delete", body, sender=sender) for body in bodies)
    return Decision(facts, tuple(Blank(number, now) for number in gone))


def _is_deletable(event: Event) -> bool:
    """An extension is part of a message and cannot go alone."""
    is_own_custom = event.type.startswith("custom:") and not event.type.startswith(RESERVED)
    return is_own_custom or event.type in DELETABLE


def _signed(conversation: Conversation, fact: Fact, actor: Actor) -> Fact:
    """COMPAT: nexmo-client names no sender where the token's user is one (wire-clients 3.2)."""
    own = actor.membership(conversation)
    return replace(fact, sender=own.id) if fact.sender is None and own is not None else fact


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
