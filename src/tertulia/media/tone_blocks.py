"""Tones (tones.py) as a source of audio that is played like a file."""

from math import inf

import numpy as np

from tertulia.media.audio_files import BLOCK_S, AudioError, Floats
from tertulia.media.tones import named

RATE = 16_000


class ToneBlocks:
    """An endless tone, or one that ends and is said as often as is asked: 0 is without end."""

    rate = RATE

    def __init__(self, name: str, *, loop: int = 1) -> None:
        """Raises AudioError."""
        tone = named(name)
        if tone is None:
            raise AudioError(f"there is no tone called {name}")
        self._tone = tone
        self._length = tone.length(RATE)
        self._passes: float = loop or inf
        self._at = 0

    def read(self) -> Floats | None:
        count = int(BLOCK_S * RATE)
        if self._length is not None:
            if self._at == self._length:
                self._passes -= 1
                self._at = 0
            if not self._passes:
                return None
            count = min(count, self._length - self._at)
        samples = self._tone.samples(self._at, count, RATE)
        self._at += count
        return samples.astype(np.float32) / np.float32(32_768)

    def close(self) -> None:
        """There is nothing to close."""
