"""Deletes conversations that have been empty for their time to live."""

import asyncio
import logging

from tertulia.model.errors import Unavailable
from tertulia.ports import Clock, Directory, EventLog
from tertulia.services.conversations import Conversations

LONGEST_NAP = 60.0
"""Seconds. Bounds how late a clock that was set forward is noticed."""

_log = logging.getLogger(__name__)


class Expiry:
    """Follows the log for news of earlier deadlines, and sleeps until the next one."""

    def __init__(
        self, *, directory: Directory, log: EventLog, conversations: Conversations, clock: Clock
    ) -> None:
        self._directory = directory
        self._conversations = conversations
        self._clock = clock
        self._news = asyncio.Event()
        log.on_append(self._news.set)

    async def run(self) -> None:
        while True:
            self._news.clear()
            try:
                pause = await self.sweep()
            except Unavailable:
                _log.warning("expiry waits for the store", extra={"action": "expiry_unavailable"})
                pause = LONGEST_NAP / 10
            await self._nap(pause)

    async def sweep(self) -> float:
        """Delete what is due; return the seconds until it is worth looking again."""
        now = self._clock.now()
        for conversation_id in await self._directory.expired(now):
            await self._conversations.expire(conversation_id)
        due = await self._directory.next_expiry()
        if due is None:
            return LONGEST_NAP
        return min(max((due - self._clock.now()) / 1000, 0.05), LONGEST_NAP)

    async def _nap(self, seconds: float) -> None:
        # looked at no more often than once a second: news comes with every batch
        floor = min(seconds, 1.0)
        await asyncio.sleep(floor)
        if seconds > floor:
            try:
                async with asyncio.timeout(seconds - floor):
                    await self._news.wait()
            except TimeoutError:
                return
