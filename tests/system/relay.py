"""TCP connections that are passed on to somewhere else; nothing is known of what passes.

They have a thread and a loop of their own, so that any test can use them.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

PIECE = 64 * 1024
T = TypeVar("T")
Hold = Callable[[], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay(ABC):
    """Listens from the start, on a port of loopback that the system chose."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @abstractmethod
    async def join(self, near: Streams) -> None:
        """Pass on what comes, until one side ends; cancelled at the end."""

    @staticmethod
    async def pump_both(near: Streams, far: Streams, hold: Hold | None = None) -> None:
        """`hold`: what is awaited before each piece is passed on."""
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pump(near[0], far[1], hold))
                ways.create_task(_pump(far[0], near[1], hold))
        except* OSError:
            pass
        finally:
            far[1].transport.abort()

    def call(self, work: Callable[[], T]) -> T:
        """In the relay's own loop."""

        async def run() -> T:
            return work()

        return self._do(run())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self.join((reader, writer))
        finally:
            self._tasks.discard(task)
            writer.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hold: Hold | None
) -> None:
    """What one side says, to the other; that it will say no more, too."""
    while piece := await reader.read(PIECE):
        if hold is not None:
            await hold()
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
