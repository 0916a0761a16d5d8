"""Beeps are found once, soon, and nothing else is taken for one."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.voices import framed, speech

from tertulia.media.beeps import BeepFinder
from tertulia.media.g711 import ulaw_decode, ulaw_encode
from tertulia.media.spectra import spectra

Wave = NDArray[np.float64]
LATEST_MS = 200
SIT = ((985.2, 0.38), (1428.5, 0.38), (1776.7, 0.38))


def found(wave: Wave, rate: int = 8000, *, first: bool = False) -> list[tuple[int, float]]:
    """Milliseconds and hertz."""
    samples = wave.clip(-32768, 32767).astype(np.int16)
    if rate == 8000:
        samples = ulaw_decode(ulaw_encode(samples))
    frames = framed(samples, rate)
    windows = np.concatenate((np.concatenate((frames[:1] * 0, frames[:-1])), frames), axis=1)
    heard, finder = spectra(windows), BeepFinder()
    beeps = []
    for number in range(len(frames)):
        beep = finder.hear(
            heard.levels[number], heard.hertz[number], heard.purity[number], first=first
        )
        if beep is not None:
            beeps.append((20 * (number + 1), beep))
    return beeps


def tone(hertz: float, seconds: float, rate: int = 8000, volume: float = 3000.0) -> Wave:
    return np.asarray(volume * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate))


def among_noise(*parts: Wave, rate: int = 8000, decibels: float = -60.0) -> Wave:
    """With silence before and after, and noise so many decibels below full scale."""
    wave = np.concatenate((np.zeros(rate), *parts, np.zeros(rate)))
    noise = np.random.default_rng(5).normal(0, 32768 * 10 ** (decibels / 20), len(wave))
    return np.asarray(wave + noise)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("decibels", [-60, -36])
@pytest.mark.parametrize("seconds", [0.15, 0.3, 1.0])
def test_beeps_of_all_pitches(rate: int, decibels: float, seconds: float) -> None:
    for hertz in range(400, 2001, 75):
        wave = among_noise(tone(hertz, seconds, rate), rate=rate, decibels=decibels)
        ((at, its),) = found(wave, rate)
        assert its == pytest.approx(hertz, abs=8)
        assert 1100 <= at <= 1000 + LATEST_MS


def test_short_ones_are_none() -> None:
    for start in range(0, 160, 20):
        gap = np.zeros(start)
        assert found(among_noise(gap, tone(1000, 0.08))) == []


@pytest.mark.parametrize("keys", [(697, 1209), (941, 1477), (852, 1336)])
def test_keys_are_none(keys: tuple[int, int]) -> None:
    low, high = keys
    assert found(among_noise(tone(low, 0.4) + tone(high, 0.4))) == []


def test_speech_and_noise_are_none() -> None:
    for pace in (0.8, 1.0, 1.25):
        assert found(speech(8000, pace).astype(np.float64)) == []
    assert found(among_noise(np.zeros(80_000), decibels=-25)) == []


def test_a_melody_is_none() -> None:
    """Not even of pure tones, but for the first."""
    notes = [tone(hertz, 0.25) for hertz in (523, 587, 659, 698, 784, 880)]
    assert len(found(among_noise(*notes))) == 1
    assert found(among_noise(*notes), first=True) == []
    rich = [sum(tone(hertz * n, 0.3) / n for n in (1, 2, 3)) for hertz in (440, 550, 660)]
    assert found(among_noise(*(np.asarray(note) for note in rich))) == []


def test_the_tones_of_a_failed_call_are_none() -> None:
    tones = [tone(*each) for each in SIT]
    assert found(among_noise(*tones), first=True) == []


def test_a_beep_that_is_the_first_sound_counts_when_it_is_over() -> None:
    ((at, hertz),) = found(among_noise(tone(985, 0.5)), first=True)
    assert hertz == pytest.approx(985, abs=5)
    assert 1500 <= at <= 1500 + LATEST_MS


def test_the_rest_of_a_ring_is_none() -> None:
    for rest in (tone(425, 0.6), tone(440, 0.6) + tone(480, 0.6)):
        assert found(np.concatenate((rest, np.zeros(8000)))) == []


def test_over_soft_music() -> None:
    notes = np.concatenate([tone(hertz, 0.25, volume=100) for hertz in (523, 587, 659, 698)])
    beep = among_noise(notes, tone(1200, 0.4))
    assert [round(hertz, -1) for _, hertz in found(beep)][-1] == 1200
