"""Search: what was said, found again by its words, by those who may read it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.errors import Forbidden, SearchMissing, Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, Position
from tertulia.model.indexing import text_changes
from tertulia.model.state import ConversationState
from tertulia.model.words import Snippet, Term
from tertulia.ports import Directory, EventLog
from tertulia.ports.cluster import Homes
from tertulia.ports.search import FoundText, Line, SearchIndex, TextQuery
from tertulia.services.conversations import Conversations

BATCH = 500
"""Events read at once: few enough that nobody waits for the loop meanwhile."""
PAUSE = 0.5
"""Seconds between two looks at the log."""
IDLE_SHARE = 3.0
"""How much longer than a full batch the rest after it is: the index is on nobody's way, so under
load it takes a quarter of a core and lags, instead of taking what those who post need."""
RETRY = 5.0
"""Seconds after a failure."""

_log = logging.getLogger(__name__)


class Asked(Struct, frozen=True):
    terms: tuple[Term, ...]
    conversation_id: ConversationId | None
    before: Position | None
    limit: int


class FoundMessage(Struct, frozen=True):
    event: Event
    snippet: Snippet


class Results(Struct, frozen=True):
    found: list[FoundMessage]
    """May be fewer than asked for although there are more: what was removed meanwhile."""
    after: Position | None
    """Where to go on; None when there is no more."""


class Search:
    def __init__(
        self, *, index: SearchIndex, log: EventLog, directory: Directory,
        conversations: Conversations,
    ) -> None:  # fmt: skip
        self._index = index
        self._log = log
        self._directory = directory
        self._conversations = conversations

    async def find(self, asked: Asked, actor: Actor) -> Results:
        """Raises SearchTooBroad, SearchMissing, and ConversationNotFound or Forbidden."""
        among = await self._scope(asked.conversation_id, actor)
        if among == ():
            return Results([], None)
        texts = await self._index.find(
            TextQuery(actor.application_id, asked.terms, among, asked.before, asked.limit)
        )
        after = texts[-1].position if len(texts) == asked.limit else None
        return Results(await self._messages(texts), after)

    async def _scope(
        self, conversation_id: ConversationId | None, actor: Actor
    ) -> tuple[ConversationId, ...] | None:
        if conversation_id is not None:
            conversation = await self._conversations.seen(conversation_id, actor)
            if not actor.is_system and actor.membership(conversation) is None:
                raise Forbidden("Only joined members may search a conversation.")
            return (conversation_id,)
        if actor.user_id is None:
            return None
        joined = await self._directory.joined(actor.user_id)
        return tuple(dict.fromkeys(name for name, _ in joined.members))

    async def _messages(self, texts: Sequence[FoundText]) -> list[FoundMessage]:
        """Those that are still there: the index is a moment behind."""
        standing = {
            name: await self._stands(name)
            for name in dict.fromkeys(text.conversation_id for text in texts)
        }
        found = []
        for text in texts:
            if standing[text.conversation_id]:
                event = await self._log.event(text.conversation_id, text.event_id)
                if event is not None and event.deleted_at is None:
                    found.append(FoundMessage(event, text.snippet))
        return found

    async def _stands(self, conversation_id: ConversationId) -> bool:
        listed = await self._directory.profile(conversation_id)
        return listed is not None and listed.profile.state is not ConversationState.DELETED


class Indexer:
    """Follows the log of what is at home here, and keeps the search index close behind it."""

    def __init__(
        self, *, index: SearchIndex, log: EventLog, homes: Homes, monotonic: Callable[[], float]
    ) -> None:
        self._index = index
        self._log = log
        self._homes = homes
        self._monotonic = monotonic
        self._at: dict[Line, Position] = {}
        """Up to where each line is indexed; the index is asked for one that is not here."""
        self._nothing_before: Position | None = None
        """What to index, where nothing is at home."""
        self._news = asyncio.Event()
        log.on_append(self._news.set)

    @property
    def reached(self) -> Position | None:
        """All that is at home here is indexed up to there, as last known."""
        return min(self._at.values(), default=self._nothing_before)

    def look(self) -> None:
        """There may be more to index: something has come home."""
        self._news.set()

    async def run(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.catch_up()
            except SearchMissing as missing:
                _log.warning(missing.detail, extra={"action": "search_missing"})
                return
            except Unavailable:
                _log.warning("search waits for its index", extra={"action": "search_unavailable"})
                await asyncio.sleep(RETRY)
                continue
            await asyncio.sleep(PAUSE)
            await self._news.wait()

    async def catch_up(self) -> None:
        """Index all that the log holds of what is at home here."""
        own = self._homes.own
        lines: Collection[Line] = (None,) if own is None else own
        self._nothing_before = None if lines else await self._log.head()
        self._at = {line: at for line, at in self._at.items() if line in lines}
        for line in lines:
            at = self._at.pop(line, None)  # unless it is known afterwards, it is asked for again
            if at is None:
                at = await self._index.begin(self._log.epoch, await self._log.head(), line)
            self._at[line] = await self._follow(line, at)

    async def _follow(self, line: Line, at: Position) -> Position:
        """Up to where the line is indexed then."""
        while True:
            stretch = self._log.attended(at)
            events = await self._behind(line, at)
            if not events:  # nor was there any when the stretch was looked at
                return max(at, stretch.through) if stretch else at
            at = events[-1].position
            began = self._monotonic()
            await self._index.write(text_changes(events), at, line)
            if len(events) == BATCH:  # much is behind: leave the machine to those who post
                await asyncio.sleep(IDLE_SHARE * (self._monotonic() - began))

    async def _behind(self, line: Line, at: Position) -> list[Event]:
        recent = self._log.tail(at, line)
        if recent is not None:
            return recent[:BATCH]
        return await self._log.follow(at, application_id=line, limit=BATCH)
