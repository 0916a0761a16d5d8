"""What there is in short windows of sound: how loud, how like a voice, how like a single tone.

Windows of 40 ms, 20 ms apart, of any number of legs at once. Only 200 to 3500 Hz count, what every
telephone carries: neither hum nor a wideband codec makes a difference.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SILENT_DB = -100.0
_FULL_SCALE = 32_768.0
_NARROW = 320
"""Samples of a window at 8 kHz."""
_POINTS = 512
"""Of the transform at 8 kHz; at 16 kHz twice as many, so that lines are as far apart."""
_LINE = 8000 / _POINTS
"""Hertz between two lines of a spectrum."""
_LOWEST, _HIGHEST = round(200 / _LINE), round(3500 / _LINE)
"""Lines that count."""
_LOBE = 4
"""Lines on each side of a tone that a window of 40 ms smears it over."""
_LAGS = slice(8000 // 420, 8000 // 70 + 1)
"""Samples at 8 kHz: periods of voices."""


def _taken() -> Numbers:
    """What the shape of the window takes from the autocorrelation at each lag, inverted."""
    power = np.abs(np.fft.rfft(np.hanning(_NARROW), 2 * _POINTS)) ** 2
    correlation = np.fft.irfft(power)
    return np.asarray(correlation[0] / correlation[_LAGS])


_TAKEN = _taken()


class Spectra(NamedTuple):
    """[n] each."""

    levels: Numbers
    """Decibels below full scale."""
    voicing: Numbers
    """0 to 1: the share that comes again after a period of a voice."""
    hertz: Numbers
    """Of the strongest line, by its neighbours to about 1 Hz."""
    purity: Numbers
    """0 to 1: the share of the energy that is at that line."""


@cache
def _shape(length: int) -> tuple[NDArray[np.float32], float]:
    """Of a window, and its energy."""
    shape = np.hanning(length).astype(np.float32)
    return shape, float(np.dot(shape, shape))


def spectra(windows: NDArray[np.int16]) -> Spectra:
    """Of rows of 320 samples (8 kHz) or 640 (16 kHz)."""
    length = windows.shape[1]
    shape, energy = _shape(length)
    points = _POINTS * length // _NARROW
    transformed = np.fft.rfft(windows * shape, points, axis=1)[:, : _POINTS // 2 + 1]
    power = transformed.real**2 + transformed.imag**2
    power[:, :_LOWEST] = power[:, _HIGHEST + 1 :] = 0
    whole = power.sum(1) + 1e-9
    scale = 2.0 / (points * _FULL_SCALE**2 * energy)
    levels = np.maximum(10 * np.log10(whole * scale + 1e-12), SILENT_DB)
    hertz, purity = _strongest(power, whole)
    return Spectra(levels, _voicing(power), hertz, purity)


def _strongest(power: Numbers, whole: Numbers) -> tuple[Numbers, Numbers]:
    rows = np.arange(len(power))
    line = power.argmax(1).clip(_LOWEST, _HIGHEST)
    # A parabola through the logarithms of three lines has its top at the tone.
    left, middle, right = (np.log(power[rows, line + step] + 1e-9) for step in (-1, 0, 1))
    bend = np.minimum(left - 2 * middle + right, -1e-9)
    offset = np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    sums = np.cumsum(power, axis=1)
    near = sums[rows, line + _LOBE] - sums[rows, line - _LOBE - 1]
    return (line + offset) * _LINE, near / whole


def _voicing(power: Numbers) -> Numbers:
    """The highest of the autocorrelation, less what the window takes from it."""
    correlation = np.fft.irfft(power, _POINTS, axis=1)
    highest = (correlation[:, _LAGS] * _TAKEN).max(1)
    return np.asarray(np.clip(highest / (correlation[:, 0] + 1e-9), 0, 1))
