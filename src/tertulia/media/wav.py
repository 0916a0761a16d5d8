"""The WAV file of a recording that is under way: valid at any moment, also after a kill.

Data goes to its place in time by an absolute offset, so silence is a hole that costs nothing. The
sizes in the header are renewed once a second; `mend` sets them from the length of what a killed
process has left. A file beyond 4 GiB becomes RF64 in place (EBU Tech 3306).
"""

import os
import struct
from pathlib import Path
from time import monotonic

import msgspec
from msgspec import Struct

HEADER = 512
"""Octets before the data."""
NOTE = 412
"""Of them, for the note: the rest of a chunk LIST/INFO/ICMT, which any program can show."""
RENEWED_S = 1.0
SIZE_32 = 0xFFFF_FFFF
_LAYOUT = struct.Struct(f"<4sI4s 4sIQQQI 4sIHHIIHH 4sI4s4sI{NOTE}s 4sI")
assert _LAYOUT.size == HEADER


class Note(Struct, frozen=True, omit_defaults=True):
    """What a file says about itself."""

    started: int
    """Wall-clock milliseconds of the first frame."""
    leg: str | None = None
    """Whose voice alone it is."""


def header(channels: int, rate: int, octets: int, note: Note) -> bytes:
    """The start of a file with so many octets of 16-bit data."""
    is_long = octets + HEADER > SIZE_32
    riff = min(octets + HEADER - 8, SIZE_32)
    block = 2 * channels
    text = msgspec.json.encode(note)
    if len(text) >= NOTE:
        text = msgspec.json.encode(Note(note.started))
    return _LAYOUT.pack(
        b"RF64" if is_long else b"RIFF", SIZE_32 if is_long else riff, b"WAVE",
        b"ds64" if is_long else b"JUNK", 28, octets + HEADER - 8, octets, octets // block, 0,
        b"fmt ", 16, 1, channels, rate, rate * block, block, 16,
        b"LIST", 12 + NOTE, b"INFO", b"ICMT", NOTE, text,
        b"data", SIZE_32 if is_long else octets,
    )  # fmt: skip


class WavFile:
    """Written by one thread; every method may raise OSError."""

    def __init__(self, path: Path, channels: int, rate: int, note: Note) -> None:
        self.path = path
        self.note = note
        self._channels = channels
        self._rate = rate
        self._octets = 0
        self._renewed = monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._write(header(channels, rate, 0, note), 0)

    def put(self, frame: int, data: bytes) -> None:
        """Write samples, interleaved, from a frame on."""
        offset = frame * 2 * self._channels
        self._write(data, HEADER + offset)
        self._octets = max(self._octets, offset + len(data))
        if monotonic() - self._renewed >= RENEWED_S:
            self._renew()

    def finish(self, frames: int) -> None:
        """Make it exactly so long, and close it."""
        self._octets = frames * 2 * self._channels
        os.ftruncate(self._descriptor, HEADER + self._octets)
        self._renew()
        self.abandon()

    def abandon(self) -> None:
        """Close it as it is. Again is fine."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _renew(self) -> None:
        self._renewed = monotonic()
        self._write(header(self._channels, self._rate, self._octets, self.note), 0)

    def _write(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(self._descriptor, view, offset)
            view, offset = view[count:], offset + count


class Mended(Struct, frozen=True):
    note: Note
    rate: int
    channels: int
    frames: int


def mend(path: Path, frames: int | None = None) -> Mended:
    """Set the sizes of a file of ours from its length, or make it so many frames long.

    Raises OSError, and ValueError for what is no file of ours.
    """
    with path.open("r+b") as file:
        start = file.read(HEADER)
        if len(start) < HEADER or start[8:12] != b"WAVE":
            raise ValueError("this is not a recording")
        fields = _LAYOUT.unpack(start)
        channels, rate, text = fields[12], fields[13], fields[22]
        if not 0 < channels <= 1024 or not rate:
            raise ValueError("this is not a recording")
        note = msgspec.json.decode(text.rstrip(b"\0"), type=Note)
        if frames is None:
            frames = (file.seek(0, os.SEEK_END) - HEADER) // (2 * channels)
        octets = frames * 2 * channels
        file.truncate(HEADER + octets)
        file.seek(0)
        file.write(header(channels, rate, octets, note))
    return Mended(note, rate, channels, frames)
