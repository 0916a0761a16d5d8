"""How a contract's tests are played: each on a fresh adapter, in a loop of its own."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from tertulia.app.outside import Store

T = TypeVar("T")


class Contract(ABC, Generic[T]):
    @abstractmethod
    async def open(self) -> T:
        """An adapter; the same one on every call within a test, if it persists."""

    @abstractmethod
    async def close(self, adapter: T) -> None: ...

    @abstractmethod
    def failing(self, adapter: T) -> AbstractContextManager[None]:
        """While it is entered, no write can be made durable."""


class StoreContract(Contract[Store]):
    """Of the log and the directory, which one adapter serves."""


C = TypeVar("C", bound=Contract[Any])


def scenario(play: Callable[[C, T], Awaitable[None]]) -> Callable[[C], None]:
    """Make a coroutine `test_…(self, adapter)` a test."""

    def test(self: C) -> None:
        async def run() -> None:
            adapter = await self.open()
            try:
                await play(self, adapter)
            finally:
                await self.close(adapter)

        asyncio.run(run())

    test.__doc__ = play.__doc__
    return test
