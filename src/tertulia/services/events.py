"""Events that somebody sends, and the history of a conversation."""

from collections.abc import Callable
from functools import partial

from tertulia.model.actor import Actor
from tertulia.model.decision import Decision
from tertulia.model.errors import EventNotFound
from tertulia.model.event import Event, Fact
from tertulia.model.events.registry import Creator, decode_body, encode_body, mint
from tertulia.model.events.values import EventReference
from tertulia.model.ids import ConversationId, EventId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.posting import EventDraft, creatable, delete, post
from tertulia.model.state import Conversation
from tertulia.ports import Conflict, EventLog, EventQuery, Ids
from tertulia.services.conversations import Conversations


class Events:
    def __init__(self, *, conversations: Conversations, log: EventLog, ids: Ids) -> None:
        self._conversations = conversations
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
        fact = Fact(draft.type, encode_body(body), draft.from_, draft.to)
        target_id = body.target if isinstance(body, EventReference) else None

        def decide(target: Event | None, conversation: Conversation, now: Instant) -> Decision:
            return post(conversation, now, fact=fact, actor=actor, target=target)

        events = await self._commit_about(conversation_id, target_id, actor, decide)
        return events[0]

    async def delete(
        self, conversation_id: ConversationId, event_id: EventId, actor: Actor,
        *, sender: MemberId | None,
    ) -> None:  # fmt: skip
        def decide(target: Event | None, conversation: Conversation, now: Instant) -> Decision:
            return delete(conversation, now, target=target, sender=sender, actor=actor)

        await self._commit_about(conversation_id, event_id, actor, decide)

    async def get(self, conversation_id: ConversationId, event_id: EventId, actor: Actor) -> Event:
        event = await self._target(conversation_id, event_id, actor)
        if event is None:
            raise EventNotFound()
        return event

    async def list(
        self, conversation_id: ConversationId, query: EventQuery, actor: Actor
    ) -> list[Event]:
        await self._conversations.seen(conversation_id, actor)
        return await self._log.events(conversation_id, query)

    async def _commit_about(
        self, conversation_id: ConversationId, target_id: EventId | None, actor: Actor,
        decide: Callable[[Event | None, Conversation, Instant], Decision],
    ) -> tuple[Event, ...]:  # fmt: skip
        """Commit a decision about an earlier event, which is read again when the stream moved."""
        while True:
            target = await self._target(conversation_id, target_id, actor)
            try:
                return await self._conversations.commit(
                    conversation_id, actor, partial(decide, target)
                )
            except Conflict:
                continue

    async def _target(
        self, conversation_id: ConversationId, event_id: EventId | None, actor: Actor
    ) -> Event | None:
        if event_id is None:
            return None
        await self._conversations.seen(conversation_id, actor)
        return await self._log.event(conversation_id, event_id)
