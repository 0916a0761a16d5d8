"""A store in memory that behaves like one on a disk: later, in batches, some of which fail."""

import asyncio
from collections.abc import Awaitable, Iterator

from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ConversationId, EventId, Position, UserId
from tertulia.model.state import Conversation, User
from tertulia.ports import Append
from tertulia.store.memory import MemoryStore


class LateStore(MemoryStore):
    """Answers turns of the loop later. `fates` says of batch after batch whether it is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.fates: Iterator[bool] = iter(())
        self.is_held = False
        """Nothing is committed until `release`."""
        self._batch: list[tuple[Append, asyncio.Future[Position]]] = []

    def append(self, append: Append) -> Awaitable[Position]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Position] = loop.create_future()
        if not self._batch and not self.is_held:
            loop.call_soon(loop.call_soon, self._commit)
        self._batch.append((append, future))
        return future

    @property
    def waiting(self) -> int:
        """Appends that are not yet committed."""
        return len(self._batch)

    def release(self) -> None:
        self.is_held = False
        self._commit()

    def _commit(self) -> None:
        batch, self._batch = self._batch, []
        is_stored = next(self.fates, True)
        for append, future in batch:
            try:
                if not is_stored:
                    raise Unavailable("the batch has failed")
                future.set_result(self._tables.append(append))
            except TertuliaError as error:
                future.set_exception(error)

    async def put_user(self, user: User) -> None:
        await asyncio.sleep(0)
        await super().put_user(user)
        await asyncio.sleep(0)

    async def conversation(self, conversation_id: ConversationId) -> Conversation | None:
        await asyncio.sleep(0)
        found = await super().conversation(conversation_id)
        await asyncio.sleep(0)
        return found

    async def event(self, conversation_id: ConversationId, event_id: EventId) -> Event | None:
        found = await super().event(conversation_id, event_id)
        await asyncio.sleep(0)
        return found

    async def user(self, user_id: UserId) -> User | None:
        found = await super().user(user_id)
        await asyncio.sleep(0)
        return found
