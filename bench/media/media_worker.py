"""The media worker as the supervisor starts it, with the benchmark in the place of the hub."""

import itertools
import os
import queue
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

from bench.media.cores import on_core
from bench.media.joining import Client, join
from bench.media.load import Stream
from bench.media.scenes import Late, Room, Scene, streams
from bench.media.voice import OPUS
from bench.places import ROOT, Failed
from bench.processes import PATIENCE, running, tail, tree
from tertulia.media.link import SOCKET, Frames
from tertulia.model.commands import (
    RTP,
    VERSION,
    Answer,
    Answered,
    AnyCommand,
    AnyReport,
    Close,
    Closed,
    Hearing,
    Hello,
    Join,
    Load,
    Opened,
    Plain,
    Refused,
)

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT / "src"),
    "TERTULIA_RTC__HOST": "127.0.0.1",
    "TERTULIA_RTC__HOST6": "",
    "TERTULIA_RTC__ADDRESSES": "127.0.0.1",
}
AT_ONCE = 16
"""Joins that are under way."""
BEAT = 1.2
"""Seconds in which a report of the load comes."""
Answering = TypeVar("Answering", Answered, Opened, Closed)


class Hub:
    """The other end of the worker's link. Reports are read in a thread."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._answers: queue.SimpleQueue[AnyReport] = queue.SimpleQueue()
        self._hello = threading.Event()
        self._beaten = threading.Condition()
        self.load: Load | None = None
        threading.Thread(target=self._read, daemon=True).start()
        self._write(msgspec.msgpack.encode(VERSION))
        if not self._hello.wait(PATIENCE):
            raise Failed("the media worker does not say Hello")

    def tell(self, *commands: AnyCommand) -> None:
        for command in commands:
            self._write(msgspec.msgpack.encode(command))

    def ask(self, commands: Sequence[AnyCommand], kind: type[Answering]) -> dict[str, Answering]:
        """The answers by leg.

        Raises:
            Failed: a leg was refused, or nothing came.
        """
        self.tell(*commands)
        answers: dict[str, Answering] = {}
        while len(answers) < len(commands):
            try:
                report = self._answers.get(timeout=PATIENCE)
            except queue.Empty:
                raise Failed("the media worker does not answer") from None
            if isinstance(report, Refused):
                raise Failed(f"a leg was refused: {report.reason}")
            if isinstance(report, kind):
                answers[report.leg] = report
        return answers

    def next_load(self) -> Load | None:
        """The report of the load that comes next."""
        with self._beaten:
            self._beaten.wait(BEAT)
        return self.load

    def _write(self, body: bytes) -> None:
        try:
            self._link.sendall(len(body).to_bytes(4) + body)
        except OSError as error:
            raise Failed(f"the media worker is gone: {error}") from None

    def _read(self) -> None:
        frames, decoder = Frames(), msgspec.msgpack.Decoder(AnyReport)
        is_first = True
        with suppress(OSError):  # closed
            while data := self._link.recv(1 << 16):
                for body in frames.split(data):
                    if not is_first:
                        self._take(decoder.decode(body))
                    is_first = False

    def _take(self, report: AnyReport) -> None:
        if isinstance(report, Load):
            with self._beaten:
                self.load = report
                self._beaten.notify_all()
        elif isinstance(report, Hello):
            self._hello.set()
        elif isinstance(report, Answered | Opened | Refused | Closed):
            self._answers.put(report)


class MediaWorker:
    def __init__(self, process: psutil.Process, hub: Hub) -> None:
        self._process = process
        self._hub = hub
        self._numbers = itertools.count(1)
        self._names: dict[str, list[str]] = {}

    def open(self, scene: Scene, count: int) -> list[Room]:
        rooms = [self._room(scene) for _ in range(count)]
        legs = [
            (name, stream)
            for room in rooms
            for name, stream in zip(self._names[room.name], room.streams, strict=True)
        ]
        if scene.protected:
            self.join_all([(name, Client(stream)) for name, stream in legs])
        elif scene.phones:
            self._call(legs)
        else:
            self._connect(legs)
        for room in rooms:
            self._seat(room)
        return rooms

    def close(self, room: Room) -> None:
        names = self._names.pop(room.name)
        self._hub.ask([Close(name) for name in names], Closed)
        for stream in room.streams:
            stream.close()

    def join_all(
        self, legs: Sequence[tuple[str, Client]], on_batch: Callable[[], None] = lambda: None
    ) -> None:
        """By WebRTC, `AT_ONCE` at a time."""
        for start in range(0, len(legs), AT_ONCE):
            batch = legs[start : start + AT_ONCE]
            offers = [Answer(name, client.offer()) for name, client in batch]
            answers = self._hub.ask(offers, Answered)
            for name, client in batch:
                client.accept(answers[name].sdp)
            join(client for _, client in batch)
            on_batch()

    def leave_all(self, names: Sequence[str]) -> None:
        self._hub.ask([Close(name) for name in names], Closed)

    def processes(self) -> list[psutil.Process]:
        return tree(self._process)

    def late(self) -> Late | None:
        load = self._hub.next_load()
        return Late(load.ticks, load.late, load.dropped) if load else None

    def _room(self, scene: Scene) -> Room:
        number = next(self._numbers)
        name = f"CON-{number}"
        self._names[name] = [f"leg-{number}-{position}" for position in range(scene.legs)]
        return Room(name, list(streams(scene, number << 8)))

    def _connect(self, legs: Sequence[tuple[str, Stream]]) -> None:
        asked: list[AnyCommand] = []
        for name, stream in legs:
            host, port = stream.socket.getsockname()
            codec = stream.codec
            asked.append(Plain(name, host, port, codec.name, codec.payload_type))
        opened = self._hub.ask(asked, Opened)
        for name, stream in legs:
            stream.socket.connect((opened[name].host, opened[name].port))

    def _call(self, legs: Sequence[tuple[str, Stream]]) -> None:
        """As phones do, by offer and answer."""
        offers: list[AnyCommand] = [Answer(name, _offer(stream), RTP) for name, stream in legs]
        answers = self._hub.ask(offers, Answered)
        for name, stream in legs:
            found = re.search(r"m=audio (\d+) ", answers[name].sdp)
            assert found is not None
            stream.socket.connect(("127.0.0.1", int(found[1])))

    def _seat(self, room: Room) -> None:
        for name, stream in zip(self._names[room.name], room.streams, strict=True):
            self._hub.tell(Join(name, room.name), Hearing(name, muted=not stream.talks))


def _offer(stream: Stream) -> str:
    host, port = stream.socket.getsockname()
    codec = stream.codec
    clock = "48000/2" if codec is OPUS else "8000"
    lines = (
        "v=0", f"o=- {stream.ssrc} 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0",
        f"m=audio {port} RTP/AVP {codec.payload_type} 101",
        f"a=rtpmap:{codec.payload_type} {codec.name}/{clock}",
        "a=rtpmap:101 telephone-event/8000", "a=ptime:20", "a=sendrecv", "",
    )  # fmt: skip
    return "\r\n".join(lines)


@contextmanager
def media_worker(place: Path) -> Iterator[MediaWorker]:
    """Raises Failed when it does not come up."""
    data, log = place / "data", place / "log"
    data.mkdir(parents=True)
    lifeline, held_open = os.pipe()
    command = [sys.executable, "-m", "tertulia.app.media_part", "media", "--dev"]
    command += ["--data", str(data), "--rtc-port", "0", "--lifeline", str(lifeline)]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / SOCKET))
        listener.listen()
        listener.settimeout(0.1)
        whole = on_core(0, command)
        with running(whole, log=log, cwd=ROOT, env=ENVIRONMENT, lent=[lifeline]) as process:
            os.close(lifeline)
            try:
                with _accepted(listener, process) as link:
                    yield MediaWorker(process, Hub(link))
            except Failed as reason:
                raise Failed(f"{tail(log)}\n{reason}") from None
            finally:
                os.close(held_open)


def _accepted(listener: socket.socket, process: psutil.Process) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.status() != psutil.STATUS_ZOMBIE:
        with suppress(TimeoutError):
            link, _ = listener.accept()
            link.settimeout(None)
            return link
    raise Failed("the media worker did not call")
