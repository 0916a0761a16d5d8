"""A TCP balancer in front of nodes: each connection goes to the next of them, in turn.

It has a thread and a loop of its own, so that any test can use it; it knows nothing of what passes.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

CONNECT_S = 1.0
PIECE = 64 * 1024
T = TypeVar("T")


class Balancer:
    """`ports`: of the nodes, on loopback. One that takes no connection is passed over."""

    def __init__(self, ports: list[int]) -> None:
        self.port = 0
        self._ports = ports
        self._out: set[int] = set()
        self._next = 0
        self._pairs: dict[asyncio.StreamWriter, int] = {}
        """Both ends of all that is connected, with the port of the node."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def exclude(self, number: int) -> None:
        """Send nothing new to that node, counted from 0; what is connected stays."""
        self._call(lambda: self._out.add(self._ports[number]))

    def include(self, number: int) -> None:
        self._call(lambda: self._out.discard(self._ports[number]))

    def cut(self, number: int) -> int:
        """Cut everything that goes to that node; how many connections those were."""
        return self._call(lambda: self._cut(self._ports[number]))

    def connections(self, number: int) -> int:
        """That go to that node now."""
        return self._call(lambda: self._count(self._ports[number]))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _call(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        return self._do(run())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
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
                await self._join(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            return
        port, far_reader, far_writer = found
        self._pairs |= {writer: port, far_writer: port}
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pump(reader, far_writer))
                ways.create_task(_pump(far_reader, writer))
        except* OSError:
            pass
        finally:
            del self._pairs[writer], self._pairs[far_writer]
            far_writer.transport.abort()

    async def _connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self._ports:
            port = self._ports[self._next % len(self._ports)]
            self._next += 1
            if port in self._out:
                continue
            with suppress(OSError):
                async with asyncio.timeout(CONNECT_S):
                    return port, *await asyncio.open_connection("127.0.0.1", port)
        return None

    def _cut(self, port: int) -> int:
        cut = [writer for writer, to in self._pairs.items() if to == port]
        for writer in cut:
            writer.transport.abort()
        return len(cut) // 2

    def _count(self, port: int) -> int:
        return sum(to == port for to in self._pairs.values()) // 2


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one side says, to the other; that it will say no more, too."""
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()
