"""Threads for what may block, beside a loop that must not.

Giving a job away costs under a microsecond (an executor's future costs twenty). Jobs of one thread
are done in the order of their coming. One that raises is a bug; the next one is done all the same.
"""

import logging
import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, get_native_id
from typing import Protocol

Job = Callable[[], None]

_log = logging.getLogger(__name__)


class Jobs(Protocol):
    """Who does jobs, in the order of their coming."""

    def do(self, job: Job) -> None: ...

    def close(self, timeout: float | None = None) -> None: ...


class Background:
    def __init__(self, name: str, *, threads: int = 1, patience: int = 0) -> None:
        """`patience` is added to the niceness of the threads, so that the loop goes first."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._patience = patience
        self._threads = [
            Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def do(self, job: Job) -> None:
        self._jobs.put(job)

    def close(self, timeout: float | None = None) -> None:
        """Do what has been given, then end. Waits so many seconds for it."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        if self._patience:
            # A Linux thread has a niceness of its own.
            os.setpriority(os.PRIO_PROCESS, get_native_id(), self._patience)
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                _log.exception("A job of the media worker failed.", extra={"action": "job_failed"})
