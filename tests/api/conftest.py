"""Scenarios over the whole pipeline, in memory; after each the log is folded and compared."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from tertulia.app.outside import Store
from tertulia.devkit import RsaSmith
from tertulia.settings import Account, Settings
from tertulia.testing.world import World

pytest.register_assert_rewrite("tests.api.cast")

Scenario = Callable[[World], Awaitable[None]]

SETTINGS = Settings(account=Account(api_key="key", api_secret="secret"))


class Play(Protocol):
    def __call__(
        self, scenario: Scenario, settings: Settings = SETTINGS, store: Store | None = None
    ) -> None: ...


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    return RsaSmith().new_pair()


@pytest.fixture
def play(keys: tuple[str, str]) -> Play:
    """Run a scenario on a fresh world, then fold its log from empty and compare."""

    def run(scenario: Scenario, settings: Settings = SETTINGS, store: Store | None = None) -> None:
        async def whole() -> None:
            world = await World.open(keys=keys, settings=settings, store=store)
            await scenario(world)
            await world.check_replay()

        asyncio.run(whole())

    return run
