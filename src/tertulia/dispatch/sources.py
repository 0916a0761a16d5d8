"""What the dispatcher reads: the reading side of the ports, so that a read-only store will do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.state import Application
from tertulia.ports import EventQuery, ListedConversation

T = TypeVar("T")
_log = logging.getLogger(__name__)


class ReadableLog(Protocol):
    """The reading methods of ports.EventLog, with their guarantees."""

    @property
    def epoch(self) -> str: ...

    async def events(self, conversation_id: ConversationId, query: EventQuery) -> list[Event]: ...

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]: ...


class ReadableDirectory(Protocol):
    """The two look-ups of ports.Directory that addresses come from."""

    async def applications(self) -> list[Application]: ...

    async def profile(self, conversation_id: ConversationId) -> ListedConversation | None: ...


class ReadableStore(ReadableLog, ReadableDirectory, Protocol):
    """Both."""


async def patiently(read: Callable[[], Awaitable[T]], pause_ms: int) -> T:
    """Read, as often as it takes the store to come back."""
    is_told = False
    while True:
        try:
            return await read()
        except Unavailable as error:
            if not is_told:
                told = {"action": "read_failed", "error": str(error)}
                _log.warning("the log cannot be read", extra=told)
            is_told = True
            await asyncio.sleep(pause_ms / 1000)
