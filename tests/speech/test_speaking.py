"""The speech of tests: pairs of tones, recognised letter by letter."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.speech import SpeechContract, said, wav

from tertulia.ports.speech import Speech, SpeechUnavailable, Utterance
from tertulia.speech.readings import words
from tertulia.testing.speaking import FAILURE, HIGH, LOW, ToneSpeech


class TestTones(SpeechContract):
    async def open(self) -> Speech:
        return ToneSpeech()


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=40))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_words_come_back(tmp_path: Path, text: str) -> None:
    async def heard() -> list[str]:
        speech = ToneSpeech()
        try:
            sound = await said(speech, text, tmp_path / "said.raw")
        except ValueError:
            return words(text)
        noise = np.random.default_rng(0).normal(0, 200, len(sound))
        path = wav(tmp_path / "said.wav", (sound + noise).astype(np.int16))
        found = await speech.recognise(path)
        return found[0].text.split() if found else []

    assert asyncio.run(heard()) == words(text)


def test_it_fails_when_asked_to(tmp_path: Path) -> None:
    with pytest.raises(SpeechUnavailable):
        asyncio.run(ToneSpeech().say(Utterance(f"a {FAILURE} b"), tmp_path / "said.raw"))


def test_no_pair_is_a_key_of_a_telephone() -> None:
    keys = (1209, 1336, 1477, 1633)
    assert all(abs(high / key - 1) > 0.05 for high in HIGH for key in keys)
    assert max(LOW) < min(HIGH)
