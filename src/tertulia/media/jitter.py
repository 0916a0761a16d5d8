"""Jitter buffers of all legs in one set of arrays: what came, by the frame that it is for, and the
frame that is played next.

A frame is 20 ms. Playing starts with the next tick and falls back when packets come late, by two
frames at most at a time; it catches up in silence once every packet has come a frame too early for
some seconds. Frames are counted by RTP's timestamp, so the pauses of DTX are no losses.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Octets = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Times = NDArray[np.float64]

FRAME_MS = 20
DEPTH = 16
"""Frames that a leg can be ahead of its playing: 320 ms."""
PCM = 1
"""Kind of a frame that holds samples; 0 is octets of the codec of the leg."""
ROOM = 1280
"""Octets of a frame: the longest of Opus has 1275, 20 ms of PCM at 16 kHz 640."""
LONGEST_DELAY = 200.0
MARGIN = 5.0
"""Milliseconds that a packet should be early: the time between two visits to the socket."""
PATIENCE = 10
"""Frames without audio after which a stream that goes on elsewhere is followed at once."""
_HASTE = 80.0
"""Milliseconds too early from which a frame is left out even while somebody speaks."""
_RISE = 0.05
"""Milliseconds by which the earliest and latest are forgotten, a packet: 2.5 a second, at least."""
_MEMORY = 256
"""Packets in which most of what is further off is forgotten, so that both keep up with a clock
that goes wrong by a percent."""
_FIRST = 1 << 40
"""Frame that a stream begins with: it may jump back from there."""


class Due(NamedTuple):
    """What is played now."""

    slots: Numbers
    cells: Numbers
    """Where the frames stand in `frames`; only where `there`."""
    there: Flags
    gaps: Numbers
    """Frames that were lost just before this one; 0 where it is not there."""


class Jitter:
    def __init__(self, capacity: int) -> None:
        self.frames: Octets = np.zeros((capacity * DEPTH, ROOM), np.uint8)
        self.sizes: Numbers = np.zeros(capacity * DEPTH, np.int64)
        """Of the frames, in octets."""
        self.kinds = np.zeros(capacity * DEPTH, np.int8)
        self.step: Numbers = np.full(capacity, 160, np.int64)
        """Ticks of RTP's clock in a frame."""
        self.started: Flags = np.zeros(capacity, np.bool_)
        self.missed: Numbers = np.zeros(capacity, np.int64)
        """Frames without audio, up to now."""
        self.late: Numbers = np.zeros(capacity, np.int64)
        """Packets that came too late to be played."""
        self.earliest = np.zeros(capacity)
        self.latest = np.zeros(capacity)
        """Milliseconds between coming and playing: the largest, and the smallest, of late."""
        self._index: Numbers = np.full(capacity * DEPTH, -1, np.int64)
        self._sequences: Numbers = np.zeros(capacity * DEPTH, np.int64)
        self._cursor: Numbers = np.zeros(capacity, np.int64)
        self._played: Numbers = np.zeros(capacity, np.int64)
        self._sequence: Numbers = np.full(capacity, -1, np.int64)
        self._ticks: Numbers = np.zeros(capacity, np.int64)
        self._frame: Numbers = np.zeros(capacity, np.int64)
        """A timestamp, and the frame that it stands for."""
        self._forgives = False
        """Whether packets may be late through our own fault, up to the next tick."""

    def reset(self, slot: int, step: int | None = None) -> None:
        """For another stream, which is heard when its first packet comes."""
        cells = slice(slot * DEPTH, (slot + 1) * DEPTH)
        self._index[cells], self.sizes[cells] = -1, 0
        self.started[slot], self.missed[slot] = False, 0
        self._sequence[slot] = -1
        if step is not None:
            self.step[slot] = step

    def place(self, slots: Numbers, ticks: Numbers, ahead_ms: Times) -> Numbers:
        """The frame that each packet is for; -1 where its timestamp is not that of a frame.

        `ahead_ms` is how long before the next tick each has come.
        """
        fresh = ~self.started[slots]
        if fresh.any():
            self._start(slots[fresh][::-1], ticks[fresh][::-1], ahead_ms[fresh][::-1])
        passed = (ticks - self._ticks[slots]).astype(np.uint32).view(np.int32).astype(np.int64)
        frames, rest = np.divmod(passed, self.step[slots])
        frames += self._frame[slots]
        whole = rest == 0
        lost = whole & (frames < self._cursor[slots] - DEPTH) & (self.missed[slots] > PATIENCE)
        if lost.any():
            for slot in np.unique(slots[lost]).tolist():
                self.reset(slot)
            return self.place(slots, ticks, ahead_ms)
        kept = slots[whole]
        self._ticks[kept], self._frame[kept] = ticks[whole], frames[whole]
        frames[~whole] = -1
        return frames

    def _start(self, slots: Numbers, ticks: Numbers, ahead_ms: Times) -> None:
        """Backwards: of several packets of a leg the first counts."""
        early = (ahead_ms < MARGIN).astype(np.int64)
        self.started[slots] = True
        self._ticks[slots], self._frame[slots] = ticks, _FIRST
        self._cursor[slots], self._played[slots] = _FIRST - early, _FIRST - 2
        self.earliest[slots] = self.latest[slots] = ahead_ms + early * FRAME_MS

    def store(
        self,
        slots: Numbers,
        frames: Numbers,
        sequences: Numbers,
        packets: Octets,
        starts: Numbers,
        sizes: Numbers,
        *,
        ahead_ms: Times,
        kind: int = 0,
    ) -> Flags:
        """Keep the payloads that stand in rows of `packets` from `starts` on; which were kept."""
        ahead = frames - self._cursor[slots]
        cells = slots * DEPTH + frames % DEPTH
        again = self._index[cells] == frames
        self._note(slots, ahead, ahead_ms, again)
        if ahead.max(initial=0) >= DEPTH - 1:
            ahead = self._leap(slots, frames, ahead)
        if ahead.min(initial=0) < 0:
            ahead = self._fall_back(slots, frames, ahead, again)
        kept: Flags = (ahead >= 0) & ~again & (frames > self._played[slots])
        if not kept.all():
            slots, frames, sequences, cells = (
                slots[kept],
                frames[kept],
                sequences[kept],
                cells[kept],
            )
            packets, starts, sizes = packets[kept], starts[kept], sizes[kept]
        self._index[cells], self.sizes[cells] = frames, sizes
        self._sequences[cells], self.kinds[cells] = sequences, kind
        if len(cells):
            self._copy(cells, packets, starts, sizes)
        return kept

    def _copy(self, cells: Numbers, packets: Octets, starts: Numbers, sizes: Numbers) -> None:
        first = int(starts[0])
        if (starts == first).all():
            width = int(sizes.max())
            self.frames[cells, :width] = packets[:, first : first + width]
            return
        for start in np.unique(starts).tolist():
            alike = starts == start
            # Of these alone: with the longest of the others a row may be too short.
            width = int(sizes[alike].max())
            self.frames[cells[alike], :width] = packets[alike, start : start + width]

    def _note(self, slots: Numbers, ahead: Numbers, ahead_ms: Times, again: Flags) -> None:
        early = ahead * float(FRAME_MS) + ahead_ms
        told = ~again & (ahead >= 0) if self._forgives else ~again
        if not told.all():
            slots, early = slots[told], early[told]
        latest, earliest = self.latest[slots], self.earliest[slots]
        self.latest[slots] = latest + np.maximum(_RISE, (early - latest) / _MEMORY)
        self.earliest[slots] = earliest - np.maximum(_RISE, (earliest - early) / _MEMORY)
        # Several packets of a leg may have come at once.
        np.minimum.at(self.latest, slots, early)
        np.maximum.at(self.earliest, slots, early)

    def _leap(self, slots: Numbers, frames: Numbers, ahead: Numbers) -> Numbers:
        """Frames beyond the buffer: the sender went on without us, and so do we."""
        far = ahead >= DEPTH - 1
        np.maximum.at(self._cursor, slots[far], frames[far] - 1)
        touched = slots[far]
        self.earliest[touched] = self.latest[touched] = float(FRAME_MS)
        return frames - self._cursor[slots]

    def _fall_back(self, slots: Numbers, frames: Numbers, ahead: Numbers, again: Flags) -> Numbers:
        """Play later from now on, as far as somebody came late. Once a leg and batch: every packet
        behind a stall is late, but one step mends all of them."""
        late = (ahead < 0) & ~again
        if self._forgives:
            return ahead
        touched = slots[late]
        steps = np.zeros(len(self._cursor), np.int64)
        np.maximum.at(steps, touched, np.minimum(-ahead[late], 2))
        steps[(self.earliest + steps * FRAME_MS) > LONGEST_DELAY] = 0
        self._cursor -= steps
        self.earliest += steps * FRAME_MS
        self.latest += steps * FRAME_MS
        ahead = frames - self._cursor[slots]
        np.add.at(self.late, slots[(ahead < 0) & ~again], 1)
        return ahead

    def play(self, slots: Numbers) -> Due:
        """The next frame of each leg that has started."""
        self._forgives = False
        slots = slots[self.started[slots]]
        frames = self._cursor[slots]
        cells = slots * DEPTH + frames % DEPTH
        # Whoever fell back meets frames that were played.
        there = (self._index[cells] == frames) & (frames > self._played[slots])
        self._cursor[slots] = frames + 1
        gaps = self._gaps(slots[there], cells[there])
        self.missed[slots] = np.where(there, 0, self.missed[slots] + 1)
        self._played[slots[there]] = frames[there]
        spread = np.zeros(len(slots), np.int64)
        spread[there] = gaps
        return Due(slots, cells, there, spread)

    def _gaps(self, slots: Numbers, cells: Numbers) -> Numbers:
        """Lost packets, as far as silence was heard for them."""
        sequences, before = self._sequences[cells], self._sequence[slots]
        self._sequence[slots] = sequences
        lost = (sequences - before - 1).astype(np.uint16).astype(np.int64)
        return np.where(before < 0, 0, np.minimum(lost, self.missed[slots]))

    def pass_over(self, slot: int, sequence: int) -> None:
        """A packet that is not audio has come: it is not lost."""
        if self._sequence[slot] >= 0:
            self._sequence[slot] = sequence

    def next_cells(self, due: Due) -> tuple[Numbers, Flags]:
        """Where the frames after those that are due stand, and whether they have come."""
        frames = self._cursor[due.slots]
        cells = due.slots * DEPTH + frames % DEPTH
        return cells, self._index[cells] == frames

    def previous_cells(self, slots: Numbers) -> tuple[Numbers, Flags]:
        """The same for the frames before those that are due, called after `play`."""
        frames = self._cursor[slots] - 2
        cells = slots * DEPTH + frames % DEPTH
        return cells, self._index[cells] == frames

    def catch_up(self, slots: Numbers, silent: Flags) -> None:
        """Leave out a frame where all have come too early for long; best where there is silence."""
        latest = self.latest[slots]
        behind = (latest > FRAME_MS + MARGIN) & (silent | (latest > _HASTE))
        slots = slots[behind & self.started[slots]]
        self._cursor[slots] += 1
        self.earliest[slots] -= FRAME_MS
        self.latest[slots] -= FRAME_MS

    def skip(self, slots: Numbers, frames: int) -> None:
        """Go on as if so many frames had been played: the time for them was missed."""
        self._forgives = True
        self._cursor[slots[self.started[slots]]] += frames
