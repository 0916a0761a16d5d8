"""A client on an in-memory socket: bytes in, packets out, nothing in between."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import msgspec

from tertulia.protocols import socketio, websocket
from tertulia.protocols.http1 import Request
from tertulia.protocols.websocket import FrameReader, Message, masked_frame
from tertulia.testing.world import World

MASK = b"\x11\x22\x33\x44"
BASE = {
    "EIO": "4", "transport": "websocket", "session_version": "0.0.3", "acknowledge_events": "true",
    "SDK_version": "2.3.1",
}  # fmt: skip
TYPED = {"SDK_name": "@vonage/client-sdk"}


async def settle() -> None:
    """Let everything that can happen without time passing happen."""
    for _ in range(60):
        await asyncio.sleep(0)


class Told(NamedTuple):
    name: str
    payload: dict[str, Any]
    ack: int | None


class Wire(asyncio.Transport):
    """Keeps what is written. `is_full` makes it as slow as can be."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_open = True
        self.was_aborted = False
        self.high = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.is_open:
            self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0

    def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False
        self.was_aborted = True

    def is_closing(self) -> bool:
        return not self.is_open


class Client:
    def __init__(self, world: World) -> None:
        self._world = world
        self.wire = Wire()
        self.messages: list[Message] = []
        self._reader = FrameReader(1 << 24, masked=False)
        self._protocol: asyncio.Protocol

    async def connect(
        self,
        user: str | None = None,
        *,
        path: str = "/v2/rtc/",
        token: str | None = None,
        greet: bool = True,
        is_anonymous: bool = False,
        query: Mapping[str, str] = {},
    ) -> "Client":
        """Shake hands; with `greet` also connect and wait for the answer to the login."""
        given = {"token": token or self._world.token(user), **query}
        if is_anonymous:
            del given["token"]
        self.enter(given, path=path)
        if greet and query.get("EIO", "4") == "4":
            self.text(b"40")
        await settle()
        return self

    def enter(self, query: Mapping[str, str], *, path: str = "/v2/rtc/") -> None:
        """Shake hands, and wait for nothing."""
        told = urlencode({**BASE, **query})
        answer, self._protocol = self._world.hub.live.doorway.enter(handshake(path, told))
        assert answer.startswith(b"HTTP/1.1 101 ")
        self._protocol.connection_made(self.wire)

    def text(self, data: bytes) -> None:
        self.raw(masked_frame(data, MASK))

    def raw(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def say(self, name: str, payload: dict[str, Any]) -> None:
        self.text(socketio.emitted(name, msgspec.json.encode(payload)))

    def lose(self) -> None:
        """The connection breaks."""
        self.wire.is_open = False
        self._protocol.connection_lost(None)

    def stall(self) -> None:
        """The transport has more to send than it may keep."""
        self._protocol.pause_writing()

    def packets(self) -> list[socketio.Packet]:
        """All that was received since the last look."""
        for data in self.wire.written:
            self.messages += self._reader.feed(data)
        self.wire.written.clear()
        taken, self.messages = self.messages, []
        self.closed = [each for each in taken if each.opcode == websocket.CLOSE]
        return [socketio.read(each.data) for each in taken if each.opcode == websocket.TEXT]

    def told(self) -> list[Told]:
        """The events that were received since the last look."""
        return [
            Told(
                packet.name, cast(dict[str, Any], msgspec.json.decode(packet.argument)), packet.ack
            )
            for packet in self.packets()
            if isinstance(packet, socketio.Emitted)
        ]

    def acknowledge(self, *told: Told) -> None:
        for each in told:
            assert each.ack is not None
            self.text(socketio.acknowledgement(each.ack))

    def hear(self) -> list[Told]:
        """Receive, and acknowledge as a published client does."""
        heard = self.told()
        self.acknowledge(*[each for each in heard if each.ack is not None])
        return heard


def handshake(path: str, query: str, **headers: str) -> Request:
    known = {
        "host": "tertulia.test", "upgrade": "websocket", "connection": "Upgrade",
        "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    return Request(
        method="GET", target=f"{path}?{query}", path=path, query=query,
        headers={**known, **headers}, upgrade=True,
    )  # fmt: skip


def names(told: list[Told]) -> list[str]:
    return [each.name for each in told]
