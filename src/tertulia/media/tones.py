"""What is played without a file: ring-back, busy, beep, digits, music on hold; original, of sines.

A tone is a function of the number of the sample: whoever plays it keeps nothing but how far he is.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Wave = NDArray[np.float64]

_EDGE_MS = 5
"""Of each rise and fall: shorter is heard as a click."""


class Note(NamedTuple):
    """Sines of one loudness, from one instant of a cycle to another."""

    frequencies: tuple[float, ...]
    start_ms: float
    length_ms: float
    level: float
    """dBm0 of each sine; +3.14 is full scale (G.711)."""
    decay_ms: float | None = None
    """In which it falls to a third, like a string; without, it is even."""


class Tone(NamedTuple):
    """Notes in a cycle, which is repeated or said once."""

    notes: tuple[Note, ...]
    cycle_ms: int
    repeats: bool = True

    def length(self, rate: int) -> int | None:
        """In samples; None when it has no end."""
        return None if self.repeats else self.cycle_ms * rate // 1000

    def samples(self, start: int, count: int, rate: int) -> Samples:
        """Sample `start` and those after it; silence after the end."""
        cycle = _cycle(self, rate)
        index = np.arange(start, start + count)
        if self.repeats:
            return cycle.take(index, mode="wrap")
        return np.where(index < len(cycle), cycle.take(index, mode="clip"), np.int16(0))


@lru_cache(maxsize=64)
def _cycle(tone: Tone, rate: int) -> Samples:
    """Once rendered, a tone costs a copy. The longest, the music, has 0.8 MB at 16 kHz."""
    wave = np.zeros(tone.cycle_ms * rate // 1000)
    for note in tone.notes:
        _add(wave, note, rate)
    return np.asarray(np.rint(wave), np.int16)


def _add(wave: Wave, note: Note, rate: int) -> None:
    """What reaches beyond the end of the cycle goes on at its begin."""
    length = round(note.length_ms * rate / 1000)
    first = round(note.start_ms * rate / 1000)
    seconds = np.arange(length) / rate
    sines = np.sum([np.sin(2 * np.pi * f * seconds) for f in note.frequencies], axis=0)
    sines *= 32767 * 10 ** ((note.level - 3.14) / 20) * _envelope(seconds, note, rate)
    np.add.at(wave, np.arange(first, first + length) % len(wave), sines)


def _envelope(seconds: Wave, note: Note, rate: int) -> Wave:
    """From 0 to 0: edges are half a cosine."""
    edge = min(_EDGE_MS * rate // 1000, len(seconds) // 2)
    rise = (1 - np.cos(np.pi * np.arange(edge) / edge)) / 2
    envelope = np.ones(len(seconds))
    if note.decay_ms is not None:
        envelope = np.exp(seconds * (-1000 / note.decay_ms))
    envelope[:edge] *= rise
    envelope[len(seconds) - edge :] *= rise[::-1]
    return envelope


def _cadence(frequencies: tuple[float, ...], level: float, *on_off: int) -> Tone:
    """Milliseconds of sound and silence in turn."""
    starts = np.cumsum([0, *on_off]).tolist()
    notes = [
        Note(frequencies, start, length, level)
        for start, length in zip(starts[:-1:2], on_off[::2], strict=True)
    ]
    return Tone(tuple(notes), starts[-1])


_RINGING = {
    "us": _cadence((440, 480), -19, 2000, 4000),
    "gb": _cadence((400, 450), -19, 400, 200, 400, 2000),
    "au": _cadence((400, 425, 450), -22, 400, 200, 400, 2000),
    "eu": _cadence((425,), -16, 1000, 4000),
    "fr": _cadence((440,), -16, 1500, 3500),
}
_BUSY = {
    "us": _cadence((480, 620), -24, 500, 500),
    "gb": _cadence((400,), -20, 375, 375),
    "au": _cadence((425,), -20, 375, 375),
    "eu": _cadence((425,), -20, 500, 500),
    "fr": _cadence((440,), -20, 500, 500),
}
"""Of ITU-T E.180, supplement 2."""
COUNTRIES = tuple(_RINGING)

BEEP = Tone((Note((1000,), 0, 300, -10),), 300, repeats=False)


def ringback(country: str = "us") -> Tone:
    """What a caller hears while it rings; of `us` when we do not know the country."""
    return _RINGING.get(country, _RINGING["us"])


def busy(country: str = "us") -> Tone:
    return _BUSY.get(country, _BUSY["us"])


_LOW, _HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
DIGITS = "123A456B789C*0#D"


def digit(key: str, length_ms: int = 100, pause_ms: int = 100) -> Tone:
    """A key as two tones (Q.23), and the pause after it; ValueError when there is no such key."""
    index = DIGITS.find(key) if len(key) == 1 else -1
    if index < 0:
        raise ValueError(f"there is no key {key!r}")
    low = Note((_LOW[index // 4],), 0, length_ms, -9)
    high = Note((_HIGH[index % 4],), 0, length_ms, -7)
    return Tone((low, high), length_ms + pause_ms, repeats=False)


_CHORDS = (
    (50, 57, 62, 66, 69), (47, 54, 62, 66, 71), (43, 55, 59, 62, 69), (45, 52, 57, 61, 71),
    (42, 54, 57, 61, 66), (47, 54, 59, 62, 69), (52, 55, 59, 62, 67), (45, 55, 57, 61, 64),
)  # fmt: skip
_MELODY = (78, 76, 74, 0, 73, 74, 76, 0, 71, 74, 69, 0, 71, 73, 69, 0)
_BEAT_MS = 750


def _pitch(key: int) -> float:
    """Of a key of the piano, by its MIDI number."""
    return float(440 * 2 ** ((key - 69) / 12))


def _music() -> Tone:
    """Broken chords, four beats each, and a slow voice above them: 24 seconds, without a seam."""
    notes = []
    for bar, chord in enumerate(_CHORDS):
        for step, key in enumerate((*chord, chord[3], chord[4], chord[2])):
            start = (4 * bar + step / 2) * _BEAT_MS
            notes.append(Note((_pitch(key),), start, 2400, -22 if step else -19, 700))
    for index, key in enumerate(_MELODY):
        if key:
            notes.append(Note((_pitch(key),), 2 * index * _BEAT_MS, 2800, -20, 900))
    return Tone(tuple(notes), 4 * len(_CHORDS) * _BEAT_MS)


HOLD = _music()


def named(name: str, country: str = "us") -> Tone | None:
    """The tone that a Play of the kind `tone` names; None when there is none."""
    tones = {"ringback": ringback(country), "busy": busy(country), "beep": BEEP, "hold": HOLD}
    return tones.get(name)
