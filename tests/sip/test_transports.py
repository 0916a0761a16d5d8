"""Messages over loopback by UDP, TCP and TLS, and what peers may not do to us."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop
from tests.sip.sockets import FREE, HOST, Post, options, secrecy, until, with_most

from tertulia.protocols.sip.message import BadMessage
from tertulia.sip.sockets import Faces


def play(scenario: Callable[[Post, Post], Awaitable[None]], folder: Path | None = None) -> None:
    """With two that listen, the first of which may have one connection at once if it is told."""

    async def run() -> None:
        tls = secrecy(folder) if folder else None
        one, other = await Post().open(tls), await Post().open(tls)
        try:
            await scenario(one, other)
        finally:
            await one.transports.close()
            await other.transports.close()

    uvloop.run(run())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_messages_go_there_and_back_by_the_same_flow(transport: str, tmp_path: Path) -> None:
    async def scenario(one: Post, other: Post) -> None:
        there = one.flow(transport, other)
        for number in range(3):
            assert one.transports.send(there, options(number))
        await until(lambda: len(other.items) == 3)
        _, back = other.items[0]
        assert back.transport == transport
        assert back.local == there.peer
        assert other.transports.send(back, options(7))
        await until(lambda: len(one.items) == 1)
        assert one.items[0][1] == there
        assert one.flow(transport, other) == there

    play(scenario, tmp_path)


def test_udp_and_tcp_have_the_same_port(tmp_path: Path) -> None:
    async def scenario(one: Post, other: Post) -> None:
        assert one.flow("udp", other).local == one.flow("tcp", other).local
        assert one.transports.tls_port not in (0, one.transports.port)

    play(scenario, tmp_path)


def test_messages_on_a_stream_may_be_long_and_come_in_pieces() -> None:
    async def scenario(one: Post, other: Post) -> None:
        reader, writer = await asyncio.open_connection(HOST, one.transports.port)
        message = options(1, b"x" * 20_000)
        for start in range(0, len(message), 7_000):
            writer.write(message[start : start + 7_000])
            await writer.drain()
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), 20) == b"\r\n"
        assert len(one.items) == 1
        writer.close()
        await until(lambda: one.lost == [one.items[0][1]])

    play(scenario)


def test_what_is_no_sip_is_said_and_nothing_more_is_read_from_there() -> None:
    async def scenario(one: Post, other: Post) -> None:
        reader, writer = await asyncio.open_connection(HOST, one.transports.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + options())
        assert await asyncio.wait_for(reader.read(), 20) == b""
        assert [type(item) for item, _ in one.items] == [BadMessage]
        writer.close()

    play(scenario)


def test_datagrams_that_are_no_messages_do_no_harm() -> None:
    async def scenario(one: Post, other: Post) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for data in (b"", b"\0", b"\r\n\r\n", b"\xff" * 60_000, options()[:60], options()):
                peer.sendto(data, (HOST, one.transports.port))
            await until(lambda: one.lines[-1:] == ["OPTIONS sip:tertulia.test SIP/2.0"])
        assert [type(item) for item, _ in one.items[:-1]] == [BadMessage, BadMessage]

    play(scenario)


def test_a_connection_that_cannot_be_made_is_lost() -> None:
    async def scenario(one: Post, other: Post) -> None:
        there = one.flow("tcp", other)
        await other.transports.close()
        assert one.transports.send(there, options())
        await until(lambda: one.lost == [there])
        assert not one.transports.send(there, options())
        assert one.flow("tcp", other) != there

    play(scenario)


def test_a_certificate_has_to_be_of_the_host_that_was_meant(tmp_path: Path) -> None:
    async def scenario(one: Post, other: Post) -> None:
        peer = (HOST, other.transports.tls_port)
        there = one.transports.flow("tls", peer, "tertulia.example")
        assert there is not None
        one.transports.send(there, options())
        await until(lambda: one.lost == [there])
        assert other.items == []

    play(scenario, tmp_path)


def test_without_a_certificate_there_is_no_tls() -> None:
    async def scenario(one: Post, other: Post) -> None:
        assert one.transports.tls_port == 0
        assert one.transports.flow("tls", (HOST, 5061), HOST) is None

    play(scenario)


def test_one_connection_too_many_is_closed() -> None:
    async def run() -> None:
        post = await Post(with_most(4)).open()
        _, writer = await asyncio.open_connection(HOST, post.transports.port)
        writer.write(options())
        await until(lambda: len(post.items) == 1)
        other, second = await asyncio.open_connection(HOST, post.transports.port)
        assert await asyncio.wait_for(other.read(), 20) == b""
        assert (post.counts["connections"], post.counts["connections_refused"]) == (1, 1)
        writer.close()
        second.close()
        await until(lambda: post.transports.connections == 0)
        _, writer = await asyncio.open_connection(HOST, post.transports.port)
        writer.write(options())
        await until(lambda: len(post.items) == 2)
        writer.close()
        await post.transports.close()

    uvloop.run(run())


def test_a_peer_that_does_not_read_is_cut() -> None:
    async def scenario(one: Post, other: Post) -> None:
        with socket.socket() as peer:
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(peer, (HOST, one.transports.port))
            await loop.sock_sendall(peer, options())
            await until(lambda: len(one.items) == 1)
            flow, sent = one.items[0][1], 0
            while one.lost == []:
                one.transports.send(flow, options(1, b"x" * 60_000))
                sent += 60_000
                assert sent < 64_000_000
                await asyncio.sleep(0)
            assert one.counts["connections_cut"] >= 1

    play(scenario)


@pytest.mark.parametrize(
    ("sent", "limit"), [(options()[:40], "DAWDLE_SECONDS"), (b"", "STRANGER_SECONDS")]
)
def test_who_dawdles_or_says_nothing_is_cut(
    sent: bytes, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tertulia.sip.connections.SWEEP", 0.01)
    monkeypatch.setattr(f"tertulia.sip.connections.{limit}", 0.05)

    async def scenario(one: Post, other: Post) -> None:
        reader, writer = await asyncio.open_connection(HOST, one.transports.port)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 20) == b""
        assert one.counts["connections_cut"] == 1
        writer.close()

    play(scenario)


def test_who_is_known_may_say_nothing_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tertulia.sip.connections.SWEEP", 0.01)
    monkeypatch.setattr("tertulia.sip.connections.PING_SECONDS", 0.05)
    monkeypatch.setattr("tertulia.sip.connections.STRANGER_SECONDS", 0.2)

    async def scenario(one: Post, other: Post) -> None:
        reader, writer = await asyncio.open_connection(HOST, one.transports.port)
        writer.write(options())
        await until(lambda: len(one.items) == 1)
        one.transports.know(one.items[0][1])
        pings = await asyncio.wait_for(reader.readexactly(4 * 6), 20)
        assert pings == b"\r\n\r\n" * 6
        assert one.lost == []
        writer.close()

    play(scenario)


def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    async def scenario(one: Post, other: Post) -> None:
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            third = Post(type(FREE)(port=taken.getsockname()[1]))
            with pytest.raises(OSError):
                await third.open()
            with pytest.raises(OSError):
                await Post(type(FREE)(port=one.transports.port)).open()

    play(scenario)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_is_listened_on_as_well() -> None:
    async def run() -> None:
        try:
            one = await Post(type(FREE)(port=0, host6="::1")).open()
        except OSError:
            pytest.skip("this machine has no IPv6")
        other = await Post(type(FREE)(port=0, host="::1")).open()
        for transport in ("udp", "tcp"):
            there = other.flow(transport, one, "::1")
            assert other.transports.send(there, options())
        await until(lambda: len(one.items) == 2)
        assert {flow.local for _, flow in one.items} == {("::1", one.transports.port)}
        await one.transports.close()
        await other.transports.close()

    uvloop.run(run())


def test_peers_are_told_the_address_that_they_can_reach() -> None:
    assert Faces("192.0.2.1").toward("9.9.9.9") == "192.0.2.1"
    nat = Faces("192.168.1.2", "9.8.7.6")
    assert (nat.toward("9.9.9.9"), nat.toward("192.168.1.3")) == ("9.8.7.6", "192.168.1.2")
    assert Faces("0.0.0.0").toward("127.0.0.9") == "127.0.0.1"
    assert nat.toward("2001:4860::1") == "192.168.1.2"


def test_trust_needs_an_authority(tmp_path: Path) -> None:
    async def run() -> None:
        tls = secrecy(tmp_path)
        strict = tls._replace(client=ssl.create_default_context())
        one, other = await Post().open(strict), await Post().open(tls)
        there = one.flow("tls", other)
        one.transports.send(there, options())
        await until(lambda: one.lost == [there])
        await one.transports.close()
        await other.transports.close()

    uvloop.run(run())
