import asyncio
import datetime
import ipaddress
import logging
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.web.conftest import Run
from tests.web.site import (
    GET,
    LAST,
    Gate,
    client,
    echo,
    reset_on_close,
    site,
    turns,
    until,
)

from tertulia.protocols.http1 import Limits, Request, Response
from tertulia.web.connection import Handle


def test_answers_one_after_the_other(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(b"POST /x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            first = await peer.answer()
            assert first.body == b"http 127.0.0.1 POST /x?y 3"
            assert first.headers == {
                "content-type": "text/plain",
                "content-length": "26",
                "date": "Mon, 04 May 2026 09:15:22 GMT",
            }
            peer.send(LAST)
            last = await peer.answer()
            assert last.headers["connection"] == "close"
            assert await peer.is_at_end()
            assert here.server.responses == (0, 0, 2, 0, 0, 0)
            await here.has_connections(0)

    run(main())


def test_head_has_no_body(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(b"HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
            head = await peer.answer(has_body=False)
            assert head.headers["content-length"] == "24"
            assert (await peer.answer()).body.endswith(b"GET /a 0")

    run(main())


def test_pipelined_requests_are_carried_out_in_order_and_one_at_a_time(run: Run) -> None:
    async def main() -> None:
        running = 0

        async def handle(request: Request, scheme: str) -> Response:
            nonlocal running
            running += 1
            assert running == 1
            await turns(3)
            running -= 1
            return Response(200, request.query.encode())

        async with site(handle, pipeline=4) as here, client(here.port) as peer:
            for number in range(50):
                peer.send(b"GET /?%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
            answers = [await peer.answer() for _ in range(50)]
            assert [int(answer.body) for answer in answers] == list(range(50))
            await turns()
            peer.send(GET)
            assert (await peer.answer()).status == 200, "reading goes on"

    run(main())


def test_no_more_is_read_than_may_wait(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate, pipeline=4) as here, client(here.port) as peer:
            peer.send(GET)
            await until(lambda: gate.begun == 1)
            flood = GET * 1_000_000
            peer.send(flood)
            await turns(1000)
            unsent = peer.writer.transport.get_write_buffer_size()
            assert unsent > len(flood) // 2, "all but the sockets' own buffers is still here"

    run(main())


def test_good_requests_are_answered_before_the_bad_one_is_refused(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(GET + b"GET /\0 HTTP/1.1\r\n\r\n" + GET)
            assert (await peer.answer()).status == 200
            refusal = await peer.answer()
            assert (refusal.status, refusal.code) == (400, "http:error:bad-request")
            assert refusal.headers["connection"] == "close"
            assert await peer.is_at_end()
            assert here.server.responses == (0, 0, 1, 0, 1, 0)

    run(main())


def test_a_refused_peer_is_listened_to_for_a_while(run: Run) -> None:
    """Else the reset that meets the rest of its body may overtake the refusal."""

    async def main() -> None:
        async with site(echo, Limits(body=1000)) as here, client(here.port) as peer:
            peer.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n")
            assert (await peer.answer()).status == 413
            assert await peer.is_at_end()
            peer.send(b"x" * 1_000_000)
            await peer.writer.drain()
            here.pass_time(1.9)
            await turns()
            assert here.server.connections == 1
            here.pass_time(0.1)
            await here.has_connections(0)

    run(main())


def test_a_refused_peer_that_hangs_up_is_let_go(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(b"nonsense\r\n\r\n")
            assert (await peer.answer()).status == 400
            peer.writer.close()
            await here.has_connections(0)

    run(main())


@pytest.mark.parametrize(
    "begun", [b"G", GET[:-1], b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1234"]
)
def test_a_request_must_arrive_in_time(run: Run, begun: bytes) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(GET + begun)
            await peer.answer()
            here.pass_time(14.9)
            await turns()
            here.pass_time(0.1)
            late = await peer.answer()
            assert (late.status, late.code) == (408, "http:error:request-timeout")
            assert await peer.is_at_end()

    run(main())


def test_every_request_has_its_own_time(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            for _ in range(5):
                peer.send(GET[:9])
                await turns()
                here.pass_time(10)
                peer.send(GET[9:] + GET + GET[:9])
                await peer.answer()
                await peer.answer()
                here.pass_time(10)
                peer.send(GET[9:])
                assert (await peer.answer()).status == 200

    run(main())


def test_a_long_answer_is_no_fault_of_the_peer(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate) as here, client(here.port) as peer:
            peer.send(GET)
            await until(lambda: gate.begun == 1)
            here.pass_time(1000)
            gate.open.set()
            assert (await peer.answer()).status == 200
            here.pass_time(74)
            peer.send(GET)
            assert (await peer.answer()).status == 200

    run(main())


def test_an_idle_connection_is_closed_without_a_word(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as used, client(here.port) as unused:
            used.send(GET)
            await used.answer()
            await here.has_connections(2)
            here.pass_time(74.9)
            await turns()
            assert here.server.connections == 2
            here.pass_time(0.1)
            assert await used.is_at_end()
            assert await unused.is_at_end()
            await here.has_connections(0)

    run(main())


BIG = 64 * 1024 * 1024
"""More than the sockets' own buffers take."""


def big_answers(handled: list[str]) -> Handle:
    async def handle(request: Request, scheme: str) -> Response:
        handled.append(request.path)
        return Response(200, bytes(BIG))

    return handle


def test_nothing_is_carried_out_while_the_peer_takes_no_answers(run: Run) -> None:
    async def main() -> None:
        handled: list[str] = []
        async with site(big_answers(handled)) as here, client(here.port) as peer:
            peer.send(GET + LAST)
            await until(lambda: bool(handled))
            await turns()
            assert handled == ["/a"]
            here.pass_time(29.9)
            assert len((await peer.answer()).body) == BIG
            assert len((await peer.answer()).body) == BIG
            assert handled == ["/a", "/last"]

    run(main())


@pytest.mark.parametrize("request_", [GET, LAST])
def test_a_peer_that_takes_nothing_is_cut(run: Run, request_: bytes) -> None:
    async def main() -> None:
        handled: list[str] = []
        async with site(big_answers(handled)) as here, client(here.port) as peer:
            peer.send(request_)
            await until(lambda: bool(handled))
            await turns()
            here.pass_time(29.9)
            await turns()
            assert here.server.connections == 1
            here.pass_time(0.1)
            await here.has_connections(0)

    run(main())


@pytest.mark.parametrize("request_", [GET, LAST])
def test_a_peer_that_takes_its_time_is_not_cut(run: Run, request_: bytes) -> None:
    async def main() -> None:
        async with site(big_answers([])) as here, client(here.port) as peer:
            peer.send(request_)
            await peer.reader.readuntil(b"\r\n\r\n")
            for _ in range(16):
                await peer.reader.readexactly(BIG // 16)
                await turns()
                here.pass_time(29)

    run(main())


def test_one_connection_too_many(run: Run) -> None:
    async def main() -> None:
        async with site(echo, connections_max=1) as here, client(here.port) as first:
            first.send(GET)
            await first.answer()
            async with client(here.port) as second:
                refusal = await second.answer()
                assert (refusal.status, refusal.headers["retry-after"]) == (503, "1")
                assert await second.is_at_end()
            first.send(LAST)
            assert (await first.answer()).status == 200
            await here.has_connections(0)
            async with client(here.port) as third:
                third.send(GET)
                assert (await third.answer()).status == 200

    run(main())


@pytest.mark.parametrize("bug", ["raises", "forges a header"])
def test_a_bug_ends_its_request_and_nothing_else(
    run: Run, bug: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(request: Request, scheme: str) -> Response:
        if request.path == "/last":
            return Response(200)
        if bug == "raises":
            raise KeyError(bug)
        return Response(200, headers=(("Location", "a\r\nb"),))

    async def main() -> None:
        async with site(handle) as here, client(here.port) as peer:
            peer.send(b"GET /bug?token=secret HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = await peer.answer()
            assert (answer.status, answer.code) == (500, "system:error:internal-error")
            assert b"i-1" in answer.body
            peer.send(LAST)
            assert (await peer.answer()).status == 200

    with caplog.at_level(logging.INFO):
        run(main())
    (record,) = (each for each in caplog.records if each.name.startswith("tertulia"))
    assert record.exc_info
    told = {"action": "request_failed", "method": "GET", "path": "/bug", "instance": "i-1"}
    assert vars(record).items() >= told.items()
    assert "secret" not in str(vars(record))


def test_a_request_is_finished_when_its_peer_has_gone(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate) as here:
            async with client(here.port) as peer:
                peer.send(GET * 3)
                await until(lambda: gate.begun == 1)
                reset_on_close(peer)
            await turns(200)
            gate.open.set()
            await here.has_connections(0)
            assert (gate.begun, gate.finished) == (1, 1), "and what only waited is not begun"

    run(main())


def test_a_peer_that_only_stopped_sending_gets_its_answer(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate) as here, client(here.port) as peer:
            peer.send(GET + GET + GET[:5])
            peer.writer.write_eof()
            await until(lambda: gate.begun == 1)
            gate.open.set()
            assert (await peer.answer()).status == 200
            assert (await peer.answer()).status == 200
            assert await peer.is_at_end()
            await here.has_connections(0)

    run(main())


def test_continue_is_said_when_its_turn_has_come(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(GET)
            peer.send(
                b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            )
            assert (await peer.answer()).status == 200
            assert await peer.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.send(b"ab")
            assert (await peer.answer()).body.endswith(b"POST / 2")

    run(main())


def test_a_websocket_handshake_is_answered_and_the_connection_closed(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here, client(here.port) as peer:
            peer.send(GET[:-2] + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x00" + GET)
            assert (await peer.answer()).headers["connection"] == "close"
            assert await peer.is_at_end()

    run(main())


def test_draining_answers_what_has_begun_and_closes_the_rest(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate) as here, client(here.port) as busy, client(here.port) as idle:
            await here.has_connections(2)
            busy.send(GET + LAST[:9])
            await until(lambda: gate.begun == 1)
            draining = asyncio.create_task(here.server.drain(10))
            assert await idle.is_at_end()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", here.port)
            assert not draining.done()
            gate.open.set()
            assert (await busy.answer()).headers["connection"] == "close"
            assert await busy.is_at_end()
            await draining
            assert here.server.connections == 0

    run(main())


def test_draining_answers_all_that_was_read(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate, pipeline=2) as here, client(here.port) as peer:
            peer.send(GET * 5)
            await until(lambda: gate.begun == 1)
            draining = asyncio.create_task(here.server.drain(10))
            await turns()
            gate.open.set()
            answers = [await peer.answer() for _ in range(5)]
            assert ["connection" in answer.headers for answer in answers] == [False] * 4 + [True]
            assert await peer.is_at_end()
            await draining

    run(main())


def test_draining_ends_in_time(run: Run) -> None:
    async def main() -> None:
        gate = Gate()
        async with site(gate) as here, client(here.port) as peer:
            peer.send(GET)
            await until(lambda: gate.begun == 1)
            await here.server.drain(0)
            assert here.server.connections == 0
            assert gate.finished == 0
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await peer.answer()

    run(main())


def test_listeners_are_many_and_stop_together(run: Run) -> None:
    async def main() -> None:
        async with site(echo) as here:
            other = await here.server.listen("127.0.0.1", 0)
            for port in (here.port, other):
                async with client(port) as peer:
                    peer.send(GET)
                    assert (await peer.answer()).status == 200
            here.server.stop_accepting()
            for port in (here.port, other):
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", port)

    run(main())


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate of its own, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "both.pem").write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def test_tls(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        inside, outside = certified(tmp_path)
        async with site(echo, tls=inside) as here, client(here.port, outside) as peer:
            peer.send(GET + b"nonsense\r\n\r\n")
            assert (await peer.answer()).body.startswith(b"https 127.0.0.1")
            assert (await peer.answer()).status == 400
            peer.writer.close()
            await here.has_connections(0)

    run(main())


def test_tls_is_drained_too(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        inside, outside = certified(tmp_path)
        async with site(echo, tls=inside) as here, client(here.port, outside) as peer:
            peer.send(GET)
            await peer.answer()
            draining = asyncio.create_task(here.server.drain(10))
            assert await peer.is_at_end()
            await draining
            assert here.server.connections == 0

    run(main())
