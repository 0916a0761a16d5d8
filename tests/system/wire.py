"""A TCP line from one node to a service, that can be cut, frozen or slowed down.

It has a thread and a loop of its own, so that any test can use it; it knows nothing of what passes.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import TypeVar

PIECE = 64 * 1024
T = TypeVar("T")
Far = tuple[str, int] | str
"""Where it leads: host and port, or the path of a Unix socket."""


class How(Enum):
    """What has become of a line."""

    WHOLE = auto()
    CUT = auto()
    """What is connected is reset, and nobody is let in."""
    FROZEN = auto()
    """Nothing passes any more, and nobody says so; what was sent meanwhile passes later."""
    SLOW = auto()
    """Each piece comes late."""


class Wire:
    """Listens from the start, on a port of loopback that the system chose."""

    def __init__(self, far: Far) -> None:
        self.port = 0
        self._far = far
        self._how = How.WHOLE
        self._delay = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(30)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._call(lambda: self._become(How.CUT))

    def freeze(self) -> None:
        self._call(lambda: self._become(How.FROZEN))

    def slow(self, seconds: float) -> None:
        """Each piece comes so much later."""
        self._call(lambda: self._become(How.SLOW, seconds))

    def mend(self) -> None:
        self._call(lambda: self._become(How.WHOLE))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def _become(self, how: How, delay: float = 0.0) -> None:
        self._how, self._delay = how, delay
        if how is How.FROZEN:
            self._open.clear()
        else:
            self._open.set()
        if how is How.CUT:
            for writer in self._writers:
                writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._join(reader, writer)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        if self._how is How.CUT:
            return
        far_reader, far_writer = await self._reach()
        self._writers.add(far_writer)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pump(reader, far_writer))
                ways.create_task(self._pump(far_reader, writer))
        except* OSError:
            pass
        finally:
            self._writers.discard(far_writer)
            far_writer.transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._far, str):
            return await asyncio.open_unix_connection(self._far)
        return await asyncio.open_connection(*self._far)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._open.wait()
            writer.write(piece)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()
