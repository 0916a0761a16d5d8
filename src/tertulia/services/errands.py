"""Work that goes on after its cause has been answered: kept hold of, and ended with the hub."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from tertulia.model.errors import TertuliaError

Errand = Callable[[], Coroutine[Any, Any, None]]

_log = logging.getLogger(__name__)


class Errands:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[Hashable, deque[Errand]] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def run(self, errand: Coroutine[Any, Any, None]) -> None:
        """On its own. What it raises is logged once: nobody waits for it."""
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def after(self, seconds: float, errand: Errand) -> asyncio.TimerHandle:
        """Later; may be cancelled until then."""

        def due() -> None:
            self._timers.discard(timer)
            self.run(errand())

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers = {each for each in self._timers if not each.cancelled()} | {timer}
        return timer

    def in_turn(self, key: Hashable, errand: Errand) -> None:
        """Behind what was given by the same key before."""
        queue = self._turns.setdefault(key, deque())
        queue.append(errand)
        if len(queue) == 1:
            self.run(self._work_off(key, queue))

    async def _work_off(self, key: Hashable, queue: deque[Errand]) -> None:
        try:
            while queue:
                task = asyncio.create_task(queue[0]())
                task.add_done_callback(self._done)
                await asyncio.wait([task])
                queue.popleft()
        finally:
            del self._turns[key]

    async def settle(self) -> None:
        """Wait for what is under way, and what comes of it."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, TertuliaError):
            _log.warning("an errand came to nothing: %s", error, extra={"action": "errand_failed"})
        elif error is not None:
            _log.error("an errand met a bug", exc_info=error, extra={"action": "errand_broken"})
