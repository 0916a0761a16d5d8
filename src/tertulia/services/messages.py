"""Messages as a reader wants them: with what was added to them since."""

from msgspec import Struct

from tertulia.model.actor import Actor
from tertulia.model.event import Event
from tertulia.model.extending import MESSAGES
from tertulia.model.ids import ConversationId, EventId
from tertulia.model.threads import ADDITIONS, Thread, threads
from tertulia.ports import EventLog, EventQuery
from tertulia.services.conversations import Conversations

ADDITIONS_MAX = 5000
"""Newest edits, reactions and replies that are read for a page; what is older is not shown."""


class ThreadedMessage(Struct, frozen=True):
    event: Event
    thread: Thread


class Messages:
    def __init__(self, *, conversations: Conversations, log: EventLog) -> None:
        self._conversations = conversations
        self._log = log

    async def list(
        self, conversation_id: ConversationId, actor: Actor,
        *, after: int, before: int | None, descending: bool, limit: int,
    ) -> list[ThreadedMessage]:  # fmt: skip
        """A page of the messages of every generation, by number; bounds are exclusive."""
        await self._conversations.seen(conversation_id, actor)
        messages = await self._log.events(
            conversation_id,
            EventQuery(
                after=after, before=before, types=MESSAGES, descending=descending, limit=limit
            ),
        )
        numbers = sorted(event.id for event in messages if event.id is not None)
        if not numbers:
            return []
        additions = await self._log.events(
            conversation_id,
            EventQuery(
                after=numbers[0], types=ADDITIONS, about=tuple(numbers), exclude_deleted=True,
                descending=True, limit=ADDITIONS_MAX,
            ),
        )  # fmt: skip
        folded = threads([*messages, *reversed(additions)])
        return [
            ThreadedMessage(event, folded.get(EventId(event.id or 0)) or Thread())
            for event in messages
        ]
