"""Errands: in turn, again, later, and none that outlives the hub."""

import asyncio
from functools import partial

import pytest

from tertulia.model.errors import Unavailable
from tertulia.services import errands as module
from tertulia.services.errands import Errands


def test_an_errand_that_fails_keeps_nobody_back() -> None:
    async def scenario() -> None:
        errands, done = Errands(), []

        async def do(what: str) -> None:
            if what == "fails":
                raise LookupError(what)
            done.append(what)

        for what in ("one", "fails", "two"):
            errands.in_turn("key", partial(do, what))
        await errands.settle()
        assert done == ["one", "two"]

    asyncio.run(scenario())


def test_an_errand_is_tried_until_the_store_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)

    async def scenario() -> None:
        tries: list[None] = []
        errands = Errands()

        async def do() -> None:
            tries.append(None)
            if len(tries) < 3:
                raise Unavailable()

        errands.insist(do)
        await errands.settle()
        assert len(tries) == 3

    asyncio.run(scenario())


def test_a_timer_is_cancelled_once_and_for_all() -> None:
    async def scenario() -> None:
        errands, done = Errands(), []

        async def do(what: str) -> None:
            done.append(what)

        timers = [errands.after(0.0, partial(do, str(number))) for number in range(3)]
        timers[1].cancel()
        await asyncio.sleep(0.01)
        timers[0].cancel()
        await errands.settle()
        assert done == ["0", "2"]

    asyncio.run(scenario())


def test_nothing_outlives_the_end() -> None:
    async def scenario() -> None:
        errands, ended = Errands(), []

        async def wait(what: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(what)
                errands.run(never())

        async def never() -> None:
            raise AssertionError("nothing begins after the end")

        errands.run(wait("alone"))
        errands.in_turn("key", partial(wait, "in turn"))
        errands.in_turn("key", never)
        errands.after(60, never)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await errands.close()
        errands.run(never())
        assert sorted(ended) == ["alone", "in turn"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
