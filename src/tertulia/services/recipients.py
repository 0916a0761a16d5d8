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
BOOKMARK_SECONDS = 5.0
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
        self._under_way: set[Position] = set()
        self._newest: tuple[Position, ApplicationId] | None = None
        self._marked = Position(0)
        self._is_marking = False

    @property
    def reactions(self) -> Reactions:
        return {MESSAGE: self._posted}

    async def recover(self, until: Position) -> None:
        """Carry what was said up to there and has not been looked at."""
        after = await self._records.bookmark(BOOKMARK)
        if after is None:
            await self._begin(until)
            return
        while after < until and (page := await self._log.follow(after, limit=PAGE)):
            for event in page:
                if event.type == MESSAGE and event.position <= until:
                    self.announced(event)
                    self._errands.in_turn(event.conversation_id, partial(self._posted, event))
            after = page[-1].position

    async def _begin(self, at: Position) -> None:
        """From there on; older messages went to nobody."""
        self._marked = at
        for event in await self._log.follow(Position(max(at - 1, 0)), limit=1):
            await self._records.put_bookmark(BOOKMARK, at, event.application_id)

    def announced(self, event: Event) -> None:
        """It will be its turn: until then the bookmark stays before it."""
        self._under_way.add(event.position)

    async def _posted(self, event: Event) -> None:
        try:
            await insist(partial(self._carry, event))
        finally:
            self._under_way.discard(event.position)
        self._mark(event)

    async def _carry(self, event: Event) -> None:
        if event.conversation_id is None or event.id is None or event.deleted_at is not None:
            return
        room = await self._conversations.newest(event.conversation_id)
        for member in _reached(room, event) if room is not None else ():
            place = MessagePlace(event.conversation_id, event.id, member.id)
            order, problem = _ordered(event, member)
            await self._sendings.send_for(place, order, event.application_id, problem)

    def _mark(self, event: Event) -> None:
        if self._newest is None or event.position > self._newest[0]:
            self._newest = event.position, event.application_id
        if not self._is_marking:
            self._is_marking = True
            self._errands.after(BOOKMARK_SECONDS, self._put_bookmark)

    async def _put_bookmark(self) -> None:
        self._is_marking = False
        assert self._newest is not None
        newest, application_id = self._newest
        done = Position(min(self._under_way) - 1) if self._under_way else newest
        if done > self._marked:
            await self._records.put_bookmark(BOOKMARK, done, application_id)
            self._marked = done


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
