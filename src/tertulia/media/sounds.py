"""The runs of speech, silence and tones since a call was answered, heard with hindsight.

What is voice and what background is plain only beside each other, so all since the answer are
looked at again: a babble counts as speech until somebody nearer speaks up.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tertulia.media.beeps import LOWEST, PURITY, STEADY
from tertulia.media.spectra import SILENT_DB, Spectra
from tertulia.model.amd import Run, Sound

FRAME_MS = 20
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

_SOFTEST = -52.0
"""Decibels below full scale: what is below is never speech."""
_OVER_FLOOR = 9.0
"""Decibels over the line's noise that a voice has ..."""
_OVER_NOISE = 5.0
"""... and at least, when its loudest are hardly above the noise."""
_PEAKS = 6.0
"""Decibels under the loudest voice."""
_UNDER_PEAK = 18.0
"""Decibels under the loudest voice: what is softer is others, behind it."""
_RANGE = 14.0
"""Decibels between the floor and the loudest of one who speaks; many at once leave no pauses."""
_FLOOR = 0.12
"""Share of the frames that hold nothing but the noise of the line."""
_NEVER = 1.0
"""Decibels that nothing is above."""
_VOICED = 0.6
"""Of the voicing, in vowels. Noise has 0.2 to 0.4."""
_VOWEL = 3
"""Frames with a voice that a run of speech has: 60 ms."""
_GAP = 1
"""Frames below the threshold that do not end a run: a lost packet."""
_MUSIC = -38.0
"""Decibels: what is softer is music behind somebody ..."""
_MUSIC_UNDER_PEAK = 12.0
"""... as is what is so much softer than the loudest voice."""
_TONE = 6
"""Frames of one frequency, for a tone or a note: pitch of voices glides."""
_RING_HERTZ = 500.0
"""The highest of ring-back tones (ITU-T E.180)."""
_RING_GAP = 4
"""Frames that do not end it: two close tones, lost packets."""
_RINGING = 3
"""Frames after the answer in which the tone that sounds is the rest of the ring."""


class Ear:
    """Of one leg, from the answer on, for so many frames."""

    def __init__(self, frames: int) -> None:
        self._count = 0
        self._levels = np.full(frames, SILENT_DB)
        self._voicing = np.zeros(frames)
        self._pure = np.zeros(frames, np.bool_)
        self._low = np.zeros(frames, np.bool_)
        """Where the pitch is one of those of ring-back tones."""
        self._pitch = np.zeros(frames, np.int64)
        """A number for all frames of one frequency that follow each other."""
        self._hertz = 0.0
        """Of the first of these."""

    def hear(self, sound: Spectra, row: int) -> None:
        """A frame: a row of `sound`. Those beyond the end are not heard."""
        now = self._count
        if now == len(self._levels):
            return
        self._levels[now], self._voicing[now] = sound.levels[row], sound.voicing[row]
        hertz = float(sound.hertz[row])
        # Lower ones are hummed.
        self._pure[now] = sound.purity[row] >= PURITY and hertz >= LOWEST
        self._low[now] = hertz <= _RING_HERTZ
        goes_on = abs(hertz - self._hertz) <= STEADY * self._hertz and sound.levels[row] >= _SOFTEST
        self._pitch[now] = self._pitch[now - 1] + (not goes_on) if now else 0
        self._hertz = self._hertz if goes_on else hertz
        self._count += 1

    def runs(self) -> list[Run]:
        """All that was heard; each frame is in one."""
        kinds = self._kinds(self._count)
        edges = np.flatnonzero(np.diff(kinds, prepend=-1, append=-1)).tolist()
        return [
            Run(Sound(int(kinds[start])), FRAME_MS * (end - start))
            for start, end in pairwise(edges)
        ]

    def _kinds(self, count: int) -> NDArray[np.int8]:
        """The value of Sound of each frame."""
        levels, pure, pitch = self._levels[:count], self._pure[:count], self._pitch[:count]
        kinds = np.zeros(count, np.int8)
        if not count:
            return kinds
        steady = (np.bincount(pitch, minlength=1) >= _TONE)[pitch]
        low = pure & self._low[:count]
        ring = _ring(low)
        tone = (steady | (pitch == pitch[-1])) & pure  # what has only begun may become a tone
        tone[:ring] = True
        voiced = (self._voicing[:count] > _VOICED) & ~tone
        threshold, peak = _threshold(levels, voiced)
        loud = (levels > threshold) & ~tone
        music = steady & voiced & (levels > max(_MUSIC, peak - _MUSIC_UNDER_PEAK))
        for start, end in _spans(_closed(loud)):
            # ... or a word.
            if end == count or np.count_nonzero(voiced[start:end]) >= _VOWEL:
                kinds[start:end] = Sound.SPEECH.value
        kinds[music] = Sound.MUSIC.value
        kinds[tone] = Sound.SIGNAL.value
        kinds[:ring] = Sound.RING.value
        if ring:  # it may be covered for a while
            kinds[tone & low] = Sound.RING.value
        return kinds


def _ring(low: Flags) -> int:
    """Frames, from the answer on, that still sound of the ring: one tone, or two close ones."""
    found = np.flatnonzero(low[:_RINGING])
    if not len(found):
        return 0
    start = int(found[0])
    pauses = (first for first, end in _spans(~low) if first > start and end - first > _RING_GAP)
    return next(pauses, len(low))


def _threshold(levels: Numbers, voiced: Flags) -> tuple[float, float]:
    """Decibels that speech is above, and of its loudest."""
    voices = levels[voiced]
    if len(voices) < _VOWEL:
        return _NEVER, SILENT_DB
    peak = float(np.partition(voices, -_VOWEL)[-_VOWEL])
    at = int(_FLOOR * len(levels))
    floor = float(np.partition(levels, at)[at])
    over = min(floor + _OVER_FLOOR, max(floor + _OVER_NOISE, peak - _PEAKS))
    if peak - floor < _RANGE:
        return _NEVER, peak
    return max(_SOFTEST, over, peak - _UNDER_PEAK), peak


def _spans(flags: Flags) -> list[tuple[int, int]]:
    """Where they are set: from, and to."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _closed(flags: Flags) -> Flags:
    """With short gaps filled."""
    closed = flags.copy()
    for start, end in _spans(~flags):
        if start and end < len(flags) and end - start <= _GAP:
            closed[start:end] = True
    return closed
