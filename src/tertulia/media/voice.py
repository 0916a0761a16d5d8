"""How loud a frame is, and whether somebody speaks in it."""

from math import log10

import numpy as np
import webrtcvad

from tertulia.media.audio_files import Samples

FRAMES_A_SECOND = 50
"""Frames are 20 ms; their length tells their rate."""
FRAME_MS = 1000 // FRAMES_A_SECOND
FULL_SCALE = 32_768.0
SILENCE_DB = -100.0
STRICTNESS = 2
"""Of the detector, 0 to 3. At 2 it calls white noise speech in 0.8 % of frames."""


def rate_of(frame: Samples) -> int:
    return len(frame) * FRAMES_A_SECOND


def loudness(frame: Samples) -> float:
    """Decibels relative to full scale, -100 to 0."""
    floats = frame.astype(np.float32)
    power = float(np.dot(floats, floats)) / (max(len(frame), 1) * FULL_SCALE * FULL_SCALE)
    return max(SILENCE_DB, 10.0 * log10(power)) if power > 0 else SILENCE_DB


class Voice:
    """Finds voice in a stream of frames: what is loud enough and sounds like speech."""

    def __init__(self, threshold: float) -> None:
        """Of loudness, in decibels."""
        self._threshold = threshold
        self._detector = webrtcvad.Vad(STRICTNESS)

    def is_in(self, frame: Samples) -> bool:
        """Frames are of 8, 16 or 48 kHz."""
        # Also silence goes to the detector, which learns the background from it.
        sounds = self._detector.is_speech(frame.tobytes(), rate_of(frame))
        return bool(sounds) and loudness(frame) >= self._threshold
