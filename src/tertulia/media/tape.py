"""The files of one recording: its own, and beside it one for each leg where that is wanted.

All of it runs in threads: blocks come in their order, then the end, then the change of format.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from tertulia.media.audio_files import MP3_CHANNELS, AudioError, Samples, transcode
from tertulia.media.voice import FRAMES_A_SECOND
from tertulia.media.wav import Mended, Note, WavFile, mend
from tertulia.model.commands import Recorded, Salvage, Track
from tertulia.model.instant import Instant

FILE_RATE = 16_000
"""Of all recordings, whatever the rate of the room is meanwhile."""
PER_MS = FILE_RATE // 1000

_log = logging.getLogger(__name__)


class Block:
    """Consecutive frames, a row for each voice; filled by the loop, then read by a thread."""

    def __init__(self, place: int, rate: int, rows: int, frames: int) -> None:
        self.place = place
        """Of the first sample in the files."""
        self.rate = rate
        self.rows: Samples = np.zeros((rows, frames * rate // FRAMES_A_SECOND), np.int16)
        self.filled = 0
        """Samples of each row."""

    @property
    def is_full(self) -> bool:
        return bool(self.filled == self.rows.shape[1])

    @property
    def end(self) -> int:
        return self.place + self.filled * FILE_RATE // self.rate


class Tape:
    """`mixed`: how many rows of a block make the main file; those beyond its channels share the
    last one. Each row in `alone` has a file with the voice of a leg."""

    def __init__(self, path: str, channels: int, started: Instant) -> None:
        self._path = path
        self._channels = channels
        self._started = started
        self._main: _Output | None = None
        self._tracks: dict[int, _Output] = {}
        self.done = 0
        """Octets of blocks that are written, or never will be."""
        self.error: str | None = None
        """Set once, at the first failure; from then on nothing is written."""

    def open(self) -> None:
        try:
            self._main = _Output(file_of(self._path), self._channels, Note(self._started))
        except OSError as error:
            self._fail(error)

    def write(self, block: Block, mixed: int | None, alone: dict[int, str]) -> None:
        try:
            if self.error is None:
                self._write(block, mixed, alone)
        except OSError as error:
            self._fail(error)
        self.done += block.rows.nbytes

    def finish(self, frames: int) -> None:
        """All files become so long, in samples."""
        try:
            for output in self._outputs():
                output.finish(frames)
        except OSError as error:
            self._fail(error)

    def abandon(self) -> None:
        """Leave what there is for Salvage."""
        for output in self._outputs():
            output.wav.abandon()

    def deliver(self, kind: str) -> list[Track]:
        """The finished files in the format that was asked for. Raises OSError."""
        return deliver(
            [(output.wav.path, output.channels, output.wav.note) for output in self._outputs()],
            kind,
        )

    def _write(self, block: Block, mixed: int | None, alone: dict[int, str]) -> None:
        rows = block.rows[:, : block.filled]
        if self._main is not None:
            self._main.put(block, folded(rows[:mixed], self._channels))
        for row, leg in alone.items():
            if row not in self._tracks:
                self._tracks[row] = self._track(leg)
            self._tracks[row].put(block, rows[row : row + 1].T)

    def _track(self, leg: str) -> "_Output":
        path = file_of(self._path, len(self._tracks) + 1)
        return _Output(path, 1, Note(self._started, leg))

    def _outputs(self) -> list["_Output"]:
        return [*([self._main] if self._main is not None else []), *self._tracks.values()]

    def _fail(self, error: OSError) -> None:
        self.error = self.error or f"the recording cannot be written: {error.strerror or error}"


class _Output:
    """One file, which takes blocks of any rate."""

    def __init__(self, path: Path, channels: int, note: Note) -> None:
        self.wav = WavFile(path, channels, FILE_RATE, note)
        self.channels = channels
        self._stream: soxr.ResampleStream | None = None
        self._rate = FILE_RATE
        self._expected = 0
        """Where the next block begins, if it follows the last one."""
        self._place = 0
        """Where what comes out of the stream belongs."""

    def put(self, block: Block, samples: Samples) -> None:
        """(n, channels) samples. Silence is left out."""
        if not samples.any():
            return
        if block.rate != self._rate or block.place != self._expected:
            self._turn(block)
        self._expected = block.end
        self._write(samples if self._stream is None else self._stream.resample_chunk(samples))

    def finish(self, frames: int) -> None:
        self._drain()
        self.wav.finish(frames)

    def _turn(self, block: Block) -> None:
        self._drain()
        self._rate, self._place = block.rate, block.place
        if block.rate != FILE_RATE:
            self._stream = soxr.ResampleStream(block.rate, FILE_RATE, self.channels, dtype="int16")

    def _drain(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._write(stream.resample_chunk(np.zeros((0, self.channels), np.int16), last=True))

    def _write(self, samples: Samples) -> None:
        if len(samples):
            self.wav.put(self._place, samples.astype("<i2", copy=False).tobytes())
            self._place += len(samples)


def folded(rows: Samples, channels: int) -> Samples:
    """(n, channels) out of rows: those beyond the channels are added to the last one."""
    if len(rows) == channels:
        return rows.T
    out = np.zeros((rows.shape[1], channels), np.int16)
    first = min(len(rows), channels) - 1
    if first >= 0:
        out[:, :first] = rows[:first].T
        together: NDArray[np.int32] = rows[first:].sum(axis=0, dtype=np.int32)
        out[:, first] = np.clip(together, -32_768, 32_767)
    return out


def file_of(path: str, number: int = 0, kind: str = "wav") -> Path:
    """The main file of a recording, or that of its so-manieth leg."""
    return Path(f"{path}-{number}.{kind}" if number else f"{path}.{kind}")


def deliver(files: Sequence[tuple[Path, int, Note]], kind: str) -> list[Track]:
    """Each file in its format. It stays WAV when MP3 cannot hold its channels, and when it cannot
    be written anew: better than nothing. Raises OSError."""
    tracks, spent = [], []
    for path, channels, note in files:
        final = path
        if kind != "wav" and not (kind == "mp3" and channels > MP3_CHANNELS):
            final = _transcoded(path, kind)
        if final != path:
            spent.append(path)
        tracks.append(Track(str(final), final.stat().st_size, note.leg))
    for path in spent:
        path.unlink()
    return tracks


def _transcoded(path: Path, kind: str) -> Path:
    part, final = path.with_suffix(".part"), path.with_suffix(f".{kind}")
    try:
        transcode(path, part, kind)
        os.replace(part, final)
    except (AudioError, OSError) as error:
        _log.warning(
            "A recording stays WAV: %s.", error, extra={"action": "record", "path": str(path)}
        )
        return path
    return final


def salvage(command: Salvage, now: Instant) -> Recorded:
    """Finish the files that a killed process has left, as long as the longest of them."""
    try:
        return _salvaged(command)
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        reason = f"there is nothing to salvage: {error}"
        return Recorded(command.record, now, now, [], "failed", reason)


def _salvaged(command: Salvage) -> Recorded:
    main = file_of(command.path)
    if not main.exists():
        return _finished(command)
    paths = [main]
    while (path := file_of(command.path, len(paths))).exists():
        paths.append(path)
    frames = max(mend(path).frames for path in paths)
    if not frames:
        raise ValueError("nothing was recorded")
    mended = [(path, mend(path, frames)) for path in paths]
    tracks = deliver([(path, each.channels, each.note) for path, each in mended], command.format)
    return _recorded(command, mended[0][1], tracks)


def _recorded(command: Salvage, main: Mended, tracks: list[Track]) -> Recorded:
    started = Instant(main.note.started)
    ended = Instant(started + main.frames * 1000 // main.rate)
    return Recorded(command.record, started, ended, tracks, "salvaged")


def _finished(command: Salvage) -> Recorded:
    """It had been finished, and nobody was told: its times are those of the file."""
    path = file_of(command.path, kind=command.format)
    status = path.stat()
    ended = Instant(int(status.st_mtime * 1000))
    started = Instant(ended - int(soundfile.info(path).duration * 1000))
    track = Track(str(path), status.st_size)
    return Recorded(command.record, started, ended, [track], "salvaged")
