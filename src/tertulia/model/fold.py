"""The fold: a conversation is what its events have made it, and nothing else.

The live state is this fold carried along; the rows of the directory are its results. After every
scenario the tests fold the log from empty and compare.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from tertulia.model.event import Event
from tertulia.model.ids import EventId
from tertulia.model.state import Conversation, Member, Profile


def fold(conversation: Conversation | None, event: Event) -> Conversation:
    """The conversation after `event`; it is None before conversation:created."""
    if conversation is None:
        if not isinstance(event.became, Profile):
            raise ValueError(f"a conversation begins with its profile, not with {event.type}")
        return Conversation(profile=event.became, members={}, sequence=EventId(0))
    sequence = conversation.sequence if event.id is None else event.id
    became = event.became
    if isinstance(became, Profile):
        return replace(conversation, profile=became, sequence=sequence)
    if isinstance(became, Member):
        members = {**conversation.members, became.id: became}
        profile = _occupied(conversation.profile, members.values(), event)
        return Conversation(profile=profile, members=members, sequence=sequence)
    return Conversation(conversation.profile, conversation.members, sequence)


def _occupied(profile: Profile, members: Iterable[Member], event: Event) -> Profile:
    """Start or stop the clock of the time to live."""
    if any(member.is_present for member in members):
        return profile if profile.emptied_at is None else replace(profile, emptied_at=None)
    return replace(profile, emptied_at=event.timestamp) if profile.emptied_at is None else profile
