"""Streamed answers over real sockets: pieces as they come, for as long as somebody takes them."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from tests.web.conftest import Run
from tests.web.site import GET, LAST, Client, client, reset_on_close, site, turns, until

from tertulia.protocols.http1 import Request, Response, Streamed

OLD = b"GET /a HTTP/1.0\r\n\r\n"


class Source:
    """A handler that streams what it is fed on every path but /last."""

    def __init__(self, length: int | None = None) -> None:
        self.length = length
        self.fed: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.asked = 0
        self.begun = 0
        self.closed = 0

    def feed(self, *pieces: bytes | None) -> None:
        """None is the end."""
        for piece in pieces:
            self.fed.put_nowait(piece)

    async def __call__(self, request: Request, scheme: str) -> Response:
        if request.path == "/last":
            return Response(200, b"last")
        self.begun += 1
        pieces = self._pieces()
        await anext(pieces)
        return Streamed(
            200, content_type="text/x", headers=(("X-A", "b"),), pieces=pieces, length=self.length
        )

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b""
            while True:
                self.asked += 1
                piece = await self.fed.get()
                if piece is None:
                    return
                if piece == b"bug":
                    raise KeyError("bug")
                yield piece
        finally:
            self.closed += 1


async def start(peer: Client) -> str:
    return (await peer.reader.readuntil(b"\r\n\r\n")).decode().lower()


async def chunk(peer: Client) -> bytes:
    """The next piece; empty for the last."""
    size = int((await peer.reader.readuntil(b"\r\n")).strip(), 16)
    piece = await peer.reader.readexactly(size + 2)
    assert piece.endswith(b"\r\n")
    return piece[:-2]


def test_pieces_arrive_as_they_come(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            head = await start(peer)
            assert head.startswith("http/1.1 200 ok\r\ncontent-type: text/x\r\n")
            assert "transfer-encoding: chunked\r\n" in head
            assert "x-a: b\r\n" in head
            assert "content-length" not in head
            assert "connection" not in head
            source.feed(b"one")
            assert await chunk(peer) == b"one"
            source.feed(b"", b"x" * 300_000, None)
            assert len(await chunk(peer)) == 300_000
            assert await chunk(peer) == b""
            assert source.closed == 1
            peer.send(LAST)
            assert (await peer.answer()).body == b"last", "the connection goes on"
            assert here.server.responses == (0, 0, 2, 0, 0, 0)

    run(main())


@pytest.mark.parametrize("request_", [GET, OLD])
def test_a_known_length_is_told_instead_of_chunks(run: Run, request_: bytes) -> None:
    async def main() -> None:
        source = Source(length=6)
        async with site(source) as here, client(here.port) as peer:
            peer.send(request_)
            peer.writer.write_eof()  # it still wants its answer
            head = await start(peer)
            assert "content-length: 6\r\n" in head
            assert "transfer-encoding" not in head
            source.feed(b"one", b"two", None)
            assert await peer.reader.readexactly(6) == b"onetwo"
            assert await peer.is_at_end()

    run(main())


def test_after_a_known_length_the_connection_goes_on(run: Run) -> None:
    async def main() -> None:
        source = Source(length=3)
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await start(peer)
            source.feed(b"one", None)
            assert await peer.reader.readexactly(3) == b"one"
            peer.send(GET.replace(b"GET", b"HEAD") + LAST)
            assert "content-length: 3\r\n" in await start(peer)
            assert (await peer.answer()).body == b"last"
            assert source.closed == 2

    run(main())


def test_less_than_was_told_cuts_the_connection(run: Run) -> None:
    async def main() -> None:
        source = Source(length=6)
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await start(peer)
            source.feed(b"one", None)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
                await peer.reader.readexactly(6)
            await here.has_connections(0)

    run(main())


def test_a_draining_server_goes_on_with_a_known_length(run: Run) -> None:
    async def main() -> None:
        source = Source(length=6)
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await start(peer)
            source.feed(b"one")
            ending = asyncio.create_task(here.server.drain(5))
            await turns()
            source.feed(b"two", None)
            assert await peer.reader.readexactly(6) == b"onetwo"
            await ending

    run(main())


def test_an_older_peer_reads_until_the_end(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(OLD)
            head = await start(peer)
            assert "transfer-encoding" not in head
            assert "connection: close\r\n" in head
            source.feed(b"one", b"two", None)
            assert await peer.reader.read() == b"onetwo"
            await here.has_connections(0)

    run(main())


def test_head_asks_for_no_piece(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET.replace(b"GET", b"HEAD") + LAST)
            assert "transfer-encoding: chunked" in await start(peer)
            assert (await peer.answer()).body == b"last"
            assert (source.asked, source.closed) == (0, 1)

    run(main())


def test_what_is_asked_behind_a_stream_waits(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source, pipeline=2) as here, client(here.port) as peer:
            peer.send(GET + GET + LAST + b"never read" * 100_000)
            await start(peer)
            await turns()
            assert source.begun == 1
            for count in (1, 2):
                source.feed(b"%d" % count, None)
                assert await chunk(peer) == b"%d" % count
                assert await chunk(peer) == b""
                if count == 1:
                    await start(peer)
            assert (await peer.answer()).body == b"last"
            assert source.closed == 2

    run(main())


def test_no_more_is_asked_for_than_the_peer_takes(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await until(lambda: source.begun == 1)
            source.feed(*[bytes(1_000_000)] * 64, None)
            await turns(2000)
            asked = source.asked
            assert asked < 32, "all but the sockets' own buffers is still to be asked for"
            here.pass_time(29)
            await turns()
            await start(peer)
            assert [len(await chunk(peer)) for _ in range(65)] == [1_000_000] * 64 + [0]
            assert source.asked == 65

    run(main())


def test_a_peer_that_takes_nothing_is_cut(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await until(lambda: source.begun == 1)
            source.feed(*[bytes(1_000_000)] * 64)
            await turns(2000)
            here.pass_time(29.9)
            await turns()
            assert (here.server.connections, source.closed) == (1, 0)
            here.pass_time(0.1)
            await here.has_connections(0)
            assert source.closed == 1

    run(main())


def test_a_quiet_stream_lasts(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await start(peer)
            for _ in range(10):
                here.pass_time(1000)
                await turns()
            source.feed(b"still here")
            assert await chunk(peer) == b"still here"

    run(main())


@pytest.mark.parametrize("how", ["reset", "closed", "stops sending"])
def test_a_peer_that_goes_is_noticed_while_nothing_comes(run: Run, how: str) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await start(peer)
            await until(lambda: source.asked == 1)
            if how == "reset":
                reset_on_close(peer)
                peer.writer.close()
            elif how == "closed":
                peer.writer.close()
            else:
                peer.writer.write_eof()
                assert await chunk(peer) == b""
                assert await peer.is_at_end()
            await until(lambda: source.closed == 1)
            await here.has_connections(0)

    run(main())


def test_a_peer_that_has_gone_before_the_answer(run: Run) -> None:
    async def main() -> None:
        source, gate = Source(), asyncio.Event()

        async def late(request: Request, scheme: str) -> Response:
            answer = await source(request, scheme)
            await gate.wait()
            return answer

        async with site(late) as here:
            async with client(here.port) as peer:
                peer.send(GET)
                await until(lambda: source.begun == 1)
                reset_on_close(peer)
            await turns(200)
            gate.set()
            await here.has_connections(0)
            assert (source.asked, source.closed) == (0, 1)

    run(main())


@pytest.mark.parametrize("request_", [GET, OLD])
def test_draining_ends_a_stream_well(run: Run, request_: bytes) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(request_)
            await start(peer)
            await until(lambda: source.asked == 1)
            await here.server.drain(10)
            assert await peer.reader.read() == (b"0\r\n\r\n" if request_ == GET else b"")
            assert (here.server.connections, source.closed) == (0, 1)

    run(main())


def test_draining_cuts_a_stream_that_nobody_takes(run: Run) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await until(lambda: source.begun == 1)
            source.feed(*[bytes(1_000_000)] * 64)
            await turns(2000)
            await here.server.drain(0)
            assert (here.server.connections, source.closed) == (0, 1)

    run(main())


def test_a_bug_cuts_the_stream_and_is_logged_once(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        source = Source()
        async with site(source) as here, client(here.port) as peer:
            peer.send(GET)
            await start(peer)
            source.feed(b"one")
            assert await chunk(peer) == b"one"
            source.feed(b"bug")
            try:
                assert await peer.reader.read() == b"", "no last chunk"
            except ConnectionError:
                pass
            await here.has_connections(0)
            assert source.closed == 1

    with caplog.at_level(logging.INFO):
        run(main())
    (record,) = (each for each in caplog.records if each.name.startswith("tertulia"))
    assert record.exc_info
    told = {"action": "request_failed", "method": "GET", "path": "/a", "instance": "i-1"}
    assert vars(record).items() >= told.items()


def test_a_start_that_cannot_be_written_is_a_failed_request(run: Run) -> None:
    async def main() -> None:
        closed = []

        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                yield b""
            finally:
                closed.append(True)

        async def forge(request: Request, scheme: str) -> Response:
            begun = pieces()
            await anext(begun)
            return Streamed(200, headers=(("Location", "a\r\nb"),), pieces=begun)

        async with site(forge) as here, client(here.port) as peer:
            peer.send(GET)
            assert (await peer.answer()).status == 500
            assert closed == [True]

    run(main())


def test_pieces_can_be_closed_unasked(run: Run) -> None:
    async def main() -> None:
        source = Source()
        answer = await source(Request("GET", "/a", "/a", "", {}), "http")
        assert isinstance(answer, Streamed)
        async with aclosing(answer.pieces):
            pass
        assert source.closed == 1

    run(main())
