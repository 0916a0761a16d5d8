"""Sessions on real sockets: how HTTP hands a connection over, and what waits for a client."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop
from msgspec.structs import replace
from tests.api.cast import say
from tests.live.conftest import SETTINGS
from tests.live.test_delivery import room
from tests.live.visitor import BASE, MASK
from tests.web import site
from tests.web.site import until
from tests.web.test_server import certified

from tertulia.live import catchup
from tertulia.protocols import socketio, websocket
from tertulia.protocols.http1 import Request, Response
from tertulia.protocols.socketio import Emitted
from tertulia.protocols.websocket import FrameReader, masked_frame
from tertulia.testing.world import World
from tertulia.web.server import Server

Run = Callable[[Callable[["House"], Coroutine[Any, Any, None]]], None]

BUFFER = 65_536
SMALL = 4096
ASKED = b"OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class House(NamedTuple):
    world: World
    server: Server
    port: int
    trusted: ssl.SSLContext | None
    gate: asyncio.Event
    """Without it no request is answered."""
    peers: list["Peer"]

    async def visited(self) -> "Peer":
        """A new connection to it."""
        peer = Peer(self)
        await peer.connect()
        self.peers.append(peer)
        return peer


class Peer:
    """A client that reads when it is told to, from a receive buffer that is small."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._frames = FrameReader(1 << 24, masked=False)
        self._packets: list[socketio.Packet] = []
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def connect(self) -> None:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self._house.port))
        self.reader, self.writer = await asyncio.open_connection(
            sock=connection, ssl=self._house.trusted, limit=SMALL,
            server_hostname="localhost" if self._house.trusted else None,
        )  # fmt: skip

    async def enter(self, session_id: str = "") -> Emitted:
        """Shake hands and log in; the answer."""
        self.writer.write(self.shake(session_id))
        assert await self.answered() == 101
        for each in self._house.world.hub.live.doorway._sockets:
            connection = each._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.text(b"40")
        return await self.told()

    def shake(self, session_id: str = "") -> bytes:
        query = {**BASE, "token": self._house.world.token("bob"), "session_id": session_id}
        target = "/v2/rtc/?" + "&".join(f"{name}={value}" for name, value in query.items())
        return (
            f"GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        ).encode()

    async def answered(self) -> int:
        head = await self.reader.readuntil(b"\r\n\r\n")
        return int(head.split()[1])

    async def packet(self) -> socketio.Packet | None:
        """The next; None at the end of the connection."""
        packets = self._packets
        while not packets:
            data = await self.reader.read(4096)
            if not data:
                return None
            packets += [
                socketio.read(each.data)
                for each in self._frames.feed(data)
                if each.opcode == websocket.TEXT
            ]
        return packets.pop(0)

    async def told(self) -> Emitted:
        while not isinstance(packet := await self.packet(), Emitted):
            assert packet is not None, "the connection has ended"
        return packet

    def text(self, data: bytes) -> None:
        self.writer.write(masked_frame(data, MASK))

    def acknowledge(self, told: Emitted) -> None:
        self.text(b"43%d[]" % (told.ack or 0))

    def cut(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def opened(
    keys: tuple[str, str], tls: tuple[ssl.SSLContext, ssl.SSLContext] | None
) -> AsyncIterator[House]:
    settings = replace(SETTINGS, sessions=replace(SETTINGS.sessions, buffer=BUFFER))
    world = await World.open(keys=keys, settings=settings)
    gate = asyncio.Event()
    gate.set()

    async def answer(request: Request, scheme: str) -> Response:
        await gate.wait()
        return await world.hub.api.answer(request, scheme)

    async with site.site(answer, tls=tls[0] if tls else None) as here:
        here.server.take_upgrades(world.hub.live.doorway.enter)
        try:
            house = House(world, here.server, here.port, tls[1] if tls else None, gate, [])
            yield house
        finally:
            for peer in house.peers:
                peer.cut()
            await world.hub.live.close()


@pytest.fixture(params=["asyncio", "uvloop", "tls", "uvloop tls"])
def run(request: pytest.FixtureRequest, keys: tuple[str, str], tmp_path: Path) -> Run:
    loop_factory = uvloop.new_event_loop if "uvloop" in request.param else asyncio.new_event_loop
    tls = certified(tmp_path) if "tls" in request.param else None

    def run(scenario: Callable[[House], Coroutine[Any, Any, None]]) -> None:
        async def play() -> None:
            async with opened(keys, tls) as house:
                await asyncio.wait_for(scenario(house), 20)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(play())

    return run


def test_a_session_begins_on_a_connection_that_was_in_use(run: Run) -> None:
    async def scenario(house: House) -> None:
        peer = await house.visited()
        peer.writer.write(ASKED)
        assert await peer.answered() == 204
        assert house.server.connections == 1
        assert (await peer.enter()).name == "session:success"
        assert house.server.connections == 0
        peer.cut()
        await until(lambda: house.world.hub.live.sessions.away == 1)

    run(scenario)


def test_what_is_sent_with_the_handshake_is_read(run: Run) -> None:
    async def scenario(house: House) -> None:
        peer = await house.visited()
        peer.writer.write(peer.shake() + masked_frame(b"40", MASK) + masked_frame(b"2x", MASK))
        assert await peer.answered() == 101
        assert isinstance(await peer.packet(), socketio.Opened)
        assert isinstance(await peer.packet(), socketio.Connect)
        assert await peer.packet() == socketio.Pong(b"x")
        assert (await peer.told()).name == "session:success"
        peer.text(b"2y")
        assert await peer.packet() == socketio.Pong(b"y")

    run(scenario)


def test_who_stops_sending_with_the_handshake_is_let_go(run: Run) -> None:
    async def scenario(house: House) -> None:
        peer = await house.visited()
        house.gate.clear()
        peer.writer.write(ASKED + peer.shake())
        if peer.writer.can_write_eof():
            peer.writer.write_eof()
        else:
            peer.writer.close()
        await site.turns(200)
        house.gate.set()
        while await peer.reader.read(4096):
            pass
        await until(lambda: not house.world.hub.live.doorway._sockets)
        assert house.world.hub.live.sessions.count == 0

    run(scenario)


def test_nobody_is_let_in_while_the_server_goes(run: Run) -> None:
    async def scenario(house: House) -> None:
        peer = await house.visited()
        await until(lambda: house.server.connections == 1)
        await house.world.hub.live.close()
        peer.writer.write(peer.shake())
        assert await peer.answered() == 503

    run(scenario)


@pytest.mark.parametrize("size", [1, 40], ids=["greeting", "pages"])
def test_a_long_absence_is_caught_up_with_however_slowly(
    run: Run, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """What is owed is many times what may wait for a session: it is told as fast as it is read."""
    monkeypatch.setattr(catchup, "PAGE", 2000 // size)
    monkeypatch.setattr(catchup, "NEAR", -1)
    words = "x" * 500

    async def scenario(house: House) -> None:
        cid, (alice, _) = await room(house.world, "alice", "bob")
        first = await house.visited()
        success = await first.enter()
        first.acknowledge(success)
        session_id = success.argument.split(b'"id":"')[1].split(b'"')[0].decode()
        first.cut()
        await until(lambda: house.world.hub.live.sessions.away == 1)
        for number in range(2000):
            await say(house.world, cid, alice, f"{number} {words}")
        await site.turns(100)
        slow = await house.visited()
        success = await slow.enter(session_id)
        await site.turns(2000)
        count = success.argument.count(b'"text":"')
        assert count < 100
        await say(house.world, cid, alice, "live")
        while count < 2001:
            told = await slow.told()
            assert b'"text":"%d ' % count in told.argument or count == 2000
            slow.acknowledge(told)
            count += 1
        assert b'"text":"live"' in told.argument

    run(scenario)


def test_a_client_that_never_reads_is_cut(run: Run) -> None:
    async def scenario(house: House) -> None:
        cid, (alice, _) = await room(house.world, "alice", "bob")
        peer = await house.visited()
        await peer.enter()
        sessions = house.world.hub.live.sessions
        for number in range(1000):
            if sessions.count == 0:
                break
            await say(house.world, cid, alice, f"{number} {'x' * 3000}")
            await site.turns(5)
        assert (sessions.count, sessions.away) == (0, 1)

    run(scenario)
