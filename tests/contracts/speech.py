"""The contract of Speech (tertulia/ports): what every adapter guarantees."""

import asyncio
import wave
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tertulia.ports.speech import Reading, Speech, SpeechUnavailable, Utterance
from tertulia.speech.readings import words

RATE = 16_000
SENTENCE = "The train to the airport leaves in the morning."
OTHER = "Please bring the green book to my office."


def wav(path: Path, sound: NDArray[np.int16], rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound.astype("<i2").tobytes())
    return path


def texts(readings: list[Reading]) -> list[list[str]]:
    return [words(each.text) for each in readings]


class Opened(ABC):
    @abstractmethod
    async def open(self) -> Speech: ...

    async def close(self, speech: Speech) -> None:
        return None

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """On a loop of its own, unless the adapter wants to live on one for longer."""
        asyncio.run(scenario)


C = TypeVar("C", bound=Opened)


def scenario(
    play: Callable[[C, Speech, Path], Awaitable[None]],
) -> Callable[[C, Path], None]:
    """Make a coroutine `test_…(self, speech, folder)` a test."""

    async def played(self: C, folder: Path) -> None:
        speech = await self.open()
        try:
            await play(self, speech, folder)
        finally:
            await self.close(speech)

    def test(self: C, tmp_path: Path) -> None:
        self.run(played(self, tmp_path))

    test.__name__, test.__doc__ = play.__name__, play.__doc__
    return test


async def said(speech: Speech, utterance: Utterance | str, path: Path) -> NDArray[np.int16]:
    """Its sound, which is as long as the adapter says."""
    asked = Utterance(utterance) if isinstance(utterance, str) else utterance
    octets = await speech.say(asked, path)
    sound = np.fromfile(path, "<i2")
    assert (octets % 2, octets) == (0, len(sound) * 2)
    return sound


class SpeechContract(Opened):
    @scenario
    async def test_the_file_is_there_before_anything_is_said(
        self, speech: Speech, folder: Path
    ) -> None:
        path = folder / "new.raw"
        saying = asyncio.create_task(speech.say(Utterance(SENTENCE), path))
        await asyncio.sleep(0)
        assert path.exists()
        assert await saying == path.stat().st_size > 0

    @scenario
    async def test_what_was_in_the_file_is_gone(self, speech: Speech, folder: Path) -> None:
        path = folder / "used.raw"
        path.write_bytes(b"before")
        sound = await said(speech, SENTENCE, path)
        assert np.abs(sound).max() > 1000
        assert 1.5 < len(sound) / RATE < 8

    @scenario
    async def test_what_is_said_is_recognised_word_for_word(
        self, speech: Speech, folder: Path
    ) -> None:
        sound = await said(speech, SENTENCE, folder / "said.raw")
        found = await speech.recognise(wav(folder / "said.wav", sound))
        assert texts(found)[0] == words(SENTENCE)
        whole_ms = len(sound) * 1000 // RATE
        for reading in found:
            assert 0 < reading.confidence <= 1
            assert 0 <= reading.start_ms < reading.end_ms <= whole_ms

    @scenario
    async def test_a_recording_at_8_khz_in_stereo_is_recognised(
        self, speech: Speech, folder: Path
    ) -> None:
        sound = await said(speech, SENTENCE, folder / "said.raw")
        half = np.convolve(sound, np.ones(2) / 2, "same")[::2]
        both = np.repeat(half.astype(np.int16), 2)
        found = await speech.recognise(wav(folder / "said.wav", both, 8_000, channels=2))
        assert texts(found)[0] == words(SENTENCE)

    @scenario
    async def test_language_and_hints_may_be_told(self, speech: Speech, folder: Path) -> None:
        utterance = Utterance(SENTENCE, language="en-GB", voice="amy", style=3)
        sound = await said(speech, utterance, folder / "said.raw")
        hints = ["airport", "harbour", "x" * 10_000]
        path = wav(folder / "said.wav", sound)
        found = await speech.recognise(path, language="en-GB", hints=hints)
        assert texts(found)[0] == words(SENTENCE)

    @scenario
    async def test_nothing_is_heard_in_silence(self, speech: Speech, folder: Path) -> None:
        nothing = wav(folder / "nothing.wav", np.zeros(0, np.int16))
        silence = wav(folder / "silence.wav", np.zeros(3 * RATE, np.int16))
        noise = np.random.default_rng(1).normal(0, 300, 3 * RATE)
        hiss = wav(folder / "hiss.wav", noise.astype(np.int16))
        for path in (nothing, silence, hiss):
            assert await speech.recognise(path) == []
            assert await speech.transcribe(path) == []

    @scenario
    async def test_a_transcript_has_sentences_with_their_times(
        self, speech: Speech, folder: Path
    ) -> None:
        first = await said(speech, SENTENCE, folder / "first.raw")
        second = await said(speech, OTHER, folder / "second.raw")
        gap = np.zeros(2 * RATE, np.int16)
        path = wav(folder / "both.wav", np.concatenate([first, gap, second]))
        found = await speech.transcribe(path, language="en-US")
        assert texts(found) == [words(SENTENCE), words(OTHER)]
        ended, began = len(first) * 1000 // RATE, len(first) * 1000 // RATE + 2000
        assert found[0].start_ms < 500 and abs(found[0].end_ms - ended) < 1200
        assert abs(found[1].start_ms - began) < 1200
        assert found[1].end_ms <= (len(first) + len(gap) + len(second)) * 1000 // RATE + 100

    @scenario
    async def test_a_break_is_silence_as_long_as_it_says(
        self, speech: Speech, folder: Path
    ) -> None:
        markup = f'<speak>{SENTENCE}<break time="3s"/>{OTHER}</speak>'
        sound = await said(speech, Utterance(markup, is_ssml=True), folder / "said.raw")
        assert 3 * RATE <= longest(np.abs(sound) < 200) < 4 * RATE
        found = await speech.transcribe(wav(folder / "said.wav", sound))
        assert texts(found) == [words(SENTENCE), words(OTHER)]

    @scenario
    async def test_what_cannot_be_said_is_a_value_error(self, speech: Speech, folder: Path) -> None:
        for text, is_ssml in (
            ("", False), (" \n ", False), ("...", False), ("<speak/>", True),
            ("<speak>a</spoken>", True), ("<speak>&own;</speak>", True),
        ):  # fmt: skip
            with pytest.raises(ValueError):
                await speech.say(Utterance(text, is_ssml=is_ssml), folder / "said.raw")
            assert (folder / "said.raw").read_bytes() == b""

    @scenario
    async def test_what_is_no_recording_is_refused(self, speech: Speech, folder: Path) -> None:
        text = folder / "text.wav"
        text.write_text("This is a text, and no sound at all. " * 10)
        for path in (text, folder / "missing.wav"):
            with pytest.raises(SpeechUnavailable):
                await speech.recognise(path)
            with pytest.raises(SpeechUnavailable):
                await speech.transcribe(path)

    @scenario
    async def test_a_file_that_cannot_be_made_is_refused(
        self, speech: Speech, folder: Path
    ) -> None:
        with pytest.raises(SpeechUnavailable):
            await speech.say(Utterance(SENTENCE), folder / "no folder" / "said.raw")

    @scenario
    async def test_several_at_once_do_not_mix(self, speech: Speech, folder: Path) -> None:
        async def heard(number: int, text: str) -> list[str]:
            sound = await said(speech, text, folder / f"{number}.raw")
            found = await speech.recognise(wav(folder / f"{number}.wav", sound))
            return words(found[0].text)

        asked = [SENTENCE, OTHER, SENTENCE]
        found = await asyncio.gather(*(heard(*each) for each in enumerate(asked)))
        assert found == [words(text) for text in asked]

    @scenario
    async def test_who_gives_up_leaves_the_others_unharmed(
        self, speech: Speech, folder: Path
    ) -> None:
        long = " ".join([SENTENCE, OTHER] * 20)
        saying = asyncio.create_task(speech.say(Utterance(long), folder / "given up.raw"))
        await asyncio.sleep(0)
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
        sound = await said(speech, OTHER, folder / "said.raw")
        found = await speech.recognise(wav(folder / "said.wav", sound))
        assert texts(found)[0] == words(OTHER)


def longest(flags: NDArray[np.bool_]) -> int:
    """The longest run of what is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
