"""The port Speech over engines in processes of their own. A missing engine is a clear refusal."""

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from tertulia.ports.speech import Reading, SpeechUnavailable, Utterance
from tertulia.settings import Speech as Settings
from tertulia.speech.crew import Crew, size
from tertulia.speech.installed import Installed, Program, find
from tertulia.speech.messages import Hear, Heard, Progress, Said, Say
from tertulia.speech.phrases import pieces
from tertulia.speech.ssml import Segment, segments
from tertulia.speech.voices import DEFAULT_LANGUAGE, NAMES, choose

HINTS_MAX = 1_000
"""Characters of all; what comes behind is left out."""


class SpeechPool:
    """Adapter of ports.Speech. Make it on the loop; `close` it before the loop ends."""

    def __init__(self, settings: Settings, installed: Installed | None = None) -> None:
        self._settings = settings
        self._installed = find(settings) if installed is None else installed
        self._voices = Crew(size(settings, os.cpu_count), settings)
        self._ears = Crew(size(settings, os.cpu_count), settings)

    async def say(self, utterance: Utterance, path: Path) -> int:
        _begin(path)
        program, voice, style = self._voice(utterance)
        job = _Saying(self._said(utterance), path, voice, style)
        await self._voices.carry_out(program, job)
        return job.octets

    async def recognise(
        self, path: Path, *, language: str | None = None, hints: Sequence[str] = ()
    ) -> list[Reading]:
        job = _Hearing(Hear(str(path), language, _short(hints)))
        await self._ears.carry_out(self._recogniser(), job)
        return _whole(job.stretches)

    async def transcribe(self, path: Path, *, language: str | None = None) -> list[Reading]:
        job = _Hearing(Hear(str(path), language, sentences=True))
        await self._ears.carry_out(self._recogniser(), job)
        return list(chain(*job.stretches))

    async def close(self) -> None:
        """End all engines; what is under way raises SpeechUnavailable."""
        await self._voices.close()
        await self._ears.close()

    def _said(self, utterance: Utterance) -> tuple[Segment, ...]:
        if len(utterance.text) > self._settings.text_limit:
            raise ValueError(f"a text of more than {self._settings.text_limit} characters")
        if not utterance.is_ssml:
            return pieces([Segment(utterance.text)])
        named = NAMES.get((utterance.voice or "").lower(), (DEFAULT_LANGUAGE,))[0]
        return pieces(segments(utterance.text, language=utterance.language or named))

    def _voice(self, utterance: Utterance) -> tuple[Program, str, int]:
        found = self._installed
        voice = choose(
            utterance.language, utterance.voice, utterance.style,
            piper=found.piper_language, espeak=found.espeak is not None,
        )  # fmt: skip
        program = found.piper if voice and voice.engine == "piper" else found.espeak
        if voice is None or program is None:
            raise SpeechUnavailable(found.mute)
        return program, voice.name, voice.style

    def _recogniser(self) -> Program:
        if self._installed.ears is None:
            raise SpeechUnavailable(self._installed.deaf)
        return self._installed.ears


class _Saying:
    """A text on its way into a file. What an engine left unfinished is cut off and said again."""

    def __init__(self, said: tuple[Segment, ...], path: Path, voice: str, style: int) -> None:
        self._order = Say(said, str(path.absolute()), voice, style)
        self._done = 0
        self.octets = 0

    def order(self) -> Say:
        os.truncate(self._order.path, self.octets)
        whole = self._order
        return Say(whole.pieces, whole.path, whole.voice, whole.style, skip=self._done)

    def note(self, progress: Progress) -> None:
        assert isinstance(progress, Said)
        self._done += 1
        self.octets = progress.octets


class _Hearing:
    """A file on its way through a recogniser."""

    def __init__(self, order: Hear) -> None:
        self._order = order
        self._upto_ms = 0
        self.stretches: list[Sequence[Reading]] = []

    def order(self) -> Hear:
        whole = self._order
        return Hear(whole.path, whole.language, whole.hints, whole.sentences, self._upto_ms)

    def note(self, progress: Progress) -> None:
        assert isinstance(progress, Heard)
        self._upto_ms = progress.upto_ms
        self.stretches.append(progress.readings)


def _begin(path: Path) -> None:
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise SpeechUnavailable(f"what is said has no place: {error}") from None


def _whole(stretches: Sequence[Sequence[Reading]]) -> list[Reading]:
    """Several readings of one stretch; of more, the likeliest of each put together."""
    spoken = [readings for readings in stretches if readings]
    if len(spoken) <= 1:
        return list(chain(*spoken))
    best = [readings[0] for readings in spoken]
    surely = sum(each.confidence for each in best) / len(best)
    text = " ".join(each.text for each in best)
    return [Reading(text, surely, best[0].start_ms, best[-1].end_ms)]


def _short(hints: Sequence[str]) -> tuple[str, ...]:
    kept: list[str] = []
    room = HINTS_MAX
    for hint in (" ".join(hint.split()) for hint in hints):
        room -= len(hint)
        if room < 0:
            break
        kept += [hint] if hint else []
    return tuple(kept)
