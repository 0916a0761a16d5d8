"""Work that goes on after its cause has been answered: kept hold of, and ended with the hub."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.ports.cluster import NotAtHome

RETRY_SECONDS = 0.2

Errand = Callable[[], Coroutine[Any, Any, None]]
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Timer:
    """An errand that waits for its time."""

    __slots__ = ("_handle", "_timers")

    def __init__(self, timers: set["Timer"], seconds: float, due: Callable[[], None]) -> None:
        self._timers = timers
        self._handle = asyncio.get_running_loop().call_later(seconds, self._run, due)
        timers.add(self)

    def cancel(self) -> None:
        """Once it has begun, this does nothing."""
        self._timers.discard(self)
        self._handle.cancel()

    def _run(self, due: Callable[[], None]) -> None:
        self._timers.discard(self)
        due()


class Errands:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns: dict[Hashable, deque[Errand]] = {}
        self._timers: set[Timer] = set()
        self._is_closed = False

    def run(self, errand: Coroutine[Any, Any, None]) -> None:
        """On its own. What it raises is logged once: nobody waits for it."""
        if self._is_closed:
            errand.close()
        else:
            self._start(errand)

    def after(self, seconds: float, errand: Errand) -> Timer:
        """Later; may be cancelled until then."""
        return Timer(self._timers, seconds, lambda: self.run(errand()))

    def insist(self, errand: Errand) -> None:
        """On its own, and again for as long as the store cannot take it."""
        self.run(insist(errand))

    def in_turn(self, key: Hashable, errand: Errand) -> None:
        """Behind what was given by the same key before."""
        queue = self._turns.setdefault(key, deque())
        queue.append(errand)
        if len(queue) == 1:
            self.run(self._work_off(key, queue))

    async def _work_off(self, key: Hashable, queue: deque[Errand]) -> None:
        """All in one task: one for each errand, and its wake-ups, were a sixth of a call's cost."""
        try:
            while queue:
                try:
                    await queue[0]()
                except asyncio.CancelledError:  # that of the errand's own, if we go on
                    if self._is_closed:
                        raise
                except Exception as error:
                    _complain(error)
                queue.popleft()
        finally:
            del self._turns[key]

    async def settle(self) -> None:
        """Wait for what is under way, and what comes of it."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """End what is under way; nothing more begins."""
        self._is_closed = True
        for timer in list(self._timers):
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, errand: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(errand)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _complain(error)


def _complain(error: BaseException) -> None:
    if isinstance(error, TertuliaError):
        _log.warning("an errand came to nothing: %s", error, extra={"action": "errand_failed"})
    else:
        _log.error("an errand met a bug", exc_info=error, extra={"action": "errand_broken"})


async def insist(act: Callable[[], Awaitable[T]]) -> T:
    """Do it, and again for as long as the store cannot take it. Raises NotAtHome: it never will."""
    while True:
        try:
            return await act()
        except NotAtHome:
            raise
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
