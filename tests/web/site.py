"""A server on a free port with a clock of its own, and a client to talk to it in octets."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from tertulia.protocols.http1 import Limits, Request, Response
from tertulia.web.connection import Handle
from tertulia.web.server import Server

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        code: str = json.loads(self.body)["code"]
        return code


class Client(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, *, has_body: bool = True) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = [line.split(": ", 1) for line in head[1:-2]]
        headers = {name.lower(): value for name, value in fields}
        size = int(headers.get("content-length", 0)) if has_body else 0
        return Answer(int(head[0].split()[1]), headers, await self.reader.readexactly(size))

    async def is_at_end(self) -> bool:
        return await self.reader.read() == b""


@asynccontextmanager
async def client(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


class Site(NamedTuple):
    server: Server
    port: int
    clock: Clock

    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds
        self.server.sweep()

    async def has_connections(self, count: int) -> None:
        await until(lambda: self.server.connections == count)


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until it is so: what the other end of a socket saw sets no event."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def turns(count: int = 20) -> None:
    """Let the loop do what it has to do: for seeing that something does not happen."""
    for _ in range(count):
        await asyncio.sleep(0)


LIMITS = Limits()


@asynccontextmanager
async def site(
    handle: Handle,
    limits: Limits = LIMITS,
    tls: ssl.SSLContext | None = None,
    *,
    connections_max: int = 100,
    pipeline: int = 16,
) -> AsyncIterator[Site]:
    clock = Clock()
    server = Server(
        handle, limits, connections_max=connections_max, pipeline=pipeline,
        now=clock, wall=lambda: 1_777_886_122.9, instance=lambda: "i-1",
    )  # fmt: skip
    port = await server.listen("127.0.0.1", 0, tls)
    try:
        yield Site(server, port, clock)
    finally:
        await server.drain(0)


async def echo(request: Request, scheme: str) -> Response:
    text = f"{scheme} {request.peer} {request.method} {request.target} {len(request.body)}"
    return Response(200, text.encode(), "text/plain")


class Gate:
    """A handler that says when it has begun, and answers when told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.finished = 0
        self.open = asyncio.Event()

    async def __call__(self, request: Request, scheme: str) -> Response:
        self.begun += 1
        await self.open.wait()
        self.finished += 1
        return Response(200, request.path.encode())


def reset_on_close(peer: Client) -> None:
    """Without this a peer that has gone looks like one that only stopped sending."""
    connection = peer.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
