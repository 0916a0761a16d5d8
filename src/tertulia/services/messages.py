"""Messages as a reader wants them: with what was added to them since."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.event import Event
from tertulia.model.extending import MESSAGES
from tertulia.model.ids import ConversationId, EventId
from tertulia.model.threads import ADDITIONS, Thread, threads
from tertulia.ports import EventLog, EventQuery
from tertulia.services.conversations import Conversations

ADDITIONS_MAX = 5000
ADDITIONS_OCTETS = 4 * 1024 * 1024
"""Newest edits, reactions and replies that are read for a page, and their bodies together; what is
older is not shown."""
READ_AT_ONCE = 100


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
        additions = await self._additions(conversation_id, tuple(numbers))
        folded = threads([*messages, *reversed(additions)])
        return [
            ThreadedMessage(event, folded.get(EventId(event.id or 0)) or Thread())
            for event in messages
        ]

    async def _additions(
        self, conversation_id: ConversationId, about: tuple[EventId, ...]
    ) -> Sequence[Event]:
        """What was added to these messages, newest first."""
        query = EventQuery(
            after=about[0], types=ADDITIONS, about=about, exclude_deleted=True, descending=True,
            limit=READ_AT_ONCE,
        )  # fmt: skip
        found: list[Event] = []
        octets = 0
        while len(found) < ADDITIONS_MAX and octets < ADDITIONS_OCTETS:
            page = await self._log.events(conversation_id, query)
            found += page
            octets += sum(len(event.body) for event in page)
            if len(page) < READ_AT_ONCE:
                break
            query = replace(query, before=page[-1].id)
        return found
