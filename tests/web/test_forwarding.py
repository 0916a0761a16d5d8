"""Requests that another node answers: as it says it, once, or not at all."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
from tests.web.conftest import Run
from tests.web.far_node import SECRET, Conduct, ScriptedHomes, heard, misbehaving, saying
from tests.web.site import Answer, Client, Site, client, site, turns

from tertulia.model.errors import Rejected, Unavailable
from tertulia.ports.cluster import Elsewhere, Node, NoHome
from tertulia.protocols.http1 import Limits, Request, Response, Streamed
from tertulia.web import forwarding, node_client
from tertulia.web.connection import Handle
from tertulia.web.forwarding import Forwarding, OutcomeUnknown
from tertulia.web.node_mark import HEADER, Mark, Marks
from tertulia.web.problems import problem

LIMITS = Limits(body=16 * 1024 * 1024)
MEBI = 1024 * 1024


class Front(NamedTuple):
    """A node whose applications are at home elsewhere."""

    site: Site
    homes: ScriptedHomes
    here: list[Request]
    """What it was asked to do itself, and has done."""


@asynccontextmanager
async def front(home: Node | None, secret: str = SECRET) -> AsyncIterator[Front]:
    homes, here = ScriptedHomes("near", home), list[Request]()
    forward = Forwarding(homes, secret)

    async def own(request: Request, scheme: str) -> Response:
        if homes.home is not None:
            raise Elsewhere(homes.home)
        here.append(request)
        return Response(200, b"here", "text/plain")

    async def handle(request: Request, scheme: str) -> Response:
        try:
            return await forward.answer(request, scheme, own)
        except (Rejected, Unavailable) as error:
            return problem(error, "i-1")

    try:
        async with site(handle, LIMITS) as served:
            yield Front(served, homes, here)
    finally:
        forward.close()


@asynccontextmanager
async def home(handle: Handle) -> AsyncIterator[tuple[Node, Site]]:
    """A node that does it, and says so to other nodes."""
    forward = Forwarding(ScriptedHomes("far"), SECRET)

    async def answer(request: Request, scheme: str) -> Response:
        return await forward.answer(request, scheme, handle)

    async with site(answer, LIMITS) as served:
        yield Node("far", f"http://127.0.0.1:{served.port}"), served


@asynccontextmanager
async def pair(handle: Handle) -> AsyncIterator[tuple[Client, Front, Site]]:
    """A client of a node in front of the home."""
    async with home(handle) as (node, far), front(node) as near, client(near.site.port) as peer:
        yield peer, near, far


async def asked(conduct: Conduct, request: bytes) -> Answer:
    """What a client is told when the home behaves so."""
    async with misbehaving(conduct) as node, front(node) as near, client(near.site.port) as peer:
        peer.send(request)
        return await peer.answer()


GET = b"GET /a?b=c%20d HTTP/1.1\r\nHost: api.example\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: api.example\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "PATIENCE_S", 0.2)
    monkeypatch.setattr(forwarding, "SWEEP_S", 0.02)


def test_the_home_sees_what_the_client_has_sent(run: Run) -> None:
    async def tell(request: Request, scheme: str) -> Response:
        sent = {name: value for name, value in request.headers.items() if name != HEADER}
        told = [scheme, request.peer, request.method, request.target, sent, request.body.decode()]
        return Response(201, json.dumps(told).encode(), headers=(("X-Told", "a"), ("X-Told", "b")))

    async def main() -> None:
        async with pair(tell) as (peer, near, _):
            peer.send(
                b"POST /a?b=c%20d HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer x\r\n"
                b"X-Name: caf\xe9\r\nExpect: 100-continue\r\nTE: trailers\r\nKeep-Alive: 5\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            )
            answer = await peer.answer()
            assert answer.status == 201
            assert answer.headers["x-told"] == "b"
            assert json.loads(answer.body) == [
                "http", "127.0.0.1", "POST", "/a?b=c%20d",
                {"host": "api.example", "authorization": "Bearer x", "x-name": "café",
                 "content-length": "3"},
                "abc",
            ]  # fmt: skip
            assert near.here == []

    run(main())


def test_connections_to_the_home_are_kept(run: Run) -> None:
    async def main() -> None:
        async with pair(_told) as (peer, _, far):
            for _ in range(20):
                peer.send(POST)
                assert (await peer.answer()).body == b"POST /a"
            assert far.server.connections == 1

    run(main())


def test_answers_without_a_body(run: Run) -> None:
    async def answer(request: Request, scheme: str) -> Response:
        if request.path == "/known":
            return Response(304, headers=(("ETag", '"x"'),))
        if request.path == "/gone":
            return Response(204)
        return Response(200, b"x" * 70_000, "text/plain")

    async def main() -> None:
        async with pair(answer) as (peer, _, far):
            peer.send(b"HEAD /long HTTP/1.1\r\nHost: h\r\n\r\n")
            head = await peer.answer(has_body=False)
            assert (head.status, head.headers["content-length"]) == (200, "70000")
            peer.send(b"GET /known HTTP/1.1\r\nHost: h\r\n\r\n")
            known = await peer.answer()
            assert (known.status, known.headers["etag"]) == (304, '"x"')
            peer.send(b"DELETE /gone HTTP/1.1\r\nHost: h\r\n\r\n")
            gone = await peer.answer()
            assert (gone.status, "content-length" in gone.headers) == (204, False)
            peer.send(b"GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
            assert len((await peer.answer()).body) == 70_000
            assert far.server.connections == 1

    run(main())


def test_large_bodies_go_both_ways(run: Run) -> None:
    async def back(request: Request, scheme: str) -> Response:
        return Streamed(200, content_type="a/b", pieces=_cut(request.body), length=5 * MEBI)

    async def main() -> None:
        body = bytes(range(256)) * (5 * MEBI // 256)
        async with pair(back) as (peer, _, far):
            for _ in range(2):
                peer.send(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body))
                peer.send(body)
                answer = await peer.answer()
                assert answer.headers["content-length"] == str(5 * MEBI)
                assert answer.body == body
            assert far.server.connections == 1

    run(main())


def test_a_stream_goes_on_until_its_client_has_enough(run: Run) -> None:
    more, closed = asyncio.Queue[bytes](), asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield await more.get()
        finally:
            closed.set()

    async def stream(request: Request, scheme: str) -> Response:
        return Streamed(200, content_type="text/event-stream", pieces=pieces())

    async def main() -> None:
        async with home(stream) as (node, far), front(node) as near:
            async with client(near.site.port) as peer:
                peer.send(GET)
                head = await peer.reader.readuntil(b"\r\n\r\n")
                assert b"text/event-stream" in head
                for word in (b"one", b"two"):
                    more.put_nowait(word)
                    assert await peer.reader.readuntil(word + b"\r\n")
            await closed.wait()
            await far.has_connections(0)

    run(main())


def test_a_stream_ends_when_the_home_ends_it(run: Run) -> None:
    async def stream(request: Request, scheme: str) -> Response:
        return Streamed(200, content_type="text/event-stream", pieces=_cut(b"abc"))

    async def main() -> None:
        async with pair(stream) as (peer, _, far):
            for _ in range(3):
                peer.send(GET)
                await peer.reader.readuntil(b"\r\n\r\n")
                assert await peer.reader.readuntil(b"0\r\n\r\n") == b"3\r\nabc\r\n0\r\n\r\n"
            assert far.server.connections == 1

    run(main())


def test_the_home_makes_no_more_than_the_client_takes(run: Run) -> None:
    made = 0

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 65_536

    async def stream(request: Request, scheme: str) -> Response:
        return Streamed(200, content_type="a/b", pieces=pieces())

    async def main() -> None:
        async with pair(stream) as (peer, _, _far):
            peer.send(GET)  # and nobody reads
            before = -1
            while made != before:
                before = made
                await asyncio.sleep(0.1)
            assert 0 < made < 1000

    run(main())


def test_a_dead_connection_is_found_out(run: Run) -> None:
    """The home has closed the connection that was kept: what is safe is asked again."""
    asked_for: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
        while True:
            asked_for.append((await heard(reader)).split(b" ")[0])
            if len(asked_for) % 2 == 0:
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % count)

    async def main() -> None:
        async with misbehaving(once) as node, front(node) as near, client(near.site.port) as peer:
            for number in (b"1", b"2"):
                peer.send(GET)
                assert (await peer.answer()).body == number
            peer.send(POST)
            answer = await peer.answer()
            assert answer.status == 503
            assert answer.code == OutcomeUnknown.code
            assert "unknown" in json.loads(answer.body)["detail"]
            assert asked_for == [b"GET", b"GET", b"GET", b"POST"]

    run(main())


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
def test_waits_for_a_new_home(run: Run, request_: bytes) -> None:
    async def main() -> None:
        async with misbehaving(saying(b"")) as node:
            pass
        async with front(node) as near, client(near.site.port) as peer:
            peer.send(request_)
            await asyncio.sleep(0.1)
            assert near.here == []
            near.homes.home = None
            assert (await peer.answer()).body == b"here"
            assert len(near.here) == 1

    run(main())


def test_waits_while_there_is_no_home(run: Run) -> None:
    async def main() -> None:
        here, times = Forwarding(ScriptedHomes("near"), SECRET), 0

        async def homeless(request: Request, scheme: str) -> Response:
            nonlocal times
            times += 1
            if times < 4:
                raise NoHome
            return await _told(request, scheme)

        assert (await here.answer(_request("/a"), "http", homeless)).body == b"GET /a"

    run(main())


def test_goes_after_a_home_that_has_moved(run: Run) -> None:
    async def main() -> None:
        async with home(_told) as (there, _), home(_nowhere(there)) as (old, _):
            async with front(old) as near, client(near.site.port) as peer:
                peer.send(POST)
                await turns()
                near.homes.home = there
                assert (await peer.answer()).body == b"POST /a"

    run(main())


@pytest.mark.usefixtures("hasty")
def test_two_nodes_that_each_take_the_other_for_the_home(run: Run) -> None:
    async def main() -> None:
        async with front(None) as one, front(None) as other, client(one.site.port) as peer:
            one.homes.home = Node("other", f"http://127.0.0.1:{other.site.port}")
            other.homes.home = Node("one", f"http://127.0.0.1:{one.site.port}")
            peer.send(POST)
            answer = await peer.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "nothing was changed" in json.loads(answer.body)["detail"]
            assert sum(other.site.server.responses) < 20

    run(main())


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("said", [
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nwhere does it end",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n1\r\na\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 10_000,
    b"",
])  # fmt: skip
@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
def test_what_is_no_answer_is_handed_on_to_nobody(run: Run, request_: bytes, said: bytes) -> None:
    async def main() -> None:
        answer = await asked(saying(said), request_)
        assert answer.status == 503
        assert (answer.code == OutcomeUnknown.code) == (request_ is POST)

    run(main())


def test_a_stream_that_is_all_wrapping_ends(run: Run) -> None:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;"

    async def conduct(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await heard(reader)
        writer.write(said)
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    async def main() -> None:
        async with misbehaving(conduct) as node, front(node) as near:
            async with client(near.site.port) as peer:
                peer.send(GET)
                await peer.reader.readuntil(b"\r\n\r\n")
                assert await peer.reader.readuntil(b"0\r\n\r\n") == b"1\r\na\r\n0\r\n\r\n"

    run(main())


def test_two_answers_at_once_spoil_the_connection(run: Run) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1" * 2

    async def conduct(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        while True:
            await heard(reader)
            writer.write(said)

    async def main() -> None:
        answer = await asked(conduct, GET)
        assert answer.body == b"1"
        async with misbehaving(conduct) as node, front(node) as near:
            async with client(near.site.port) as peer:
                for _ in range(3):
                    peer.send(GET)
                    assert (await peer.answer()).body == b"1"

    run(main())


def test_a_long_answer_that_stops_in_the_middle_ends_suddenly(run: Run) -> None:
    async def main() -> None:
        said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MEBI + b"x" * 400_000
        async with misbehaving(saying(said)) as node, front(node) as near:
            async with client(near.site.port) as peer:
                peer.send(GET)
                await peer.reader.readuntil(b"\r\n\r\n")
                assert len(await _rest(peer)) <= 400_000

    run(main())


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx"])
def test_what_is_asked_of_a_node_that_has_died_is_given_up(run: Run, begin: bytes) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await heard(reader)
        writer.write(begin)
        await asyncio.sleep(20)

    async def main() -> None:
        async with misbehaving(silent) as node, front(node) as near:
            async with client(near.site.port) as peer, client(near.site.port) as other:
                peer.send(POST)
                other.send(GET)
                await asyncio.sleep(0.1)
                assert near.here == []
                near.homes.alive = []
                near.homes.home = None
                assert (await peer.answer()).code == OutcomeUnknown.code
                assert (await other.answer()).body == b"here"

    run(main())


@pytest.mark.usefixtures("hasty")
def test_a_node_that_never_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_client, "ANSWER_S", 0.1)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: int) -> None:
        await asyncio.sleep(20)

    async def main() -> None:
        assert (await asked(silent, POST)).code == OutcomeUnknown.code

    run(main())


def test_too_many_requests_for_one_node(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_client, "CONNECTIONS", 2)
    monkeypatch.setattr(node_client, "WAITING", 1)
    opens = asyncio.Event()

    async def wait(request: Request, scheme: str) -> Response:
        await opens.wait()
        return await _told(request, scheme)

    async def main() -> None:
        async with home(wait) as (node, far), front(node) as near:
            port = near.site.port
            async with client(port) as a, client(port) as b, client(port) as c, client(port) as d:
                for peer in (a, b):
                    peer.send(POST)
                await far.has_connections(2)
                c.send(POST)
                await near.site.has_connections(4)
                await turns()
                d.send(POST)
                refused = await d.answer()
                assert refused.status == 503
                assert refused.code == "system:error:unavailable"
                opens.set()
                for peer in (a, b, c):
                    assert (await peer.answer()).status == 200

    run(main())


def test_strangers_are_no_nodes(run: Run) -> None:
    """What a client says of itself in our words is not believed, and not handed on."""
    forged = Marks("another secret").written(Mark("far", "https", "10.9.9.9"), _request("/a"))

    async def tell(request: Request, scheme: str) -> Response:
        return Response(200, f"{scheme} {request.peer}".encode(), "text/plain")

    async def main() -> None:
        for value in (forged, "", "far https 10.9.9.9 caf\xe9", "x " * 100):
            header = f"Tertulia-Node: {value}\r\n".encode("latin-1")
            async with pair(tell) as (peer, _, far), client(far.port) as direct:
                for each in (peer, direct):
                    each.send(b"GET /a HTTP/1.1\r\nHost: h\r\n%b\r\n" % header)
                    assert (await each.answer()).body == b"http 127.0.0.1"

    run(main())


def test_a_mark_is_of_one_request() -> None:
    marks, mark = Marks(SECRET), Mark("near", "https", "::1")
    request = _request("/a", {"host": "api.example"})
    value = marks.written(mark, request)
    assert marks.read(_request("/a", {"host": "api.example", HEADER: value})) == mark
    assert marks.read(_request("/b", {"host": "api.example", HEADER: value})) is None
    assert marks.read(_request("/a", {"host": "other.example", HEADER: value})) is None
    other = value.replace("https", "http")
    assert marks.read(_request("/a", {"host": "api.example", HEADER: other})) is None
    unknown = Marks("").written(mark, request)
    assert Marks("").read(_request("/a", {"host": "api.example", HEADER: unknown})) is None


def _request(path: str, headers: dict[str, str] | None = None) -> Request:
    return Request("GET", path, path, "", headers or {"host": "h"})


async def _told(request: Request, scheme: str) -> Response:
    return Response(200, f"{request.method} {request.target}".encode(), "text/plain")


def _nowhere(there: Node) -> Handle:
    async def answer(request: Request, scheme: str) -> Response:
        raise Elsewhere(there)

    return answer


async def _cut(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


async def _rest(peer: Client) -> bytes:
    """Until the connection is closed or cut."""
    found = b""
    try:
        while piece := await peer.reader.read(65_536):
            found += piece
    except ConnectionResetError:
        pass
    return found
