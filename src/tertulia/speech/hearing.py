"""An engine's work for a Hear: the file at 16 kHz mono, stretch by stretch, cut where it is quiet.

Stretches keep the memory small whatever the length of the recording, and show that the engine
lives.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from msgspec.structs import replace
from numpy.typing import NDArray

from tertulia.ports.speech import Reading
from tertulia.speech.messages import Hear, Heard, Order, Progress
from tertulia.speech.serving import Work

RATE = 16_000
STRETCH_S = 28
"""A recogniser of 30 seconds at a time has room for it."""
_CUT_FROM_S = 18
"""The quietest moment behind this one ends a stretch."""
_FRAMES = 50
"""A second, when the quietest is looked for."""
_RATES = range(4_000, 384_001)

Ear = Callable[[NDArray[np.float32], Hear], list[Reading]]
"""Times count from the start of the samples."""


class Stretch(NamedTuple):
    start_ms: int
    end_ms: int
    samples: NDArray[np.float32]


def listening(ear: Ear) -> Work:
    """What an engine with this ear does with orders."""

    def work(order: Order) -> Iterator[Progress]:
        if not isinstance(order, Hear):
            raise ValueError("this engine only listens")
        for start_ms, end_ms, samples in stretches(order.path, order.skip_ms):
            heard = ear(samples, order) if np.any(samples) else []
            yield Heard(end_ms, tuple(_later(each, start_ms) for each in heard))

    return work


def stretches(path: str, skip_ms: int = 0) -> Iterator[Stretch]:
    """The file from `skip_ms` on, in stretches of at most STRETCH_S seconds.

    Raises OSError, or RuntimeError for what is not audio.
    """
    with soundfile.SoundFile(path) as file:
        rate = int(file.samplerate)
        if rate not in _RATES:
            raise ValueError(f"audio at {rate} Hz")
        at = min(skip_ms * rate // 1000, file.frames)
        file.seek(at)
        rest = np.zeros(0, np.float32)
        while True:
            wanted = STRETCH_S * rate - len(rest)
            more = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
            samples = np.concatenate([rest, more])
            if not len(samples):
                return
            size = len(samples) if len(more) < wanted else _quietest(samples, rate)
            stretch, rest = samples[:size], samples[size:]
            if rate != RATE:
                stretch = soxr.resample(stretch, rate, RATE)
            yield Stretch(at * 1000 // rate, (at + size) * 1000 // rate, stretch)
            at += size


def _quietest(samples: NDArray[np.float32], rate: int) -> int:
    """The middle of the quietest 100 ms in the last seconds; an index of the samples."""
    first, frame = _CUT_FROM_S * rate, rate // _FRAMES
    count = (len(samples) - first) // frame
    frames = samples[first : first + count * frame].reshape(count, frame)
    power = np.convolve(np.square(frames).mean(axis=1), np.ones(5), mode="valid")
    return first + (int(np.argmin(power)) + 2) * frame + frame // 2


def _later(reading: Reading, by_ms: int) -> Reading:
    return replace(reading, start_ms=reading.start_ms + by_ms, end_ms=reading.end_ms + by_ms)
