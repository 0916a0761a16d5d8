"""The memory adapter's state, and the one way to change it."""

from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import replace

from tertulia.model.errors import Unavailable
from tertulia.model.event import Became, Blank, Bookmark, Event, Receipt
from tertulia.model.ids import (
    ApplicationId,
    ConversationId,
    LegId,
    MemberId,
    MessageId,
    Position,
    UserId,
)
from tertulia.model.leg import Leg
from tertulia.model.sending import Inbound, Sending, SendingStatus
from tertulia.model.state import Application, ConversationState, Member, Profile, User
from tertulia.ports import Append, Conflict, NameTaken
from tertulia.store.guards import Names, Removal, Row, check_append, claim_of

_BLANK_BODY = b"{}"


class Tables:
    """Rows beside the log come with their number: the order of arrival."""

    def __init__(self) -> None:
        self.failing = False
        self.log: list[Event] = []
        """By position, of which the first is 1."""
        self.streams: dict[ConversationId, list[Position]] = {}
        self.conversations: dict[ConversationId, tuple[int, Profile]] = {}
        self.members: dict[ConversationId, dict[MemberId, tuple[int, Member]]] = {}
        self.legs: dict[LegId, tuple[int, Leg]] = {}
        self.sendings: dict[MessageId, tuple[int, Sending]] = {}
        self.message_refs: dict[tuple[str, str], MessageId] = {}
        self.inbounds: dict[MessageId, tuple[int, Inbound]] = {}
        self.bookmarks: dict[str, Position] = {}
        self.users: dict[UserId, tuple[int, User]] = {}
        self.applications: dict[ApplicationId, Application] = {}
        self._names = Names()
        self._members = 0

    def event(self, conversation_id: ConversationId, number: int) -> Event | None:
        stream = self.streams.get(conversation_id, [])
        return self.log[stream[number - 1] - 1] if 1 <= number <= len(stream) else None

    def is_deleted(self, name: ConversationId) -> bool:
        _, profile = self.conversations.get(name, (0, None))
        return profile is not None and profile.state is ConversationState.DELETED

    def append(self, append: Append) -> Position:
        """Store, or raise Conflict, NameTaken or Unavailable."""
        check_append(append)
        self._check_store()
        self._check_streams(append)
        self._check_blanks(append)
        self._take_names(append.changes)
        for change in append.changes:
            if isinstance(change, Profile):
                self.streams.setdefault(change.id, [])
        for event in append.events:
            position = Position(len(self.log) + 1)
            self.log.append(replace(event, position=position))
            if event.id is not None and event.conversation_id is not None:
                self.streams[event.conversation_id].append(position)
        for change in append.changes:
            match change:
                case Receipt() | Blank():
                    self._touch(append.conversation_id, change)
                case _:
                    self._put(change)
        return Position(len(self.log))

    def put(self, row: User | Application | Removal | Bookmark) -> None:
        """Store, or raise NameTaken or Unavailable."""
        self._check_store()
        self._take_names([row])
        self._put(row)

    def _check_store(self) -> None:
        if self.failing:
            raise Unavailable("the store was told to fail")

    def _take_names(self, rows: Sequence[Row]) -> None:
        if not self._names.take([claim_of(row) for row in rows if isinstance(row, Profile | User)]):
            raise NameTaken("the name is taken")

    def _check_streams(self, append: Append) -> None:
        known = {change.id for change in append.changes if isinstance(change, Profile)}
        named = {event.conversation_id for event in append.events} | {append.conversation_id}
        named |= {
            change.conversation_id for change in append.changes if isinstance(change, Member | Leg)
        }
        for name in named - known - {None}:
            if name not in self.streams:
                raise Conflict(f"there is no conversation {name}")
        if append.conversation_id is not None:
            if self.is_deleted(append.conversation_id):
                raise Conflict(f"{append.conversation_id} is closed")
            head = len(self.streams.get(append.conversation_id, ()))
            if head != append.expected:
                raise Conflict(f"{append.conversation_id} is at {head}, not at {append.expected}")

    def _check_blanks(self, append: Append) -> None:
        free = {event.id for event in append.events}
        for change in append.changes:
            if isinstance(change, Blank) and append.conversation_id is not None:
                event = self.event(append.conversation_id, change.event_id)
                if event is not None and event.deleted_at is None:
                    free.add(change.event_id)
        for change in append.changes:
            if isinstance(change, Blank):
                if change.event_id not in free:
                    raise Conflict(f"event {change.event_id} is blank already")
                free.remove(change.event_id)

    def _put(self, row: Became | Bookmark | User | Application | Removal) -> None:
        match row:
            case Profile():
                number, _ = self.conversations.get(row.id, (len(self.conversations) + 1, row))
                self.conversations[row.id] = (number, row)
            case Member():
                members = self.members.setdefault(row.conversation_id, {})
                self._members += 1
                number, _ = members.get(row.id, (self._members, row))
                members[row.id] = (number, row)
            case Leg():
                number, _ = self.legs.get(row.id, (len(self.legs) + 1, row))
                self.legs[row.id] = (number, row)
            case Sending() | Inbound() | Bookmark():
                self._keep(row)
            case User():
                number, _ = self.users.get(row.id, (len(self.users) + 1, row))
                self.users[row.id] = (number, row)
            case Application():
                self.applications[row.id] = row
            case Removal(application_id):
                self.applications.pop(application_id, None)
            case _:
                assert_never(row)

    def _keep(self, row: Sending | Inbound | Bookmark) -> None:
        match row:
            case Sending():
                number, _ = self.sendings.get(row.id, (len(self.sendings) + 1, row))
                self.sendings[row.id] = (number, row)
                if row.status is SendingStatus.SUBMITTED:
                    self.message_refs |= {(row.carrier, ref): row.id for ref in row.refs}
            case Inbound():
                number, _ = self.inbounds.get(row.id, (len(self.inbounds) + 1, row))
                self.inbounds[row.id] = (number, row)
            case Bookmark(name, position):
                self.bookmarks[name] = position
            case _:
                assert_never(row)

    def _touch(self, conversation_id: ConversationId | None, change: Receipt | Blank) -> None:
        event = None
        if conversation_id is not None:
            event = self.event(conversation_id, change.event_id)
        if event is None:
            return
        match change:
            case Receipt(_, kind, member_id, at):
                reports = (event.state or {}).get(kind, {})
                state = {**(event.state or {}), kind: {member_id: at, **reports}}
                event = replace(event, state=state)
            case Blank(_, at):
                event = replace(event, body=_BLANK_BODY, became=None, deleted_at=at)
            case _:
                assert_never(change)
        self.log[event.position - 1] = event
