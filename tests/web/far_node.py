"""What stands around a forwarding: homes as a test wants them, and other nodes that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Alone, Elsewhere, Node

SECRET = "a secret of the cluster"
Conduct = Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]]
"""What a node does with a connection; the number counts them from 1."""


class ScriptedHomes(Alone):
    """Everything is at home at `home`; None: here."""

    def __init__(self, name: str, home: Node | None = None) -> None:
        self.name = name
        self.home = home
        self.alive = [home] if home else []

    def has(self, application_id: ApplicationId) -> bool:
        return self.home is None

    async def find(self, application_id: ApplicationId) -> Node | None:
        return self.home

    async def require(self, application_id: ApplicationId) -> None:
        if self.home is not None:
            raise Elsewhere(self.home)

    def nodes(self) -> list[Node]:
        return self.alive


@asynccontextmanager
async def misbehaving(conduct: Conduct) -> AsyncIterator[Node]:
    """A node that does something else on each of its connections."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        try:
            await conduct(reader, writer, count)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Node("far", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


async def heard(reader: asyncio.StreamReader) -> bytes:
    """The head of a request."""
    return await reader.readuntil(b"\r\n\r\n")


def saying(octets: bytes) -> Conduct:
    """To every request, and then it hangs up."""

    async def conduct(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await heard(reader)
        writer.write(octets)
        await writer.drain()

    return conduct
