"""Some of the scenarios once more, on a store that is another process: PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.api import test_conversations, test_message_status, test_users
from tests.api.cast import history, say
from tests.api.conftest import SETTINGS, Play, Scenario
from tests.api.test_failures import race, scene
from tests.postgres import PostgresServer

from tertulia.app.outside import Store
from tertulia.settings import Settings
from tertulia.store.postgres import PostgresStore
from tertulia.testing.world import World

for module in (test_conversations, test_message_status, test_users):
    name = module.__name__.rpartition(".")[2]
    scenarios = {each for each in vars(module) if each.startswith("test_")}
    globals().update({f"{name}_{each}": getattr(module, each) for each in scenarios})


@asynccontextmanager
async def on_postgres(
    url: str, keys: tuple[str, str], settings: Settings = SETTINGS
) -> AsyncIterator[World]:
    store = await PostgresStore.open(url)
    try:
        yield await World.open(keys=keys, store=store, settings=settings)
    finally:
        await store.close()


@pytest.fixture
def play(keys: tuple[str, str], postgres: PostgresServer) -> Play:
    """What the imported scenarios are run with, here."""

    def run(scenario: Scenario, settings: Settings = SETTINGS, store: Store | None = None) -> None:
        assert store is None

        async def whole() -> None:
            async with on_postgres(postgres.new_database(), keys, settings) as world:
                await scenario(world)
                await world.check_replay()

        asyncio.run(whole())

    return run


def test_who_asks_at_the_same_time_is_told_one_truth(play: Play) -> None:
    async def scenario(world: World) -> None:
        await scene(world)
        await race(world)

    play(scenario)


def test_what_was_acknowledged_is_there_after_a_restart(
    postgres: PostgresServer, keys: tuple[str, str]
) -> None:
    url = postgres.new_database()

    async def before() -> list[dict[str, Any]]:
        async with on_postgres(url, keys) as world:
            await scene(world)
            return await history(world, "CON-1")

    async def after(told: list[dict[str, Any]]) -> None:
        async with on_postgres(url, keys) as world:
            assert await history(world, "CON-1") == told
            assert (await say(world, "CON-1", "MEM-1", "again"))["id"] == len(told) + 1
            await world.check_replay()

    asyncio.run(after(asyncio.run(before())))
