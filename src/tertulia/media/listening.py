"""Utterances, cut out of what legs say, for speech recognition.

every tick: listeners.advance(at), then for each of listeners.targets: listeners.push(...)
"""

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from tertulia.media.audio_files import Samples, resampled
from tertulia.media.background import Background, Jobs
from tertulia.media.voice import FRAME_MS, Voice, rate_of
from tertulia.media.wav import HEADER, Note, WavFile
from tertulia.model.commands import AnyReport, Listen, Listened
from tertulia.model.instant import Instant

FILE_RATE = 16_000
BEFORE_MS = 300
"""Kept of what came before the voice was found, so that no first consonant is lost."""
AFTER_MS = 300
"""Kept of the silence in the end."""
WINDOW = 10
ENOUGH = 6
"""Somebody speaks when so many of the last frames in the window hold voice: a click does not."""
LOUDEST_THRESHOLD = -25.0
SOFTEST_THRESHOLD = -55.0
"""Decibels that a voice must reach, at sensitivity 10 and 100; evenly between them."""

Report = Callable[[AnyReport], None]
_Frame = tuple[Instant, Samples]


def threshold(sensitivity: int) -> float:
    """How loud a frame must be to count as voice, in decibels relative to full scale."""
    share = (min(max(sensitivity, 10), 100) - 10) / 90
    return LOUDEST_THRESHOLD + share * (SOFTEST_THRESHOLD - LOUDEST_THRESHOLD)


class _Listening:
    """One that is under way: it waits for a voice, then keeps what is said."""

    def __init__(self, listen: Listen, at: Instant) -> None:
        self.listen = listen
        self.begun = at
        self.spoke_at: Instant | None = None
        """When the voice was found."""
        self._voiced_until = at
        self._voice = Voice(threshold(listen.sensitivity))
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._before: deque[_Frame] = deque(maxlen=BEFORE_MS // FRAME_MS + WINDOW)
        self._frames: list[_Frame] = []

    def take(self, frame: Samples, at: Instant) -> None:
        voiced = self._voice.is_in(frame)
        self._recent.append(voiced)
        if self.spoke_at is not None:
            self._frames.append((at, frame.copy()))
        else:
            self._before.append((at, frame.copy()))
            if sum(self._recent) >= ENOUGH:
                self._begin(at)
        if self.spoke_at is not None and voiced:
            self._voiced_until = Instant(at + FRAME_MS)

    def reason(self, at: Instant) -> str | None:
        """Why it is over, if it is."""
        if self.spoke_at is None:
            return "start_timeout" if at - self.begun >= self.listen.start_ms else None
        if at - self.spoke_at >= self.listen.limit_ms:
            return "max_duration"
        silent = at - self._voiced_until >= self.listen.silence_ms
        return "end_on_silence_timeout" if silent else None

    def utterance(self) -> list[_Frame]:
        """What was said, without most of the silence after it; empty when nobody spoke."""
        until = self._voiced_until + AFTER_MS
        return [(at, frame) for at, frame in self._frames if at < until]

    def _begin(self, at: Instant) -> None:
        self.spoke_at = at
        since = at - BEFORE_MS - (WINDOW - 1) * FRAME_MS
        self._frames = [each for each in self._before if each[0] >= since]
        self._before.clear()


class Listeners:
    """All that a worker listens for. Used by one thread."""

    def __init__(self, report: Report, jobs: Jobs | None = None) -> None:
        self._report = report
        self._jobs = jobs or Background("listen")
        self._listenings: dict[str, _Listening] = {}
        self._targets: dict[str, list[_Listening]] = {}
        self._outcomes: deque[Listened] = deque()
        self._at = Instant(0)

    @property
    def targets(self) -> Collection[str]:
        """Legs that are listened to: push for each of them once a tick."""
        return self._targets.keys()

    def start(self, listen: Listen) -> None:
        if listen.listen in self._listenings:
            return
        listening = _Listening(listen, self._at)
        self._listenings[listen.listen] = listening
        self._targets.setdefault(listen.leg, []).append(listening)

    def stop(self, listen: str) -> None:
        """What was said so far is kept."""
        if listen in self._listenings:
            self._finish(self._listenings[listen], "stopped")

    def gone(self, leg: str) -> None:
        """A leg is no more."""
        for listening in tuple(self._targets.get(leg, ())):
            self._finish(listening, "left")

    def advance(self, at: Instant) -> None:
        """A tick begins: what is pushed until the next one was heard from this instant on."""
        self._at = at
        while self._outcomes:
            self._report(self._outcomes.popleft())
        for listening in tuple(self._listenings.values()):
            reason = listening.reason(at)
            if reason is not None:
                self._finish(listening, reason)

    def push(self, leg: str, frame: Samples) -> None:
        """A leg's own voice in this tick, 20 ms; it is copied. What is not pushed was silent."""
        for listening in self._targets.get(leg, ()):
            listening.take(frame, self._at)

    def close(self) -> None:
        """End without reporting."""
        self._jobs.close(timeout=2.0)

    def _finish(self, listening: _Listening, reason: str) -> None:
        listen = listening.listen
        del self._listenings[listen.listen]
        others = self._targets[listen.leg]
        others.remove(listening)
        if not others:
            del self._targets[listen.leg]
        frames = listening.utterance()
        if frames:
            ended = Instant(frames[-1][0] + FRAME_MS)
            outcome = Listened(listen.listen, frames[0][0], ended, 0, reason)
            self._jobs.do(partial(self._write, Path(listen.path), frames, outcome))
        else:
            self._report(Listened(listen.listen, listening.begun, self._at, 0, reason))

    def _write(self, path: Path, frames: list[_Frame], outcome: Listened) -> None:
        """By a thread."""
        size = 0
        try:
            size = _written(path, frames)
        finally:
            self._outcomes.append(
                replace(outcome, size=size) if size else replace(outcome, reason="failed")
            )


def _written(path: Path, frames: list[_Frame]) -> int:
    """Octets of the file; 0 when it could not be written."""
    try:
        samples = _joined(frames)
        file = WavFile(path, 1, FILE_RATE, Note(frames[0][0]))
        file.put(0, samples.astype("<i2", copy=False).tobytes())
        file.finish(len(samples))
    except OSError:
        path.unlink(missing_ok=True)
        return 0
    return HEADER + 2 * len(samples)


def _joined(frames: list[_Frame]) -> Samples:
    """All at the rate of the file and in their places, silence between them."""
    first, last = frames[0][0], frames[-1][0]
    out = np.zeros((last - first + FRAME_MS) * FILE_RATE // 1000, np.int16)
    for run in _runs(frames):
        place = (run[0][0] - first) * FILE_RATE // 1000
        joined = np.concatenate([frame for _, frame in run])
        joined = resampled(joined, rate_of(run[0][1]), FILE_RATE)
        part = out[place : place + len(joined)]
        part[:] = joined[: len(part)]
    return out


def _runs(frames: list[_Frame]) -> list[list[_Frame]]:
    """Those of one rate that follow each other without a gap."""
    runs: list[list[_Frame]] = []
    for at, frame in frames:
        if runs and _follows(runs[-1][-1], (at, frame)):
            runs[-1].append((at, frame))
        else:
            runs.append([(at, frame)])
    return runs


def _follows(former: _Frame, frame: _Frame) -> bool:
    is_next = abs(frame[0] - former[0] - FRAME_MS) <= FRAME_MS
    return is_next and len(frame[1]) == len(former[1])
