"""Following the log from outside: scopes, followers, and the trail that each goes at its own pace.

A follower is only told that there is something; it reads the log itself when it likes, so a slow
one holds no memory and misses nothing. Events that are not kept are handed to who waits now.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.errors import EpochOver, InvalidCursor, TooManyRequests
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position
from tertulia.ports import EventLog, EventQuery
from tertulia.services.conversations import Conversations

PAGE = 500
"""Events looked at in one go."""
PASSING_MAX = 64
"""Events not kept that wait for a follower; of more the oldest are dropped."""
RETRY_AFTER = 5.0
"""Seconds."""
_DELETION = "event:delete"


class Scope(Struct, frozen=True):
    """What is followed: an application, or one of its conversations; maybe only some types."""

    application_id: ApplicationId
    conversation_id: ConversationId | None = None
    types: tuple[str, ...] = ()
    """Empty means all. `custom:*` stands for every custom type."""

    @property
    def is_whole(self) -> bool:
        """All of the application."""
        return self.conversation_id is None and not self.types

    def includes(self, event: Event) -> bool:
        return (
            event.application_id == self.application_id
            and self.conversation_id in (None, event.conversation_id)
            and self._wants(event.type)
        )

    def _wants(self, type_: str) -> bool:
        if not self.types or type_ in self.types:
            return True
        return "custom:*" in self.types and type_.startswith("custom:")


class Start(Struct, frozen=True):
    """From where: after a position (None: from now on) of this epoch (empty: of the current)."""

    after: Position | None = None
    epoch: str = ""


class Follower:
    """Waits for what its scope includes. Read the log after `listen`, and only then `wait`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.is_over = False
        """Nothing more is worth waiting for: the server ends."""
        self._passing: deque[Event] = deque(maxlen=PASSING_MAX)
        self._news = asyncio.Event()

    def listen(self) -> list[Event]:
        """From now on, anything new ends the next `wait`. Returns what passed since the last."""
        self._news.clear()
        passed = list(self._passing)
        self._passing.clear()
        return passed

    async def wait(self, seconds: float) -> None:
        """Until there is something new, or the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    def wake(self) -> None:
        self._news.set()

    def end(self) -> None:
        self.is_over = True
        self._news.set()

    def hand(self, event: Event) -> None:
        self._passing.append(event)
        self._news.set()


class Trail:
    """A way along the log, a page at a time."""

    def __init__(
        self, log: EventLog, scope: Scope, position: Position, *, known: "_Known | None"
    ) -> None:
        self._log = log
        self._scope = scope
        self._known = known
        self.position = position
        """All that the scope includes up to here was returned."""
        self.is_at_end = False
        """The last page looked at was empty."""

    async def next(self, limit: int) -> list[Event]:
        """The next events in scope, at most `limit`; may be none though the end is not reached."""
        if self._known is not None:
            return await self._next_known(self._known, limit)
        page = await self._page(limit if self._scope.is_whole else PAGE)
        found = [event for event in page if self._scope.includes(event)]
        self.is_at_end = not page
        if len(found) > limit:
            del found[limit:]
            self.position = found[-1].position
        elif page:
            self.position = page[-1].position
        return found

    async def _page(self, limit: int) -> list[Event]:
        """From memory, unless a deletion is in it: memory still has what that has blanked."""
        owner = self._scope.application_id
        recent = self._log.tail(self.position, owner)
        if recent is not None and all(event.type != _DELETION for event in recent):
            return recent[:limit]
        return await self._log.follow(self.position, application_id=owner, limit=limit)

    async def _next_known(self, known: "_Known", limit: int) -> list[Event]:
        """From the conversation's own index: its part of the application's log may be small."""
        query = EventQuery(after=known.number, types=self._scope.types, limit=limit)
        found = await self._log.events(known.conversation_id, query)
        if found:
            known.number = found[-1].id or known.number
            self.position = found[-1].position
        else:
            self._known = None
            self.position = max(self.position, known.head)
        return found


class _Known(Struct):
    """How far a conversation's history is read by number, up to where the log was at the start."""

    conversation_id: ConversationId
    number: EventId
    head: Position


class Following:
    """`per_application`: how many may follow an application at a time."""

    def __init__(
        self, *, log: EventLog, conversations: Conversations, per_application: int
    ) -> None:
        self._log = log
        self._conversations = conversations
        self._per_application = per_application
        self._followers: set[Follower] = set()
        self._counts: Counter[ApplicationId] = Counter()
        self._told = Position(0)
        """Followers were told of all up to here."""
        log.on_append(self._tell)

    @property
    def epoch(self) -> str:
        return self._log.epoch

    async def trail(self, scope: Scope, start: Start) -> Trail:
        """Raises EpochOver, InvalidCursor, ConversationNotFound, Unavailable."""
        if start.epoch and start.epoch != self._log.epoch:
            raise EpochOver(epoch=self._log.epoch)
        await self._log.attend(scope.application_id)
        sequence = EventId(0)
        if scope.conversation_id is not None:
            owner = Actor(scope.application_id)
            sequence = (await self._conversations.get(scope.conversation_id, owner)).sequence
        head = await self._log.head()
        self._catch_up(head)
        after = head if start.after is None else start.after
        if after > head:
            raise InvalidCursor("The position is beyond the newest one.")
        if scope.conversation_id is None or after == head:
            return Trail(self._log, scope, after, known=None)
        number = await self._number_at(scope.conversation_id, sequence, after)
        known = _Known(scope.conversation_id, number, head)
        return Trail(self._log, scope, after, known=known)

    @contextmanager
    def follower(self, scope: Scope) -> Iterator[Follower]:
        """Raises TooManyRequests."""
        if self._counts[scope.application_id] >= self._per_application:
            raise TooManyRequests(
                f"The application has {self._per_application} streams open.",
                retry_after=RETRY_AFTER,
            )
        follower = Follower(scope)
        self._followers.add(follower)
        self._counts[scope.application_id] += 1
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            self._counts -= Counter({scope.application_id: 1})

    def end(self) -> None:
        """Have all who wait now stop waiting."""
        for follower in self._followers:
            follower.end()

    def hand_on(self, event: Event) -> None:
        """Announce an event that is not kept to those who follow now."""
        for follower in self._followers:
            if follower.scope.includes(event):
                follower.hand(event)

    def _tell(self) -> None:
        """One look at what was appended, for all."""
        if not self._followers:
            return
        news = self._log.attended(self._told)
        if news is not None:
            self._told = max(self._told, news.through)
        for follower in self._followers:
            if news is None or any(map(follower.scope.includes, news.events)):
                follower.wake()

    def _catch_up(self, head: Position) -> None:
        """What was appended while nobody followed need not be looked at again."""
        at_hand = self._log.attended(head)
        if at_hand is not None and (newest := min(head, at_hand.through)) > self._told:
            self._told = newest
            for follower in self._followers:
                follower.wake()

    async def _number_at(
        self, conversation_id: ConversationId, sequence: EventId, after: Position
    ) -> EventId:
        """The newest number that is not behind the position. Numbers have no gap: bisect them."""
        low, high = 0, int(sequence)
        while after and low < high:
            middle = (low + high + 1) // 2
            event = await self._log.event(conversation_id, EventId(middle))
            if event is None or event.position <= after:
                low = middle
            else:
                high = middle - 1
        return EventId(low)
