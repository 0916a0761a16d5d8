"""From one rate to another: 8 and 16 kHz for all legs of a tick at once, and any rates for streams.

The first is a half-band filter: of two samples one is (or was) there already, the other is the sum
of 24 neighbours. Up to 3.4 kHz it is flat within 0.02 dB, from 4.6 kHz on everything is 58 dB down.
It delays by 1.5 ms up and 1.4 ms down. Between 16 and 24 kHz it goes through a common multiple, of
which only what is kept is made: flat to 6.5 kHz, 58 dB down from 8.3 kHz on, 1 ms late both ways.
"""

import numpy as np
import soxr
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Rows = NDArray[np.intp]
Weights = NDArray[np.float32]

_TAPS = 24
_STEP = 16
"""Samples that one row of the product makes, from 39; of 1 it would copy 24 for each, of 160 it
would multiply mostly by zero."""
_BLOCK = 40
"""Legs in one product: so small that the linear algebra stays in this thread and in the cache. A
leg takes 0.6 µs up and 0.75 down in all; a loop over the taps takes 0.8 for the sum alone."""


def _interpolation() -> Weights:
    """A windowed sine cardinal at the halves between samples."""
    middle = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(middle) * np.kaiser(2 * _TAPS + 1, 5.6)[1::2]
    return np.asarray(taps / taps.sum(), np.float32)


def _product(taps: Weights) -> Weights:
    """[39, 16]: the taps, one further down in each column."""
    weights = np.zeros((_STEP + _TAPS - 1, _STEP), np.float32)
    for column in range(_STEP):
        weights[column : column + _TAPS, column] = taps
    return weights


_WEIGHTS = _product(_interpolation())


def _between(samples: Samples) -> Weights:
    """What lies in the middle of each 24 neighbours, of rows [n, 23 + s]: [n, s]."""
    rows, count = len(samples), samples.shape[1] - _TAPS + 1
    row, item = samples.strides
    shape = (rows, count // _STEP, len(_WEIGHTS))
    windows = as_strided(samples, shape, (row, _STEP * item, item), writeable=False)
    product = windows.astype(np.float32).reshape(-1, len(_WEIGHTS)) @ _WEIGHTS
    return np.asarray(product.reshape(rows, count), np.float32)


def _rounded(samples: Weights) -> Samples:
    np.rint(samples, out=samples)
    np.minimum(np.maximum(samples, -32768, out=samples), 32767, out=samples)
    return samples.astype(np.int16)


class _Rate:
    """What is the same both ways: the end of the last frame of each row."""

    def __init__(self, rows: int, history: int) -> None:
        self._history: Samples = np.zeros((rows, history), np.int16)

    def forget(self, row: int) -> None:
        """A row is somebody else's from now on."""
        self._history[row] = 0

    def _continued(self, frames: Samples, rows: Rows) -> Samples:
        """Frames behind what was before them."""
        whole = np.concatenate((self._history[rows], frames), axis=1)
        self._history[rows] = whole[:, frames.shape[1] :]
        return whole


class Doubling(_Rate):
    """8 to 16 kHz, for so many rows of legs."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows, _TAPS - 1)

    def push(self, frames: Samples, rows: Rows) -> Samples:
        """The next frames [n, s] of these rows, each once, as [n, 2 s]; s is a multiple of 16."""
        count = frames.shape[1]
        out = np.empty((len(frames), 2 * count), np.int16)
        for start in range(0, len(frames), _BLOCK):
            block = slice(start, start + _BLOCK)
            whole = self._continued(frames[block], rows[block])
            out[block, 0::2] = whole[:, _TAPS // 2 - 1 : _TAPS // 2 - 1 + count]
            out[block, 1::2] = _rounded(_between(whole))
        return out


class Halving(_Rate):
    """16 to 8 kHz, for so many rows of legs."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows, 2 * (_TAPS - 1))

    def push(self, frames: Samples, rows: Rows) -> Samples:
        """The next frames [n, 2 s] of these rows, each once, as [n, s]; s is a multiple of 16."""
        count = frames.shape[1] // 2
        out = np.empty((len(frames), count), np.int16)
        for start in range(0, len(frames), _BLOCK):
            block = slice(start, start + _BLOCK)
            whole = self._continued(frames[block], rows[block])
            between = _between(whole[:, 1::2])
            between += whole[:, 0::2][:, _TAPS // 2 : _TAPS // 2 + count]
            between *= 0.5
            out[block] = _rounded(between)
        return out


_COMMON = 48_000
_REACH = 96
"""Taps at that rate."""
_CORNER = 7_400
_SMALL_BLOCK = 16
"""Legs in one product, as above: a leg takes 2.3 µs either way."""


def _low_pass() -> Weights:
    """Of the common rate: a windowed sine cardinal."""
    middle = np.arange(_REACH) - (_REACH - 1) / 2
    taps = np.sinc(middle * 2 * _CORNER / _COMMON) * np.kaiser(_REACH, 5.6)
    return np.asarray(taps / taps.sum(), np.float32)


class Stretching(_Rate):
    """Between 16 and 24 kHz, either way, for so many rows of legs."""

    def __init__(self, rows: int, from_rate: int, to_rate: int) -> None:
        up, down = _COMMON // from_rate, _COMMON // to_rate
        self._step, latest = down, (up - 1) * down // up
        super().__init__(rows, (_REACH - 1) // up)
        reach = np.arange(-self._history.shape[1], latest + 1)
        places = np.arange(up) * down - reach[:, np.newaxis] * up
        within = (places >= 0) & (places < _REACH)
        taps = up * _low_pass()
        self._weights: Weights = np.where(within, taps[np.clip(places, 0, _REACH - 1)], 0)
        """[samples reached, outputs of a step]"""

    def push(self, frames: Samples, rows: Rows) -> Samples:
        """The next frames of 20 ms [n, s] of these rows, each once, at the other rate."""
        width, made = self._weights.shape
        steps = frames.shape[1] // self._step
        out = np.empty((len(frames), steps * made), np.int16)
        for start in range(0, len(frames), _SMALL_BLOCK):
            block = slice(start, start + _SMALL_BLOCK)
            whole = self._continued(frames[block], rows[block])
            row, item = whole.strides
            shape = (len(whole), steps, width)
            windows = as_strided(whole, shape, (row, self._step * item, item), writeable=False)
            product = windows.astype(np.float32).reshape(-1, width) @ self._weights
            out[block] = _rounded(product).reshape(len(whole), -1)
        return out


class Resampler:
    """A stream from any rate to any other, as it comes; 5 to 7 µs for 20 ms."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._stream = None
        if from_rate != to_rate:
            self._stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="int16")

    def push(self, samples: Samples) -> Samples:
        """What can be said by now, which lags behind."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), np.int16)

    def flush(self) -> Samples:
        """The rest, after the last sample; nothing may be pushed after it."""
        end: Samples = np.empty(0, np.int16)
        if self._stream is None:
            return end
        return np.asarray(self._stream.resample_chunk(end, last=True), np.int16)
