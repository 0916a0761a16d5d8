"""A server that says what it is told to: session sockets and REST, by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tertulia.protocols import socketio
from tertulia.protocols.http1 import Request
from tertulia.protocols.websocket import TEXT, FrameReader, Opcode, accept, frame


class Peer:
    """One connection of a client, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.target = ""
        self.query: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self._frames = FrameReader(1 << 20, masked=True)
        self._texts: list[bytes] = []

    async def request(self) -> bytes:
        """Head and body of the next request; the body is given."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.target = head[0].split(" ")[1]
        self.query = dict(parse_qsl(urlsplit(self.target).query))
        fields = (line.partition(": ") for line in head[1:] if line)
        self.headers = {name.lower(): value for name, _, value in fields}
        return await self.reader.readexactly(int(self.headers.get("content-length", "0")))

    async def shake_hands(self) -> None:
        await self.request()
        path = urlsplit(self.target).path
        self.writer.write(accept(Request("GET", self.target, path, "", self.headers, upgrade=True)))

    def say(self, *texts: bytes, opcode: Opcode = TEXT) -> None:
        for text in texts:
            self.writer.write(frame(text, opcode))

    async def hear(self) -> bytes:
        while not self._texts:
            data = await self.reader.read(4096)
            if not data:
                raise EOFError
            self._texts += [message.data for message in self._frames.feed(data)]
        return self._texts.pop(0)

    async def welcome(self, id_: str = "SES-1", *, interval: int = 25_000, **body: object) -> None:
        """The whole login."""
        await self.shake_hands()
        self.say(_opened(interval))
        assert await self.hear() == b"40"
        self.say(socketio.connected("sid"), success(id_, **body))
        assert await self.hear() == b"437[]"


def _opened(interval: int) -> bytes:
    return socketio.open_packet(
        "sid", ping_interval_ms=interval, ping_timeout_ms=interval, max_payload=0
    )


def success(id_: str = "SES-1", **more: object) -> bytes:
    body = {"id": id_, "user_id": "USR-1", "name": "alice", "api_key": "k", **more}
    return event("session:success", {"body": body}, 7)


def event(name: str, payload: object, ack: int | None = None) -> bytes:
    return socketio.emitted(name, msgspec.json.encode(payload), ack)


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def serving(*scripts: Script) -> AsyncIterator[str]:
    """Each connection gets the next script, the last one again and again; yields the URL. What a
    script finds wrong is raised at the end."""
    left = list(scripts)
    done: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        try:
            with suppress(EOFError, ConnectionError):
                await script(Peer(reader, writer))
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in done:
            await task
    finally:
        server.close()
        for task in done:
            task.cancel()
        await asyncio.gather(*done, return_exceptions=True)
