"""A bus over a line to some server: the line is kept up, and made anew whenever it is cut.

What is published waits in a bounded queue for the end of the turn of the loop, and goes out
together; while there is no line it is dropped.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from random import uniform
from typing import Any, Protocol

from tertulia.bus.switchboard import Hearer, Parcel, Switchboard, checked
from tertulia.ports.cluster import Stop, Unanswered

RETRY_MIN = 0.05
RETRY_MAX = 2.0
"""Seconds between attempts to connect, doubled from one to the next."""
PULSE_SECONDS = 1.0
"""Between signs of life of a line."""
ANSWER_SECONDS = 2.0
"""For the other side to give one, or to begin to listen; then the line is cut."""
OPEN_SECONDS = 2.0
"""For the first attempt to connect; then the bus starts without a line."""
PENDING_MAX = 8 << 20
"""Octets that wait to be sent; more are dropped."""
BATCH_MAX = 1 << 20

_log = logging.getLogger(__name__)


class Line(Protocol):
    """One connection, in use until it has ended. Failures raise what they like."""

    @property
    def word_max(self) -> int: ...

    async def listen(self, subject: str) -> None:
        """Returns when all that is published from now on will arrive. May end with `.*`."""

    async def unlisten(self, subject: str) -> None: ...

    async def send(self, parcels: list[Parcel]) -> None: ...

    async def pulse(self) -> None:
        """Returns when the other side has answered."""

    async def ended(self) -> None:
        """Returns when the line is known to be cut."""

    async def cut(self) -> None:
        """At once, whatever waits to be sent."""


class LinedBus(ABC):
    """Bus."""

    def __init__(self, place: str, word_max: int) -> None:
        """`place` is where the server is, for people: without credentials."""
        self._place = place
        self._word_max = word_max
        self._board = Switchboard(self._post)
        self._line: Line | None = None
        self._is_told = False
        self._outbox: deque[Parcel] = deque()
        self._pending = 0
        self._stirred = asyncio.Event()
        self._tried = asyncio.Event()
        self._closing = asyncio.Event()
        self._turn = asyncio.Lock()
        """Of those who say what is to be heard: one after the other."""
        self._task = asyncio.create_task(self._keep(), name=f"bus {place}")

    @abstractmethod
    async def _connect(self, arrived: Callable[[Parcel], None]) -> Line: ...

    async def opened(self) -> None:
        """Wait for the line for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(OPEN_SECONDS):
                await self._tried.wait()

    @property
    def is_up(self) -> bool:
        return self._line is not None

    @property
    def word_max(self) -> int:
        return self._word_max

    def publish(self, subject: str, word: bytes) -> None:
        checked(subject, word, self._word_max)
        self._post(Parcel(subject, word))

    async def subscribe(self, subject: str, hear: Callable[[bytes], None]) -> Stop:
        return await self._hear(subject, lambda parcel: hear(parcel.word))

    async def ask(self, subject: str, word: bytes, seconds: float) -> bytes:
        checked(subject, word, self._word_max)
        if self._line is None:
            raise Unanswered("the bus is down")
        return await self._board.ask(subject, word, seconds)

    async def serve(self, subject: str, answer: Callable[[bytes], Awaitable[bytes]]) -> Stop:
        return await self._hear(subject, partial(self._board.answer, answer))

    def on_gap(self, listener: Callable[[], None]) -> None:
        self._board.on_gap(listener)

    async def close(self) -> None:
        """What was published before is sent, if that goes quickly."""
        self._closing.set()
        self._stirred.set()
        if self._line is not None:
            await asyncio.wait([self._task], timeout=ANSWER_SECONDS)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._board.close()

    def _post(self, parcel: Parcel) -> None:
        size = len(parcel.word)
        if size > self._word_max:
            raise ValueError(f"an answer of {size} octets")
        if self._line is None:
            return
        if self._pending + size > PENDING_MAX:
            self._board.tell_gap()
            return
        self._pending += size
        self._outbox.append(parcel)
        self._stirred.set()

    async def _hear(self, subject: str, hear: Callable[[Parcel], None]) -> Stop:
        checked(subject, b"", 0)
        hearer = self._board.add(subject, hear)
        await self._tune(subject)
        return partial(self._stop, subject, hearer)

    async def _stop(self, subject: str, hearer: Hearer) -> None:
        self._board.remove(subject, hearer)
        await self._tune(subject)

    async def _tune(self, subject: str) -> None:
        """Let the line bring the subject, or no more. Without a line, the next one begins so."""
        async with self._turn:
            if (line := self._line) is None:
                return
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    if self._board.hears(subject):
                        await line.listen(subject)
                    else:
                        await line.unlisten(subject)
            except Exception as error:  # A supervisor: the line is cut, and the next one listens.
                self._tell(error)
                await line.cut()

    async def _keep(self) -> None:
        wait = RETRY_MIN
        while not self._closing.is_set():
            try:
                line = await self._connect(self._board.arrived)
            except Exception as error:  # A supervisor: there is a next attempt.
                self._tell(error)
            else:
                wait = RETRY_MIN
                await self._use(line)
            self._tried.set()
            await asyncio.sleep(uniform(0.5, 1.0) * wait)
            wait = min(2 * wait, RETRY_MAX)

    async def _use(self, line: Line) -> None:
        """Until it ends."""
        try:
            await self._begin(line)
            await _first_of(self._send(line), self._pulse(line), line.ended())
            self._tell(None)
        except Exception as error:  # A supervisor: whatever ends a line, there is a next one.
            self._tell(error)
        finally:
            self._line = None
            self._outbox.clear()
            self._pending = 0
            self._board.give_up()
            self._board.tell_gap()
            await line.cut()

    async def _begin(self, line: Line) -> None:
        heard: set[str] = set()
        while missing := set(self._board.subjects) - heard:
            for subject in missing:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await line.listen(subject)
            heard |= missing
        for subject in heard - set(self._board.subjects):
            await line.unlisten(subject)
        self._word_max = line.word_max
        self._line = line
        self._tried.set()
        self._board.tell_gap()
        self._is_told = False
        told = {"action": "bus_up", "bus": self._place}
        _log.info("the bus is up", extra=told)

    async def _send(self, line: Line) -> None:
        """Until the end is asked for, and all is sent."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while batch := self._batch():
                await line.send(batch)
            if self._closing.is_set():
                break
        async with self._turn:
            await line.pulse()

    def _batch(self) -> list[Parcel]:
        batch: list[Parcel] = []
        size = 0
        while self._outbox and size < BATCH_MAX:
            batch.append(self._outbox.popleft())
            size += len(batch[-1].word)
        self._pending -= size
        return batch

    async def _pulse(self, line: Line) -> None:
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            async with self._turn, asyncio.timeout(ANSWER_SECONDS):
                await line.pulse()

    def _tell(self, error: Exception | None) -> None:
        """Say once that there is no line, and why."""
        if self._is_told or self._closing.is_set():
            return
        self._is_told = True
        reason = "the line was closed" if error is None else f"{type(error).__name__}: {error}"
        told = {"action": "bus_down", "bus": self._place, "error": reason}
        _log.warning("the bus is down", extra=told)


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends or fails; the others end then."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
