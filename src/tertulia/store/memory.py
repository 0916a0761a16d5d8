"""The log and the directory in plain dicts and lists, for tests and for trying things out."""

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar
from uuid import uuid4

import msgspec

from tertulia.model.calling import call_status
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Event
from tertulia.model.ids import (
    ApplicationId,
    ConversationId,
    EventId,
    LegId,
    MemberId,
    Position,
    UserId,
)
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.state import (
    Application,
    Conversation,
    ConversationState,
    MemberState,
    User,
)
from tertulia.ports import (
    Append,
    CallFilter,
    ConversationFilter,
    EventQuery,
    FoundCalls,
    Joined,
    LegFilter,
    Listed,
    ListedConversation,
    ListedLeg,
    ListedMember,
    ListedUser,
    Page,
    Records,
    Stretch,
)
from tertulia.store.guards import Removal, place, places, scan_of, sort_key
from tertulia.store.memory_messages import MemoryMessages
from tertulia.store.tables import Tables

L = TypeVar("L", bound=Listed)


class MemoryLog:
    """EventLog."""

    _tables: Tables
    _wakes: list[Callable[[], None]]
    _epoch: str

    @property
    def epoch(self) -> str:
        return self._epoch

    def append(self, append: Append) -> Awaitable[Position]:
        loop = get_running_loop()
        future = loop.create_future()
        try:
            future.set_result(self._tables.append(append))
        except TertuliaError as error:
            future.set_exception(error)
        for wake in self._wakes:
            loop.call_soon(wake)
        return future

    async def event(self, conversation_id: ConversationId, event_id: EventId) -> Event | None:
        return self._tables.event(conversation_id, event_id)

    async def events(self, conversation_id: ConversationId, query: EventQuery) -> list[Event]:
        stream = self._tables.streams.get(conversation_id, [])
        end = len(stream) if query.before is None else max(query.before - 1, 0)
        positions = stream[max(query.after, 0) : end]
        log = self._tables.log
        found: list[Event] = []
        for position in reversed(positions) if query.descending else positions:
            if len(found) >= query.limit:
                break
            if _matches(log[position - 1], query):
                found.append(log[position - 1])
        return found

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]:
        behind = self._tables.log[max(after, 0) :]
        if application_id is not None:
            behind = [event for event in behind if event.application_id == application_id]
        return behind[:limit]

    async def follow_user(
        self, after: Position, user_id: UserId, *, limit: int = 500
    ) -> list[Event]:
        tables = self._tables
        rooms = {
            name
            for name, members in tables.members.items()
            if any(member.user_id == user_id for _, member in members.values())
            and not tables.is_deleted(name)
        }
        behind = self._tables.log[max(after, 0) :]
        return [event for event in behind if event.id and event.conversation_id in rooms][:limit]

    def tail(
        self, after: Position, application_id: ApplicationId | None = None
    ) -> list[Event] | None:
        behind = self._tables.log[max(after, 0) :]
        return [event for event in behind if application_id in (None, event.application_id)]

    def attended(self, after: Position) -> Stretch | None:
        found = self._tables.log[max(after, 0) :]
        return Stretch(found, Position(len(self._tables.log)))

    async def attend(self, application_id: ApplicationId) -> Position:
        return Position(0)

    async def head(self) -> Position:
        return Position(len(self._tables.log))

    def on_append(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)


def _matches(event: Event, query: EventQuery) -> bool:
    if query.exclude_deleted and event.deleted_at is not None:
        return False
    if query.about and not _about(event).intersection(query.about):
        return False
    types = query.types
    is_custom = event.type.startswith("custom:") and "custom:*" in types
    return not types or event.type in types or is_custom


def _about(event: Event) -> set[object]:
    body = msgspec.json.decode(event.body)
    return {body.get("event_id", body.get("original_event_id"))}


class MemoryDirectory:
    """Directory."""

    _tables: Tables

    async def conversation(self, conversation_id: ConversationId) -> Conversation | None:
        tables = self._tables
        if conversation_id not in tables.conversations:
            return None
        _, profile = tables.conversations[conversation_id]
        members = tables.members.get(conversation_id, {})
        return Conversation(
            profile,
            {name: member for name, (_, member) in members.items()},
            EventId(len(tables.streams[conversation_id])),
        )

    async def profile(self, conversation_id: ConversationId) -> ListedConversation | None:
        if conversation_id not in self._tables.conversations:
            return None
        return self._listed(conversation_id)

    async def conversations(
        self, where: ConversationFilter, page: Page
    ) -> list[ListedConversation]:
        found = [
            self._listed(name, by_sort_key=where.by_sort_key, user_id=where.user_id)
            for name, (number, profile) in self._tables.conversations.items()
            if profile.state is not ConversationState.DELETED
            and profile.application_id == where.application_id
            and (where.name is None or profile.name == where.name)
            and places(where)[0] < place(profile.created_at, number) < places(where)[1]
        ]
        if where.user_id is not None:
            found = [item for item in found if item.membership is not None]
        if where.user_id is not None and where.state is not None:
            found = [item for item in found if _state(item) is where.state]
        return _slice(found, page, *((str, int) if where.by_sort_key else (int,)))

    def _listed(
        self, conversation_id: ConversationId, *, by_sort_key: bool = False,
        user_id: UserId | None = None,
    ) -> ListedConversation:  # fmt: skip
        number, profile = self._tables.conversations[conversation_id]
        members = self._tables.members.get(conversation_id, {}).values()
        memberships = [member for _, member in members if member.user_id == user_id]
        return ListedConversation(
            key=(sort_key(profile), number)
            if by_sort_key
            else (place(profile.created_at, number),),
            profile=profile,
            sequence=EventId(len(self._tables.streams[conversation_id])),
            membership=memberships[-1] if memberships else None,
        )

    async def member(
        self, conversation_id: ConversationId, member_id: MemberId
    ) -> ListedMember | None:
        for item in self._members(conversation_id):
            if item.member.id == member_id:
                return item
        return None

    async def members(self, conversation_id: ConversationId, page: Page) -> list[ListedMember]:
        return _slice(self._members(conversation_id), page, int)

    def _members(self, conversation_id: ConversationId) -> list[ListedMember]:
        users = self._tables.users
        return [
            ListedMember((number,), member, users[member.user_id][1])
            for number, member in self._tables.members.get(conversation_id, {}).values()
            if member.user_id in users
        ]

    async def joined(self, user_id: UserId) -> Joined:
        tables = self._tables
        members = [
            (name, member.id)
            for name, members in tables.members.items()
            for _, member in members.values()
            if member.user_id == user_id and member.state is MemberState.JOINED
            and not tables.is_deleted(name)
        ]  # fmt: skip
        return Joined(Position(len(tables.log)), members)

    async def leg(self, leg_id: LegId) -> Leg | None:
        _, leg = self._tables.legs.get(leg_id, (0, None))
        return leg

    async def legs(self, where: LegFilter, page: Page) -> list[ListedLeg]:
        found = [
            ListedLeg((number,), leg)
            for number, leg in self._tables.legs.values()
            if leg.application_id == where.application_id
            and where.conversation_id in (None, leg.conversation_id)
            and where.user_id in (None, leg.user_id)
        ]
        return _slice(found, page, int)

    async def calls(self, where: CallFilter, records: Records) -> FoundCalls:
        found = [
            (leg.started_at, number, leg)
            for number, leg in self._tables.legs.values()
            if leg.application_id == where.application_id
            and (status := call_status(leg)) is not None
            and where.status in (None, status)
            and where.conversation_id in (None, leg.conversation_id)
            and where.user_id in (None, leg.user_id)
            and (where.started_after is None or leg.started_at >= where.started_after)
            and (where.started_before is None or leg.started_at <= where.started_before)
        ]
        found.sort(key=lambda each: each[:2], reverse=records.descending)
        shown = found[records.index : records.index + records.limit]
        return FoundCalls(len(found), [leg for _, _, leg in shown])

    async def open_legs(self) -> list[Leg]:
        return [leg for _, leg in self._tables.legs.values() if not leg.is_over]

    async def expired(self, now: Instant, limit: int = 100) -> list[ConversationId]:
        return [name for due, name in self._expiries() if due <= now][:limit]

    async def next_expiry(self) -> Instant | None:
        return next((due for due, _ in self._expiries()), None)

    def _expiries(self) -> list[tuple[Instant, ConversationId]]:
        profiles = [profile for _, profile in self._tables.conversations.values()]
        return sorted(
            (due, profile.id) for profile in profiles if (due := profile.expires_at) is not None
        )

    async def user(self, user_id: UserId) -> User | None:
        _, user = self._tables.users.get(user_id, (0, None))
        return user

    async def user_named(self, application_id: ApplicationId, name: str) -> User | None:
        found = await self.users(application_id, Page(limit=1), name=name)
        return found[0].user if found else None

    async def users(
        self, application_id: ApplicationId, page: Page, *, name: str | None = None
    ) -> list[ListedUser]:
        found = [
            ListedUser((number,), user)
            for number, user in self._tables.users.values()
            if user.application_id == application_id
            and user.destroyed_at is None
            and (name is None or user.name == name)
        ]
        return _slice(found, page, int)

    async def put_user(self, user: User) -> None:
        self._tables.put(user)

    async def application(self, application_id: ApplicationId) -> Application | None:
        return self._tables.applications.get(application_id)

    async def applications(self) -> list[Application]:
        return sorted(self._tables.applications.values(), key=lambda each: each.created_at)

    async def put_application(self, application: Application) -> None:
        self._tables.put(application)

    async def delete_application(self, application_id: ApplicationId) -> None:
        self._tables.put(Removal(application_id))


def _state(item: ListedConversation) -> object:
    return item.membership and item.membership.state


def _slice(items: Iterable[L], page: Page, *shape: type) -> list[L]:
    """The page of items that are in any order."""
    scan = scan_of(page, *shape)
    found = sorted(
        (
            item
            for item in items
            if (scan.low is None or item.key > scan.low)
            and (scan.high is None or item.key < scan.high)
        ),
        key=lambda item: item.key,
        reverse=scan.descending,
    )[: page.limit]
    return found[::-1] if scan.backward else found


class MemoryStore(MemoryLog, MemoryDirectory, MemoryMessages):
    """The three ports over one set of tables."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._wakes = []
        self._epoch = uuid4().hex

    def fail(self, failing: bool = True) -> None:
        """Refuse writes as Unavailable until told otherwise: to see what callers make of it."""
        self._tables.failing = failing
