"""Files of other servers: what is reached, what is kept, what is refused; over real sockets."""

import asyncio
import gzip
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from tertulia.app.downloads import IN_USE_S, UNDER_WAY_PER_HOST, Downloads
from tertulia.app.fetching import HEAD_MAX, FetchFailed
from tertulia.dispatch.target import TargetGuard
from tertulia.settings import Media

LIMIT = 100_000
AUDIO = bytes(range(256)) * 200
TLS = ssl.create_default_context()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def ok(body: bytes = AUDIO, *lines: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


class Server:
    """Answers each request with the next answer, then with the last one; keeps the requests."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self.answers = list(answers) or [ok()]
        self.closes = closes
        self.requests: list[bytes] = []
        self.heard = asyncio.Semaphore(0)
        """Released with each request."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            self.heard.release()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await self.gate.wait()
            writer.write(answer.replace(b"{url}", self.url.encode()))
            await writer.drain()
            if not self.closes:
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


Scenario = Callable[[Downloads, Server], Awaitable[None]]


def against(
    folder: Path,
    scenario: Scenario,
    *answers: bytes,
    closes: bool = False,
    allowed: tuple[str, ...] = ("127.0.0.0/8",),
    clock: Clock | None = None,
    **settings: float,
) -> None:
    async def main() -> None:
        server = Server(*answers, closes=closes)
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        chosen = {"download_limit": LIMIT, "download_timeout_s": 5.0, **settings}
        downloads = Downloads(
            folder, TargetGuard(allowed), Media(**chosen),  # type: ignore[arg-type]
            tls=TLS, clock=clock or Clock(),
        )  # fmt: skip
        try:
            await scenario(downloads, server)
        finally:
            await downloads.close()
            listening.close()
            for writer in server.writers:
                writer.close()
            await asyncio.sleep(0)

    for loop_factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())


def refused(folder: Path, *answers: bytes, path: str = "/a", **how: object) -> str:
    """The reason why nothing is had."""
    reasons: list[str] = []

    async def scenario(downloads: Downloads, server: Server) -> None:
        with pytest.raises(FetchFailed) as caught:
            await downloads.fetch(path if "://" in path else server.url + path)
        reasons.append(str(caught.value))
        assert not os.listdir(folder)

    against(folder, scenario, *answers, **how)  # type: ignore[arg-type]
    assert reasons[0] == reasons[1]
    return reasons[0]


def test_a_file_is_had(tmp_path: Path) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        path = await downloads.fetch(server.url + "/some%20audio.wav?a=b#c")
        assert path.read_bytes() == AUDIO
        head = server.requests[0].decode().split("\r\n")
        assert head[0] == "GET /some%20audio.wav?a=b HTTP/1.1"
        assert "Accept-Encoding: identity" in head
        assert f"Host: {server.url[7:]}" in head

    against(tmp_path, scenario)


@pytest.mark.parametrize(
    ("answer", "closes"),
    [
        (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\nabcde", True),
        (b"HTTP/1.0 200 OK\r\n\r\nabcde", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok(b"abcde"), False),
        (ok(b"abcde") + b"and more", False),
        (ok(b"abcde", "Content-Encoding: identity"), False),
    ],
)
def test_every_framing(tmp_path: Path, answer: bytes, closes: bool) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        assert (await downloads.fetch(server.url)).read_bytes() == b"abcde"

    against(tmp_path, scenario, answer, closes=closes)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ok(status="404 Not Found"), "the server answered 404"),
        (ok(status="206 Partial Content"), "the server answered 206"),
        (ok(status="500 Oh"), "the server answered 500"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "the server says that we have the file"),
        (ok(gzip.compress(AUDIO), "Content-Encoding: gzip"), "in an encoding"),
        (b"SSH-2.0-x\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "changes the protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2 * HEAD_MAX, "header of the answer is larger"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, "header of the answer is larger"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", "larger than 100000 octets"),
        (ok(bytes(LIMIT + 1)), "larger than 100000 octets"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\n\r\n", "not an http or https URL"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[x/\r\n\r\n", "the redirect leads to no address"),
        (b"HTTP/1.1 302 Found\r\nLocation: {url}/b\r\n\r\n", "more than 5 redirects"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "more than 5 redirects"),
    ],
)
def test_what_is_no_file_says_so(tmp_path: Path, answer: bytes, reason: str) -> None:
    assert reason in refused(tmp_path, answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "in the middle of the file"),
        (CHUNKED + b"9\r\nab", "in the middle of the file"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LIMIT + 1), "larger than 100000 octets"),
    ],
)
def test_a_connection_that_is_closed(tmp_path: Path, answer: bytes, reason: str) -> None:
    assert reason in refused(tmp_path, answer, closes=True)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/a", "10.0.0.1 leads to an address that is not permitted"),
        ("http://169.254.169.254/latest", "not permitted"),
        ("http://[::1]:80/a", "not permitted"),
        ("//192.168.1.1/a", "not permitted"),
        ("http://user:secret@127.0.0.1/a", "not an http or https URL"),
        ("file:///etc/passwd", "not an http or https URL"),
    ],
)
def test_a_redirect_does_not_lead_inside(tmp_path: Path, location: str, reason: str) -> None:
    answer = ok(b"", f"Location: {location}", status="302 Found")
    assert reason in refused(tmp_path, answer)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a", "http://localhost:1/a", "http://[::ffff:127.0.0.1]:1/a"]
)
def test_nothing_inside_is_reached(tmp_path: Path, url: str) -> None:
    assert "not permitted" in refused(tmp_path, path=url, allowed=())


@pytest.mark.parametrize("url", ["ftp://a/b", "file:///etc/passwd", "http:///a", "http://x:99999/"])
def test_other_addresses_are_none(tmp_path: Path, url: str) -> None:
    assert refused(tmp_path, path=url).startswith("the address ")


def test_nobody_is_there(tmp_path: Path) -> None:
    assert refused(tmp_path, path="http://127.0.0.1:1/a") == ("cannot connect: Connection refused")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(tmp_path: Path, status: int) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        path = await downloads.fetch(server.url + "/a/b")
        assert path.read_bytes() == AUDIO
        assert server.requests[1].startswith(b"GET /a/c?d HTTP/1.1")

    against(tmp_path, scenario, ok(b"", "Location: c?d", status=f"{status} There"), ok())


def test_a_server_that_never_ends(tmp_path: Path) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        with pytest.raises(FetchFailed, match=r"did not come within 0\.1 seconds"):
            await downloads.fetch(server.url)
        assert not os.listdir(tmp_path)

    for answer in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"):
        against(tmp_path, scenario, answer, download_timeout_s=0.1)


def test_those_who_want_the_same_share_it(tmp_path: Path) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        server.gate.clear()
        tasks = [asyncio.create_task(downloads.fetch(server.url)) for _ in range(20)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        server.gate.set()
        paths = await asyncio.gather(*tasks[1:])
        assert len(set(paths)) == 1
        assert len(server.requests) == 1
        assert tasks[0].cancelled()

    against(tmp_path, scenario)


def test_a_failure_is_shared_and_not_kept(tmp_path: Path) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        outcomes = await asyncio.gather(
            *(downloads.fetch(server.url) for _ in range(3)), return_exceptions=True
        )
        assert [str(each) for each in outcomes] == ["the server answered 500"] * 3
        assert (await downloads.fetch(server.url)).read_bytes() == AUDIO

    against(tmp_path, scenario, ok(status="500 Oh"), ok())


@pytest.mark.parametrize(
    ("control", "requests"),
    [("max-age=60", 1), ("public, max-age=60", 1), ("no-cache, max-age=60", 2), ("x", 2),
     ("s-max-age=9", 2), ("max-age=60, no-store", 2), ("max-age=0", 2)],
)  # fmt: skip
def test_what_is_fresh_is_not_asked_for_again(tmp_path: Path, control: str, requests: int) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        for _ in range(2):
            assert (await downloads.fetch(server.url)).read_bytes() == AUDIO
        assert len(server.requests) == requests

    against(tmp_path, scenario, ok(AUDIO, f"Cache-Control: {control}"))


def test_what_is_fresh_grows_old(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(downloads: Downloads, server: Server) -> None:
        for seconds, requests in ((0, 1), (3_599, 1), (2, 2)):
            clock.now += seconds
            await downloads.fetch(server.url)
            assert len(server.requests) == requests

    against(tmp_path, scenario, ok(AUDIO, "Cache-Control: max-age=999999999"), clock=clock)


@pytest.mark.parametrize(
    ("given", "asked"),
    [('ETag: "v1"', 'If-None-Match: "v1"'), ("Last-Modified: Mon", "If-Modified-Since: Mon")],
)
def test_a_file_that_has_not_changed_is_not_sent_again(
    tmp_path: Path, given: str, asked: str
) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        first = await downloads.fetch(server.url)
        assert await downloads.fetch(server.url) == first
        assert first.read_bytes() == AUDIO
        assert asked.encode() in server.requests[1]
        changed = await downloads.fetch(server.url)
        assert changed.read_bytes() == b"new"
        assert first.read_bytes() == AUDIO  # somebody may be about to open it

    unchanged = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    against(tmp_path, scenario, ok(AUDIO, given), unchanged, ok(b"new"))


def test_there_is_room_for_so_much(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario(downloads: Downloads, server: Server) -> None:
        paths = [await downloads.fetch(f"{server.url}/{number}") for number in range(6)]
        assert all(path.exists() for path in paths)  # in use
        clock.now += IN_USE_S
        assert await downloads.fetch(f"{server.url}/0") == paths[0]
        await downloads.fetch(f"{server.url}/new")
        assert [path.exists() for path in paths] == [True, False, False, False, False, True]

    answer = ok(bytes(1_000), "Cache-Control: max-age=999")
    against(tmp_path, scenario, answer, clock=clock, download_cache=3_000)


def test_the_folder_is_emptied_in_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "old").write_bytes(b"old")
    Downloads(tmp_path / "files", TargetGuard(), Media())
    assert not list((tmp_path / "files").iterdir())


def test_a_slow_host_does_not_get_more_than_its_share(tmp_path: Path) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        server.gate.clear()
        tasks = [
            asyncio.create_task(downloads.fetch(f"{server.url}/{number}"))
            for number in range(UNDER_WAY_PER_HOST + 10)
        ]
        for _ in range(UNDER_WAY_PER_HOST):
            await server.heard.acquire()
        await asyncio.sleep(0.02)
        assert len(server.requests) == UNDER_WAY_PER_HOST
        server.gate.set()
        assert len(set(await asyncio.gather(*tasks))) == UNDER_WAY_PER_HOST + 10

    against(tmp_path, scenario)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "files"

    async def scenario(downloads: Downloads, server: Server) -> None:
        folder.rmdir()
        with pytest.raises(FetchFailed, match="the file cannot be kept: No such file"):
            await downloads.fetch(server.url)

    against(folder, scenario)


def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    async def scenario(downloads: Downloads, server: Server) -> None:
        server.gate.clear()
        task = asyncio.create_task(downloads.fetch(server.url))
        await server.heard.acquire()
        await downloads.close()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.gate.set()

    against(tmp_path, scenario)
