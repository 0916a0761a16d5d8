"""What a session is owed when it comes back: exactly what it did not acknowledge."""

from collections.abc import Callable
from typing import NamedTuple

from tertulia.live.dialect import can_parse, reaches_sessions
from tertulia.live.presence import Presence
from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, MemberId, Position, UserId
from tertulia.model.membership import may_hear
from tertulia.model.session import SessionRecord
from tertulia.model.state import Member
from tertulia.ports import EventLog
from tertulia.services.conversations import Conversations

PAGE = 1000
NEAR = 200
"""Events of all applications that are looked through in memory rather than found by index."""


class Owed(NamedTuple):
    events: list[Event]
    through: Position
    """Nothing else up to here is owed."""
    is_all: bool
    """Nothing else is owed: from `through` on, delivery tells."""


class CatchUp:
    """Reads the log from where a session acknowledged, up to where live delivery is."""

    def __init__(
        self, log: EventLog, conversations: Conversations, cursor: Callable[[], Position]
    ) -> None:
        self._log = log
        self._conversations = conversations
        self._cursor = cursor

    async def owed(self, record: SessionRecord, presence: Presence, after: Position) -> Owed:
        """The next page. When it is the last, no turn of the loop lies between what it holds and
        its return: whoever goes live at once misses nothing and gets nothing twice."""
        since = self._log.tail(after)
        if since is not None and len(since) <= NEAR and not any(map(_deletes, since)):
            return self._near(record, presence, after, [], since)
        target = self._cursor()
        page = await self._log.follow_user(after, record.user_id, limit=PAGE)
        # what is newer than the target is told by delivery, if it has not been told by now
        read = [event for event in page if event.position <= target]
        events = await self._heard(record, read)
        if len(read) == PAGE:
            return Owed(events, read[-1].position, is_all=False)
        since = self._log.tail(target)
        if since is None:
            return Owed(events, target, is_all=False)
        return self._near(record, presence, after, events, since)

    def _near(
        self, record: SessionRecord, presence: Presence, after: Position, events: list[Event],
        since: list[Event],
    ) -> Owed:  # fmt: skip
        """The end of the log from memory, up to where live delivery is."""
        cursor = self._cursor()
        told = [event for event in since if event.position <= cursor]
        return Owed([*events, *_heard_near(record, presence, told)], max(cursor, after), True)

    async def _heard(self, record: SessionRecord, events: list[Event]) -> list[Event]:
        own: dict[ConversationId, list[Member]] = {}
        heard = []
        for event in events:
            name = event.conversation_id
            if name is None or not _is_for(record, event):
                continue
            if name not in own:
                own[name] = await self._members(name, record.user_id)
            if may_hear(own[name], event):
                heard.append(event)
        return heard

    async def _members(self, conversation_id: ConversationId, user_id: UserId) -> list[Member]:
        conversation = await self._conversations.newest(conversation_id)
        if conversation is None:
            return []
        return [each for each in conversation.members.values() if each.user_id == user_id]


def _heard_near(record: SessionRecord, presence: Presence, events: list[Event]) -> list[Event]:
    """As `_heard`, told by the presence, which is as of the last of the events."""
    own: dict[ConversationId, dict[MemberId, Member]] = {}
    for event in events:
        member = event.became
        if isinstance(member, Member) and member.user_id == record.user_id:
            own.setdefault(member.conversation_id, {})[member.id] = member

    def hears(event: Event) -> bool:
        name = event.conversation_id
        if name is None or not _is_for(record, event):
            return False
        changed = own.get(name, {})
        stayed = presence.joined.get(name, set()).difference(changed)
        return bool(stayed) or may_hear(changed.values(), event)

    return [event for event in events if hears(event)]


def _deletes(event: Event) -> bool:
    """Behind a deletion the words that it took back are still in memory, but not in the store."""
    return event.type == "event:delete"


def _is_for(record: SessionRecord, event: Event) -> bool:
    return reaches_sessions(event.type) and can_parse(record.dialect, event)
