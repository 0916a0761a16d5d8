"""The one task that writes, and group commit without a timer.

While a transaction is under way, entries queue; all that have queued are the next transaction.
Entries are taken in the order of `submit`.
"""

import asyncio
import logging
from asyncio import Future
from collections import deque
from collections.abc import Callable, Sequence

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position
from tertulia.store.batch import Outcome
from tertulia.store.entry import Entry
from tertulia.store.postgres_session import WriterSession
from tertulia.store.sides import NewestPart
from tertulia.store.tally import Tally
from tertulia.store.writer import BATCH_BYTES, BATCH_ENTRIES, WAITING_MAX, settle

_log = logging.getLogger(__name__)


class TaskWriter:
    def __init__(
        self, session: WriterSession, tail: NewestPart, *, waiting_max: int = WAITING_MAX
    ) -> None:
        self._session = session
        self._tail = tail
        self.tally = Tally()
        self._waiting_max = waiting_max
        self._waiting = 0
        self._closing = False
        self._queue: deque[Entry] = deque()
        self._stirred = asyncio.Event()
        self._wakes: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="store-writer")

    def on_batch(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)

    def future(self) -> "Future[Position]":
        if self._closing or self._waiting >= self._waiting_max:
            raise Unavailable("closed" if self._closing else "too many writes are waiting")
        return self._loop.create_future()

    def submit(self, entry: Entry) -> None:
        self._waiting += 1
        self._queue.append(entry)
        self._stirred.set()

    async def close(self) -> None:
        self._closing = True
        self._stirred.set()
        await self._task
        await self._session.close()

    async def _run(self) -> None:
        while batch := await self._take():
            began = self._loop.time()
            outcomes = await self._write(batch)
            self.tally.add(batch, outcomes, self._loop.time() - began)
            self._waiting -= len(batch)
            settle(batch, outcomes, self._tail.stored)
            self._tail.settled()
            for wake in self._wakes:
                self._loop.call_soon(wake)  # where its bugs end nothing else

    async def _take(self) -> list[Entry]:
        """All that wait, at least one; empty when the end was asked for and all is written."""
        while not self._queue and not self._closing:
            self._stirred.clear()
            await self._stirred.wait()
        batch: list[Entry] = []
        size = 0
        while self._queue and len(batch) < BATCH_ENTRIES and size < BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += batch[-1].size
        return batch

    async def _write(self, batch: Sequence[Entry]) -> list[Outcome]:
        try:
            return await self._session.commit(batch)
        except Unavailable as error:
            told = {"action": "store_failed", "writes": len(batch), "error": str(error)}
            _log.error("the store cannot write", extra=told)
            return [error] * len(batch)
        # A supervisor: a bug met in one entry must not end the task that all writes need, nor
        # take its neighbours along, so they are tried again one by one.
        except Exception:
            if len(batch) > 1:
                return [(await self._write([entry]))[0] for entry in batch]
            _log.exception("a write met a bug", extra={"action": "store_broken"})
        return [Unavailable("the store cannot write")] * len(batch)
