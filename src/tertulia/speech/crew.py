"""Engines for one purpose: so many at once, started when needed, kept warm for a while."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from tertulia.ports.speech import SpeechUnavailable
from tertulia.settings import Speech
from tertulia.speech.engine import Declined, Engine, Lost
from tertulia.speech.installed import Program
from tertulia.speech.messages import Order, Progress

_LOG = logging.getLogger(__name__)
_TRIES = 2


class Job(Protocol):
    """Something to be done, that another engine can go on with when one dies."""

    def order(self) -> Order:
        """What is left to be done."""

    def note(self, progress: Progress) -> None: ...


class Crew:
    """At most `size` engines at work, and as many of each program.

    Who comes when all are busy waits, at most `settings.waiting` of them.
    """

    def __init__(self, size: int, settings: Speech) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(size)
        self._waiting = 0
        self._all: set[Engine] = set()
        self._free: dict[Engine, asyncio.TimerHandle] = {}
        """Nobody uses them; the one that was used last comes last."""
        self._leaving: set[Engine] = set()
        """Told to end, and not waited for before `close`."""
        self._closed = False

    async def carry_out(self, program: Program, job: Job) -> None:
        """Raises SpeechUnavailable: it cannot be done, or two engines were lost over it."""
        for left in reversed(range(_TRIES)):
            try:
                async with self._engine(program) as engine:
                    await engine.work(job.order(), job.note, self._settings.patience_s)
                return
            except Lost as lost:
                _LOG.warning("%s", lost, extra={"action": "speech engine lost"})
                if self._closed or not left:
                    raise SpeechUnavailable(str(lost)) from None
            except (Declined, OSError) as error:
                raise SpeechUnavailable(str(error)) from None

    async def close(self) -> None:
        """End all engines. What they were at fails."""
        self._closed = True
        for timer in self._free.values():
            timer.cancel()
        self._free.clear()
        left = self._all | self._leaving
        for engine in left:
            engine.end()
        await asyncio.gather(*(engine.ended() for engine in left))

    @asynccontextmanager
    async def _engine(self, program: Program) -> AsyncIterator[Engine]:
        async with self._place():
            engine = self._warm(program) or await self._started(program)
            try:
                yield engine
            except Lost:
                await engine.kill()
                raise
            finally:
                self._keep(engine)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._closed:
            raise SpeechUnavailable("speech is ending")
        if self._places.locked() and self._waiting >= self._settings.waiting:
            raise SpeechUnavailable("the speech engines are busy and many wait for them")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    def _warm(self, program: Program) -> Engine | None:
        for engine in reversed(self._free):
            if engine.program == program and engine.alive:
                self._free.pop(engine).cancel()
                return engine
        return None

    async def _started(self, program: Program) -> Engine:
        self._all = {engine for engine in self._all if engine.alive}
        engine = await Engine.start(program)
        if self._closed:
            await engine.kill()
            raise Lost("speech is ending")
        self._all.add(engine)
        _LOG.info(
            "started the speech engine %s", program.name,
            extra={"action": "speech engine started", "pid": engine.pid},
        )  # fmt: skip
        return engine

    def _keep(self, engine: Engine) -> None:
        if self._closed or not engine.alive:
            return
        loop = asyncio.get_running_loop()
        self._free[engine] = loop.call_later(self._settings.idle_s, self._end, engine)

    def _end(self, engine: Engine) -> None:
        self._free.pop(engine).cancel()
        self._all.discard(engine)
        self._leaving = {each for each in self._leaving if each.alive} | {engine}
        engine.end()


def size(settings: Speech, cores: Callable[[], int | None]) -> int:
    """Engines of one purpose: half of the cores, unless the settings say how many."""
    return settings.workers or max(1, (cores() or 1) // 2)
