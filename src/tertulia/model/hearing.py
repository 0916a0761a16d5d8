"""Who is told of what: joined members, and whoever it is about; in the order of commits, since much
can happen within a millisecond."""

from collections.abc import Collection, Mapping, Sequence

from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, MemberId, UserId
from tertulia.model.state import ConversationState, Member, MemberState, Profile

DIRECTED = frozenset({"rtc:answer", "rtc:offer"})
"""Signalling: only for the user of the member that it became. COMPAT: a client takes any answer in
its conversation for the answer to its own offer (wire-clients 4.6)."""


def may_hear(user_id: UserId, event: Event) -> bool:
    """Whether a member of the conversation is told of the event at all."""
    return event.type not in DIRECTED or _own(user_id, event) is not None


def heard(
    user_id: UserId, events: Sequence[Event], joined: Mapping[ConversationId, Collection[MemberId]]
) -> list[Event]:
    """Those of the events, which follow each other in the log, that a user was told of.

    `joined` are its members that had joined before them, or after them: of the others than became
    something in these events it is the same. A conversation that they delete is not heard of.
    """
    before = _joined_before(user_id, events, joined)
    found = []
    for event in events:
        name, own = event.conversation_id, _own(user_id, event)
        if name is None or name not in before or not may_hear(user_id, event):
            continue
        if own is not None and own.state is MemberState.JOINED:
            before[name].add(own.id)
        if own is not None or before[name]:
            found.append(event)
        if own is not None and own.state is MemberState.LEFT:
            before[name].discard(own.id)
    return found


def stayed(member: Member, events: Sequence[Event]) -> bool:
    """Whether a member that became nothing in these events of its conversation had joined all the
    while, as far as the times tell."""
    joined_at, left_at = member.joined_at, member.left_at
    if joined_at is None or joined_at > events[0].timestamp:
        return False
    return left_at is None or left_at >= events[-1].timestamp


def _joined_before(
    user_id: UserId, events: Sequence[Event], joined: Mapping[ConversationId, Collection[MemberId]]
) -> dict[ConversationId, set[MemberId]]:
    """The user's joined members in each conversation of the events that is there after them."""
    first: dict[MemberId, Member] = {}
    deleted: set[ConversationId] = set()
    for event in events:
        became = event.became
        if (own := _own(user_id, event)) is not None:
            first.setdefault(own.id, own)
        elif isinstance(became, Profile) and became.state is ConversationState.DELETED:
            deleted.add(became.id)
    before = {
        name: set(joined.get(name, ())).difference(first)
        for name in {event.conversation_id for event in events}
        if name is not None and name not in deleted
    }
    for member in first.values():
        has_left = member.state is MemberState.LEFT and member.joined_at is not None
        if has_left and member.conversation_id in before:
            before[member.conversation_id].add(member.id)
    return before


def _own(user_id: UserId, event: Event) -> Member | None:
    became = event.became
    return became if isinstance(became, Member) and became.user_id == user_id else None
