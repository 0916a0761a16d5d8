"""A bug in the engine: a step that fails is left out, and an engine that always fails given up."""

import asyncio

import pytest
import uvloop

from tertulia.media import ticker as ticker_module
from tertulia.media.engine import TICK, Engine
from tertulia.media.ticker import EngineBroken, Ticker
from tertulia.model.commands import Close


class Faulty:
    """An engine of which so many ticks fail."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.ticks = 0
        self.next_tick = 0.0
        self.legs: list[str] = []
        self.rooms: list[str] = []

    def obey(self, command: Close) -> None:
        raise RuntimeError("a command")

    def receive(self) -> int:
        return 0

    def skip(self, frames: int) -> None:
        self.next_tick += frames * TICK

    def tick(self) -> None:
        if self.failing:
            self.failing -= 1
            raise RuntimeError("a tick")
        self.next_tick += TICK
        self.ticks += 1

    def close(self) -> None: ...


class Nowhere:
    def filenos(self) -> list[int]:
        return []


def ticker(engine: Faulty) -> Ticker:
    loop = asyncio.get_running_loop()
    as_engine: Engine = engine  # type: ignore[assignment]
    made = Ticker(as_engine, Nowhere(), loop, loop.time)
    made.start()
    return made


def test_a_failure_is_logged_and_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        engine = Faulty(3)
        ticking = ticker(engine)
        ticking.obey(Close("leg"))
        while engine.ticks < 2:  # noqa: ASYNC110
            await asyncio.sleep(TICK)
        assert ticking.load().ticks >= 2
        ticking.close()

    uvloop.run(run())
    assert "a step of the engine failed" in caplog.text


def test_an_engine_that_always_fails_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker_module, "BROKEN", 3)

    async def run() -> None:
        engine = Faulty(1000)
        ticking = ticker(engine)
        while engine.failing > 996:  # noqa: ASYNC110
            await asyncio.sleep(TICK)
        with pytest.raises(EngineBroken):
            ticking.load()
        ticking.close()

    uvloop.run(run())
