"""Who has answered, from what a leg says first; then the beep of a machine.

every tick: detectors.advance(at), then for each of detectors.targets: detectors.push(...)
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from tertulia.media.beeps import BeepFinder
from tertulia.media.sounds import FRAME_MS, Ear
from tertulia.media.spectra import Spectra, spectra
from tertulia.model.amd import BEEPED, HUMAN, KNOBS, Sound, Verdict, judge
from tertulia.model.commands import AnyReport, Beeped, Detect, Judged
from tertulia.model.instant import Instant

Samples = NDArray[np.int16]
Report = Callable[[AnyReport], None]

_NARROW = 160
_FRAMES = KNOBS.limit // FRAME_MS + 2
_SHARE = 2
"""Of so many frames one is followed by a judgement, other legs' by turns: what was heard so far is
gone through anew, 70 µs a leg."""
_FIRST_TONES = 100
"""Frames after the answer in which tones may be those of a failed call: they come at once."""


class _Detection:
    """One that is under way: until the verdict, then until the beep when that is asked for."""

    def __init__(self, detect: Detect, at: Instant, turn: int) -> None:
        self.detect = detect
        self.begun = at
        self.judged_at: Instant | None = None
        self.beep: float | None = None
        """Hertz of what was heard."""
        self.window: Samples = np.zeros(2 * _NARROW, np.int16)
        """The last two frames."""
        self._ear = Ear(_FRAMES)
        self._finder = BeepFinder()
        self._frames = 0
        self._turn = turn
        self._has_spoken = False

    def take(self, frame: Samples | None) -> None:
        """None is silence."""
        half = len(self.window) // 2
        if frame is not None and len(frame) != half:
            half = len(frame)
            self.window = np.zeros(2 * half, np.int16)
        self.window[:half] = self.window[half:]
        self.window[half:] = 0 if frame is None else frame

    def hear(self, sound: Spectra, row: int) -> Verdict | None:
        """The window, as a row of `sound`."""
        self._frames += 1
        first = not self._has_spoken and self._frames <= _FIRST_TONES
        beep = self._finder.hear(
            sound.levels[row], sound.hertz[row], sound.purity[row], first=first
        )
        self.beep = self.beep or beep
        if self.judged_at is not None:
            return None
        self._ear.hear(sound, row)
        if beep is not None:
            return BEEPED
        return self._judge() if (self._frames + self._turn) % _SHARE == 0 else None

    def _judge(self) -> Verdict | None:
        runs = self._ear.runs()
        self._has_spoken = any(
            run.sound is Sound.SPEECH and run.milliseconds >= KNOBS.word for run in runs[:-1]
        )
        return judge(runs)


class Detectors:
    """All that a worker detects. Used by one thread."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._detections: dict[str, _Detection] = {}
        self._targets: dict[str, list[_Detection]] = {}
        self._heard: list[_Detection] = []
        """Those that could be pushed to since the tick began."""
        self._pushed: dict[str, Samples] = {}
        self._turns = count()
        self._at = Instant(0)

    @property
    def targets(self) -> Collection[str]:
        """Legs that are listened to: push for each of them once a tick."""
        return self._targets.keys()

    def start(self, detect: Detect) -> None:
        """The leg has just been answered."""
        if detect.detect in self._detections:
            return
        detection = _Detection(detect, self._at, next(self._turns))
        self._detections[detect.detect] = detection
        self._targets.setdefault(detect.leg, []).append(detection)

    def stop(self, detect: str) -> None:
        """Without a report."""
        if detect in self._detections:
            self._end(self._detections[detect])

    def gone(self, leg: str) -> None:
        """A leg is no more. Of a beep that was waited for nothing is reported."""
        for detection in tuple(self._targets.get(leg, ())):
            self._end(detection)
            if detection.judged_at is None:
                self._report(Judged(detection.detect.detect, "gone", 0, "gone", self._at))

    def push(self, leg: str, frame: Samples) -> None:
        """A leg's own voice in this tick, 20 ms at 8 or 16 kHz; it is copied. What is not pushed
        was silent."""
        self._pushed[leg] = frame.copy()

    def advance(self, at: Instant) -> None:
        """A tick begins: what was pushed in the last one was heard until this instant."""
        self._at = at
        heard = [each for each in self._heard if each.detect.detect in self._detections]
        for detections in _by_width(heard, self._pushed):
            sound = spectra(np.stack([each.window for each in detections]))
            for row, detection in enumerate(detections):
                verdict = detection.hear(sound, row)
                if verdict is not None:
                    self._tell(detection, verdict)
                if detection.judged_at is not None:
                    self._await_beep(detection, detection.judged_at)
        self._pushed.clear()
        self._heard = [*self._detections.values()]

    def _tell(self, detection: _Detection, verdict: Verdict) -> None:
        detect = detection.detect
        detection.judged_at = self._at
        self._report(Judged(detect.detect, *verdict, self._at))
        if verdict.verdict == HUMAN or not detect.beep:
            self._end(detection)

    def _await_beep(self, detection: _Detection, since: Instant) -> None:
        """Also one that came before the verdict counts."""
        detect = detection.detect
        if detect.detect not in self._detections:
            return
        if detection.beep is not None:
            self._report(Beeped(detect.detect, True, round(detection.beep), self._at))
        elif self._at - since >= detect.beep_ms:
            self._report(Beeped(detect.detect, False, 0, self._at))
        else:
            return
        self._end(detection)

    def _end(self, detection: _Detection) -> None:
        detect = detection.detect
        del self._detections[detect.detect]
        others = self._targets[detect.leg]
        others.remove(detection)
        if not others:
            del self._targets[detect.leg]


def _by_width(
    detections: Iterable[_Detection], pushed: dict[str, Samples]
) -> list[Sequence[_Detection]]:
    """Those of each rate, with the frames that they have heard."""
    widths: dict[int, list[_Detection]] = {}
    for detection in detections:
        detection.take(pushed.get(detection.detect.leg))
        widths.setdefault(len(detection.window), []).append(detection)
    return [*widths.values()]
