"""REST over one connection, against a server that follows a script."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from tests.client.scripted import Peer, serving

from tertulia.client.asking import ChatRest
from tertulia.client.login import Login, NoServer
from tertulia.client.rest import Denied, Part, Rest
from tertulia.client.websocket import Dropped


async def answer(peer: Peer, status: str, body: bytes, *more: str) -> None:
    fields = "".join(f"{field}\r\n" for field in (f"Content-Length: {len(body)}", *more))
    peer.writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body)
    await peer.writer.drain()


def login(url: str) -> Login:
    return Login(url, "a.b.c")


def test_requests_share_a_connection_until_it_is_closed() -> None:
    seen: list[tuple[int, str]] = []

    async def first(peer: Peer) -> None:
        seen.append((1, (await peer.request()).decode() or peer.target))
        assert peer.headers["authorization"] == "Bearer a.b.c"
        await answer(peer, "200 OK", b'{"a":1}')
        seen.append((1, (await peer.request()).decode() or peer.target))
        await answer(peer, "204 No Content", b"", "Connection: close")

    async def second(peer: Peer) -> None:
        seen.append((2, (await peer.request()).decode() or peer.target))
        await answer(peer, "201 Created", b'{"b":2}')

    async def scenario() -> None:
        async with serving(first, second) as url, Rest(lambda: login(url)) as rest:
            answers = await asyncio.gather(
                rest.get("/x", a=1, b=None), rest.call("DELETE", "/y"), rest.call("POST", "/z", {})
            )
            assert list(answers) == [{"a": 1}, None, {"b": 2}]

    asyncio.run(scenario())
    assert seen == [(1, "/x?a=1"), (1, "/y"), (2, "{}")]


def test_an_idle_connection_that_was_closed_is_not_used() -> None:
    closed = asyncio.Event()

    async def once(peer: Peer) -> None:
        await peer.request()
        await answer(peer, "200 OK", b"{}")
        peer.writer.close()
        await peer.writer.wait_closed()
        closed.set()

    async def scenario() -> None:
        async with serving(once) as url, Rest(lambda: login(url)) as rest:
            await rest.get("/")
            await closed.wait()
            await asyncio.sleep(0)
            await rest.get("/")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body, code, told",
    [
        (b'{"code":"x:error:y","detail":"No."}', "x:error:y", "No."),
        (
            b'{"detail":"No.","invalid_parameters":[{"name":"a","reason":"is b"},{},7]}',
            "",
            "No. (a is b)",
        ),
        (b'{"detail":"No.","invalid_parameters":7}', "", "No."),
        (b"<html>", "", "status 404"),
        (b"[]", "", "status 404"),
        (b"", "", "status 404"),
    ],
)
def test_refusals(body: bytes, code: str, told: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await answer(peer, "404 Not Found", body)

    async def scenario() -> None:
        async with serving(script) as url, Rest(lambda: login(url)) as rest:
            with pytest.raises(Denied) as caught:
                await rest.get("/")
            denied = caught.value
            assert (denied.status, denied.code, str(denied)) == (404, code, told)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"??\r\n\r\n"]
)
def test_answers_that_are_none(said: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.writer.write(said)

    async def scenario() -> None:
        async with serving(script) as url, Rest(lambda: login(url)) as rest:
            with pytest.raises(Dropped):
                await rest.get("/")

    asyncio.run(scenario())


def test_nobody_there() -> None:
    async def scenario() -> None:
        async with Rest(lambda: login("http://127.0.0.1:1")) as rest:
            with pytest.raises(NoServer):
                await rest.get("/")

    asyncio.run(scenario())


def test_a_file_is_a_form() -> None:
    content = b"\r\n--tertulia-7c1f0e5b9d--\r\n"

    async def script(peer: Peer) -> None:
        body = await peer.request()
        kind, _, boundary = peer.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/form-data" and boundary.encode() not in content
        head, _, rest = body.partition(b"\r\n\r\n")
        assert b'name="file"; filename="a%22%0D%0Ab.png"\r\nContent-Type: image/png' in head
        assert rest == content + f"\r\n--{boundary}--\r\n".encode()
        await answer(peer, "200 OK", b"{}")

    async def scenario() -> None:
        async with serving(script) as url, Rest(lambda: login(url)) as rest:
            assert await rest.upload("/v1/image", Part('a"\r\nb.png', "image/png", content)) == {}

    asyncio.run(scenario())


def test_a_file_is_taken_as_it_is() -> None:
    content = b"{" + bytes(range(256))

    async def script(peer: Peer) -> None:
        await peer.request()
        await answer(peer, "200 OK", content, "Content-Type: audio/mpeg")

    async def scenario() -> None:
        async with serving(script) as url, Rest(lambda: login(url)) as rest:
            assert await rest.download("/v3/media/MED-1") == content

    asyncio.run(scenario())


def test_a_long_history_is_read_to_its_end() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            first = int(parse_qs(urlsplit(peer.target).query)["start_id"][0])
            events = [{"id": number} for number in range(first, min(first + 100, 251))]
            await answer(peer, "200 OK", msgspec.json.encode({"_embedded": {"events": events}}))

    async def scenario() -> None:
        async with serving(script) as url, ChatRest(lambda: login(url)) as rest:
            found = await rest.events_from("CON-1", 3)
            assert [event["id"] for event in found] == list(range(3, 251))

    asyncio.run(scenario())
