"""SIP over UDP: one message a datagram."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.message import BadMessage, Request, Response
from tertulia.protocols.sip.parser import is_keep_alive, parse
from tertulia.sip.counts import Counts
from tertulia.sip.sockets import Faces

Item = Request | Response | BadMessage
Receive = Callable[[Item, Flow], None]


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, faces: Faces, port: int, receive: Receive, counts: Counts) -> None:
        self._faces = faces
        self._port = port
        self._receive = receive
        self._counts = counts
        self._transport: asyncio.DatagramTransport | None = None
        self._is_full = False
        self._ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's and not its class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def flow(self, host: str, port: int) -> Flow:
        return Flow("udp", (self._faces.toward(host), self._port), (host, port))

    def datagram_received(self, data: bytes, peer: tuple[str | Any, int]) -> None:
        if is_keep_alive(data) or self._transport is None:
            return
        item: Item
        try:
            item = parse(data)
        except BadMessage as bad:
            item = bad
        self._receive(item, self.flow(peer[0], peer[1]))

    def send(self, flow: Flow, data: bytes) -> bool:
        transport = self._transport
        if transport is None or self._is_full:
            return False
        try:
            transport.sendto(data, flow.peer)
        except (OSError, ValueError):  # longer than a datagram can be, or no such address
            return False
        return True

    def pause_writing(self) -> None:
        """The kernel takes no more, so what comes now is dropped, as nets do."""
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False

    def error_received(self, exc: Exception) -> None:
        """An ICMP message: it does not say which peer, so timers have to find out."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
            await self._ended.wait()
