"""The clock of a worker: a tick every 20 ms of monotonic time, and the port emptied in between."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from tertulia.media.engine import TICK, Engine
from tertulia.model.commands import AnyCommand, Load

LATE = TICK / 2
EARLY = 0.001
"""Seconds before its time that a tick is taken for due: the loop's timers are whole milliseconds,
and to ask for less than one of them is to ask a dozen times."""
STALL = 5
"""Ticks missed at once from which they are left out: so many made up for at once would only come
too late again, and be heard as a rush."""
REST = 0.004
"""Seconds that the port is left alone after it was emptied. A wake for every packet would cost
4 µs each; a check of connectivity that waits so long loses nothing."""

BROKEN = 50
"""Ticks that fail one after the other, after which the engine is given up."""
LOG_EVERY = 1.0
"""Seconds between two tracebacks."""

_log = logging.getLogger(__name__)


class EngineBroken(Exception):
    """No tick succeeds any more."""


class Files(Protocol):
    """Of a port with sockets."""

    def filenos(self) -> list[int]: ...


class Ticker:
    """Runs an engine on a loop, from `start` to `close`. What the link commands goes through it."""

    def __init__(
        self, engine: Engine, port: Files, loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._engine, self._port, self._loop, self._clock = engine, port, loop, clock
        self.late = 0
        """Ticks that began more than half of their length late."""
        self.dropped = 0
        """Ticks that were left out."""
        self._busy = 0.0
        self._failed = 0
        """Ticks, one after the other."""
        self._logged = clock() - LOG_EVERY
        self._looked = clock()
        self._timer: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._files: list[int] = []

    def start(self) -> None:
        self._engine.next_tick = self._clock() + TICK
        self._files = self._port.filenos()
        self._watch()
        self._wait()

    def obey(self, command: AnyCommand) -> None:
        self._run(lambda: self._engine.obey(command))

    def load(self) -> Load:
        """`busy` since it was last asked for. Raises EngineBroken."""
        if self._failed >= BROKEN:
            raise EngineBroken(f"{self._failed} ticks have failed, one after the other")
        now = self._clock()
        busy = self._busy / max(now - self._looked, 1e-6)
        self._busy, self._looked = 0.0, now
        engine = self._engine
        return Load(
            legs=len(engine.legs), rooms=len(engine.rooms), ticks=engine.ticks,
            late=self.late, dropped=self.dropped, busy=round(min(busy, 1.0), 4),
        )  # fmt: skip

    def close(self) -> None:
        """End all legs, with their reports."""
        for timer in (self._timer, self._resting):
            if timer is not None:
                timer.cancel()
        for file in self._files:
            self._loop.remove_reader(file)
        self._files = []
        self._engine.close()

    # ── ticks ──

    def _wait(self) -> None:
        """The next tick has its own time, whatever this one took: nothing drifts."""
        ahead = self._engine.next_tick - self._clock()
        self._timer = self._loop.call_at(self._loop.time() + max(ahead, 0.0), self._tick)

    def _tick(self) -> None:
        now = self._clock()
        behind = now - self._engine.next_tick
        if behind < -EARLY:
            self._wait()
            return
        if behind > LATE:
            self.late += 1
        missed = int(behind / TICK)
        if missed >= STALL:
            self.dropped += missed
            self._engine.skip(missed)
        due = self._engine.next_tick + TICK
        self._failed = 0 if self._run(self._engine.tick) else self._failed + 1
        self._engine.next_tick = max(self._engine.next_tick, due)
        self._wait()

    def _run(self, step: Callable[[], object]) -> bool:
        """A bug in one step, a leg's or a command's, must not end all legs."""
        began = self._clock()
        try:
            step()
        except Exception:
            if began - self._logged >= LOG_EVERY:
                self._logged = began
                _log.exception("a step of the engine failed", extra={"action": "media_step_failed"})
            return False
        finally:
            self._busy += self._clock() - began
        return True

    # ── the port ──

    def _watch(self) -> None:
        self._resting = None
        for file in self._files:
            self._loop.add_reader(file, self._receive)

    def _receive(self) -> None:
        self._run(self._engine.receive)
        for file in self._files:
            self._loop.remove_reader(file)
        self._resting = self._loop.call_later(REST, self._watch)
