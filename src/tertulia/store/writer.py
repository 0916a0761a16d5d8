"""The one thread that writes, and group commit without a timer.

While a transaction is being synced to disk, entries queue; all that have queued are the next
transaction. A lone writer waits for one sync, a crowd shares it. Entries are taken in the order of
`submit`, and their futures are resolved with one call to the loop a batch.
"""

import asyncio
import logging
import sqlite3
import time
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.model.ids import Position
from tertulia.store.batch import Batch, Outcome
from tertulia.store.entry import Entry
from tertulia.store.heads import Heads
from tertulia.store.queries import SQL
from tertulia.store.sqlite_batch import answered, write
from tertulia.store.tail import Tail
from tertulia.store.tally import Tally

_log = logging.getLogger(__name__)

BATCH_ENTRIES = 1024
BATCH_BYTES = 8 * 1024 * 1024
WAITING_MAX = 10_000
"""Entries between `submit` and durable; more are refused, so that a slow disk is felt early."""


class ThreadedWriter:
    def __init__(
        self,
        connection: sqlite3.Connection,
        loop: AbstractEventLoop,
        tail: Tail,
        *,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._connection = connection
        self._loop = loop
        self._tail = tail
        self.tally = Tally()
        self._waiting_max = waiting_max
        self._waiting = 0
        self._closing = False
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._heads: Heads | None = None
        self._wakes: list[Callable[[], None]] = []
        # A daemon: a program that forgets to close can end, and what it was told is durable is.
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def on_batch(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)

    def future(self) -> "Future[Position]":
        """What an entry is answered through. Unavailable when too many wait, or when closed."""
        if self._closing or self._waiting >= self._waiting_max:
            raise Unavailable("closed" if self._closing else "too many writes are waiting")
        return self._loop.create_future()

    def submit(self, entry: Entry) -> None:
        self._waiting += 1
        self._queue.put(entry)

    async def close(self) -> None:
        """Write what was submitted, then end."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    def _run(self) -> None:
        while batch := self._take():
            began = time.monotonic()
            outcomes = self._write(batch)
            took = time.monotonic() - began
            self._loop.call_soon_threadsafe(self._settle, batch, outcomes, took)

    def _take(self) -> list[Entry]:
        """All that wait, at least one; empty when the end was asked for and all is written."""
        batch: list[Entry] = []
        size = 0
        while len(batch) < BATCH_ENTRIES and size < BATCH_BYTES:
            if batch and self._queue.empty():
                break
            entry = self._queue.get()
            if entry is None:
                # Comes round again once the batch before it is written.
                if batch:
                    self._queue.put(None)
                break
            batch.append(entry)
            size += entry.size
        return batch

    def _write(self, batch: Sequence[Entry]) -> list[Outcome]:
        try:
            return self._transact(batch)
        except sqlite3.OperationalError as error:
            told = {"action": "store_failed", "writes": len(batch), "error": str(error)}
            _log.error("the store cannot write", extra=told)
            self._roll_back()
        # A supervisor: a bug met in one entry must not end the thread that all writes need, nor
        # take its neighbours along, so they are tried again one by one.
        except Exception:
            self._roll_back()
            if len(batch) > 1:
                return [self._write([entry])[0] for entry in batch]
            _log.exception("a write met a bug", extra={"action": "store_broken"})
        return [Unavailable("the store cannot write")] * len(batch)

    def _roll_back(self) -> None:
        self._heads = None
        if self._connection.in_transaction:
            self._connection.rollback()

    def _transact(self, entries: Sequence[Entry]) -> list[Outcome]:
        connection = self._connection
        if self._heads is None:
            self._heads = Heads(connection.execute(SQL["heads"]).fetchone()[0])
        batch = Batch(self._heads)
        answered(connection, batch.look_up(entries))
        outcomes = [batch.add(entry) for entry in entries]
        if batch.is_log_only:
            # No BEGIN and COMMIT around it: each would hand over the interpreter lock once more,
            # and under load getting it back costs more than all of the statement.
            write(connection, batch)
            return outcomes
        connection.execute("BEGIN IMMEDIATE")
        write(connection, batch)
        connection.execute("COMMIT")
        return outcomes

    def _settle(self, batch: Sequence[Entry], outcomes: Sequence[Outcome], seconds: float) -> None:
        self.tally.add(batch, outcomes, seconds)
        self._waiting -= len(batch)
        settle(batch, outcomes, self._tail.stored)
        for wake in self._wakes:
            wake()


def settle(
    batch: Sequence[Entry],
    outcomes: Sequence[Outcome],
    stored: Callable[[Entry, Position], None],
) -> None:
    """Tell callers what became of the entries, and the tail of events that were stored."""
    for entry, outcome in zip(batch, outcomes, strict=True):
        if entry.events and not isinstance(outcome, TertuliaError):
            stored(entry, outcome)
        # Who was cancelled no longer waits; the write stands.
        if not entry.future.done():
            if isinstance(outcome, TertuliaError):
                entry.future.set_exception(outcome)
            else:
                entry.future.set_result(outcome)
