"""Scenarios over the whole pipeline, in memory; after each the log is folded and compared."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tertulia.devkit import RsaSmith
from tertulia.testing.world import World

Scenario = Callable[[World], Awaitable[None]]
Play = Callable[[Scenario], None]


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    return RsaSmith().new_pair()


@pytest.fixture
def play(keys: tuple[str, str]) -> Play:
    """Run a scenario on a fresh world, then fold its log from empty and compare."""

    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            world = await World.open(keys=keys)
            await scenario(world)
            await world.check_replay()

        asyncio.run(whole())

    return run
