"""A TCP balancer in front of nodes: each connection goes to the next of them, in turn."""

import asyncio
from contextlib import suppress

from tests.system.relay import Relay, Streams

CONNECT_S = 1.0


class Balancer(Relay):
    """`ports`: of the nodes, on loopback. One that takes no connection is passed over."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._out: set[int] = set()
        self._next = 0
        self._pairs: dict[asyncio.StreamWriter, int] = {}
        """Both ends of all that is connected, with the port of the node."""
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def exclude(self, number: int) -> None:
        """Send nothing new to that node, counted from 0; what is connected stays."""
        self.call(lambda: self._out.add(self._ports[number]))

    def include(self, number: int) -> None:
        self.call(lambda: self._out.discard(self._ports[number]))

    def cut(self, number: int) -> int:
        """Cut everything that goes to that node; how many connections those were."""
        return self.call(lambda: self._cut(self._ports[number]))

    def connections(self, number: int) -> int:
        """That go to that node now."""
        return self.call(lambda: self._count(self._ports[number]))

    async def join(self, near: Streams) -> None:
        found = await self._connect()
        if found is None:
            return
        port, far = found
        self._pairs |= {near[1]: port, far[1]: port}
        try:
            await self.pump_both(near, far)
        finally:
            del self._pairs[near[1]], self._pairs[far[1]]

    async def _connect(self) -> tuple[int, Streams] | None:
        for _ in self._ports:
            port = self._ports[self._next % len(self._ports)]
            self._next += 1
            if port in self._out:
                continue
            with suppress(OSError):
                async with asyncio.timeout(CONNECT_S):
                    return port, await asyncio.open_connection("127.0.0.1", port)
        return None

    def _cut(self, port: int) -> int:
        cut = [writer for writer, to in self._pairs.items() if to == port]
        for writer in cut:
            writer.transport.abort()
        return len(cut) // 2

    def _count(self, port: int) -> int:
        return sum(to == port for to in self._pairs.values()) // 2
