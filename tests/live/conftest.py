"""Live sessions on an in-memory server; after each scenario the log is folded and compared."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from msgspec.structs import replace

from tertulia.devkit import RsaSmith
from tertulia.live import delivery
from tertulia.settings import Account, Sessions, Settings
from tertulia.testing.world import World

Scenario = Callable[[World], Awaitable[None]]

SETTINGS = Settings(
    account=Account(api_key="key", api_secret="secret"), sessions=Sessions(create_users=True)
)


class Play(Protocol):
    def __call__(self, scenario: Scenario, **sessions: float) -> None: ...


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivery does not rest, which takes real time, but where a test is about that."""
    monkeypatch.setattr(delivery, "REST_MIN", 0.0)
    monkeypatch.setattr(delivery, "REST_PER_WRITE", 0.0)


@pytest.fixture(scope="session")
def keys() -> tuple[str, str]:
    return RsaSmith().new_pair()


@pytest.fixture
def play(keys: tuple[str, str]) -> Play:
    def play(scenario: Scenario, **sessions: float) -> None:
        settings = replace(SETTINGS, sessions=replace(SETTINGS.sessions, **sessions))

        async def run() -> None:
            world = await World.open(keys=keys, settings=settings)
            await scenario(world)
            await world.check_replay()
            await world.hub.live.close()

        asyncio.run(run())

    return play
