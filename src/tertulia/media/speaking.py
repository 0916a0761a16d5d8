"""Who is speaking: energy over the floor of each leg's noise, then webrtcvad.

All legs at once, a frame of 20 ms after the other. The floor is the softest of the last second and
a half: a voice has its pauses within that, a steady noise has none. The detector alone would not
do: it takes loud noise and any pure tone for speech (who sends tones on purpose, as pressed keys
are, is to be excluded), and costs 3 to 4 µs a frame. It only sees frames over the floor.
"""

import numpy as np
import webrtcvad
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

SILENT = -100.0
"""Decibels below full scale of no audio at all."""
_FRAMES = 50
"""A second."""
_FULL_SCALE = 32768.0
_MODE = 2
"""Of webrtcvad: from 0, where all is speech, to 3, where soft speech is none."""
_SOFTEST = -55.0
"""Decibels: what is below is never speech."""
_ABOVE = 8.0
"""Decibels over the floor from which a frame can be speech."""
_BLOCKS = 5
_BLOCK = 15
"""Frames: the floor is the least of so many blocks of so many frames, the last one begun."""
_UNKNOWN = 0.0
"""Of a block that nothing was heard in."""
_PATIENCE = 10
"""Frames that may be missing before they are silence to the floor, too: a lost packet is none."""
_ON = 4
"""Frames of speech, less those without, that turn it on: 80 ms."""
_OFF = 28
"""Frames without speech that turn it off: 560 ms, longer than pauses between words."""


class Activity:
    """Of as many legs as `capacity`, each known by its row.

    A tick is a `hear` for each array of frames that there is, then `tick`. A leg that was not
    heard of is silent: so it is when its network is cut, or it is not decoded.
    """

    def __init__(self, capacity: int) -> None:
        self.levels = np.full(capacity, SILENT, np.float32)
        """Decibels below full scale, of the last frame."""
        self.peaks = np.full(capacity, SILENT, np.float32)
        """The loudest of the levels since `begin`."""
        self.on: Flags = np.zeros(capacity, np.bool_)
        """Who is speaking."""
        self._softest = np.full((_BLOCKS, capacity), _UNKNOWN, np.float32)
        self._ticks = 0
        self._rows = 0
        """Those beyond were never heard."""
        self._missing: Numbers = np.zeros(capacity, np.int64)
        self._heard: Flags = np.zeros(capacity, np.bool_)
        self._spoke: Flags = np.zeros(capacity, np.bool_)
        self._score: Numbers = np.zeros(capacity, np.int64)
        self._quiet: Numbers = np.zeros(capacity, np.int64)
        self._detectors: dict[int, webrtcvad.Vad] = {}

    def hear(self, frames: NDArray[np.int16], rows: Numbers, excluded: Flags | None = None) -> None:
        """Frames of 20 ms, `[n, samples]`, at 8, 16, 32 or 48 kHz, of the legs in `rows[n]`; where
        `excluded`, it is no speech whatever it sounds like."""
        if not len(rows):
            return
        self._rows = max(self._rows, int(rows.max()) + 1)
        samples = frames.astype(np.float32)
        power = np.einsum("ij,ij->i", samples, samples) / (frames.shape[1] * _FULL_SCALE**2)
        levels = np.maximum(10 * np.log10(power + 1e-10), SILENT)
        block = self._softest[self._ticks // _BLOCK % _BLOCKS]
        block[rows] = np.minimum(block[rows], levels)
        floor = self._softest[:, rows].min(0)
        loud = levels > np.maximum(floor + _ABOVE, _SOFTEST)
        if excluded is not None:
            loud &= ~excluded
        self.levels[rows], self._heard[rows] = levels, True
        self.peaks[rows] = np.maximum(self.peaks[rows], levels)
        self._spoke[rows] = self._detect(frames, rows, np.flatnonzero(loud))

    def tick(self) -> list[tuple[int, bool]]:
        """The legs that began (True) or ceased (False) to speak."""
        rows = slice(0, self._rows)
        heard, spoke, quiet = self._heard[rows], self._spoke[rows], self._quiet[rows]
        self.levels[rows][~heard] = SILENT
        self._keep_floor(rows)
        quiet += 1
        quiet[spoke] = 0
        score = np.maximum(self._score[rows] + np.where(spoke, 1, -1), 0)
        self._score[rows] = np.minimum(score, _ON)
        on = (score >= _ON) | (self.on[rows] & (quiet < _OFF))
        changed = np.flatnonzero(on != self.on[rows])
        self.on[rows] = on
        heard[:] = spoke[:] = False
        return [(row, bool(on[row])) for row in changed.tolist()]

    def begin(self) -> None:
        """Have the peaks rise from silence again."""
        self.peaks[: self._rows] = SILENT

    def forget(self, row: int) -> None:
        """The row is another leg's from now on."""
        self.levels[row] = self.peaks[row] = SILENT
        self._softest[:, row] = _UNKNOWN
        self.on[row] = self._heard[row] = self._spoke[row] = False
        self._score[row] = self._quiet[row] = self._missing[row] = 0
        self._detectors.pop(row, None)

    def _keep_floor(self, rows: slice) -> None:
        """Legs that have been missing for long are silent; every so often a new block begins."""
        missing = self._missing[rows]
        missing += 1
        missing[self._heard[rows]] = 0
        block = self._softest[self._ticks // _BLOCK % _BLOCKS]
        block[rows][missing > _PATIENCE] = SILENT
        self._ticks += 1
        if not self._ticks % _BLOCK:
            self._softest[self._ticks // _BLOCK % _BLOCKS] = _UNKNOWN

    def _detect(self, frames: NDArray[np.int16], rows: Numbers, loud: Numbers) -> Flags:
        """Which of the frames are speech; only the loud ones are looked at."""
        spoke: Flags = np.zeros(len(rows), np.bool_)
        rate = frames.shape[1] * _FRAMES
        for index in loud.tolist():
            row = int(rows[index])
            detector = self._detectors.get(row)
            if detector is None:
                detector = self._detectors[row] = webrtcvad.Vad(_MODE)
            spoke[index] = detector.is_speech(frames[index].tobytes(), rate)
        return spoke
