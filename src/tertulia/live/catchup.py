"""What a session is owed when it comes back: exactly what it did not acknowledge."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from tertulia.live.dialect import can_parse, reaches_sessions
from tertulia.live.presence import Presence
from tertulia.model.event import Event
from tertulia.model.hearing import heard, stayed
from tertulia.model.ids import ApplicationId, ConversationId, MemberId, Position, UserId
from tertulia.model.session import SessionRecord
from tertulia.ports import EventLog
from tertulia.services.conversations import Conversations

PAGE = 1000
NEAR = 200
"""Events of the application that are looked through in memory rather than found by index."""


class Owed(NamedTuple):
    events: list[Event]
    through: Position
    """Nothing else up to here is owed."""
    is_all: bool
    """Nothing else is owed: from `through` on, delivery tells."""

    def parts(self, size: int) -> Iterator["Owed"]:
        """The same in parts of about so many bytes. Sending them takes time, so none of several is
        all: what happens meanwhile has to be asked for."""
        part: list[Event] = []
        weight = 0
        for event in self.events:
            if weight > size:
                yield Owed(part, part[-1].position, is_all=False)
                part, weight = [], 0
            part.append(event)
            weight += len(event.body) + len(event.embedded or b"")
        yield Owed(part, self.through, self.is_all and len(part) == len(self.events))


class CatchUp:
    """Reads the log from where a session acknowledged, up to where live delivery is."""

    def __init__(
        self, log: EventLog, conversations: Conversations, cursor: Callable[[], Position]
    ) -> None:
        self._log = log
        self._conversations = conversations
        self._cursor = cursor

    async def attend(self, application_id: ApplicationId) -> Position:
        """Have delivery told of all that happens to the application behind the position."""
        return await self._log.attend(application_id)

    async def owed(self, record: SessionRecord, presence: Presence, after: Position) -> Owed:
        """The next page. When it is the last, no turn of the loop lies between what it holds and
        its return: whoever goes live at once misses nothing and gets nothing twice."""
        if after >= self._cursor():
            return Owed([], after, is_all=True)
        since = self._log.tail(after, record.application_id)
        if since is not None and len(since) <= NEAR and not any(map(_deletes, since)):
            return self._last(record, presence, since)
        target = self._cursor()
        page = await self._log.follow_user(after, record.user_id, limit=PAGE)
        # what is newer than the target is told by delivery, if it has not been told by now
        read = [event for event in page if event.position <= target]
        since = self._log.tail(target, record.application_id)
        if since is not None and len(read) < PAGE:
            return self._last(record, presence, [*read, *since])
        through = read[-1].position if len(read) == PAGE else target
        joined = await self._stayed(record.user_id, read)
        return Owed(_heard(record, read, joined), through, is_all=False)

    def _last(self, record: SessionRecord, presence: Presence, events: list[Event]) -> Owed:
        """Of the events that end the log, those up to where live delivery and the presence are."""
        cursor = self._cursor()
        told = [event for event in events if event.position <= cursor]
        return Owed(_heard(record, told, presence.joined), cursor, is_all=True)

    async def _stayed(
        self, user_id: UserId, events: list[Event]
    ) -> dict[ConversationId, list[MemberId]]:
        """The user's members that had joined all the while."""
        by_name: dict[ConversationId, list[Event]] = {}
        for event in events:
            if event.conversation_id is not None:
                by_name.setdefault(event.conversation_id, []).append(event)
        found = {}
        for name, own in by_name.items():
            conversation = await self._conversations.newest(name)
            members = conversation.members.values() if conversation is not None else ()
            found[name] = [
                each.id for each in members if each.user_id == user_id and stayed(each, own)
            ]
        return found


def _heard(
    record: SessionRecord, events: list[Event],
    joined: Mapping[ConversationId, Collection[MemberId]],
) -> list[Event]:  # fmt: skip
    """Those that the user is told of and its kind of client can parse."""
    return [
        event
        for event in heard(record.user_id, events, joined)
        if reaches_sessions(event.type) and can_parse(record.dialect, event)
    ]


def _deletes(event: Event) -> bool:
    """Behind a deletion the words that it took back are still in memory, but not in the store."""
    return event.type == "event:delete"
