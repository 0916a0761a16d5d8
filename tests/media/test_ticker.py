"""The ticker on a loop whose time the test tells."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from tests.media.engine_world import World, world

from tertulia.media.engine import TICK
from tertulia.media.ticker import STALL, Ticker


class Timer:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when, self.call = when, call

    def cancel(self) -> None:
        self.when = float("inf")


class Loop:
    """As much of a loop as a ticker asks for."""

    def __init__(self, at: World) -> None:
        self.world = at
        self.timers: list[Timer] = []
        self.readers: dict[int, Callable[[], None]] = {}

    def time(self) -> float:
        return self.world.now

    def call_at(self, when: float, call: Callable[[], None]) -> Timer:
        timer = Timer(when, call)
        self.timers.append(timer)
        return timer

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        return self.call_at(self.world.now + delay, call)

    def add_reader(self, file: int, call: Callable[[], None]) -> None:
        self.readers[file] = call

    def remove_reader(self, file: int) -> None:
        self.readers.pop(file, None)

    def run_until(self, when: float, early: float = 0.0) -> None:
        """Timers come as they are due, or a moment before."""
        while True:
            due = [timer for timer in self.timers if timer.when <= when]
            if not due:
                self.world.now = when
                return
            first = min(due, key=lambda timer: timer.when)
            self.timers.remove(first)
            self.world.now = max(self.world.now, first.when - early)
            early = 0.0
            first.call()


class Files:
    def filenos(self) -> list[int]:
        return [7]


@pytest.fixture
def running() -> Iterator[tuple[World, Loop, Ticker]]:
    with world() as at:
        loop = Loop(at)
        ticker = Ticker(at.engine, Files(), loop, lambda: at.now)  # type: ignore[arg-type]
        ticker.start()
        yield at, loop, ticker


Running = tuple[World, Loop, Ticker]


def test_ticks_do_not_drift(running: Running) -> None:
    at, loop, ticker = running
    start = at.now
    for second in range(1, 11):
        loop.run_until(start + second * 1.0 + 0.001, early=0.0005)
        assert at.engine.ticks == second * 50
    assert (ticker.late, ticker.dropped) == (0, 0)


def test_a_timer_that_comes_a_moment_early_is_not_set_again(running: Running) -> None:
    at, loop, _ = running
    asked = len(loop.timers)
    loop.run_until(at.now + TICK, early=0.0009)
    assert at.engine.ticks == 1
    assert len(loop.timers) == asked


def test_a_late_tick_is_counted_and_made_up_for(running: Running) -> None:
    at, loop, ticker = running
    start = at.now
    loop.run_until(start + 0.1)
    at.now += 0.045
    loop.run_until(start + 0.2001)
    assert at.engine.ticks == 10 and ticker.dropped == 0
    assert ticker.late >= 1


def test_a_long_stall_is_left_out(running: Running) -> None:
    at, loop, ticker = running
    start = at.now
    loop.run_until(start + 0.1)
    before = at.engine.ticks
    at.now += 0.5
    loop.run_until(start + 0.7001)
    assert ticker.dropped >= STALL
    assert at.engine.ticks - before + ticker.dropped == 30
    assert abs(at.engine.next_tick - (start + 0.72)) < 1e-6


def test_the_port_rests_after_it_was_emptied(running: Running) -> None:
    at, loop, _ = running
    assert set(loop.readers) == {7}
    loop.readers[7]()
    assert not loop.readers
    loop.run_until(at.now + 0.005)
    assert set(loop.readers) == {7}


def test_the_load_is_told(running: Running) -> None:
    at, loop, ticker = running
    at.phone("a")
    loop.run_until(at.now + 10 * TICK)
    load = ticker.load()
    assert (load.legs, load.rooms, load.late) == (1, 0, 0) and load.ticks >= 9
    assert 0 <= load.busy <= 1


def test_nothing_runs_after_the_end() -> None:
    at = World()
    loop = Loop(at)
    ticker = Ticker(at.engine, Files(), loop, lambda: at.now)  # type: ignore[arg-type]
    ticker.start()
    ticker.close()
    ticks = at.engine.ticks
    loop.run_until(at.now + 1)
    assert at.engine.ticks == ticks and not loop.readers


def test_it_ticks_on_a_real_loop() -> None:
    async def run() -> int:
        at = World()
        clock = asyncio.get_running_loop().time
        ticker = Ticker(at.engine, NoFiles(), asyncio.get_running_loop(), clock)
        at.now = clock()
        ticker.start()
        await asyncio.sleep(0.21)
        ticker.close()
        return at.engine.ticks

    assert 5 <= asyncio.run(run()) <= 11


class NoFiles:
    def filenos(self) -> list[int]:
        return []
