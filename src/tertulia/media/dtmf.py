"""Keys that are pressed as tones (ITU-T Q.23, Q.24), found in the audio of legs.

Two windows of 20 ms a frame, 10 ms apart; in each the power at the eight frequencies (Goertzel's
filters, as one product of matrices for all legs). A key is down from its second window on, and up
after four windows without it: a frame that was lost is three, the shortest pause of 40 ms at least
four.
"""

import numpy as np
from numpy.typing import NDArray

from tertulia.protocols.telephone_event import Pressed

Numbers = NDArray[np.int64]
Samples = NDArray[np.float32]
Spectra = NDArray[np.complex64]

FRAME_MS = 20
_HOP_MS = 10
_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_KEYS = "123A456B789C*0#D"
"""Low frequency by low frequency."""
_NONE = -1
_LEVEL = 32768**2 * 10**-4.5
"""Mean square of samples below which nothing is looked at: 45 dB below full scale."""
_SHARE = 0.5
"""Of the window's energy in the two tones. More misses keys that are off their frequency, less
joins two presses of one key. With this and the next two, 1 of 19,200 keys of 40 ms was wrong (1.5 %
off, 6 dB of twist, half of them at 15 dB of noise), and none false in two hours of speech."""
_TWIST = 10**1.0
"""Ratio of the two tones' powers as they are found: 6 dB, and the 4 that a filter loses beside its
frequency."""
_NEIGHBOUR = 10**0.8
"""That a tone is over the next in its group."""
_DRIFT = 0.028
"""Of a tone's frequency, by its phase from window to window: that of a voice rarely holds still."""
_SHORTEST = 2
"""Windows from the first to the last of a key: 40 ms are three, at the least three quarters full
of it. What is shorter is a voice, 1.5 times an hour."""
_UP = 4
"""Windows without the key after which it is up."""


class _Key:
    """What is, or may be, pressed on a leg."""

    __slots__ = ("first", "key", "last", "spectrum", "steady")

    def __init__(self, key: int, window: int, spectrum: Spectra) -> None:
        self.key = key
        self.first = self.last = window
        self.steady = False
        """It was seen twice in a row: it is down."""
        self.spectrum = spectrum

    def pressed(self) -> Pressed:
        """Of the first and the last window a half belongs to it, on the average."""
        return Pressed(_KEYS[self.key], (self.last - self.first + 1) * _HOP_MS)


class Tones:
    """Of as many legs as `capacity` at 8 or 16 kHz, each known by its row."""

    def __init__(self, rate: int, capacity: int) -> None:
        self._samples = rate * FRAME_MS // 1000
        self._hop = rate * _HOP_MS // 1000
        frequencies = np.array(_LOW + _HIGH)
        turns = np.outer(np.arange(self._samples) / rate, frequencies)
        self._filters: Spectra = np.exp(-2j * np.pi * turns).astype(np.complex64)
        self._flat = np.ascontiguousarray(self._filters).view(np.float32)
        hop = 2 * np.pi * frequencies * _HOP_MS / 1000
        self._advance: Spectra = np.exp(-1j * hop).astype(np.complex64)
        self._drift = hop * _DRIFT
        self._tails: Samples = np.zeros((capacity, self._hop), np.float32)
        self._window: Numbers = np.zeros(capacity, np.int64)
        self._keys: dict[int, _Key] = {}

    def hear(self, frames: NDArray[np.int16], rows: Numbers) -> list[tuple[int, Pressed]]:
        """The keys that came up, by row, with frames `[n, samples]` of the legs in `rows[n]`.

        Where a frame is missing, let it hear a concealed or an empty one.
        """
        if not len(rows):
            return []
        audio = np.concatenate((self._tails[rows], frames), axis=1, dtype=np.float32)
        self._tails[rows] = audio[:, self._samples :]
        found: list[tuple[int, Pressed]] = []
        for start in (0, self._hop):
            self._window[rows] += 1
            self._look(audio[:, start : start + self._samples], rows, found)
        return found

    def forget(self, row: int) -> None:
        """The row is another leg's from now on."""
        self._tails[row] = 0
        self._keys.pop(row, None)

    def _look(self, windows: Samples, rows: Numbers, found: list[tuple[int, Pressed]]) -> None:
        energy = np.einsum("ij,ij->i", windows, windows)
        loud = np.flatnonzero(energy > _LEVEL * self._samples)
        seen: dict[int, tuple[int, Spectra]] = {}
        if len(loud):
            spectra = (windows[loud] @ self._flat).view(np.complex64)
            keys = _keys(spectra, energy[loud] * (self._samples / 2))
            hits = np.flatnonzero(keys != _NONE)
            legs = rows[loud[hits]].tolist()
            seen = dict(
                zip(legs, zip(keys[hits].tolist(), spectra[hits], strict=True), strict=True)
            )
        if seen or self._keys:
            for row in [*seen, *self._held(rows, seen)]:
                self._follow(row, seen.get(row), found)

    def _held(self, rows: Numbers, seen: dict[int, tuple[int, Spectra]]) -> list[int]:
        """The legs that have a key, but not in this window."""
        return [row for row in rows.tolist() if row in self._keys and row not in seen]

    def _follow(
        self, row: int, hit: tuple[int, Spectra] | None, found: list[tuple[int, Pressed]]
    ) -> None:
        window = int(self._window[row])
        held = self._keys.get(row)
        if held is not None and hit is not None and hit[0] == held.key:
            is_next = held.last == window - 1
            held.steady = held.steady or (is_next and self._is_steady(held, hit[1]))
            if not held.steady:
                held.first = window
            held.last, held.spectrum = window, hit[1]
            return
        if held is not None and held.steady and window - held.last < _UP:
            return
        if held is not None and held.steady and held.last - held.first >= _SHORTEST:
            found.append((row, held.pressed()))
        self._keys.pop(row, None)
        if hit is not None:
            self._keys[row] = _Key(hit[0], window, hit[1])

    def _is_steady(self, held: _Key, spectrum: Spectra) -> bool:
        """Whether both tones went on as they would at their frequencies."""
        turned = np.angle(spectrum * held.spectrum.conj() * self._advance)
        tones = [held.key // 4, 4 + held.key % 4]
        return bool((abs(turned[tones]) <= self._drift[tones]).all())


def _keys(spectra: Spectra, whole: Samples) -> Numbers:
    """The key in each window, or `_NONE`. `whole` is the power of one tone with all the energy."""
    power = (spectra * spectra.conj()).real
    low, high = power[:, :4], power[:, 4:]
    key = low.argmax(1) * 4 + high.argmax(1)
    low, high = np.sort(low, 1), np.sort(high, 1)
    lower, higher = low[:, 3], high[:, 3]
    good = lower + higher >= _SHARE * whole
    good &= (lower <= _TWIST * higher) & (higher <= _TWIST * lower)
    good &= (lower >= _NEIGHBOUR * low[:, 2]) & (higher >= _NEIGHBOUR * high[:, 2])
    return np.where(good, key, _NONE)
