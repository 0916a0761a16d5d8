"""Audio files, read as mono samples at the rate that is asked for, and written in other formats.

All of it may block and belongs into a thread. Memory is bounded by a block, whatever a file says
about itself. A file is opened by its descriptor, so that neither its name nor what happens to the
name later decides what it is.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Floats = NDArray[np.float32]

RAW_RATE = 16_000
"""Samples a second of a raw file, which says nothing about itself."""
BLOCK_S = 0.2
KEPT_S = 5.0
"""A file no longer than this is decoded once, however often it is repeated."""
CHANNELS_MAX = 32
RATES = range(1_000, 192_001)
FORMATS = {"WAV", "WAVEX", "RF64", "MP3", "OGG"}
WRITTEN = {"mp3": ("MP3", "MPEG_LAYER_III"), "ogg": ("OGG", "VORBIS")}
MP3_CHANNELS = 2
WRITE_FRAMES = 4_096
"""libsndfile's Vorbis encoder keeps on the stack what it is given at once."""

LOUDER_DB = 12.0
SOFTER_DB = 40.0
KNEE = 0.7
"""Of full scale: where the limiter of amplified audio begins."""


class AudioError(Exception):
    """A file cannot be read, or not be written; the message says why."""


class Piece(NamedTuple):
    """Some consecutive samples; possibly none."""

    samples: Samples
    rate: int
    last: bool


class Blocks(Protocol):
    """Where samples come from: mono, -1 to 1, at its own rate."""

    rate: int

    def read(self) -> Floats | None:
        """What comes next; empty when it is not there yet, None at the end. Raises AudioError."""

    def close(self) -> None: ...


class Reader:
    """Reads blocks at the rate that is asked for, which may change from one piece to the next."""

    def __init__(self, blocks: Blocks, level: float = 0.0) -> None:
        self._blocks = blocks
        self._gain = amplification(level)
        self._rate = 0
        self._stream: soxr.ResampleStream | None = None

    def read(self, rate: int) -> Piece:
        """The next piece, of about a fifth of a second. Raises AudioError."""
        if rate != self._rate:
            former, inside = self._rate, self._drained()
            self._turn(rate)
            if len(inside):
                return Piece(self._finished(inside), former, last=False)
        block = self._blocks.read()
        if block is None:
            return Piece(self._finished(self._drained()), rate, last=True)
        if self._stream is not None:
            block = self._stream.resample_chunk(block)
        return Piece(self._finished(block), rate, last=False)

    def close(self) -> None:
        self._blocks.close()

    def _turn(self, rate: int) -> None:
        self._rate = rate
        if rate != self._blocks.rate:
            self._stream = soxr.ResampleStream(self._blocks.rate, rate, 1, dtype="float32")

    def _drained(self) -> Floats:
        stream, self._stream = self._stream, None
        inside = np.zeros(0, np.float32)
        if stream is not None:
            inside = stream.resample_chunk(inside, last=True)
        return inside

    def _finished(self, block: Floats) -> Samples:
        if self._gain != 1.0:
            block = _limited(block * self._gain) if self._gain > 1.0 else block * self._gain
        return quantised(block)


def amplification(level: float) -> float:
    """The factor of a level: 0 is 1; up to level 1 it grows by 12 dB, with a limiter; down to
    level -1 it falls by 40 dB, next to silence. Both evenly in decibels."""
    decibels = min(max(level, -1.0), 1.0) * (LOUDER_DB if level > 0 else SOFTER_DB)
    return float(10.0 ** (decibels / 20.0))


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Some consecutive samples at another rate. They are continued beyond both ends, point
    reflected, so that where they are joined with others there is no step."""
    margin = min(rate // 100, len(samples) - 1)
    if rate == wanted or margin < 1:
        return samples[: len(samples) * wanted // rate]
    floats = samples.astype(np.float32)
    before = 2 * floats[0] - floats[margin:0:-1]
    after = 2 * floats[-1] - floats[-2 : -margin - 2 : -1]
    out = soxr.resample(np.concatenate([before, floats, after]), rate, wanted)
    start = round(margin * wanted / rate)
    return quantised(out[start : start + round(len(samples) * wanted / rate)] / 32_768)


def quantised(block: Floats) -> Samples:
    """To 16 bits; what is no number becomes silence."""
    scaled = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0) * np.float32(32_768)
    samples: Samples = np.clip(np.rint(scaled), -32_768, 32_767).astype(np.int16)
    return samples


def _limited(block: Floats) -> Floats:
    """Bend what is above the knee, so that nothing reaches full scale."""
    over = np.abs(block) - KNEE
    bent = KNEE + (1.0 - KNEE) * np.tanh(over / (1.0 - KNEE))
    return np.where(over > 0, np.copysign(bent, block), block).astype(np.float32)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Read from the start to the end, and never sought in: soundfile seeks after each block to
    where it is already, which makes an MP3 decoder forget what the next frame refers to."""

    def seekable(self) -> bool:
        return False


class AudioFile:
    """A WAV, MP3 or Ogg file, as often as is asked: 0 is without end. Repeats have no gap."""

    def __init__(self, path: str | Path, *, loop: int = 1) -> None:
        """Raises AudioError."""
        self._descriptor = open_regular(path)
        try:
            self._file = self._opened()
        except AudioError:
            os.close(self._descriptor)
            raise
        self.rate = self._file.samplerate
        self._passes: float = loop or inf
        self._pass_frames = 0
        self._kept: list[Floats] = []
        self._reel: Reel | None = None

    def read(self) -> Floats | None:
        if self._reel is not None:
            return self._reel.read(int(self.rate * BLOCK_S))
        block = self._decoded()
        if not len(block):
            if not self._pass_frames:
                raise AudioError("the file holds no audio")
            self._passes -= 1
            if not self._passes:
                return None
            return self._again()
        self._pass_frames += len(block)
        if self._passes > 1 and self._pass_frames <= KEPT_S * self.rate:
            self._kept.append(block)
        return block

    def close(self) -> None:
        self._file.close()
        os.close(self._descriptor)

    def _again(self) -> Floats | None:
        if self._pass_frames <= KEPT_S * self.rate:
            self._reel = Reel(self._kept, self._passes)
        else:
            # Not by seeking: an MP3 decoder then has another state than at the start.
            self._file.close()
            self._file = self._opened()
            self._pass_frames = 0
            self._kept.clear()
        return self.read()

    def _decoded(self) -> Floats:
        try:
            block: Floats = self._file.read(
                int(self.rate * BLOCK_S), dtype="float32", always_2d=True
            )
        except soundfile.SoundFileError as error:
            raise AudioError(f"the file is damaged: {_reason(error)}") from None
        return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)

    def _opened(self) -> _Forward:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        try:
            file = _Forward(self._descriptor, closefd=False)
        except soundfile.SoundFileError as error:
            raise AudioError(f"the file is not WAV, MP3 or Ogg audio: {_reason(error)}") from None
        fault = _fault(file)
        if fault:
            file.close()
            raise AudioError(fault)
        return file


def _fault(file: soundfile.SoundFile) -> str | None:
    if file.format not in FORMATS:
        return f"the file is not WAV, MP3 or Ogg audio, but {file.format}"
    if file.samplerate not in RATES:
        return f"the file has {file.samplerate} samples a second, which cannot be played"
    if file.channels > CHANNELS_MAX:
        return f"the file has {file.channels} channels, which is more than {CHANNELS_MAX}"
    if not file.frames:
        return "the file holds no audio"
    return None


def _reason(error: soundfile.SoundFileError) -> str:
    reason: str = getattr(error, "error_string", "") or str(error)
    return reason.rstrip(".").lower()


class Reel:
    """Samples in memory, repeated without a gap."""

    def __init__(self, blocks: Sequence[Floats], passes: float) -> None:
        self._samples = np.concatenate(blocks)
        self._left = passes * len(self._samples)
        self._at = 0

    def read(self, count: int) -> Floats | None:
        """The next, at most so many; None at the end."""
        count = int(min(count, self._left))
        if not count:
            return None
        self._left -= count
        places = np.arange(self._at, self._at + count)
        self._at = (self._at + count) % len(self._samples)
        return self._samples.take(places, mode="wrap")


class GrowingFile:
    """A file of raw 16-bit samples that may still be written, until it is ripe."""

    rate = RAW_RATE

    def __init__(self, path: str | Path, *, loop: int = 1) -> None:
        """Raises AudioError."""
        self._descriptor = open_regular(path)
        self._passes: float = loop or inf
        self._at = 0
        self.size: int | None = None
        """Octets of the whole, once they are known; set from any thread."""

    def read(self) -> Floats | None:
        size = self.size
        if size is not None and size - self._at < 2:
            self._passes -= 1
            if not self._passes or size < 2:
                return None
            self._at = 0
        wanted = int(BLOCK_S * RAW_RATE) * 2
        data = os.pread(
            self._descriptor, wanted if size is None else min(wanted, size - self._at), self._at
        )
        if len(data) < 2 and size is not None:
            raise AudioError("the file is shorter than it should be")
        whole = len(data) & ~1
        self._at += whole
        return np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(32_768)

    def close(self) -> None:
        os.close(self._descriptor)


def open_regular(path: str | Path) -> int:
    """A descriptor for reading. Raises AudioError, also for what is no file and might block."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"the file cannot be opened: {reason}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise AudioError("this is not a file")
    return descriptor


def transcode(source: Path, target: Path, kind: str) -> None:
    """Write a WAV file anew as `mp3` or `ogg`, in bounded memory. Raises AudioError; then there is
    no target."""
    container, coding = WRITTEN[kind]
    try:
        with (
            _Forward(source) as heard,
            soundfile.SoundFile(
                target, "w", heard.samplerate, heard.channels, coding, format=container
            ) as written,
        ):
            frames = heard.frames
            # Not as int16, of which libsndfile 1.2.2 makes noise when it writes MP3 in stereo.
            while len(block := heard.read(WRITE_FRAMES, dtype="float32", always_2d=True)):
                written.write(block)
        kept = soundfile.info(target).frames if frames else 0
    except (soundfile.SoundFileError, OSError, AssertionError) as error:
        # soundfile asserts that a block was written as a whole.
        _remove(target)
        raise AudioError(f"the file cannot be written: {_cause(error)}") from None
    if kept != frames:
        _remove(target)
        raise AudioError("the file cannot be written: its end is missing")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _cause(error: Exception) -> str:
    if isinstance(error, soundfile.SoundFileError):
        return _reason(error)
    return str(error) or "the disk takes no more"
