"""An engine's work for a Say: its sound at 16 kHz, appended piece by piece to the file."""

from collections.abc import Callable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from tertulia.speech.messages import Order, Progress, Said, Say
from tertulia.speech.serving import Work
from tertulia.speech.ssml import Segment

RATE = 16_000
LEVEL = 0.5
"""Of full scale, for a volume of 1: what is louder still fits, and it sounds as loud as people."""

Sound = tuple[NDArray[np.float32], int]
"""Samples of -1 to 1, and their rate."""
Voice = Callable[[Segment, Say], Sound]


def speaking(voice: Voice) -> Work:
    """What an engine with this voice does with orders."""

    def work(order: Order) -> Iterator[Progress]:
        if not isinstance(order, Say):
            raise ValueError("this engine only speaks")
        with open(order.path, "ab", buffering=0) as file:
            for piece in order.pieces[order.skip :]:
                # One write, so that a reader of the growing file never finds half a sample.
                file.write(_samples(piece, order, voice).tobytes())
                yield Said(file.tell())

    return work


def _samples(piece: Segment, order: Say, voice: Voice) -> NDArray[np.int16]:
    silence = np.zeros(piece.pause_ms * RATE // 1000, np.int16)
    if not piece.text:
        return silence
    sound, rate = voice(piece, order)
    if rate != RATE:
        sound = soxr.resample(sound, rate, RATE)
    loud = np.clip(sound * (LEVEL * piece.volume), -1.0, 1.0)
    return np.concatenate([(loud * 32767).astype("<i2"), silence])
