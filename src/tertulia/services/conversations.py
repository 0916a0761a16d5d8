"""The one door: every change of a conversation is a decision committed here, and nowhere else.

Live conversations are kept as folds. A decision is made on the newest fold and queued before
anybody else runs, so the next decision builds on it without waiting for the disk; its caller
waits. When a commit fails, whatever was decided on top of it conflicts, is decided again, and no
number is lost. The log's expectation of the newest number makes the same true between processes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.conversation import ConversationDraft, create, delete, expire, update
from tertulia.model.decision import Decide, Decision
from tertulia.model.errors import (
    ConversationNotFound,
    DuplicateConversationName,
    Rejected,
    Unavailable,
)
from tertulia.model.event import Change, Event, Fact
from tertulia.model.events.registry import Keep, find
from tertulia.model.fold import fold
from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.sending import Inbound, Sending
from tertulia.model.state import Conversation, ConversationState
from tertulia.ports import (
    Announcer,
    Append,
    Clock,
    Conflict,
    ConversationFilter,
    Directory,
    EventLog,
    Ids,
    ListedConversation,
    NameTaken,
    Page,
)
from tertulia.ports.cluster import Homes
from tertulia.services.cards import Cards

OWN_ROW = (Leg, Sending, Inbound)
"""What is no part of a conversation, and has a row as its newest event left it."""
LIVE_MAX = 10_000
"""Conversations kept as live folds; the least recently used one is loaded again when needed."""


class _Live:
    """A conversation's newest fold, and the commit that will have made it durable."""

    __slots__ = ("conversation", "newest")

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.newest: asyncio.Future[Position] | None = None
        """Commits end in their order: with this one, all before it have."""

    @property
    def is_settled(self) -> bool:
        return self.newest is None or self.newest.done()


class Conversations:
    """Loads, decides, appends. The only caller of EventLog.append."""

    def __init__(
        self, *, log: EventLog, directory: Directory, announcer: Announcer, cards: Cards,
        clock: Clock, ids: Ids, homes: Homes,
    ) -> None:  # fmt: skip
        self._log = log
        self._homes = homes
        self._directory = directory
        self._announcer = announcer
        self._cards = cards
        self._clock = clock
        self._ids = ids
        self._live: OrderedDict[ConversationId, _Live] = OrderedDict()
        self._loading: dict[ConversationId, asyncio.Future[_Live | None]] = {}

    def now(self) -> Instant:
        """The time of the log."""
        return self._clock.now()

    async def create(
        self, draft: ConversationDraft, actor: Actor, *, given: ConversationId | None = None
    ) -> Conversation:
        """`given`: an id that was made for it before. Raises DuplicateConversationName."""
        now = self._clock.now()
        name = draft.name if isinstance(draft.name, str) else f"NAM-{self._ids.bare()}"
        conversation_id = given or self._ids.conversation()
        profile, fact = create(
            draft, actor=actor, conversation_id=conversation_id, name=name, now=now
        )
        event = self._application_event(fact, actor.application_id, now)
        try:
            await self._log.append(
                Append(actor.application_id, conversation_id, EventId(0), (event,), (profile,))
            )
        except NameTaken:
            raise DuplicateConversationName() from None
        conversation = fold(None, event)
        self._keep(conversation_id, _Live(conversation))
        return conversation

    async def get(self, conversation_id: ConversationId, actor: Actor) -> ListedConversation:
        """As it is on disk, with the actor's own membership if the actor is a user."""
        found = await self._directory.profile(conversation_id)
        if found is None or not _is_there(found.profile.state, found.profile.application_id, actor):
            raise ConversationNotFound()
        if actor.is_system:
            return found
        own = actor.own_member(await self.seen(conversation_id, actor))
        if own is None:
            return found
        # of the live state only the id is taken: it may be ahead of the disk
        listed = await self._directory.member(conversation_id, own.id)
        return replace(found, membership=listed.member if listed else None)

    async def find(self, id_or_name: str, actor: Actor) -> ListedConversation:
        """As `get`. COMPAT: the client SDK gets conversations by name too (wire-clients 5.2)."""
        try:
            return await self.get(ConversationId(id_or_name), actor)
        except ConversationNotFound:
            where = ConversationFilter(actor.application_id, name=id_or_name)
            named = await self._directory.conversations(where, Page(limit=1))
            if not named:
                raise
        return await self.get(named[0].profile.id, actor)

    async def list(self, where: ConversationFilter, page: Page) -> list[ListedConversation]:
        return await self._directory.conversations(where, page)

    async def update(
        self, conversation_id: ConversationId, draft: ConversationDraft, actor: Actor
    ) -> None:
        """Raises DuplicateConversationName."""
        try:
            await self.commit(
                conversation_id, actor, lambda c, now: update(c, now, draft=draft, actor=actor)
            )
        except NameTaken:
            raise DuplicateConversationName() from None

    async def delete(
        self, conversation_id: ConversationId, actor: Actor, *, reason: str = "deleted by request"
    ) -> None:
        await self.commit(
            conversation_id, actor, lambda c, now: delete(c, now, reason=reason, actor=actor)
        )

    async def expire(self, conversation_id: ConversationId) -> None:
        """Delete it if its time to live has run out. Somebody else may have deleted it already."""
        live = await self._load(conversation_id)
        if live is None:
            return
        system = Actor(live.conversation.profile.application_id)
        try:
            await self.commit(conversation_id, system, expire)
        except ConversationNotFound:
            return

    async def newest(self, conversation_id: ConversationId) -> Conversation | None:
        """The live conversation, for those who act for nobody; it may be ahead of the disk."""
        live = await self._load(conversation_id)
        return live.conversation if live is not None else None

    async def seen(self, conversation_id: ConversationId, actor: Actor) -> Conversation:
        """The live conversation, if the actor may see it: same error for absent and foreign."""
        while True:
            live = await self._load(conversation_id)
            if live is not None and _is_visible(live.conversation, actor):
                return live.conversation
            if live is None or await self._stands(live):
                raise ConversationNotFound()

    async def commit(
        self, conversation_id: ConversationId, actor: Actor, decide: Decide, *, visible: bool = True
    ) -> tuple[Event, ...]:
        """Decide on the newest state and append what follows; return the events, durable.

        `visible=False` lets an actor decide about a conversation that it is not part of: joining.

        Raises:
            Rejected: what `decide` rejected, or ConversationNotFound.
            NameTaken, Unavailable: as EventLog.append.
            Conflict: only for a decision that touches an earlier event; read that again first.
        """
        while True:
            live = await self._load(conversation_id)
            if live is None:
                raise ConversationNotFound()
            now = self._clock.now()
            try:
                if not _is_visible(live.conversation, actor, whoever=not visible):
                    raise ConversationNotFound()
                decision = decide(live.conversation, now)
            except Rejected:
                if await self._stands(live):
                    raise
                continue
            if missing := self._cards.missing(live.conversation, decision):
                await self._cards.load(missing)
                continue  # others ran meanwhile: decide again
            events = self._numbered(live.conversation, decision, now)
            if await self._append(conversation_id, live, decision, events):
                return events

    async def tell(
        self, conversation_id: ConversationId, application_id: ApplicationId, fact: Fact
    ) -> None:
        """Append what happened in a conversation, in the name of its application. Raises
        ConversationNotFound, Unavailable."""
        await self.commit(conversation_id, Actor(application_id), lambda *_: Decision((fact,)))

    async def tell_if_there(
        self, conversation_id: ConversationId, application_id: ApplicationId, fact: Fact
    ) -> None:
        """As `tell`; of a conversation that was deleted meanwhile there is nothing to be told."""
        try:
            await self.tell(conversation_id, application_id, fact)
        except ConversationNotFound:
            return

    async def happen(self, application_id: ApplicationId, *facts: Fact) -> Event:
        """Append what happens to the application outside any conversation: a leg that is in none,
        a knock. All of it or nothing; the last event. Raises Unavailable."""
        now = self._clock.now()
        events = [self._application_event(fact, application_id, now) for fact in facts]
        changes = [each.became for each in events if isinstance(each.became, OWN_ROW)]
        await self._log.append(Append(application_id, None, EventId(0), events, changes))
        return events[-1]

    def forget(self, of: Collection[ApplicationId]) -> None:
        """Let go of what is known of these applications: another server has written of them."""
        self._cards.clear()
        for name, live in list(self._live.items()):
            if live.conversation.profile.application_id in of:
                del self._live[name]

    async def _stands(self, live: _Live) -> bool:
        """Whether a refusal that was decided on this fold may be told: once the fold is durable.

        If it fails to become so, what was refused has to be decided again.
        """
        newest = live.newest
        if newest is None:
            return True
        if not newest.done():
            await asyncio.wait([newest])
        # cancelled: its caller went away, and what became of the write only the disk can tell
        if not newest.cancelled() and newest.exception() is None:
            return True
        self._forget(live.conversation.id, live)
        return False

    async def _append(
        self, conversation_id: ConversationId, live: _Live, decision: Decision,
        events: tuple[Event, ...],
    ) -> bool:  # fmt: skip
        """False when the stream has moved and the decision has to be made again."""
        before = after = live.conversation
        kept = []
        for event in events:
            if event.is_kept:
                kept.append(event)
                after = fold(after, event)
            else:
                self._announcer.announce(event)
        if not kept:
            return bool(events) or await self._stands(live)
        rows = [event.became for event in kept if isinstance(event.became, OWN_ROW)]
        changes = (*decision.touches, *_changed(before, after), *rows)
        append = Append(
            before.profile.application_id, conversation_id, before.sequence, kept, changes
        )
        durable = asyncio.ensure_future(self._log.append(append))
        live.conversation, live.newest = after, durable
        try:
            await durable
        except Conflict:
            self._forget(conversation_id, live)
            if decision.touches:
                raise  # the touched event may be what changed: only the caller can look at it again
            return False
        except (NameTaken, Unavailable):
            self._forget(conversation_id, live)
            raise
        return True

    def _numbered(
        self, conversation: Conversation, decision: Decision, now: Instant
    ) -> tuple[Event, ...]:
        events = []
        number = conversation.sequence
        for fact in decision.facts:
            event_type = find(fact.type)
            if event_type is None:
                raise ValueError(f"{fact.type} is not in the catalogue")
            if event_type.keep is Keep.APPLICATION:
                application_id = conversation.profile.application_id
                events.append(self._application_event(fact, application_id, now))
                continue
            kept = event_type.keep is Keep.CONVERSATION
            if kept:
                number = EventId(number + 1)
            events.append(
                Event(
                    application_id=conversation.profile.application_id,
                    conversation_id=conversation.id, id=number if kept else None,
                    type=fact.type, timestamp=now, body=fact.body, sender=fact.sender,
                    recipient=fact.recipient, became=fact.became,
                    embedded=self._cards.embedded(conversation, fact),
                )
            )  # fmt: skip
        return tuple(events)

    def _application_event(self, fact: Fact, application_id: ApplicationId, now: Instant) -> Event:
        return Event(
            application_id=application_id, conversation_id=None, id=None, type=fact.type,
            timestamp=now, body=fact.body, became=fact.became,
        )  # fmt: skip

    async def _load(self, conversation_id: ConversationId) -> _Live | None:
        """One read for all who wait for the same conversation."""
        live = self._live.get(conversation_id)
        if live is not None:
            self._live.move_to_end(conversation_id)
            return live
        loading = self._loading.get(conversation_id)
        if loading is None:
            loading = asyncio.ensure_future(self._read(conversation_id))
            self._loading[conversation_id] = loading
        # shielded: one impatient caller must not cancel the read of the others
        return await asyncio.shield(loading)

    async def _read(self, conversation_id: ConversationId) -> _Live | None:
        try:
            conversation = await self._directory.conversation(conversation_id)
            if conversation is None:
                return None
            live = _Live(conversation)
            if self._homes.has(conversation.profile.application_id):  # else another writes it
                self._keep(conversation_id, live)
            return live
        finally:
            del self._loading[conversation_id]

    def _keep(self, conversation_id: ConversationId, live: _Live) -> None:
        self._live[conversation_id] = live
        while len(self._live) > LIVE_MAX:
            oldest, idle = next(iter(self._live.items()))
            if not idle.is_settled:
                self._live.move_to_end(oldest)
                return  # its commits are on their way: a reload now would miss them
            del self._live[oldest]

    def _forget(self, conversation_id: ConversationId, live: _Live) -> None:
        if self._live.get(conversation_id) is live:
            del self._live[conversation_id]


def _is_there(state: ConversationState, owner: ApplicationId, actor: Actor) -> bool:
    return state is not ConversationState.DELETED and owner == actor.application_id


def _is_visible(conversation: Conversation, actor: Actor, *, whoever: bool = False) -> bool:
    """Whether it is there for the actor; `whoever`: even if the actor is not part of it."""
    profile = conversation.profile
    is_there = _is_there(profile.state, profile.application_id, actor)
    return is_there and (whoever or actor.can_see(conversation))


def _changed(before: Conversation, after: Conversation) -> list[Change]:
    """The rows that the fold has changed; what it did not touch is the same object."""
    changed: list[Change] = []
    if after.profile is not before.profile:
        changed.append(after.profile)
    if after.members is not before.members:
        changed += [
            member
            for member_id, member in after.members.items()
            if before.members.get(member_id) is not member
        ]
    return changed
