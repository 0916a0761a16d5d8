"""The tail of a log that several nodes write: each tells the others what it has committed.

Whatever the bus loses, reorders or repeats: the tail is one run, and what does not come is read
from the store.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, Position
from tertulia.ports.cluster import Bus, Stop
from tertulia.store import log_words
from tertulia.store.entry import Entry
from tertulia.store.joining import Joining
from tertulia.store.log import StoredLog
from tertulia.store.log_words import LOG, Stored, Told
from tertulia.store.tail import Tail, placed

PATIENCE = 0.03
"""Seconds for what is missing to come by itself; then it is read."""
LOOK_SECONDS = 0.75
"""Between looks at the head of the store, for words that were lost without a trace."""
LOOK_SECONDS_DOWN = 0.25
"""The same while the bus is down."""
RETRY_SECONDS = 0.2
PAGE = 1000

_log = logging.getLogger(__name__)


class Sharing:
    def __init__(self, tail: Tail, bus: Bus) -> None:
        self._tail = tail
        self._bus = bus
        self._joining = Joining(Position(0))
        self._store: StoredLog | None = None
        self._batch: list[Stored] = []
        self._wakes: list[Callable[[], None]] = []
        self._subscriptions: dict[str, asyncio.Task[Stop]] = {}
        self._missed = asyncio.Event()
        self._in_doubt = asyncio.Event()
        self.mended = 0
        """Events that were read from the store, since no word of them came."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, store: StoredLog) -> None:
        """Listen; `store` is what is missing is read from."""
        self._store = store
        self._bus.on_gap(self._in_doubt.set)
        await self._listen(LOG, self._hear)
        self._tasks = [
            asyncio.create_task(self._again(self._mend, store), name="log-mend"),
            asyncio.create_task(self._again(self._look, store), name="log-look"),
        ]

    async def close(self) -> None:
        await asyncio.sleep(0)  # for the last batch to be told
        self._store = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stop in await asyncio.gather(*self._subscriptions.values(), return_exceptions=True):
            if not isinstance(stop, BaseException):
                await stop()

    def on_append(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)

    def restart(self, newest: Position) -> None:
        """The log goes up to there. The first time, that is where the tail begins."""
        if self._store is None:
            self._tail.restart(newest)
            self._joining = Joining(newest)
        else:
            self._joining.reach(newest)
            self._grow()

    def stored(self, entry: Entry, last: Position) -> None:
        self._batch.append(Stored(entry, last))

    def settled(self) -> None:
        """Have the batch in the tail now, and tell everybody in the next turn of the loop."""
        stored, self._batch = self._batch, []
        for batch in log_words.batches(stored):
            events = [event for entry, last in batch for event in placed(entry.events, last)]
            self._joining.own(log_words.span_of(batch), events)
            asyncio.get_running_loop().call_soon(self._publish, batch)
        self._grow()

    def _publish(self, batch: list[Stored]) -> None:
        if not self._bus.is_up or self._store is None:
            return
        for subject, word in log_words.words(self._store.epoch, batch):
            if len(word) <= self._bus.word_max:  # else it is read from the store
                self._bus.publish(subject, word)

    async def attend(self, application_id: ApplicationId) -> Position:
        """From now on, as long as this process lives."""
        since = self._tail.attend(application_id)
        subject = log_words.subject_of(application_id)
        if subject not in self._subscriptions:
            self._joining.attend(application_id)
            await self._listen(subject, partial(self._hear_events, application_id))
        return since

    async def _listen(self, subject: str, hear: Callable[[bytes], None]) -> None:
        """Whoever waits for it: not for long, since what is not heard is read."""
        subscribing = asyncio.create_task(self._bus.subscribe(subject, hear))
        self._subscriptions[subject] = subscribing
        await asyncio.wait([subscribing], timeout=PATIENCE)

    def _hear(self, word: bytes) -> None:
        told = self._news(word)
        if told is not None and (names := log_words.applications(told.content)) is not None:
            self._joining.batch(told.span, names)
            self._grow()

    def _hear_events(self, application_id: ApplicationId, word: bytes) -> None:
        told = self._news(word)
        if told is not None:
            events = log_words.events(told.span, application_id, told.content)
            if events is not None:
                self._joining.part(told.span, application_id, events)
                self._grow()

    def _news(self, word: bytes) -> Told | None:
        """What is not known yet: our own words come back to us."""
        told = log_words.told(self._store.epoch, word) if self._store is not None else None
        return told if told is not None and told.span.last > self._joining.through else None

    def _grow(self) -> None:
        run = self._joining.take()
        if run is not None:
            self._tail.extend(run.events, run.through, is_whole=run.is_whole)
            loop = asyncio.get_running_loop()
            for wake in self._wakes:
                loop.call_soon(wake)  # where its bugs end nothing else
        if self._joining.is_missing:
            self._missed.set()

    async def _again(self, work: Callable[[StoredLog], Awaitable[None]], store: StoredLog) -> None:
        while True:
            try:
                await work(store)
            except Unavailable as error:
                told = {"action": "log_waits", "error": str(error)}
                _log.warning("what other nodes wrote cannot be read", extra=told)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # A supervisor: without this, the log of all others stands still.
                _log.exception("joining the log met a bug", extra={"action": "log_broken"})
                await asyncio.sleep(RETRY_SECONDS)
            if self._joining.is_missing:
                self._missed.set()

    async def _mend(self, store: StoredLog) -> None:
        """Read what is missing for too long."""
        await self._missed.wait()
        self._missed.clear()
        through = self._joining.through
        await asyncio.sleep(PATIENCE)
        while self._joining.is_missing and self._joining.through == through:
            if not await self._read(store):
                break
            through = self._joining.through

    async def _read(self, store: StoredLog) -> bool:
        """A page of what is missing; whether there is more."""
        after = self._joining.through
        head = await store.head()
        events = await store.follow(after, limit=PAGE)
        self.mended += len(events)
        is_full = len(events) == PAGE
        newest = events[-1].position if events else head
        self._joining.read(after, newest if is_full else max(head, newest), events)
        self._grow()
        return is_full

    async def _look(self, store: StoredLog) -> None:
        """At the head of the store: now and then, and when words may have been lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS if self._bus.is_up else LOOK_SECONDS_DOWN):
                await self._in_doubt.wait()
        self._in_doubt.clear()
        self._joining.reach(await store.head())
        self._grow()
