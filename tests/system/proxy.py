"""A TCP proxy in front of a server that cuts connections, at any byte and in several ways.

It reads what clients send, to know which acknowledgements it has given to the server. One client
has one proxy: its links are that client's connections, one after the other.
"""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from socket import SO_LINGER, SOL_SOCKET
from typing import NamedTuple

from tertulia.protocols import socketio
from tertulia.protocols.websocket import TEXT, FrameReader, WebsocketError

READ_SURELY_S = 0.25
"""What was given to the server so long before a reset, it has read; a reset may overtake it."""
FREEZE_S = 0.05
HALF_OPEN_S = 1.0
_MESSAGE_MAX = 1 << 20
_AT_ONCE = struct.pack("ii", 1, 0)


class How(Enum):
    RESET = auto()
    """Both sides get RST; what is under way is lost."""
    FINISH = auto()
    """Both sides get FIN, behind what was forwarded."""
    FREEZE = auto()
    """Nothing is forwarded any more. The client's side is reset after a while; the server's
    stays open, with a peer that says nothing."""


class Direction(Enum):
    UP = auto()
    """To the server."""
    DOWN = auto()


class Cut(NamedTuple):
    """When so many bytes have gone in this direction."""

    how: How
    direction: Direction
    after: int


Plan = Callable[[], Cut | None]


def never() -> None:
    """A plan without a cut."""


def reset(transport: asyncio.Transport) -> None:
    """End it by RST, whatever is under way."""
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _AT_ONCE)
    transport.abort()


class Link:
    """One connection through the proxy."""

    def __init__(self, cut: Cut | None) -> None:
        self.cut = cut
        self.client: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self.is_over = False
        self.was_cut = False
        self._left = cut.after if cut else 0
        self._held: list[bytes] = []
        """What the client sent before the server was reached."""
        self._handshake = b""
        self._frames = FrameReader(_MESSAGE_MAX, masked=True)
        self._acknowledged: list[tuple[int, float]] = []
        self._ended_at = float("inf")

    @property
    def how(self) -> How | None:
        return self.cut.how if self.cut is not None else None

    def arm(self, cut: Cut | None) -> None:
        """Another plan than the one it was opened with; bytes count from now on."""
        if not self.is_over:
            self.cut = cut
            self._left = cut.after if cut else 0

    def acknowledged(self) -> set[int]:
        """Numbers whose acknowledgement the server surely has read, or will."""
        limit = self._ended_at - READ_SURELY_S
        in_order = self.was_cut and self.how is not How.RESET
        return {number for number, at in self._acknowledged if in_order or at <= limit}

    def connected(self, server: asyncio.Transport) -> None:
        self.server = server
        held, self._held = self._held, []
        for data in held:
            self.forward(Direction.UP, data)

    def forward(self, direction: Direction, data: bytes) -> None:
        if self.is_over:
            return
        if direction is Direction.UP and self.server is None:
            self._held.append(data)
            return
        due = self.cut is not None and self.cut.direction is direction
        if due:
            data = data[: self._left]
            self._left -= len(data)
        to = self.server if direction is Direction.UP else self.client
        if data and to is not None:
            to.write(data)
            if direction is Direction.UP:
                self._note(data)
        if due and not self._left:
            self._cut()

    def lost(self, direction: Direction) -> None:
        """One side went by itself, the one that sends in this direction."""
        if not self.is_over:
            self._end()
            other = self.client if direction is Direction.DOWN else self.server
            if other is not None:
                other.close()

    def abort(self) -> None:
        self._end()
        for transport in (self.client, self.server):
            if transport is not None:
                reset(transport)

    def _end(self) -> None:
        self.is_over = True
        self._ended_at = min(self._ended_at, time.monotonic())

    def _cut(self) -> None:
        self._end()
        self.was_cut = True
        assert self.cut is not None and self.client is not None
        if self.cut.how is How.RESET:
            self.abort()
        elif self.cut.how is How.FINISH:
            self.client.close()
            if self.server is not None:
                self.server.write_eof()  # what is unread must not turn it into a reset
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(FREEZE_S, reset, self.client)
            if self.server is not None:
                loop.call_later(HALF_OPEN_S, reset, self.server)

    def _note(self, data: bytes) -> None:
        """Find the acknowledgements in what has gone to the server."""
        if b"\r\n\r\n" not in self._handshake:
            self._handshake += data
            head, end, data = self._handshake.partition(b"\r\n\r\n")
            if not end:
                return
            self._handshake = head + end
        now = time.monotonic()
        with suppress(WebsocketError, socketio.PacketError):
            for message in self._frames.feed(data):
                if message.opcode == TEXT:
                    packet = socketio.read(message.data)
                    if isinstance(packet, socketio.Acknowledged):
                        self._acknowledged.append((packet.number, now))


class _Side(asyncio.Protocol):
    def __init__(self, link: Link, direction: Direction) -> None:
        self._link = link
        self._direction = direction

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._direction is Direction.UP:
            self._link.client = transport
            if self._link.is_over:  # there was no server to be reached
                reset(transport)
        else:
            self._link.connected(transport)

    def data_received(self, data: bytes) -> None:
        self._link.forward(self._direction, data)

    def connection_lost(self, error: Exception | None) -> None:
        self._link.lost(self._direction)


class Proxy:
    """`upstream` is asked at every connection, for a server may come back elsewhere."""

    def __init__(self, upstream: Callable[[], tuple[str, int]], plan: Plan = never) -> None:
        self.plan = plan
        self.links: list[Link] = []
        self._upstream = upstream
        self._work: set[asyncio.Task[None]] = set()

    @property
    def cuts(self) -> int:
        return sum(link.was_cut for link in self.links)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yields the URL to give to the client."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._accept, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        finally:
            listener.close()
            for link in self.links:
                link.abort()
            await asyncio.gather(*self._work, return_exceptions=True)

    def _accept(self) -> asyncio.Protocol:
        link = Link(self.plan())
        self.links.append(link)
        task = asyncio.get_running_loop().create_task(self._connect(link))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return _Side(link, Direction.UP)

    async def _connect(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        try:
            server, _ = await loop.create_connection(
                lambda: _Side(link, Direction.DOWN), *self._upstream()
            )
        except OSError:
            link.abort()
            return
        if link.is_over:
            server.abort()
