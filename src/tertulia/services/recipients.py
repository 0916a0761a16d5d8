"""Recipients: a message of a conversation goes to each member whom a messaging channel reaches.

It follows the log from a bookmark, so that what was said just before the hub ended is carried when
it is there again; a sending has an id of its own by message and member, and is made once.
"""

from collections.abc import Iterator
from functools import partial

from msgspec.json import decode

from tertulia.model.carrying import address_problem, content_for, plain_address
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.sending import (
    Content,
    MessagePlace,
    Order,
    Problem,
    address_of,
    end_name,
)
from tertulia.model.state import Conversation, Member
from tertulia.ports import EventLog
from tertulia.ports.messaging import MessageRecords
from tertulia.services.conductor import Reactions
from tertulia.services.conversations import Conversations
from tertulia.services.errands import Errands, insist
from tertulia.services.sendings import Sendings

BOOKMARK = "recipients"
"""How far it was looked at what applications say that have no bookmark of their own."""
BOOKMARK_SECONDS = 5.0
FAR = 1000
"""Positions that an application without messages may be behind."""
PAGE = 500
MESSAGE = "message"


class Recipients:
    def __init__(
        self, *, sendings: Sendings, conversations: Conversations, log: EventLog,
        records: MessageRecords, errands: Errands,
    ) -> None:  # fmt: skip
        self._sendings = sendings
        self._conversations = conversations
        self._log = log
        self._records = records
        self._errands = errands
        self._trails: dict[ApplicationId, _Trail] = {}

    @property
    def reactions(self) -> Reactions:
        return {MESSAGE: self._posted}

    def recover_later(self, application_id: ApplicationId, until: Position) -> None:
        """`recover`, behind what is going on."""
        self._errands.insist(partial(self.recover, application_id, until))

    async def recover(self, application_id: ApplicationId, until: Position) -> None:
        """Carry what was said up to there and has not been looked at."""
        after = await self._records.bookmark(bookmark_of(application_id))
        if after is None:
            after = await self._records.bookmark(BOOKMARK)
        if after is None:
            await self._begin(until, application_id)
            return
        trail = self._trails[application_id] = _Trail(after)
        while after < until and (page := await self._page(application_id, after)):
            for event in page:
                if event.type == MESSAGE and event.position <= until:
                    self.announced(event)
                    self._errands.in_turn(event.conversation_id, partial(self._posted, event))
            after = page[-1].position
        if until - trail.marked > FAR:
            self._mark(application_id, until)

    def forget(self, application_id: ApplicationId) -> None:
        """It is looked after elsewhere."""
        self._trails.pop(application_id, None)

    async def _page(self, application_id: ApplicationId, after: Position) -> list[Event]:
        return await self._log.follow(after, application_id=application_id, limit=PAGE)

    async def _begin(self, at: Position, application_id: ApplicationId) -> None:
        """From there on; older messages went to nobody."""
        await self._records.put_bookmark(BOOKMARK, at, application_id)

    def announced(self, event: Event) -> None:
        """It will be its turn: until then the bookmark stays before it."""
        name = event.application_id
        if name not in self._trails:  # the first: what has no bookmark is not recovered
            self._trails[name] = _Trail(Position(0))
            self._mark(name, Position(event.position - 1), at_once=True)
        self._trail(name).under_way.add(event.position)

    async def _posted(self, event: Event) -> None:
        try:
            await insist(partial(self._carry, event))
        finally:
            self._trail(event.application_id).under_way.discard(event.position)
        self._mark(event.application_id, event.position)

    async def _carry(self, event: Event) -> None:
        if event.conversation_id is None or event.id is None or event.deleted_at is not None:
            return
        room = await self._conversations.newest(event.conversation_id)
        for member in _reached(room, event) if room is not None else ():
            place = MessagePlace(event.conversation_id, event.id, member.id)
            order, problem = _ordered(event, member)
            await self._sendings.send_for(place, order, event.application_id, problem)

    def _trail(self, application_id: ApplicationId) -> "_Trail":
        return self._trails.setdefault(application_id, _Trail(Position(0)))

    def _mark(
        self, application_id: ApplicationId, position: Position, *, at_once: bool = False
    ) -> None:
        trail = self._trail(application_id)
        trail.newest = max(trail.newest, position)
        if not trail.is_marking:
            trail.is_marking = True
            seconds = 0.0 if at_once else BOOKMARK_SECONDS
            self._errands.after(seconds, partial(self._put_bookmark, application_id))

    async def _put_bookmark(self, application_id: ApplicationId) -> None:
        trail = self._trails.get(application_id)
        if trail is None:
            return
        trail.is_marking = False
        done = Position(min(trail.under_way) - 1) if trail.under_way else trail.newest
        if done > trail.marked:
            await self._records.put_bookmark(bookmark_of(application_id), done, application_id)
            trail.marked = done


class _Trail:
    """How far an application's messages have been carried."""

    __slots__ = ("is_marking", "marked", "newest", "under_way")

    def __init__(self, marked: Position) -> None:
        self.marked = self.newest = marked
        self.under_way: set[Position] = set()
        self.is_marking = False


def bookmark_of(application_id: ApplicationId) -> str:
    return f"{BOOKMARK}:{application_id}"


def _reached(room: Conversation, event: Event) -> Iterator[Member]:
    """Each address once; not the one it came from."""
    sender = room.members.get(event.sender) if event.sender else None
    seen = {address_of(sender)} if sender is not None else set()
    for member in room.members.values():
        address = address_of(member)
        if address is None or address in seen or (member.joined_at or 0) > event.timestamp:
            continue
        seen.add(address)
        yield member


def _ordered(event: Event, member: Member) -> tuple[Order, Problem | None]:
    channel = member.channel
    to = plain_address(channel.type, end_name(channel.to))
    from_ = plain_address(channel.type, end_name(channel.from_))
    found = address_problem(channel.type, to) or content_for(channel.type, decode(event.body))
    content = found if isinstance(found, Content) else Content("unsupported")
    return Order(channel.type, to, from_, content), found if isinstance(found, Problem) else None
