"""The HTTP client against a real server on loopback: framing, reuse, bounds, time-outs, TLS."""

import asyncio
import datetime
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace
from tests.dispatch.fakes import SETTINGS

from tertulia.dispatch.answer import Answer, Call, Failure, Response
from tertulia.dispatch.client import HttpSender
from tertulia.dispatch.connection import HEAD_KEPT, RESPONSE_MAX
from tertulia.dispatch.target import TargetGuard

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request with what `answer` writes; knows its connections and requests."""

    def __init__(self, *answers: bytes, close_after: bool = False) -> None:
        self.answers = list(answers)
        self.close_after = close_after
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while request := await self._request(reader):
                self.requests.append(request)
                answer = self.answers.pop(0) if self.answers else OK
                writer.write(answer)
                await writer.drain()
                if self.close_after:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.closed.set()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.startswith(b"Content-Length: "):
                length = int(line.split(b": ")[1])
        return head + await reader.readexactly(length)


def call(url: str, *, total_ms: int = 5_000, method: str = "POST", body: bytes = b"{}") -> Call:
    return Call(url, method, b"X-Test: 1\r\n", body, 2_000, total_ms)


Scenario = Callable[[HttpSender, str], Awaitable[None]]


def against(
    server: Callable[[], Server],
    scenario: Callable[[HttpSender, str, Server], Awaitable[None]],
    *,
    tls: ssl.SSLContext | None = None,
    trust: ssl.SSLContext | None = None,
    allowed: tuple[str, ...] = ("127.0.0.0/8",),
    idle_ms: int = 30_000,
) -> None:
    async def main() -> None:
        serving = server()
        listening = await asyncio.start_server(serving, "127.0.0.1", 0, ssl=tls)
        port = listening.sockets[0].getsockname()[1]
        settings = replace(SETTINGS, idle_ms=idle_ms, connections_per_origin=4)
        sender = HttpSender(settings, TargetGuard(allowed), tls=trust)
        scheme = "https" if tls else "http"
        try:
            await scenario(sender, f"{scheme}://127.0.0.1:{port}/hook?a=b", serving)
        finally:
            sender.close()
            listening.close()
            for writer in serving.writers:
                writer.close()
            await asyncio.sleep(0)

    for loop_factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())


def answered_with(answer: bytes, *, close_after: bool = False) -> Answer:
    """What the client makes of one answer."""
    found: list[Answer] = []

    async def scenario(sender: HttpSender, url: str, _: Server) -> None:
        found.append(await sender.send(call(url)))

    against(lambda: Server(answer, close_after=close_after), scenario)
    assert isinstance(found[0], Failure) or found[0] == found[1]
    return found[0]


def test_the_request_on_the_wire() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        assert await sender.send(call(url, body=b'{"x":1}')) == Response(200, b"ok")
        await sender.send(replace(call(url, method="GET", body=b""), query="c=%7B%7D"))
        port = url.split(":")[2].split("/")[0].encode()
        assert server.requests == [
            b"POST /hook?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + port
            + b'\r\nContent-Length: 7\r\nX-Test: 1\r\n\r\n{"x":1}',
            b"GET /hook?a=b&c=%7B%7D HTTP/1.1\r\nHost: 127.0.0.1:" + port
            + b"\r\nX-Test: 1\r\n\r\n",
        ]  # fmt: skip
        assert server.connections == 1

    against(Server, scenario)


@pytest.mark.parametrize(
    ("answer", "close_after", "expected"),
    [
        (OK, False, Response(200, b"ok")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, Response(204, b"")),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", False, Response(500, b"")),
        (b"HTTP/1.1 302 Found\r\nLocation: http://h/\r\nContent-Length: 0\r\n\r\n", False,
         Response(302, b"")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         False, Response(200, b"abc")),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", True,
         Response(200, b"to the end")),
        (b"HTTP/1.0 201 Created\r\n\r\nold", True, Response(201, b"old")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, False, Response(200, b"ok")),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, False, Response(200, b"ok")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, False,
         Response(200, b"x" * HEAD_KEPT)),
    ],
)  # fmt: skip
def test_answers(answer: bytes, close_after: bool, expected: Response) -> None:
    assert answered_with(answer, close_after=close_after) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200",
        b"",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    assert isinstance(answered_with(answer, close_after=True), Failure)


def test_the_status_of_an_endless_answer_counts() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * (RESPONSE_MAX + 1)
    assert answered_with(endless) == Response(200, b"x" * HEAD_KEPT)


def test_endless_headers_do_not() -> None:
    endless = b"HTTP/1.1 200 OK\r\nX: " + b"x" * (RESPONSE_MAX + 1)
    assert isinstance(answered_with(endless), Failure)


def test_connections_are_kept_and_bounded() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        for _ in range(5):
            await sender.send(call(url))
        assert server.connections == 1
        await asyncio.gather(*(sender.send(call(url)) for _ in range(50)))
        assert server.connections <= 4
        assert len(server.requests) == 55

    against(Server, scenario)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        OK + b"HTTP/1.1 200 OK\r\n",
        OK + b"garbage",
    ],
)
def test_a_connection_is_not_used_again_when_it_says_so_or_says_too_much(answer: bytes) -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        for _ in range(2):
            assert isinstance(await sender.send(call(url)), Response)
        assert server.connections == 2

    against(lambda: Server(answer), scenario)


def test_a_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        assert await sender.send(call(url)) == Response(200, b"ok")
        server.writers[0].transport.abort()  # the client cannot have noticed yet
        assert await sender.send(call(url)) == Response(200, b"ok")
        assert server.connections == 2

    against(Server, scenario)


def test_a_fresh_connection_that_is_closed_is_a_failure_and_not_tried_again() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        assert isinstance(await sender.send(call(url)), Failure)
        assert server.connections == 1

    against(lambda: Server(b"", close_after=True), scenario)


def test_a_slow_answer_is_a_failure() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        found = await sender.send(call(url, total_ms=50))
        assert found == Failure("no answer within 50 ms", is_sent=True)
        await server.closed.wait()
        assert await sender.send(call(url)) == Response(200, b"ok")

    against(lambda: Server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), scenario)


def test_idle_connections_are_closed() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        await sender.send(call(url))
        await server.closed.wait()

    against(Server, scenario, idle_ms=20)


def test_what_the_guard_refuses_is_never_connected_to() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        assert isinstance(await sender.send(call(url)), Failure)
        for host in ("localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            port = url.split(":")[2].split("/")[0]
            assert isinstance(await sender.send(call(f"http://{host}:{port}/")), Failure)
        assert server.connections == 0

    against(Server, scenario, allowed=())


def test_nobody_there_and_no_url() -> None:
    async def main() -> None:
        listening = await asyncio.start_server(Server(), "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        listening.close()
        await listening.wait_closed()
        sender = HttpSender(SETTINGS, TargetGuard(["127.0.0.0/8"]))
        assert isinstance(await sender.send(call(f"http://127.0.0.1:{port}/")), Failure)
        assert isinstance(await sender.send(call("nonsense")), Failure)

    asyncio.run(main())


def test_cancelling_closes_the_connection() -> None:
    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        sending = asyncio.create_task(sender.send(call(url)))
        while not server.requests:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await server.closed.wait()

    against(lambda: Server(b"HTTP/1.1 200 OK\r\n"), scenario)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "receiver.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    return serving, ssl.create_default_context(cafile=path)


def test_tls_to_a_trusted_receiver(tmp_path: Path) -> None:
    serving, trusting = certificate(tmp_path)

    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        for _ in range(3):
            assert await sender.send(call(url)) == Response(200, b"ok")
        assert server.connections == 1

    against(Server, scenario, tls=serving, trust=trusting)


def test_tls_refuses_what_it_cannot_verify(tmp_path: Path) -> None:
    serving, trusting = certificate(tmp_path)

    async def scenario(sender: HttpSender, url: str, server: Server) -> None:
        found = await sender.send(call(url))
        assert isinstance(found, Failure)
        assert "CERTIFICATE_VERIFY_FAILED" in found.reason
        assert server.requests == []

    async def other_name(sender: HttpSender, url: str, server: Server) -> None:
        found = await sender.send(call(url.replace("127.0.0.1", "127.0.0.2")))
        assert isinstance(found, Failure)
        assert server.requests == []

    against(Server, scenario, tls=serving)
    against(Server, other_name, tls=serving, trust=trusting)
