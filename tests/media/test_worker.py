"""The worker's end of the link: a hub that comes, goes, hangs or says something else."""

import asyncio
import gc
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from tests.app.media_peer import hello, until

from tertulia.app.chance import SystemClock
from tertulia.media import link
from tertulia.media import worker as worker_module
from tertulia.media.port import UdpPort
from tertulia.media.worker import Worker, advertised, keep_house, work
from tertulia.model.commands import (
    VERSION,
    AnyReport,
    Closed,
    Echo,
    Hello,
    Levels,
    Load,
    Play,
    Played,
    Record,
    Recorded,
    Report,
    Up,
)
from tertulia.settings import Http, Rtc, Settings, SettingsError
from tertulia.testing.puppet import Puppet


class Host:
    """A hub in the hands of a test."""

    def __init__(self) -> None:
        self.heard: list[AnyReport] = []
        self.connections: list[link.Connection[AnyReport]] = []
        self.lost: list[str] = []

    def enter(self) -> link.Connection[AnyReport]:
        self.connections.append(link.hub_end(self.heard.append, self.lost.append))
        return self.connections[-1]

    async def until_heard(self, *kinds: type[Report]) -> None:
        await until(lambda: {type(each) for each in self.heard} >= set(kinds))


class Plant:
    """Makes the engines of a worker."""

    def __init__(self) -> None:
        self.made: list[Puppet] = []

    def __call__(self, report: Callable[[AnyReport], None]) -> Puppet:
        self.made.append(Puppet(report, SystemClock()))
        return self.made[-1]


@asynccontextmanager
async def working(path: Path) -> AsyncIterator[Plant]:
    plant = Plant()
    running = asyncio.create_task(Worker(path, hello(), plant).run())
    yield plant
    running.cancel()
    results = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)


@asynccontextmanager
async def hosting(path: Path) -> AsyncIterator[Host]:
    host = Host()
    server = await link.listen(path, host.enter)
    yield host
    server.close()
    for connection in host.connections:
        connection.close("over")
    await server.wait_closed()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / link.SOCKET


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "RETRY_FIRST", 0.01)
    monkeypatch.setattr(worker_module, "RETRY_LONGEST", 0.05)


def test_it_says_hello_and_gives_signs_of_life(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "BEAT", 0.01)

    async def run() -> None:
        async with hosting(path) as host, working(path):
            await until(lambda: len(host.heard) >= 4)
            assert host.heard[0] == hello()
            assert {type(each) for each in host.heard[1:]} == {Load}

    uvloop.run(run())


def test_it_waits_for_a_hub_that_is_not_there_yet(path: Path) -> None:
    async def run() -> None:
        async with working(path) as plant:
            await asyncio.sleep(0.05)
            assert plant.made == []
            async with hosting(path) as host:
                await host.until_heard(Hello, Load)

    uvloop.run(run())


def test_a_lost_link_ends_the_legs_and_begins_anew(path: Path) -> None:
    async def run() -> None:
        async with working(path) as plant:
            for _ in range(3):
                async with hosting(path) as host:
                    await host.until_heard(Hello, Load)
                    host.connections[-1].send(Echo("leg"))
                    await host.until_heard(Up)
                    assert plant.made[-1].load().legs == 1
                await until(lambda: plant.made[-1].load().legs == 0)
            assert len(plant.made) == 3

    uvloop.run(run())


def test_a_worker_that_ends_tells_what_became_of_everything(path: Path, tmp_path: Path) -> None:
    async def run() -> None:
        async with hosting(path) as host:
            async with working(path):
                await host.until_heard(Load)
                send = host.connections[0].send
                send(Echo("leg"))
                send(Play("play", "hold", kind="tone", leg="leg"))
                send(Record("record", str(tmp_path / "r"), leg="leg"))
                await host.until_heard(Up)
            await until(lambda: host.lost == ["the other end closed it"])
            ends = [each for each in host.heard if isinstance(each, Played | Recorded | Closed)]
            assert [type(each) for each in ends] == [Played, Recorded, Closed]

    uvloop.run(run())


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


OURS = frame(bytes([VERSION]))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (frame(b"\x03"), "version 3 of the link, and this is version 2"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a frame of 1213486160 octets"),
        (OURS + b"\xff\xff\xff\xff", "a frame of 4294967295 octets"),
        (OURS + frame(b"\x92\xa5Hello\x01"), "a message that is none"),
        (OURS + frame(b"\xc1"), "a message that is none"),
        (OURS + frame(b"\x92\xa4Echo" + b"\x91" * 100_000), "a message that is none"),
    ],
)
def test_a_hub_that_says_something_else_is_left(
    path: Path, caplog: pytest.LogCaptureFixture, said: bytes, why: str
) -> None:
    async def run() -> None:
        strange = socket.socket(socket.AF_UNIX)
        strange.bind(str(path))
        strange.listen()
        strange.setblocking(False)
        async with working(path) as plant:
            line, _ = await asyncio.get_running_loop().sock_accept(strange)
            line.sendall(said)
            await until(lambda: why in caplog.text)
            line.close()
            strange.close()
            async with hosting(path) as host:
                await host.until_heard(Hello, Load)
            assert len(plant.made) == 2

    uvloop.run(run())


def test_a_hub_that_does_not_read_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "BACKLOG_MAX", 1 << 20)

    async def run() -> None:
        stuck = socket.socket(socket.AF_UNIX)
        stuck.bind(str(path))
        stuck.listen()
        stuck.setblocking(False)
        async with working(path) as plant:
            line, _ = await asyncio.get_running_loop().sock_accept(stuck)
            await until(lambda: bool(plant.made))
            levels = dict.fromkeys((f"leg-{number}" for number in range(1000)), -20.0)
            for _ in range(200):
                plant.made[0].levels("room", levels)
            await until(lambda: len(plant.made) == 2)
            line.close()
        stuck.close()

    uvloop.run(run())


def test_a_report_that_is_too_long_is_left_out(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with hosting(path) as host, working(path) as plant:
            await until(lambda: bool(plant.made))
            plant.made[0].levels("room", {"leg" * link.FRAME_MAX: -20.0})
            plant.made[0].up("leg")
            await host.until_heard(Up)
            assert not any(isinstance(each, Levels) for each in host.heard)

    uvloop.run(run())
    assert "a report is too long for the link: Levels" in caplog.text


def test_garbage_is_looked_for_between_the_ticks_only() -> None:
    async def run() -> None:
        keeping = asyncio.create_task(keep_house())
        await asyncio.sleep(0)
        assert not gc.isenabled()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    uvloop.run(run())
    gc.unfreeze()
    assert gc.isenabled()


class Broken(Puppet):
    def load(self) -> Load:
        raise RuntimeError("no tick succeeds any more")


def test_a_broken_engine_ends_the_worker(path: Path) -> None:
    async def run() -> None:
        async with hosting(path) as host:
            worker = Worker(path, hello(), lambda report: Broken(report, SystemClock()))
            with pytest.raises(RuntimeError, match="no tick succeeds"):
                await worker.run()
            await until(lambda: host.lost == ["the other end closed it"])

    uvloop.run(run())


def settings(**rtc: object) -> Settings:
    return Settings(http=Http(host="192.0.2.9"), rtc=Rtc(**rtc))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rtc", "told"),
    [
        ({"host": "127.0.0.1", "host6": ""}, ["127.0.0.1"]),
        ({"host": "0.0.0.0", "host6": ""}, ["198.51.100.7"]),
        ({"host": "127.0.0.1", "host6": "::"}, ["127.0.0.1", "2001:db8::7"]),
        ({"host": "0.0.0.0", "host6": "::"}, ["198.51.100.7", "2001:db8::7"]),
        ({"host": "0.0.0.0", "host6": "::", "addresses": ("203.0.113.5",)}, ["203.0.113.5"]),
    ],
)
def test_clients_are_told_what_is_bound(
    monkeypatch: pytest.MonkeyPatch, rtc: dict[str, object], told: list[str]
) -> None:
    def found(*, sixth: bool, loopback: bool) -> list[str]:
        assert not loopback
        return ["198.51.100.7", *(["2001:db8::7"] if sixth else [])]

    monkeypatch.setattr(worker_module, "interface_addresses", found)
    given = settings(**rtc)
    port = UdpPort(given.rtc.host, 0, given.rtc.host6 or None)
    if given.rtc.host6 and port.sockets.sixth is None:
        pytest.skip("this machine has no IPv6")
    assert advertised(given, port) == told
    port.close()


def test_a_port_that_is_taken_is_a_wrong_setting() -> None:
    taken = UdpPort("127.0.0.1", 0)

    async def over() -> None: ...

    given = settings(host="127.0.0.1", host6="", port=taken.number)
    with pytest.raises(SettingsError, match=r"rtc: .*in use"):
        uvloop.run(work(given, 0, over))
    taken.close()


HANGING = """\
import asyncio, time
from tertulia.media import worker

worker.HANG_SECONDS = 0.3

async def run():
    keeping = asyncio.create_task(worker.keep_house())
    await asyncio.sleep(0)
    time.sleep(60)

asyncio.run(run())
"""


@pytest.mark.system
def test_a_process_that_hangs_shows_where_and_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 1
    assert 'File "<string>", line 9 in run' in ended.stderr
