"""How a contract's tests are played: each on a fresh store, in a loop of its own."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from tertulia.ports import Directory, EventLog


class Store(EventLog, Directory, Protocol):
    """One adapter serves both ports, since its rows change with its log."""


class StoreContract(ABC):
    @abstractmethod
    async def open(self) -> Store:
        """A store; the same one on every call within a test, if the adapter persists."""

    @abstractmethod
    async def close(self, store: Store) -> None: ...

    @abstractmethod
    def failing(self, store: Store) -> AbstractContextManager[None]:
        """While it is entered, no write can be made durable."""


C = TypeVar("C", bound=StoreContract)


def scenario(play: Callable[[C, Store], Awaitable[None]]) -> Callable[[C], None]:
    """Make a coroutine `test_…(self, store)` a test."""

    def test(self: C) -> None:
        async def run() -> None:
            store = await self.open()
            try:
                await play(self, store)
            finally:
                await self.close(store)

        asyncio.run(run())

    test.__doc__ = play.__doc__
    return test
