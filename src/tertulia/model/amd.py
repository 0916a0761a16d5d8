"""Who has answered a call: a person, or a machine with its announcement.

People say a word or three and wait; machines talk on. So what counts is how long the first words
are, how they are divided, and how long the silence after them. What is heard comes as runs.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

HUMAN, MACHINE = "human", "machine"


class Sound(Enum):
    SILENCE = 0
    """Noise of the line, too."""
    SPEECH = 1
    RING = 2
    """The rest of a ring-back tone: it says nothing about who has answered."""
    SIGNAL = 3
    """A tone that no person makes: of a fax, of a failed call, a beep."""
    MUSIC = 4
    """Notes that keep their pitch."""


class Run(NamedTuple):
    sound: Sound
    milliseconds: int


class Knobs(Struct, frozen=True):
    """Milliseconds, but for the counts. Chosen with a corpus that the tests make, and checked with
    one of other voices, languages and sentences (bench/README.md)."""

    initial_silence: int = 3000
    """Nobody speaks: a machine with an empty announcement. Few people wait longer before they say
    hello; it is the slowest verdict, and the least certain."""
    word: int = 60
    """Shorter sounds are no words."""
    between_words: int = 60
    """Shorter pauses belong to a word. Those before p, t and k may be longer: words are counted as
    they are heard, not as they are written."""
    between_phrases: int = 260
    """A pause that is made on purpose."""
    phrase: int = 160
    """Of speech: what is less after a pause may be somebody else, or a noise."""
    long_greeting: int = 1900
    """From the first word to the last: longer than nearly all that people say first, shorter than
    nearly all that machines say. 200 more would halve the people that are taken for machines, and
    make every machine's verdict as much later."""
    words: int = 6
    """So many are an announcement. A name alone has up to four. Without this the median verdict
    is 0.1 s later."""
    phrases: int = 3
    """Likewise, from `phrases_length` on: people say hello once, or twice, and others talk behind
    them."""
    phrases_length: int = 1400
    silence_after: int = 720
    """After a very short greeting, for a person. Most machines pause less between sentences."""
    silence_share: float = 0.3
    """Of the greeting's length, which is waited longer: after a longer one more is to come."""
    signal: int = 240
    """Of a tone before any word: the shortest of those of a failed call has 276, a click less."""
    beep: int = 120
    """Of a tone after words."""
    music: int = 1000
    """Longer than the notes that a voice may hold."""
    limit: int = 5000
    """By then the likelier is named."""


KNOBS = Knobs()


class Verdict(NamedTuple):
    verdict: str
    """HUMAN or MACHINE."""
    confidence: int
    """Per cent."""
    cause: str


BEEPED = Verdict(MACHINE, 97, "beep")
"""Of what a beep was heard from before anything else could be judged."""


class _Heard:
    """What has come so far, in milliseconds."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self.total = self.signal = self.music = 0
        self.before = 0
        """Of silence, until the first word."""
        self.greeting = 0
        """From the first word to the end of the last."""
        self.quiet = 0
        """Since then."""
        self.certain = 0
        """Of the greeting, to the end of the last phrase that is surely one."""
        self.words = self.phrases = self._phrase = 0

    def add(self, run: Run) -> None:
        self.total += run.milliseconds
        self.signal = run.milliseconds if run.sound is Sound.SIGNAL else 0
        self.music += run.milliseconds if run.sound is Sound.MUSIC else 0
        is_word = run.sound is Sound.SPEECH and run.milliseconds >= self._knobs.word
        if is_word:
            self._speak(run.milliseconds)
        elif run.sound is Sound.MUSIC:
            self.quiet = 0
        elif self.words:
            self.quiet += run.milliseconds
        elif run.sound in (Sound.SILENCE, Sound.SPEECH):
            self.before += run.milliseconds

    def _speak(self, milliseconds: int) -> None:
        knobs = self._knobs
        if self.quiet >= knobs.between_phrases or not self.words:
            self._phrase = 0
        if self.quiet >= knobs.between_words or not self.words:
            self.words += 1
        self._phrase += milliseconds
        self.greeting += self.quiet + milliseconds
        self.quiet = 0
        if self._phrase >= knobs.phrase:
            self.phrases += self._phrase - milliseconds < knobs.phrase
            self.certain = self.greeting


def judge(runs: Iterable[Run], knobs: Knobs = KNOBS) -> Verdict | None:
    """After runs from the answer on, of which the last may go on; None while it is open. What was
    judged stays so whatever comes later."""
    heard = _Heard(knobs)
    for run in runs:
        heard.add(run)
        verdict = _machine(heard, knobs)
        if run.sound is Sound.SILENCE:
            verdict = verdict or _human(heard, knobs)
        verdict = verdict or _at_limit(heard, knobs)
        if verdict is not None:
            return verdict
    return None


def _machine(heard: _Heard, knobs: Knobs) -> Verdict | None:
    if heard.signal >= (knobs.beep if heard.words else knobs.signal):
        return Verdict(MACHINE, 98, "tone")
    if heard.music >= knobs.music:
        return Verdict(MACHINE, 85, "music")
    if heard.certain >= knobs.long_greeting:
        return Verdict(MACHINE, 90, "long_greeting")
    in_phrases = heard.phrases >= knobs.phrases and heard.certain >= knobs.phrases_length
    if heard.words >= knobs.words or in_phrases:
        return Verdict(MACHINE, 80, "many_words")
    if not heard.words and heard.before >= knobs.initial_silence:
        return Verdict(MACHINE, 60, "silence")
    return None


def _human(heard: _Heard, knobs: Knobs) -> Verdict | None:
    wait = knobs.silence_after + knobs.silence_share * heard.greeting
    if not heard.words or heard.quiet < wait:
        return None
    # A single word is nearly certain, what comes near to a long greeting is not.
    share = heard.greeting / knobs.long_greeting
    return Verdict(HUMAN, round(97 - 35 * share), "short_greeting")


def _at_limit(heard: _Heard, knobs: Knobs) -> Verdict | None:
    if heard.total < knobs.limit:
        return None
    is_short = heard.words and heard.greeting < knobs.long_greeting
    return Verdict(HUMAN if is_short else MACHINE, 55, "limit")
