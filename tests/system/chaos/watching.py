"""Looks after the nodes as balancers do: who does not answer gets no connections, and has none."""

import asyncio
from contextlib import suppress

from tests.system.balancer import Balancer
from tests.system.cluster import Cluster, ClusterNode

EVERY_S, WITHIN_S = 0.5, 1.0


class Watch:
    """An answer that a node cannot serve is an answer: its clients are to see it."""

    def __init__(self, cluster: Cluster) -> None:
        self._nodes = cluster.nodes
        self._balancer: Balancer = cluster.http
        self._silent: set[int] = set()

    async def look(self) -> None:
        """For ever."""
        while True:
            for number, answers in enumerate(
                await asyncio.gather(*(_answers(node) for node in self._nodes))
            ):
                if answers:
                    self._silent.discard(number)
                    self._balancer.include(number)
                elif number not in self._silent:
                    self._silent.add(number)
                    self._balancer.exclude(number)
                    self._balancer.cut(number)
            await asyncio.sleep(EVERY_S)


async def _answers(node: ClusterNode) -> bool:
    writer: asyncio.StreamWriter | None = None
    with suppress(OSError):  # a timeout is one
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.http)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            is_alive = bool(await reader.readline())
            writer.transport.abort()
            return is_alive
    if writer is not None:
        writer.transport.abort()
    return False
