"""Recordings of rooms and legs, in files that are aligned to the clock.

The loop copies frames into blocks of a fifth of a second; a thread writes them (tape.py), another
turns what is finished into the format that was asked for. Neither a slow nor a full disk is felt by
the loop: such a recording ends as `failed`, and what there is of it can be salvaged.

    every tick: recorders.advance(at), then for each of recorders.targets: recorders.push(...)
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

import numpy as np
from msgspec.structs import replace

from tertulia.media.audio_files import Samples
from tertulia.media.background import Background, Jobs
from tertulia.media.tape import FILE_RATE, PER_MS, Block, Tape, salvage
from tertulia.media.voice import FRAME_MS, loudness, rate_of
from tertulia.model.commands import AnyReport, Record, Recorded, Recording, Salvage
from tertulia.model.instant import Instant

BLOCK_FRAMES = 10
SLACK = FILE_RATE // 50
"""Samples by which a frame may come early or late and still follow the one before it."""
SILENCE_BELOW = -50.0
"""Decibels: what is softer is silence, for a recording that ends with it."""
BACKLOG_S = 10
"""So much may wait for a slow disk."""
CHANNELS_MAX = 32
TRACKS_MAX = 128
"""Legs with a file of their own; later ones share a row that has none."""
CLOCK_SET_MS = (-1_000, 60_000)
"""Between two ticks: beyond these the clock was set, which is no time that passed."""

Report = Callable[[AnyReport], None]
Beep = Callable[[str], None]
Frames = Mapping[str, Samples | None]


class _Recording:
    """One that is under way. Places are in samples of the file."""

    def __init__(self, record: Record, key: str, at: Instant, first_frames: int) -> None:
        """`first_frames`: of the first block, so that not all recordings fill theirs at once."""
        self.record = record
        self.key = key
        self.started = at
        self.loud_at = at
        self.error: str | None = None
        most = 2 if record.leg is not None else CHANNELS_MAX
        self.channels = min(max(record.channels, 1), most)
        self.is_of_mix = record.room is not None and self.channels == 1
        self.wants_legs = not self.is_of_mix or record.multitrack
        self.tape = Tape(record.path, self.channels, at)
        is_split = self.channels > 1 and not record.multitrack
        self._last_row = self.channels - 1 if is_split else TRACKS_MAX
        """Shared by all legs that come too late for one of their own."""
        self._origin = at
        """Where the clock puts the first sample; the same, unless the clock is set."""
        self._rows: dict[str, int] = {}
        self._block: Block | None = None
        self._block_frames = first_frames
        self._end = 0
        self._given = 0

    @property
    def _height(self) -> int:
        """Rows of a block."""
        if self.record.leg is not None:
            return 2
        return min(max(len(self._rows) + self.is_of_mix, 1), self._last_row + 1)

    @property
    def is_behind(self) -> bool:
        """Whether the disk is too slow."""
        return self._given - self.tape.done > BACKLOG_S * FILE_RATE * 2 * self._height

    def shift(self, milliseconds: int) -> None:
        self._origin = Instant(self._origin + milliseconds)
        self.loud_at = Instant(self.loud_at + milliseconds)

    def length(self, at: Instant) -> int:
        """Samples up to an instant, or to the end of what was taken."""
        return max(self._end, (at - self._origin) * PER_MS)

    def take(self, frames: Frames, mix: Samples | None, at: Instant) -> Block | None:
        """The frames of a tick. Returns a block when one is full, or can take no more."""
        if self.wants_legs:
            rows = [(row, frame) for row, frame in self._voices(frames, mix) if frame is not None]
        else:
            rows = [(0, mix)] if mix is not None else []
        if not rows:
            return None
        if self.record.silence_ms and any(loudness(frame) > SILENCE_BELOW for _, frame in rows):
            self.loud_at = at
        place = self._place(at)
        if place is None:
            return None
        spent = self._renew(place, rate_of(rows[0][1]))
        self._put(rows)
        return spent

    def cut(self) -> Block | None:
        """What was taken and not given away yet."""
        block, self._block = self._block, None
        if block is not None:
            self._given += block.rows.nbytes
        return block

    def writing(self, block: Block) -> Callable[[], None]:
        """The job that writes a block."""
        alone: dict[int, str] = {}
        if self.record.multitrack:
            alone = {row: leg for leg, row in self._rows.items() if row < TRACKS_MAX}
        return partial(self.tape.write, block, 1 if self.is_of_mix else None, alone)

    def _voices(self, frames: Frames, mix: Samples | None) -> Iterator[tuple[int, Samples | None]]:
        if self.record.leg is not None:
            if self.record.multitrack:
                self._rows[self.key] = 0
            yield 0, frames.get(self.key)
            yield 1, mix
            return
        if self.is_of_mix:
            yield 0, mix
        for leg, frame in frames.items():
            row = self._rows.get(leg)
            if row is None:
                row = self._rows[leg] = min(len(self._rows) + self.is_of_mix, self._last_row)
            yield row, frame

    def _place(self, at: Instant) -> int | None:
        """Where a frame belongs; None when the files are there already."""
        due = (at - self._origin) * PER_MS
        if abs(due - self._end) <= SLACK:
            return self._end
        return due if due > self._end else None

    def _renew(self, place: int, rate: int) -> Block | None:
        """Have a block for a frame at this place; returns the former one when it will not do."""
        height = self._height
        block, spent = self._block, None
        if block is not None and (
            block.is_full or block.end != place or block.rate != rate or len(block.rows) < height
        ):
            spent, block = self.cut(), None
        if block is None:
            self._block = Block(place, rate, height, self._block_frames)
            self._block_frames = BLOCK_FRAMES
        return spent

    def _put(self, rows: list[tuple[int, Samples]]) -> None:
        block = self._block
        assert block is not None
        start = block.filled
        block.filled = start + len(rows[0][1])
        for row, frame in rows:
            part = block.rows[row, start : block.filled]
            if row == self._last_row and self.record.room is not None:
                frame = np.clip(np.add(part, frame, dtype=np.int32), -32_768, 32_767)
            part[:] = frame
        self._end = block.end


class Recorders:
    """All recordings of a worker. Used by one thread.

    `beep` lets a leg or room hear a short tone (Players.beep).
    """

    def __init__(
        self,
        report: Report,
        beep: Beep,
        writer: Jobs | None = None,
        finisher: Jobs | None = None,
    ) -> None:
        self._report = report
        self._beep = beep
        self._writer = writer or Background("record")
        self._finisher = finisher or Background("transcode", patience=10)
        self._waiting: dict[str, Record] = {}
        self._active: dict[str, _Recording] = {}
        self._targets: dict[str, list[_Recording]] = {}
        self._outcomes: deque[Recorded] = deque()
        self._at = Instant(0)
        self._begun = 0

    @property
    def targets(self) -> Collection[str]:
        """Legs and rooms that are being recorded: push for each of them once a tick."""
        return self._targets.keys()

    def wants_legs(self, room: str) -> bool:
        """Whether a room's frames by leg are needed, and not its mix alone."""
        return any(recording.wants_legs for recording in self._targets.get(room, ()))

    def start(self, record: Record) -> None:
        """It begins with the next tick."""
        if record.record not in self._active and (record.leg or record.room):
            self._waiting[record.record] = record

    def stop(self, record: str) -> None:
        recording = self._active.get(record)
        if recording is not None:
            self._finish(recording, "stopped")
        elif self._waiting.pop(record, None) is not None:
            self._report(_nothing(record, self._at, "stopped"))

    def salvage(self, command: Salvage) -> None:
        fault = Recorded(command.record, self._at, self._at, [], "failed", "it cannot be salvaged")
        self._finisher.do(partial(self._settle, partial(salvage, command, self._at), fault))

    def on_digit(self, digit: str, leg: str, room: str | None) -> None:
        """A key was pressed on a leg, which is in that room."""
        for key in (leg, room):
            for recording in tuple(self._targets.get(key or "", ())):
                if digit and digit in recording.record.end_key:
                    self._finish(recording, "key")

    def gone(self, key: str) -> None:
        """A leg or room is no more."""
        for recording in tuple(self._targets.get(key, ())):
            self._finish(recording, "left")
        for record in tuple(self._waiting.values()):
            if key in (record.leg, record.room):
                del self._waiting[record.record]
                self._report(_nothing(record.record, self._at, "left"))

    def advance(self, at: Instant) -> None:
        """A tick begins: what is pushed until the next one was heard from this instant on."""
        step, self._at = at - self._at, at
        while self._outcomes:
            self._report(self._outcomes.popleft())
        if self._active:
            is_set = not CLOCK_SET_MS[0] <= step <= CLOCK_SET_MS[1]
            self._check(at, step - FRAME_MS if is_set else 0)
        while self._waiting:
            self._begin(self._waiting.pop(next(iter(self._waiting))), at)

    def push(self, key: str, frames: Frames, mix: Samples | None) -> None:
        """The frames of this tick, 20 ms each and all of one rate; they are copied.

        Of a room: `mix` is all that is heard in it; `frames` its legs in the order of their
        joining, None for one that is silent. Of a leg: `frames` holds its voice, `mix` is what it
        hears. What is not pushed was silent.
        """
        for recording in self._targets.get(key, ()):
            spent = recording.take(frames, mix, self._at)
            if spent is not None:
                self._writer.do(recording.writing(spent))
                if recording.is_behind:
                    recording.error = "the disk is too slow for the recording"

    def close(self) -> None:
        """End without reporting; the files are whole WAV files, for Salvage."""
        for recording in tuple(self._active.values()):
            self._end(recording)
            self._writer.do(partial(recording.tape.finish, recording.length(self._at)))
        self._writer.close(timeout=5.0)
        self._finisher.close(timeout=0.0)

    def _begin(self, record: Record, at: Instant) -> None:
        key = record.leg or record.room or ""
        self._begun += 1
        recording = _Recording(record, key, at, 1 + self._begun % BLOCK_FRAMES)
        self._active[record.record] = recording
        self._targets.setdefault(key, []).append(recording)
        self._writer.do(recording.tape.open)
        self._report(Recording(record.record, at))
        if record.beep_start:
            self._beep(key)

    def _check(self, at: Instant, clock_set: int) -> None:
        for recording in tuple(self._active.values()):
            record = recording.record
            if clock_set:
                recording.shift(clock_set)
            error = recording.error or recording.tape.error
            if error is not None:
                self._fail(recording, error)
            elif recording.length(at) >= record.limit_ms * PER_MS:
                self._finish(recording, "limit", record.limit_ms * PER_MS)
            elif record.silence_ms and at - recording.loud_at >= record.silence_ms:
                self._finish(recording, "silence")

    def _fail(self, recording: _Recording, error: str) -> None:
        frames = recording.length(self._at)
        self._end(recording)
        self._writer.do(recording.tape.abandon)
        self._report(_recorded(recording, frames, "failed", error))

    def _finish(self, recording: _Recording, reason: str, most: int | None = None) -> None:
        frames = recording.length(self._at)
        frames = frames if most is None else min(frames, most)
        self._end(recording)
        self._writer.do(partial(recording.tape.finish, frames))
        work = partial(_delivered, recording, frames, reason)
        fault = _recorded(recording, frames, "failed", "it cannot be finished")
        settling = partial(self._settle, work, fault)
        self._writer.do(lambda: self._finisher.do(settling))
        if recording.record.beep_stop:
            self._beep(recording.key)

    def _end(self, recording: _Recording) -> None:
        """No more is taken."""
        del self._active[recording.record.record]
        others = self._targets[recording.key]
        others.remove(recording)
        if not others:
            del self._targets[recording.key]
        block = recording.cut()
        if block is not None:
            self._writer.do(recording.writing(block))

    def _settle(self, work: Callable[[], Recorded], fault: Recorded) -> None:
        """By a thread: what came of the work, or the fault if nothing did."""
        outcome = fault
        try:
            outcome = work()
        finally:
            self._outcomes.append(outcome)


def _delivered(recording: _Recording, frames: int, reason: str) -> Recorded:
    """By a thread."""
    error = recording.tape.error or (None if frames else "nothing was recorded")
    if error is not None:
        return _recorded(recording, frames, "failed", error)
    try:
        tracks = recording.tape.deliver(recording.record.format)
    except OSError as failure:
        error = f"the recording cannot be written: {failure.strerror}"
        return _recorded(recording, frames, "failed", error)
    return replace(_recorded(recording, frames, reason), tracks=tracks)


def _recorded(
    recording: _Recording, frames: int, reason: str, error: str | None = None
) -> Recorded:
    ended = Instant(recording.started + frames // PER_MS)
    return Recorded(
        recording.record.record, recording.started, ended, [], reason=reason, error=error
    )


def _nothing(record: str, at: Instant, reason: str) -> Recorded:
    return Recorded(record, at, at, [], reason=reason, error="nothing was recorded")
