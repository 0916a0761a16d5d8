"""Tones, told from each other and from silence."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000

Samples = NDArray[np.int16]


def tone(hertz: float, seconds: float) -> Samples:
    at = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * hertz * at) * 8_000, np.int16)


def level(sound: Samples, hertz: float) -> float:
    """Amplitude of a tone as a share of full scale."""
    if not len(sound):
        return 0.0
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / RATE)
    window = np.hanning(len(sound))
    return float(abs((sound / 32768 * window) @ wave) * 2 / window.sum())


def share(sound: Samples, *hertz: float) -> float:
    """Of these tones in the power of all that sounds, about: 0 to 1."""
    power = float(np.mean(np.square(sound / 32768))) if len(sound) else 0.0
    found = sum(level(sound, each) ** 2 / 2 for each in hertz)
    return min(found / power, 1.0) if power > 1e-9 else 0.0
