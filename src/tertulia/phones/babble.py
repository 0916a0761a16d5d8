"""What is heard where no engine speaks: syllables of a voice that says nothing.

A pulse of 110 to 140 Hz through three resonances, in the rhythm of speech, so that whoever listens
for a voice finds one. The same text always sounds the same.
"""

from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tertulia.media.g711 import Samples

RATE = 8000
SYLLABLE_S = 0.2
CHARACTERS = 3
"""Of a syllable, about: 15 a second are a calm pace."""
LEVEL = 5000.0
_PAUSES = ".,;:!?"
_VOWELS = (
    (700, 1150, 2500), (500, 1750, 2500), (300, 2200, 2900), (450, 850, 2500), (350, 800, 2300),
)  # fmt: skip
"""Formants in hertz, about those of a, e, i, o, u."""
_WIDTHS = (90.0, 120.0, 180.0)
_GAINS = (1.0, 0.5, 0.25)


def babble(text: str) -> Samples:
    """At 8 kHz; about as long as the text takes to say."""
    chance = np.random.default_rng(list(blake2b(text.encode(), digest_size=8).digest()))
    sounds = []
    for start, end in pairwise([*range(0, len(text), CHARACTERS), len(text)]):
        sounds.append(_syllable(chance))
        if any(mark in text[start:end] for mark in _PAUSES):
            sounds.append(np.zeros(int(0.25 * RATE)))
    wave = np.concatenate(sounds) if sounds else _syllable(chance)
    return np.asarray(np.rint(wave * (LEVEL / max(np.abs(wave).max(), 1e-9))), np.int16)


def _syllable(chance: np.random.Generator) -> NDArray[np.float64]:
    count = int(SYLLABLE_S * RATE * chance.uniform(0.8, 1.2))
    seconds = np.arange(count) / RATE
    pitch = chance.uniform(110, 140)
    formants = _VOWELS[chance.integers(len(_VOWELS))]
    harmonics = np.arange(1, int(3400 / pitch)) * pitch
    weights = sum(
        gain / (1 + ((harmonics - centre) / width) ** 2)
        for centre, width, gain in zip(formants, _WIDTHS, _GAINS, strict=True)
    )
    phases = 2 * np.pi * np.outer(harmonics, seconds)
    voiced = np.asarray(weights) @ np.sin(phases)
    breath = chance.normal(0, 0.03, count)
    envelope = np.sin(np.pi * np.arange(count) / count) ** 0.7
    return np.asarray((voiced + breath) * envelope, np.float64)
