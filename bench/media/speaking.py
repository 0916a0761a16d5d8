"""Speech of the product: how soon a text can be heard, and a recording is understood."""

import asyncio
import re
import time
import wave
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.places import Skipped, fresh
from tertulia.ports.speech import SpeechUnavailable, Utterance
from tertulia.settings import Speech
from tertulia.speech.pool import SpeechPool

SENTENCES = (
    "The meeting begins at noon in the small room behind the library.",
    "Please press the green button if you want to talk to somebody.",
    "Your parcel will arrive tomorrow morning while you are at work.",
    "We could not find that order, but somebody will call you back today.",
    "Thank you for waiting, the next free colleague will be with you soon.",
)
RATE = 16_000
FRAME = RATE // 50 * 2
"""Octets: less than that cannot be heard."""


class Spoken(NamedTuple):
    """Milliseconds, but for the last two."""

    cold: float
    """Until the first sound of the first text, its engine being started."""
    first: float
    """Median of the texts after that."""
    understood: float
    """Median from the end of an utterance to its text, the engine being warm."""
    length: float
    """Seconds of the utterances."""
    wrong: int
    """Words that were taken for others."""


def speak() -> Spoken:
    """Raises Skipped when no engine is installed."""
    try:
        with fresh("speech") as place:
            return asyncio.run(_speak(place))
    except SpeechUnavailable as reason:
        raise Skipped(str(reason)) from None


async def _speak(place: Path) -> Spoken:
    pool = SpeechPool(Speech())
    try:
        cold = await _said(pool, SENTENCES[0], place / "cold")
        await pool.recognise(_as_wav(place / "cold"))
        turns = [await _turn(pool, text, place / f"{n}") for n, text in enumerate(SENTENCES)]
    finally:
        await pool.close()
    firsts, answers, lengths, wrong = zip(*turns, strict=True)
    return Spoken(cold, median(firsts), median(answers), sum(lengths) / len(turns), sum(wrong))


async def _turn(pool: SpeechPool, text: str, raw: Path) -> tuple[float, float, float, int]:
    """Milliseconds to the first sound and to the text again, seconds of sound, words wrong."""
    first = await _said(pool, text, raw)
    recording = _as_wav(raw)
    begun = time.monotonic()
    readings = await pool.recognise(recording)
    understood = 1000 * (time.monotonic() - begun)
    heard = readings[0].text if readings else ""
    return first, understood, _size(raw) / 2 / RATE, _differ(text, heard)


async def _said(pool: SpeechPool, text: str, path: Path) -> float:
    """Milliseconds until there was something to be heard."""
    begun = time.monotonic()
    saying = asyncio.create_task(pool.say(Utterance(text), path))
    sounding = asyncio.create_task(_sounds(path))
    await asyncio.wait({saying, sounding}, return_when=asyncio.FIRST_COMPLETED)
    first = 1000 * (time.monotonic() - begun)
    sounding.cancel()
    await saying
    return first


async def _sounds(path: Path) -> None:
    # As the worker does, which plays a file that grows.
    while _size(path) < FRAME:  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _as_wav(raw: Path) -> Path:
    path = raw.with_suffix(".wav")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(raw.read_bytes())
    return path


def _differ(said: str, heard: str) -> int:
    """Words of the one text that are not in their place in the other; a mere hint."""
    left, right = _words(said), _words(heard)
    return sum(a != b for a, b in zip(left, right, strict=False)) + abs(len(left) - len(right))


def _words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", "", text.lower()).split()
