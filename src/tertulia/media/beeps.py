"""The beep after which a machine records: one pure tone, as loud at its end as at its start.

Found 120 to 160 ms after it began. Vowels waver, keys (DTMF) are two tones, notes of music have
harmonics or come one upon the other. So do the tones of a failed call, but the first of them is
known only by the next: as long as nobody has spoken, a tone is waited for to end, and 80 ms more.
"""

PURITY = 0.85
"""Of a frame. A tone 8 dB over white noise has it; in 25 minutes of speech none was found that was
steady as well, in 10 of music neither, but with 0.8 nine a minute of that."""
STEADY = 0.015
"""How much of its frequency a tone may differ from its first frame."""
LOWEST, HIGHEST = 390.0, 2050.0
"""Hertz: 400 to 2000, and what a noisy line makes of it."""
_SOFTEST = -50.0
"""Decibels below full scale."""
_EVEN = 3.0
"""Decibels that a frame may be softer than the loudest: half of it is in the tone, or more."""
_FRAMES = 6
"""120 ms. At 80 there were two false ones in 95 s of speech."""
_LONGEST = 75
"""Frames, of the first tone of a call: longer ones are those of a fax, or of a line."""
_APART = 12
"""Frames without another tone, before it: a melody has no such rests."""
_AFTER = 4
"""Frames without another tone, after the first of a call: those of a failed one follow closer."""
_RINGING = 3
"""Frames after the answer in which the tone that sounds is the rest of the ring."""
_BESIDE = 12.0
"""Decibels that a tone before it may be softer: music behind somebody."""
_NO_TONE, _LOUDEST = -200.0, 0.0
_BLIP = 3
"""Frames below which it was no tone."""
_LOST = 1
"""Frames that may be missing in a tone."""


class _Run:
    """A tone that is being heard."""

    def __init__(self, hertz: float, level: float, before: float) -> None:
        self.hertz = hertz
        self.level = level
        self.before = before
        """Level of the tone that was heard shortly before it."""
        self.frames = 1
        self.is_told = False

    def goes_on(self, hertz: float) -> bool:
        return abs(hertz - self.hertz) <= STEADY * self.hertz

    def add(self, hertz: float, level: float) -> None:
        if level > self.level + _EVEN:  # it has only begun
            self.hertz, self.level, self.frames = hertz, level, 1
        elif level >= self.level - _EVEN:
            self.level = max(level, self.level)
            self.frames += 1


class BeepFinder:
    """Of one leg, frame by frame (spectra.py). Finds each beep once."""

    def __init__(self) -> None:
        self._run: _Run | None = None
        self._pause = _APART - _RINGING
        """Frames since a tone was heard."""

    def hear(self, level: float, hertz: float, purity: float, *, first: bool) -> float | None:
        """The frequency of a beep when it is found; `first` while nobody has spoken."""
        if purity < PURITY or level < _SOFTEST:
            return self._rest()
        run = self._run
        if run is not None and self._pause <= _LOST and run.goes_on(hertz):
            run.add(hertz, level)
        else:
            run = self._run = _Run(hertz, level, self._before())
        self._pause = 0
        is_long = run.frames >= _FRAMES
        return self._tell(run) if is_long and not first else None

    def _before(self) -> float:
        """The level of the last tone; noise may be pure for a frame or two."""
        run = self._run
        if self._pause >= _APART:
            return _NO_TONE
        if run is None:  # what sounds at the answer is the rest of the ring
            return _LOUDEST
        return run.before if run.frames < _BLIP else run.level

    def _rest(self) -> float | None:
        self._pause += 1
        run = self._run
        if run is None or self._pause != _AFTER or not _FRAMES <= run.frames <= _LONGEST:
            return None
        return self._tell(run)

    def _tell(self, run: _Run) -> float | None:
        is_alone = run.level > run.before + _BESIDE
        is_beep = is_alone and LOWEST <= run.hertz <= HIGHEST and not run.is_told
        run.is_told = True
        return run.hertz if is_beep else None
