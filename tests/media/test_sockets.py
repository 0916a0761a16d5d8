"""Connections over real sockets: to a server of another make, and to ones that misbehave."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tertulia.devkit.authority import ensure_certificate
from tertulia.media import sockets
from tertulia.media.sockets import CLOSED, FAILED, LOST, Dialer, NoPlace, Place, Wire
from tertulia.model.commands import Socket
from tertulia.model.instant import Instant
from tertulia.protocols.http1 import Limits
from tertulia.protocols.http1_parser import Parser
from tertulia.protocols.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    FrameReader,
    accept,
    close_code,
    close_payload,
    frame,
    masked_frame,
)

PATIENCE = 10.0


class Owner:
    """A leg in the hands of a test; `ticks` give its connection a share every 20 ms."""

    def __init__(self) -> None:
        self.opened: str | None = None
        self.audio: list[bytes] = []
        self.texts: list[bytes] = []
        self.ends: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def on_open(self, remote: str) -> None:
        self.opened = remote
        self._news.set()

    def on_audio(self, data: bytes) -> None:
        self.audio.append(data)
        self._news.set()

    def on_text(self, data: bytes) -> None:
        self.texts.append(data)
        self._news.set()

    def on_lost(self, cause: str, reason: str) -> None:
        self.ends.append((cause, reason))
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def open(self) -> None:
        await self.until(lambda: self.opened is not None or bool(self.ends))
        assert not self.ends

    async def end(self) -> tuple[str, str]:
        await self.until(lambda: bool(self.ends))
        assert len(self.ends) == 1
        return self.ends[0]


def run(test: Coroutine[Any, Any, None]) -> None:
    """On the loop of a worker; at the end no task and no open socket of it may be left."""

    async def checked() -> None:
        files = opened()
        await test
        async with asyncio.timeout(PATIENCE):
            while len(asyncio.all_tasks()) > 1 or opened() - files:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(warm())
        runner.run(checked())


def opened() -> set[str]:
    """Files of this process, where that can be seen."""
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()


async def warm() -> None:
    """A loop opens files of its own at its first socket."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    server.close()
    await server.wait_closed()
    await asyncio.get_running_loop().run_in_executor(None, len, ())


def finding(port: int, *, secure: bool = False, host: str = "localhost") -> Callable[[str], Any]:
    async def find(url: str) -> Place:
        return Place(["127.0.0.1"], host, port, f"{host}:{port}", "/bot?a=1", secure)

    return find


def dial(port: int, owner: Owner, tls: ssl.SSLContext | None = None, **more: Any) -> Wire:
    command = Socket("bot", f"ws://localhost:{port}/", **more)
    return Dialer(finding(port, secure=tls is not None), os.urandom, tls).dial(command, owner)


# ── a server of another make ──


Serve = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def serving(handle: Serve, **more: Any) -> AsyncIterator[int]:
    async with serve(handle, "127.0.0.1", 0, **more) as server:
        yield server.sockets[0].getsockname()[1]


async def echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


def test_messages_both_ways() -> None:
    async def test() -> None:
        seen: list[Any] = []

        async def handle(connection: ServerConnection) -> None:
            assert connection.request is not None
            seen.append((connection.request.path, dict(connection.request.headers.raw_items())))
            await echo(connection)
            seen.append(connection.close_code)

        async with serving(handle) as port:
            owner = Owner()
            wire = dial(port, owner, headers={"Authorization": "Bearer x"})
            wire.send(b"too early")
            await owner.open()
            assert owner.opened == f"127.0.0.1:{port}"
            wire.send('{"a":"é"}'.encode())
            wire.send(bytes(range(256)) * 3, BINARY)
            wire.send(b"", PING)
            await owner.until(lambda: bool(owner.audio))
            assert owner.texts == ['{"a":"é"}'.encode()]
            assert owner.audio == [bytes(range(256)) * 3]
            assert wire.received > 768
            wire.hang_up()
            wire.send(b"too late")
        path, headers = seen[0]
        assert path == "/bot?a=1" and headers["Authorization"] == "Bearer x"
        assert headers["Host"] == f"localhost:{port}"
        assert "Sec-WebSocket-Extensions" not in headers
        assert seen[1] == 1000 and not owner.ends

    run(test())


def test_it_answers_pings_and_fragments_are_joined() -> None:
    async def test() -> None:
        done = asyncio.Event()

        async def handle(connection: ServerConnection) -> None:
            await (await connection.ping())
            await connection.send([b"\x01\x02", b"\x03", b"", b"\x04"])
            await connection.send(["clea", "r"])
            done.set()
            await connection.wait_closed()

        async with serving(handle) as port:
            owner = Owner()
            wire = dial(port, owner)
            await done.wait()
            await owner.until(lambda: bool(owner.texts))
            assert owner.audio == [b"\x01\x02\x03\x04"] and owner.texts == [b"clear"]
            wire.hang_up()

    run(test())


def test_a_server_that_closes() -> None:
    async def test() -> None:
        codes = []

        async def handle(connection: ServerConnection) -> None:
            await connection.close(4001, "enough")
            codes.append(connection.close_code)

        async with serving(handle) as port:
            owner = Owner()
            wire = dial(port, owner)
            assert (await owner.end())[0] == CLOSED
            wire.hang_up()
        assert codes == [4001]

    run(test())


def test_a_server_that_wants_compression_gets_none() -> None:
    async def test() -> None:
        async with serving(echo, compression="deflate") as port:
            owner = Owner()
            wire = dial(port, owner)
            await owner.open()
            wire.send(b"x" * 1000)
            await owner.until(lambda: bool(owner.texts))
            wire.hang_up()

    run(test())


def test_a_refusal_says_what_the_server_answered() -> None:
    async def test() -> None:
        async with serving(echo, process_request=lambda to, _: to.respond(403, "no")) as port:
            owner = Owner()
            dial(port, owner)
            assert await owner.end() == (LOST, "the server answered 403")

    run(test())


def tls_of(path: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server with that name in its certificate, and of a client that trusts it."""
    made = ensure_certificate(path, host, now=Instant(int(time.time() * 1000)))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    return server, ssl.create_default_context(cafile=str(made.authority))


def test_with_tls(tmp_path: Path) -> None:
    async def test() -> None:
        server, client = tls_of(tmp_path, "localhost")
        async with serving(echo, ssl=server) as port:
            owner = Owner()
            wire = dial(port, owner, client)
            await owner.open()
            wire.send(b"x" * 1000, BINARY)
            await owner.until(lambda: bool(owner.audio))
            wire.hang_up()

    run(test())


def test_a_certificate_that_is_not_trusted_or_of_another(tmp_path: Path) -> None:
    async def test() -> None:
        server, client = tls_of(tmp_path, "localhost")
        async with serving(echo, ssl=server) as port:
            for tls, host in ((ssl.create_default_context(), "localhost"), (client, "other.test")):
                owner = Owner()
                find = finding(port, secure=True, host=host)
                Dialer(find, os.urandom, tls).dial(Socket("bot", "wss://x/"), owner)
                cause, reason = await owner.end()
                assert cause == LOST and "certificate" in reason.lower()

    run(test())


# ── servers that misbehave ──


Misdeed = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def misbehaving(deed: Misdeed, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    tasks: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await deed(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.get_running_loop().create_task(handle(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        await server.wait_closed()


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    (request,) = Parser(Limits()).feed(await reader.readuntil(b"\r\n\r\n"))
    writer.write(accept(request))


def saying(data: bytes, codes: list[int | None]) -> Misdeed:
    """Opens, says this, and notes with which code it is closed."""

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        writer.write(data)
        frames = FrameReader(1 << 20, masked=True)
        while more := await reader.read(65536):
            for message in frames.feed(more):
                if message.opcode == CLOSE:
                    codes.append(close_code(message.data)[0])
                    writer.write(frame(message.data, CLOSE))
                    return

    return deed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (masked_frame(b"hello", b"abcd"), 1002),
        (b"\xc1\x05hello", 1002),
        (b"\xc2\x05hello", 1002),
        (b"\x83\x00", 1002),
        (b"\x80\x00", 1002),
        (b"\x09\x00", 1002),
        (frame(b"\xff\xfe"), 1007),
        (frame(b"x" * (sockets.TEXT_MAX + 1)), 1009),
        (b"\x01\x7e\xff\xff" + bytes(65535) + b"\x80\x02xx", 1009),
        (frame(bytes(sockets.AUDIO_MAX + 1), BINARY), 1009),
        (b"\x82\x7f\x7f" + b"\xff" * 7, 1009),
        (b"\x02\x00" + b"\x00\x00" * 2000, 1009),
        (frame(b"\x00", CLOSE), 1002),
    ],
)
def test_what_breaks_the_protocol_ends_it(data: bytes, code: int) -> None:
    async def test() -> None:
        codes: list[int | None] = []
        async with misbehaving(saying(frame(b"a") + data + frame(b"z"), codes)) as port:
            owner = Owner()
            dial(port, owner)
            assert (await owner.end())[0] == FAILED
            while not codes:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert codes == [code] and b"z" not in owner.texts

    run(test())


def test_the_largest_messages_are_taken() -> None:
    async def test() -> None:
        data = frame(b"x" * sockets.TEXT_MAX) + frame(bytes(sockets.AUDIO_MAX), BINARY)
        async with misbehaving(saying(data, [])) as port:
            owner = Owner()
            wire = dial(port, owner)
            await owner.until(lambda: bool(owner.audio))
            assert len(owner.texts[0]) == sockets.TEXT_MAX
            wire.hang_up()

    run(test())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "answered 200"),
        (b"\x16\x03\x01\x00\r\n\r\n", "not HTTP"),
        (b"x" * 40_000, "too long"),
        (b"", "gone"),
    ],
)
def test_answers_that_open_nothing(answer: bytes, reason: str) -> None:
    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if answer:
            await reader.read()

    async def test() -> None:
        async with misbehaving(deed) as port:
            owner = Owner()
            dial(port, owner)
            cause, said = await owner.end()
            assert cause == LOST and reason in said and owner.opened is None

    run(test())


def test_one_that_never_answers_the_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HANDSHAKE_SECONDS", 0.1)

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def test() -> None:
        async with misbehaving(deed) as port:
            owner = Owner()
            dial(port, owner)
            assert await owner.end() == (LOST, "the server did not answer in time")

    run(test())


def test_one_that_answers_with_nobody_is_not_waited_for() -> None:
    """Nobody listens; nothing is found; the search takes for ever."""

    async def forbidden(url: str) -> Place:
        raise NoPlace("not permitted")

    async def test() -> None:
        owner = Owner()
        dial(1, owner)
        assert (await owner.end())[0] == LOST
        owner = Owner()
        Dialer(forbidden, os.urandom).dial(Socket("bot", "ws://x/"), owner)
        assert await owner.end() == (LOST, "not permitted")
        owner = Owner()
        dial(1, owner, headers={"Host": "elsewhere"})
        assert "not for the caller" in (await owner.end())[1]

    run(test())


def test_a_search_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CONNECT_SECONDS", 0.05)

    async def endless(url: str) -> Place:
        await asyncio.Event().wait()
        raise AssertionError

    async def test() -> None:
        owner = Owner()
        Dialer(endless, os.urandom).dial(Socket("bot", "ws://x/"), owner)
        assert await owner.end() == (LOST, "the server did not answer in time")

    run(test())


def test_hung_up_at_every_stage() -> None:
    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.005)
        await shake_hands(reader, writer)
        await reader.read()

    async def test() -> None:
        async with misbehaving(deed) as port:
            for turns in range(40):
                owner = Owner()
                wire = dial(port, owner)
                for _ in range(turns):
                    await asyncio.sleep(0.0002)
                wire.hang_up()
                wire.hang_up()
                assert not owner.ends

    run(test())


def test_one_that_vanishes() -> None:
    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        writer.write(b"\x82\x7e\x02\x80half of a frame")
        await writer.drain()
        await reader.read(10)

    async def test() -> None:
        async with misbehaving(deed) as port:
            owner = Owner()
            wire = dial(port, owner)
            await owner.open()
            wire.send(bytes(20), BINARY)
            assert (await owner.end())[0] == LOST and not owner.audio
            wire.send(bytes(640), BINARY)
            wire.hang_up()

    run(test())


def test_one_that_does_not_close_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CLOSING_SECONDS", 0.1)

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        while True:
            await reader.readexactly(1)

    async def test() -> None:
        async with misbehaving(deed) as port:
            owner = Owner()
            wire = dial(port, owner)
            await owner.open()
            wire.hang_up()
            await asyncio.sleep(0.2)

    run(test())


@pytest.mark.parametrize("payload", [b"", b"\x01\x02", bytes(640), bytes(65_536)])
def test_a_flood_is_read_as_far_as_each_tick_has_a_share(
    payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all that waits of it with us is what one read has brought."""
    monkeypatch.setattr(sockets, "CLOSING_SECONDS", 0.1)
    flood = frame(payload, BINARY) * max(1, 200_000 // (len(payload) + 2))

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        while True:
            writer.write(flood)
            await writer.drain()

    async def test() -> None:
        async with misbehaving(deed) as port:
            owner = Owner()
            wire = dial(port, owner)
            await owner.open()
            for _ in range(10):
                before, octets = len(owner.audio), wire.received
                wire.renew()
                await asyncio.sleep(0.02)
                least = sockets._SLICE // (len(payload) + 2) + 1
                assert len(owner.audio) - before <= sockets.SHARE_MESSAGES + least
                assert wire.received - octets <= sockets.SHARE_OCTETS + (1 << 20)
                assert len(wire._unread) <= 1 << 20
                owner.audio.clear()
            wire.hang_up()

    run(test())


def test_a_full_queue_and_the_order_behind_it_come_in_one_tick() -> None:
    data = frame(bytes(960), BINARY) * 1024 + frame(b'{"action":"clear"}')

    async def test() -> None:
        async with misbehaving(saying(data, [])) as port:
            owner = Owner()
            wire = dial(port, owner)
            await owner.until(lambda: bool(owner.texts))
            assert len(owner.audio) == 1024
            wire.hang_up()

    run(test())


@pytest.mark.parametrize("secure", [False, True])
def test_one_that_does_not_read_costs_a_bounded_backlog(
    secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever we send, and though it asks for answers all the time."""
    monkeypatch.setattr(sockets, "CLOSING_SECONDS", 0.1)

    async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await shake_hands(reader, writer)
        cast(asyncio.Transport, writer.transport).pause_reading()
        for _ in range(500):
            writer.write(frame(b"x" * 100, PING) * 20)
            await asyncio.sleep(0.001)
        await asyncio.Event().wait()

    async def test() -> None:
        server, client = tls_of(tmp_path, "localhost") if secure else (None, None)
        async with misbehaving(deed, server) as port:
            owner = Owner()
            wire = dial(port, owner, client)
            await owner.open()
            for _ in range(400):
                wire.renew()
                for _ in range(50):
                    wire.send(bytes(960), BINARY)
                await asyncio.sleep(0.001)
            assert sockets.BACKLOG_MAX / 2 < wire.backlog < sockets.BACKLOG_MAX * 2
            wire.hang_up()

    run(test())


def test_pings_are_answered_between_fragments() -> None:
    async def test() -> None:
        pongs: list[bytes] = []

        async def deed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await shake_hands(reader, writer)
            writer.write(b"\x02\x01a" + frame(b"1", PING) + b"\x80\x01b" + frame(b"2", PONG))
            frames = FrameReader(1 << 20, masked=True)
            while not pongs:
                found = frames.feed(await reader.read(1000))
                pongs.extend(each.data for each in found if each.opcode == PONG)
            writer.write(frame(close_payload(1001), CLOSE))
            await reader.read(1000)

        async with misbehaving(deed) as port:
            owner = Owner()
            dial(port, owner)
            assert (await owner.end())[0] == CLOSED
        assert pongs == [b"1"] and owner.audio == [b"ab"] and not owner.texts

    run(test())
