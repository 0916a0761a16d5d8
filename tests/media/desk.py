"""What the suites of playing, recording and listening share: files, frames, jobs done at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from tertulia.media.audio_files import Samples
from tertulia.model.commands import AnyReport
from tertulia.model.instant import Instant

START = Instant(1_777_886_122_000)
FRAME_MS = 20


class AtOnce:
    """Does a job when it is given, or later, when it is told to hold."""

    def __init__(self) -> None:
        self.holds = False
        self.held: list[Callable[[], None]] = []

    def do(self, job: Callable[[], None]) -> None:
        if self.holds:
            self.held.append(job)
        else:
            job()

    def release(self) -> None:
        self.holds = False
        while self.held:
            self.held.pop(0)()

    def close(self, timeout: float | None = None) -> None:
        self.release()


class Reports(list[AnyReport]):
    def __call__(self, report: AnyReport) -> None:
        self.append(report)

    def taken(self) -> list[AnyReport]:
        taken = list(self)
        self.clear()
        return taken


def ramp(count: int, start: int = 1) -> Samples:
    """Samples that tell where they are, none of them 0 for the first 20,000."""
    return ((np.arange(count) + start) % 20_000).astype(np.int16)


def tone(count: int, rate: int = 16_000, hertz: float = 440.0, peak: int = 8_000) -> Samples:
    wave = peak * np.sin(2 * np.pi * hertz * np.arange(count) / rate)
    return np.asarray(np.rint(wave), np.int16)


def write(path: Path, samples: Samples, rate: int = 16_000, kind: str = "WAV") -> Path:
    soundfile.write(path, samples, rate, format=kind)
    return path


def read(path: Path | str) -> Samples:
    samples: Samples = soundfile.read(path, dtype="int16")[0]
    return samples
