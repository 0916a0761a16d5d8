"""Events that somebody sends, and the history of a conversation."""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.decision import Decision
from tertulia.model.errors import EventNotFound, Forbidden, ValidationFailed
from tertulia.model.event import Event, Fact
from tertulia.model.events.audio import LegAudio
from tertulia.model.events.registry import Creator, decode_body, encode_body, find, mint
from tertulia.model.events.values import EventReference
from tertulia.model.extending import EDIT, EDITS
from tertulia.model.hearing import may_hear
from tertulia.model.ids import ConversationId, EventId, MediaId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.media import named_media
from tertulia.model.posting import EventDraft, creatable, delete, post
from tertulia.model.state import Conversation
from tertulia.ports import Conflict, EventLog, EventQuery, Ids
from tertulia.services.conversations import Conversations
from tertulia.services.legs import Legs
from tertulia.services.media import MediaFiles

EDITS_PAGE = 100
"""How many edits of a message are blanked in one transaction."""

Targets = Sequence[Event | None]


class Events:
    def __init__(
        self, *, conversations: Conversations, media: MediaFiles, legs: Legs, log: EventLog,
        ids: Ids,
    ) -> None:  # fmt: skip
        self._conversations = conversations
        self._media = media
        self._legs = legs
        self._log = log
        self._ids = ids

    async def create(
        self, conversation_id: ConversationId, draft: EventDraft, actor: Actor, creator: Creator
    ) -> Event:
        """Validate, decide, store; the event as it was kept or announced."""
        event_type = creatable(draft.type, creator)
        body = decode_body(event_type, bytes(draft.body))
        if event_type.mints:
            body = mint(event_type, body, self._ids.bare())
        if isinstance(body, LegAudio):
            self._check_own(body, actor)
        fact = Fact(draft.type, encode_body(body), draft.from_, draft.to)
        named = body.targets if isinstance(body, EventReference) else ()

        def decide(targets: Targets, conversation: Conversation, now: Instant) -> Decision:
            return post(conversation, now, fact=fact, actor=actor, targets=targets)

        async with self._media.shown(named_media(body), conversation_id, actor):
            (event,) = await self._commit_about(conversation_id, named, actor, decide)
        if event.type == EDIT:
            await self._go_along(conversation_id, named[0], actor)
        return event

    async def delete(
        self, conversation_id: ConversationId, event_id: EventId, actor: Actor,
        *, sender: MemberId | None,
    ) -> None:  # fmt: skip
        """With the edits that it has, those that come in meanwhile, and the media that it shows."""
        shown = _shown(await self.get(conversation_id, event_id, actor))
        edits = await self._edits(conversation_id, event_id, actor)

        def decide(targets: Targets, conversation: Conversation, now: Instant) -> Decision:
            target, *others = targets
            known = [each for each in others if each is not None]
            return delete(conversation, now, target=target, edits=known, sender=sender, actor=actor)

        while True:
            if await self._commit_about(conversation_id, (event_id, *edits), actor, decide):
                await self._media.hide(shown, conversation_id)
                shown = ()
            edits = await self._edits(conversation_id, event_id, actor)
            if not edits:
                return

    async def get(self, conversation_id: ConversationId, event_id: EventId, actor: Actor) -> Event:
        (event,) = await self._targets(conversation_id, (event_id,), actor)
        if event is None or (actor.user_id is not None and not may_hear(actor.user_id, event)):
            raise EventNotFound()
        return event

    async def list(
        self, conversation_id: ConversationId, query: EventQuery, actor: Actor
    ) -> list[Event]:
        """A user sees no signalling but its own."""
        await self._conversations.seen(conversation_id, actor)
        found: list[Event] = []
        while True:
            read = await self._log.events(conversation_id, query)
            user_id = actor.user_id
            found += [each for each in read if user_id is None or may_hear(user_id, each)]
            if len(read) < query.limit or len(found) >= query.limit:
                return found[: query.limit]
            last = read[-1].id or 0
            query = replace(query, before=last) if query.descending else replace(query, after=last)

    def _check_own(self, body: LegAudio, actor: Actor) -> None:
        """A user mutes and earmuffs no leg but its own: nobody opens another's microphone."""
        live = self._legs.live(body.rtc_id)
        if live is not None and not actor.is_system and live.leg.user_id != actor.user_id:
            raise Forbidden("A user may only act on a leg of its own.")

    async def _commit_about(
        self, conversation_id: ConversationId, named: Sequence[EventId], actor: Actor,
        decide: Callable[[Targets, Conversation, Instant], Decision],
    ) -> tuple[Event, ...]:  # fmt: skip
        """Commit a decision about earlier events, which are read again when the stream moved."""
        while True:
            targets = await self._targets(conversation_id, named, actor)
            try:
                return await self._conversations.commit(
                    conversation_id, actor, partial(decide, targets)
                )
            except Conflict:
                continue

    async def _targets(
        self, conversation_id: ConversationId, named: Sequence[EventId], actor: Actor
    ) -> Targets:
        if not named:
            return ()
        await self._conversations.seen(conversation_id, actor)
        return [await self._log.event(conversation_id, number) for number in named]

    async def _edits(
        self, conversation_id: ConversationId, event_id: EventId, actor: Actor
    ) -> tuple[EventId, ...]:
        """Those of an event that are not blank yet."""
        await self._conversations.seen(conversation_id, actor)
        found = await self._log.events(
            conversation_id,
            EventQuery(
                after=event_id, types=EDITS, about=(event_id,), exclude_deleted=True,
                limit=EDITS_PAGE,
            ),
        )  # fmt: skip
        return tuple(event.id for event in found if event.id is not None)

    async def _go_along(
        self, conversation_id: ConversationId, event_id: EventId, actor: Actor
    ) -> None:
        """An edit whose message was deleted while it was on its way goes with the message."""
        message = await self._log.event(conversation_id, event_id)
        if message is not None and message.deleted_at is not None:
            system = Actor(actor.application_id)
            await self.delete(conversation_id, event_id, system, sender=None)


def _shown(event: Event) -> Sequence[MediaId]:
    """The media files that an event's body names."""
    event_type = find(event.type)
    if event_type is None or event.deleted_at is not None:
        return ()
    try:
        return named_media(decode_body(event_type, event.body))
    except ValidationFailed:
        return ()  # taken in when the rules were others
