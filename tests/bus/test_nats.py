"""The bus over NATS, on a real server, and what befalls that."""

import asyncio
import socket
import ssl
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.bus import BusContract, until
from tests.nats import running

import nats
from tertulia.bus.nats import NatsBus, servers
from tertulia.devkit.authority import ensure_certificate
from tertulia.model.instant import Instant
from tertulia.ports.cluster import Bus, Unanswered


class TestNatsBus(BusContract):
    @pytest.fixture(autouse=True)
    def _server(self) -> Iterator[None]:
        with running() as self.server:
            yield

    async def open(self) -> NatsBus:
        bus = await NatsBus.open(self.server.url)
        assert bus.is_up
        return bus

    async def cut(self, bus: Bus) -> None:
        self.server.stop()
        await until(lambda: not bus.is_up)

    async def heal(self, bus: Bus) -> None:
        self.server.start()

    def test_it_starts_while_the_server_is_down(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            self.server.stop()
            begin = time.monotonic()
            late = await NatsBus.open(self.server.url)
            try:
                assert not late.is_up
                assert time.monotonic() - begin < 3
                heard: list[bytes] = []
                await late.subscribe("log", heard.append)
                late.publish("log", b"lost")
                with pytest.raises(Unanswered):
                    await late.ask("log", b"", 5)
                self.server.start()
                await until(lambda: one.is_up and late.is_up)
                one.publish("log", b"found")
                await until(lambda: heard == [b"found"])
            finally:
                await late.close()

        self.play(scene)

    def test_a_server_that_is_paused_is_noticed_and_nothing_waits_for_it(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            gaps: list[int] = []
            await other.subscribe("log", heard.append)
            other.on_gap(lambda: gaps.append(1))
            self.server.pause()
            begin = time.monotonic()
            for _ in range(400):
                one.publish("log", b"w" * 100_000)
            await other.subscribe("late", heard.append)
            assert time.monotonic() - begin < 3
            await until(lambda: not one.is_up and not other.is_up, 5)
            assert gaps
            self.server.go_on()
            await until(lambda: one.is_up and other.is_up)
            heard.clear()
            one.publish("log", b"after")
            one.publish("late", b"late")
            await until(lambda: heard[-2:] == [b"after", b"late"])

        self.play(scene)

    def test_killed_again_and_again_under_load_nothing_comes_out_of_order(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[int] = []
            for subject in ("a", "b", "c"):
                await other.subscribe(subject, lambda word: heard.append(int(word[:9])))
            number = 0
            for _ in range(3):
                for _ in range(300):
                    one.publish("abc"[number % 3], b"%09d" % number + b"." * 500)
                    number += 1
                    if number % 100 == 50:
                        await asyncio.sleep(0.001)
                self.server.stop()
                one.publish("a", b"%09d" % number)
                await until(lambda: not one.is_up and not other.is_up)
                self.server.start()
                await until(lambda: one.is_up and other.is_up)
            one.publish("b", b"%09d" % number)
            await until(lambda: heard[-1:] == [number])
            assert heard == sorted(set(heard))

        self.play(scene)

    def test_who_hears_too_slowly_is_told(self) -> None:
        """The server lets go of who does not read: the line comes back, with a gap."""
        impatient = 'max_payload: 200000\nmax_pending: 1000000\nwrite_deadline: "100ms"\n'
        with running(config=impatient) as server:

            async def run() -> None:
                one = await NatsBus.open(server.url)
                other = await NatsBus.open(server.url)
                gaps: list[int] = []
                heard: list[bytes] = []
                other.on_gap(lambda: gaps.append(1))

                try:
                    await other.subscribe("log", heard.append)
                    first = len(gaps)
                    _flood(server.port)  # while the loop stands still
                    await until(lambda: len(gaps) > first)
                    await until(lambda: other.is_up and one.is_up)
                    one.publish("log", b"end")
                    await until(lambda: heard[-1] == b"end")
                finally:
                    await one.close()
                    await other.close()

            asyncio.run(run())

    def test_what_strangers_publish_on_our_subjects_breaks_nothing(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            await other.subscribe("log", heard.append)

            async def answer(word: bytes) -> bytes:
                return word

            await other.serve("node", answer)
            stranger = await nats.connect(self.server.url)
            inbox = "tertulia.inbox." + "0" * 16 + ".1"
            for subject in ("tertulia.log", "tertulia.node", inbox, "tertulia", "other"):
                await stranger.publish(subject, b"\xff\x00\r\nMSG")
                await stranger.publish(subject, b"", headers={"Status": "503", "a": "b"})
                await stranger.publish(subject, b"x", reply="a.b.c")
            await stranger.flush()
            await stranger.close()
            assert await one.ask("node", b"mine", 5) == b"mine"
            one.publish("log", b"end")
            await until(lambda: heard[-1:] == [b"end"])

        self.play(scene)

    def test_other_installations_on_the_same_server_are_kept_apart(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            stranger = await NatsBus.open(self.server.url, realm="other")
            heard: list[bytes] = []
            await other.subscribe("log", heard.append)
            try:
                await stranger.subscribe("log", heard.append)
                stranger.publish("log", b"theirs")
                await until(lambda: heard == [b"theirs"])
                one.publish("log", b"ours")
                await until(lambda: heard == [b"theirs", b"ours"])
            finally:
                await stranger.close()

        self.play(scene)

    def test_a_server_that_speaks_nonsense_is_left_and_another_is_found(self) -> None:
        async def run() -> None:
            async def babble(reader: StreamReader, writer: StreamWriter) -> None:
                for part in (
                    b'INFO {"max_payload":1}\r\n',
                    b"PONG\r\n",
                    b"MSG x y z\r\n\0\xff" * 9,
                ):
                    writer.write(part)
                await reader.read(100)
                writer.close()

            false = await asyncio.start_server(babble, "127.0.0.1", 0)
            port = false.sockets[0].getsockname()[1]
            bus = await NatsBus.open(
                f"nats://127.0.0.1:{port},{self.server.url},nats://127.0.0.1:1"
            )
            heard: list[bytes] = []
            try:
                await bus.subscribe("log", heard.append)

                def is_heard() -> bool:
                    bus.publish("log", b"x")
                    return bool(heard)

                await until(is_heard)
            finally:
                await bus.close()
                false.close()

        asyncio.run(run())


def _flood(port: int) -> None:
    """By a client of its own, more than a line and its buffers hold."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(b'CONNECT {"verbose":false}\r\n')
        for _ in range(300):
            line.sendall(b"PUB tertulia.log 100000\r\n" + bytes(100_000) + b"\r\n")
        line.sendall(b"PING\r\n")
        while b"PONG" not in line.recv(4096):
            pass
        time.sleep(0.5)


SECRET = "s3cr%C3%A9t"


def test_credentials_open_the_door_and_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    accounts = 'authorization { users = [ {user: "tert ulia", password: "s3cr\u00e9t"} ] }'
    caplog.set_level("DEBUG")

    async def run(address: str) -> None:
        right = await NatsBus.open(f"nats://tert%20ulia:{SECRET}@{address}")
        wrong = await NatsBus.open(f"nats://tert%20ulia:{SECRET}x@{address}")
        none = await NatsBus.open(f"nats://{address}")
        heard: list[bytes] = []
        try:
            assert right.is_up and not wrong.is_up and not none.is_up
            await right.subscribe("log", heard.append)
            right.publish("log", b"1")
            await until(lambda: bool(heard))
            assert "s3cr" not in repr(right)
        finally:
            for bus in (right, wrong, none):
                await bus.close()

    with running(config=accounts) as server:
        asyncio.run(run(server.address))
    assert "Authorization" in str([each.__dict__ for each in caplog.records])
    assert "s3cr" not in str([(each.getMessage(), each.__dict__) for each in caplog.records])


def test_over_tls_and_never_in_clear_where_that_was_asked_for(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, "127.0.0.1", now=Instant(int(time.time() * 1000)))
    context = ssl.create_default_context(cafile=made.authority)
    config = f'tls {{ cert_file: "{made.certificate}", key_file: "{made.key}" }}'

    async def run(address: str, plain: str) -> None:
        good = await NatsBus.open(f"tls://{address}", tls=context)
        untrusting = await NatsBus.open(f"tls://{address}")
        in_clear = await NatsBus.open(f"tls://u:p@{plain}", tls=context)
        heard: list[bytes] = []
        try:
            assert (good.is_up, untrusting.is_up, in_clear.is_up) == (True, False, False)
            await good.subscribe("log", heard.append)
            good.publish("log", b"w" * 1_000_000)
            await until(lambda: bool(heard))
        finally:
            for bus in (good, untrusting, in_clear):
                await bus.close()

    with running(config=config) as server, running() as in_clear:
        asyncio.run(run(server.address, in_clear.address))


@pytest.mark.parametrize(
    "url", ["", "nats://", "http://a:1", "nats://u:s3cr@a:b", "a:1", "nats://a,"]
)
def test_what_is_no_address_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ValueError, match=r"bus\.url") as refused:
        servers(url)
    assert "s3cr" not in str(refused.value)


def test_addresses() -> None:
    found = servers("nats://h, tls://tok%40en@[::1]:5,nats://u:p%2F@a.b:1")
    assert [each.place for each in found] == ["nats://h:4222", "tls://[::1]:5", "nats://a.b:1"]
    assert [(each.user, each.password, each.token) for each in found] == [
        (None, None, None), (None, None, "tok@en"), ("u", "p/", None),
    ]  # fmt: skip
