"""The generator of audio: runs load.c on its core and reads what it counted."""

import itertools
import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from msgspec import Struct

from bench.build import compiled
from bench.media.cores import on_core
from bench.media.voice import Codec, decoded, loudness
from bench.places import Failed, fresh

SILENCE = 200.0
"""Loudness below which nobody was speaking."""
CONSENT = 4.0
"""Seconds from one check of a stream's consent to its next, in so many slices:"""
SLICES = 40
DUMPED = 4
"""Streams whose sound is looked into."""


class Keys(NamedTuple):
    """SRTP session keys with their salts, AEAD_AES_128_GCM."""

    local: bytes
    remote: bytes


@dataclass(slots=True)
class Stream:
    """One leg as its client sees it."""

    socket: socket.socket
    """Connected to the server."""
    codec: Codec
    ssrc: int
    talks: bool = True
    """Else it says the same, but the server has it muted."""
    hears: bool = True
    """Somebody else in the room talks."""
    keys: Keys | None = None
    on_other: Callable[[bytes], None] | None = None
    """Takes what is neither RTP nor RTCP, such as checks of consent."""
    check: Callable[[], None] | None = None
    """Asks for consent, which it must do every few seconds."""
    said: int = 0
    """Packets, so that the next run goes on from there."""

    def close(self) -> None:
        self.socket.close()


class Said(NamedTuple):
    """How a stream is driven in one run."""

    offset: int = 0
    stride: int = 1
    ear: int = -1
    """Position of the stream whose marked frames it listens for."""


class Take(Struct, frozen=True):
    """What load.c counted; of the streams that hear, but for `streams` and what is sent."""

    streams: int
    hearing: int
    seconds: float
    sent: int
    behind: int
    """Packets sent more than half a frame late."""
    received: int
    lost: int
    late: int
    """Packets that came more than half a frame late, of `gaps`."""
    gaps: int
    least: float
    """Share of the packets that the worst stream got."""
    starved: int
    """Streams with less than 98 % of the packets."""
    silent: int
    forged: int
    cpu_seconds: float
    """Of the generator."""
    delays: list[float]
    """Milliseconds from each marked frame to its arrival."""

    @property
    def late_share(self) -> float:
        return self.late / self.gaps if self.gaps else 1.0

    @property
    def complete(self) -> float:
        """Share of the packets that came."""
        return self.received / (self.hearing * self.seconds * 50) if self.hearing else 0.0

    @property
    def is_sound(self) -> bool:
        """The generator did its part: all was sent, and in time."""
        due = self.streams * self.seconds * 50
        return self.sent > 0.99 * due and self.behind < 0.01 * self.sent


class Shape(NamedTuple):
    seconds: float
    warm_up: float = 1.0
    groups: int = 4


def talk(
    streams: Sequence[Stream],
    frames: Path,
    shape: Shape,
    *,
    said: Sequence[Said] | None = None,
    mark: Callable[[], None] = lambda: None,
    is_heard: bool = False,
) -> Take:
    """Let them all talk and count. `mark` is called after the warm-up, and at the end.

    `is_heard` says that it is known already that something comes back.

    Raises:
        Skipped: there is no C compiler.
        Failed: what came back to the first of them is silence, or nothing.
    """
    how = said or [Said(offset=37 * at) for at in range(len(streams))]
    with fresh("talk") as place, _Keeper(streams) as keeper:
        (place / "plan").write_text("".join(map(_line, streams, how)))
        codec = streams[0].codec
        command: list[str | Path] = [compiled("media/load", libraries=("dl",))]
        command += ["-f", frames, "-P", place / "plan", "-t", str(codec.payload_type)]
        command += ["-s", str(codec.step), "-d", str(shape.seconds), "-u", str(shape.warm_up)]
        command += ["-g", str(shape.groups), "-D", place / "heard", "-n", str(DUMPED)]
        command += ["-k", str(keeper.pen)]
        descriptors = [keeper.pen, *(stream.socket.fileno() for stream in streams)]
        take = _run(on_core(-1, command), descriptors, mark)
        for stream in streams:
            # A little more than was said: the clients were silent between the runs.
            stream.said += int(50 * (shape.seconds + shape.warm_up)) + 50
        if not is_heard and take.hearing:
            _listen((place / "heard").read_bytes(), codec)
    return take


def _line(stream: Stream, said: Said) -> str:
    fields = [stream.socket.fileno(), stream.said, said.offset, said.stride]
    fields += [int(stream.hears), said.ear, stream.ssrc]
    keys = [key.hex() for key in stream.keys] if stream.keys else ["-", "-"]
    return " ".join([*map(str, fields), *keys]) + "\n"


def _run(command: list[str | Path], descriptors: list[int], mark: Callable[[], None]) -> Take:
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, pass_fds=descriptors
        ) as process,
    ):
        assert process.stdout is not None
        if process.stdout.readline() == "go\n":
            mark()
        last = process.stdout.readline()
        mark()
        if process.wait() or not last:
            raise Failed(f"generator of audio: {_all(errors) or 'ended'}")
    return msgspec.convert(json.loads(last), Take)


def _all(errors: IO[str]) -> str:
    errors.seek(0)
    return errors.read()[-1500:].strip()


def _listen(dump: bytes, codec: Codec) -> None:
    """Raises Failed unless each stream that was written down has heard something."""
    payloads: dict[int, list[bytes]] = {}
    at = 0
    while at < len(dump):
        line, size = struct.unpack_from("<IH", dump, at)
        payloads.setdefault(line, []).append(dump[at + 6 : at + 6 + size])
        at += 6 + size
    if not payloads:
        raise Failed("nothing came back")
    for line, heard in payloads.items():
        level = loudness(decoded(codec, heard))
        if level < SILENCE:
            raise Failed(f"stream {line} heard silence: {level:.0f} of 32768")


class _Keeper:
    """Takes from the generator what is no audio, lets the streams answer it, and keeps consent."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams
        self._due = [stream.check for stream in streams if stream.check is not None]
        self._ear, self.pen = os.pipe()
        os.set_blocking(self.pen, False)
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> "_Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.pen)
        self._thread.join()
        os.close(self._ear)

    def _keep(self) -> None:
        turns = itertools.cycle(range(SLICES))
        waiting = bytearray()
        heard = select.poll()  # not select(), which knows no descriptor above 1023
        heard.register(self._ear, select.POLLIN)
        due = 0.0
        while True:
            if time.monotonic() >= due:
                due = time.monotonic() + CONSENT / SLICES
                for check in self._due[next(turns) :: SLICES]:
                    check()
            if heard.poll(1000 * CONSENT / SLICES):
                if not (piece := os.read(self._ear, 65_536)):
                    return
                waiting += piece
                self._hand_on(waiting)

    def _hand_on(self, waiting: bytearray) -> None:
        while len(waiting) >= 6:
            line, size = struct.unpack_from("<IH", waiting)
            if len(waiting) < 6 + size:
                return
            answer = self._streams[line].on_other
            if answer is not None:
                answer(bytes(waiting[6 : 6 + size]))
            del waiting[: 6 + size]
