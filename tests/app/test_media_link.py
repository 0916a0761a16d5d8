"""The hub's end of the link: placement, silence, time-outs, and peers that say something else."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from tests.app.media_peer import IDLE, Peer, hello, hub, until
from tests.contracts.workers import (
    ELSEWHERE,
    HERE,
    OFFER,
    PATIENCE,
    Reports,
    eventually,
)

from tertulia.app import workers as workers_module
from tertulia.app.chance import SystemClock
from tertulia.media import link
from tertulia.media.worker import Worker
from tertulia.model.commands import (
    VERSION,
    Answer,
    Answered,
    AnyReport,
    Close,
    Closed,
    Command,
    Echo,
    Interrupted,
    Offer,
    Offered,
    Record,
    Recorded,
    Refused,
    Salvage,
    Up,
)
from tertulia.model.ids import ApplicationId
from tertulia.ports import MediaUnavailable
from tertulia.testing.puppet import Puppet


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "ANSWER_SECONDS", 0.05)


def test_an_application_stays_with_its_worker(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            first = await Peer.enter(path, "0")
            await until(lambda: len(workers.up) == 1)
            workers.tell(HERE, Echo("leg"))
            second, third = await Peer.enter(path, "1"), await Peer.enter(path, "2")
            await until(lambda: len(workers.up) == 3)
            for number in range(60):
                workers.tell(HERE, Close(f"{number}"))
                workers.tell(ApplicationId(f"application-{number + 10}"), Echo(f"{number}"))
            await until(lambda: sum(len(each.told) for each in (first, second, third)) == 121)
            others = [
                [command for command in each.told if isinstance(command, Echo)][each is first :]
                for each in (first, second, third)
            ]
            assert len([each for each in first.told if isinstance(each, Close)]) == 60
            assert min(len(each) for each in others) >= 8

    uvloop.run(run())


def test_applications_of_a_lost_worker_go_to_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, reports):
            first = await Peer.enter(path, "0")
            await until(lambda: len(workers.up) == 1)
            workers.tell(HERE, Echo("leg"))
            second = await Peer.enter(path, "1")
            await until(lambda: len(workers.up) == 2)
            first.connection.close("dead")
            assert (await reports.first(Closed)) == Closed("leg", None)
            workers.tell(HERE, Echo("again"))
            assert await second.hears(1) == [Echo("again")]

    uvloop.run(run())


def test_a_silent_worker_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "BEAT", 0.02)

    async def run() -> None:
        async with hub(tmp_path) as (workers, path, reports):
            hung = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            workers.tell(HERE, Echo("leg"))
            assert (await reports.first(Closed)) == Closed("leg", None)
            assert workers.up == []
            await until(lambda: hung.lost is not None)

    uvloop.run(run())


def test_a_worker_of_the_same_name_takes_the_place(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, reports):
            first = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            workers.tell(HERE, Echo("leg"))
            second = await Peer.enter(path)
            assert (await reports.first(Closed)) == Closed("leg", None)
            await until(lambda: first.lost is not None)
            workers.tell(HERE, Echo("again"))
            assert await second.hears(1) == [Echo("again")]
            assert len(workers.up) == 1

    uvloop.run(run())


def test_what_is_not_answered_in_time_is_taken_back(tmp_path: Path, quick: None) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            with pytest.raises(MediaUnavailable):
                await workers.ask(HERE, Answer("leg", OFFER))
            assert await peer.hears(2) == [Answer("leg", OFFER), Close("leg")]
            # the late answer is not taken for that of the next question
            next_one = asyncio.create_task(workers.ask(HERE, Offer("leg")))
            await peer.hears(3)
            peer.say(Answered("leg", "late"), Offered("leg", "in time"))
            assert await next_one == Offered("leg", "in time")

    uvloop.run(run())


def test_a_leg_that_is_there_is_kept_when_a_new_path_is_not_answered(
    tmp_path: Path, quick: None
) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            asking = asyncio.create_task(workers.ask(HERE, Answer("leg", OFFER)))
            await peer.hears(1)
            peer.say(Answered("leg", "first"))
            await asking
            with pytest.raises(MediaUnavailable):
                await workers.ask(HERE, Answer("leg", OFFER))
            workers.tell(HERE, Echo("last"))
            assert [type(each) for each in await peer.hears(3)] == [Answer, Answer, Echo]

    uvloop.run(run())


def test_a_question_that_is_cancelled_leaves_no_leg(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            asking = asyncio.create_task(workers.ask(HERE, Offer("leg")))
            await peer.hears(1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            assert await peer.hears(2) == [Offer("leg"), Close("leg")]

    uvloop.run(run())


def test_a_salvage_that_kills_is_not_tried_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, reports):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            workers.tell(HERE, Record("record", "path", leg="leg"))
            workers.tell(HERE, Salvage("salvage", "path"))
            peer.connection.close("dead")
            assert (await reports.first(Interrupted)).record == "record"
            recorded = await reports.first(Recorded)
            assert (recorded.record, recorded.reason) == ("salvage", "failed")
            assert recorded.error

    uvloop.run(run())


def a_bug(report: AnyReport) -> None:
    raise RuntimeError


def test_a_bug_behind_a_report_does_not_cut_the_worker_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            workers.on_report(a_bug)
            peer.say(Up("leg", "opus", "192.0.2.1:5"))
            await until(lambda: "a report was not taken" in caplog.text)
            reports = Reports()
            workers.on_report(reports)
            peer.say(Up("leg", "opus", "192.0.2.1:5"))
            await reports.first(Up)
            assert workers.up

    uvloop.run(run())


def test_what_is_too_long_for_the_link_is_not_sent(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            with pytest.raises(MediaUnavailable):
                await workers.ask(HERE, Answer("leg", "v" * link.FRAME_MAX))
            workers.tell(HERE, Echo("leg"))
            assert await peer.hears(1) == [Echo("leg")]

    uvloop.run(run())


async def raw(path: Path, *pieces: bytes) -> bytes:
    """What is said to one who says these octets, until it is cut off."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    for piece in pieces:
        writer.write(piece)
    said = b""
    try:
        async with asyncio.timeout(PATIENCE):
            said = await reader.read()
    except ConnectionError:
        pass
    writer.close()
    return said


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


OURS = frame(bytes([VERSION]))
HELLO = frame(b"\x96\xa5Hello\x02\xa10\x01\xcd\x1f\xfd\x90")


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([b"GET / HTTP/1.1\r\n\r\n"], "a frame of 1195725856 octets"),
        ([frame(b"\x03")], "version 3 of the link, and this is version 2"),
        ([frame(b"\xa11")], "no version"),
        ([frame(b"\x91" * 100_000)], "no version"),
        ([OURS, frame(b"\x96\xa5Hello\x03\xa10\x01\x01\x90")], "it says Hello in version 3"),
        ([OURS, frame(b"\x97\xa4Load\0\0\0\0\0\xcb" + bytes(8))], "it did not begin with Hello"),
        ([OURS, HELLO, frame(b"\x92\xa7Refused\xa1x")], "a message that is none"),
        ([OURS, HELLO, frame(b"\x92\xa4Echo\xa1x")], "a message that is none"),
        ([OURS, HELLO, frame(b"\x93\xa7Refused\xa1\xff\xa1x")], "a message that is none"),
        ([OURS, HELLO, frame(b"\x91" * 100_000)], "a message that is none"),
        ([OURS, HELLO, frame(b"\x96\xa4Down" + b"\x91" * 100_000)], "a message that is none"),
        ([OURS, HELLO, b"\0\0\0\0"], "a frame of 0 octets"),
        ([OURS, HELLO, (link.FRAME_MAX + 1).to_bytes(4, "big")], "a frame of 1048577 octets"),
    ],
)
def test_who_says_something_else_is_cut_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, pieces: list[bytes], says: str
) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, reports):
            peer = await Peer.enter(path, "other")
            await until(lambda: len(workers.up) == 1)
            assert await raw(path, *pieces) in (OURS, b"")
            await until(lambda: says in caplog.text)
            workers.tell(ELSEWHERE, Echo("leg"))
            assert await peer.hears(1) == [Echo("leg")]
            assert reports.all == []

    uvloop.run(run())


def test_frames_may_come_in_any_pieces(tmp_path: Path) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, reports):
            _, writer = await asyncio.open_unix_connection(str(path))
            for octet in OURS + HELLO + frame(b"\x93\xa7Refused\xa1a\xa1b"):
                writer.write(bytes([octet]))
                await asyncio.sleep(0)
            assert await reports.first(Refused) == Refused("a", "b")
            assert workers.up[0].name == "0"
            writer.close()

    uvloop.run(run())


def test_a_worker_that_does_not_read_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "BACKLOG_MAX", 1 << 20)

    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            stuck = socket.socket(socket.AF_UNIX)
            stuck.connect(str(path))
            stuck.sendall(OURS + HELLO)
            await until(lambda: bool(workers.up))
            for number in range(10_000):
                workers.tell(HERE, Answer(str(number), OFFER))
            await until(lambda: not workers.up)
            stuck.close()

    uvloop.run(run())


def test_the_socket_is_ours_alone_however_long_its_path(tmp_path: Path) -> None:
    folder = tmp_path / ("a long name " * 8) / ("and another one " * 8)
    folder.mkdir(parents=True)
    umask = os.umask(0)

    async def run() -> None:
        async with hub(folder) as (workers, path, _):
            assert path.stat().st_mode & 0o777 == 0o600
            await Peer.enter(path)
            await until(lambda: bool(workers.up))

    try:
        for _ in range(2):  # the second finds the socket of the first
            uvloop.run(run())
    finally:
        os.umask(umask)


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield


def test_who_has_connected_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with hub(tmp_path) as (workers, path, _):
            peer = await Peer.enter(path)
            await until(lambda: bool(workers.up))
            await until(lambda: workers.up[0].load == IDLE)
            peer.connection.close("dead")
            await until(lambda: not workers.up)

    uvloop.run(run())
    actions = [getattr(record, "action", None) for record in caplog.records]
    assert [each for each in actions if each] == ["media_worker_up", "media_worker_lost"]


def test_nobody_is_told_of_deaths_by_a_hub_that_ends(tmp_path: Path) -> None:
    async def run() -> list[Command]:
        async with hub(tmp_path) as (workers, path, reports):
            await Peer.enter(path)
            await until(lambda: bool(workers.up))
            workers.tell(HERE, Echo("leg"))
        assert reports.all == []
        return []

    uvloop.run(run())


def test_a_worker_comes_back_to_a_hub_that_is_started_again(tmp_path: Path) -> None:
    """With nothing of what it had."""

    async def run() -> None:
        made: list[Puppet] = []
        path = tmp_path / link.SOCKET

        def make(report: Callable[[AnyReport], None]) -> Puppet:
            made.append(Puppet(report, SystemClock()))
            return made[-1]

        running = asyncio.create_task(Worker(path, hello(), make).run())
        for _ in range(2):
            async with hub(tmp_path) as (workers, _, _):
                assert isinstance(await eventually(workers, Answer("leg", OFFER)), Answered)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert [each.load().legs for each in made] == [0, 0]

    uvloop.run(run())
