"""Runs of what is heard after the answer."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.voices import framed, sentences

from tertulia.media.sounds import Ear
from tertulia.media.spectra import spectra
from tertulia.model.amd import Sound

Wave = NDArray[np.float64]
RATES = pytest.mark.parametrize("rate", [8000, 16000])


def told(wave: Wave, rate: int = 8000) -> list[tuple[Sound, int]]:
    """With their milliseconds."""
    frames = framed(wave.clip(-32768, 32767).astype(np.int16), rate)
    windows = np.concatenate((np.concatenate((frames[:1] * 0, frames[:-1])), frames), axis=1)
    heard, ear = spectra(windows), Ear(len(frames))
    for number in range(len(frames)):
        ear.hear(heard, number)
    runs = ear.runs()
    assert sum(run.milliseconds for run in runs) == 20 * len(frames)
    return [(run.sound, run.milliseconds) for run in runs]


def lasting(wave: Wave, sound: Sound, rate: int = 8000) -> int:
    return sum(length for kind, length in told(wave, rate) if kind is sound)


def noise(seconds: float, decibels: float, rate: int) -> Wave:
    strength = 32768 * 10 ** (decibels / 20)
    return np.random.default_rng(3).normal(0, strength, round(seconds * rate))


def tone(*hertz: float, seconds: float, rate: int = 8000) -> Wave:
    times = np.arange(round(seconds * rate)) / rate
    return np.asarray(sum(3000 * np.sin(2 * np.pi * each * times) for each in hertz))


def test_nothing() -> None:
    assert Ear(10).runs() == []
    assert told(np.zeros(8000)) == [(Sound.SILENCE, 1000)]


@RATES
@pytest.mark.parametrize("decibels", [-60, -40, -20])
def test_noise_is_silence(rate: int, decibels: float) -> None:
    assert lasting(noise(5, decibels, rate), Sound.SPEECH, rate) == 0


@RATES
@pytest.mark.parametrize("decibels", [-70, -45, -35])
def test_speech_over_noise(rate: int, decibels: float) -> None:
    said = sentences(rate)[0].astype(np.float64)
    before = np.zeros(rate)
    wave = np.concatenate((before, said, before))
    runs = told(wave + noise(len(wave) / rate, decibels, rate)[: len(wave)], rate)
    assert 800 <= runs[0][1] <= 1200 and runs[0][0] is Sound.SILENCE
    spoken = sum(length for kind, length in runs if kind is Sound.SPEECH)
    assert spoken > 0.35 * 1000 * len(said) / rate
    assert runs[-1][0] is Sound.SILENCE and runs[-1][1] >= 900


def test_a_voice_far_behind_is_silence_once_somebody_speaks() -> None:
    near, far = (each.astype(np.float64) for each in sentences(8000)[:2])
    alone = far[:8000] * 0.05
    assert lasting(alone, Sound.SPEECH) > 300
    runs = told(np.concatenate((alone, near)))
    assert runs[0][0] is Sound.SILENCE and runs[0][1] >= 900


def test_clicks_are_silence() -> None:
    wave = noise(2, -60, 8000)
    wave[4000:4040] += 20_000
    wave[9000:9040] -= 20_000
    assert lasting(wave, Sound.SPEECH) == 0


@pytest.mark.parametrize("hertz", [(425.0,), (440.0, 480.0), (400.0, 450.0)])
def test_the_rest_of_a_ring(hertz: tuple[float, ...]) -> None:
    runs = told(np.concatenate((tone(*hertz, seconds=0.5), np.zeros(8000))))
    assert [kind for kind, _ in runs] == [Sound.RING, Sound.SILENCE]
    assert runs[0][1] == pytest.approx(500, abs=40)


def test_a_high_tone_at_once_is_a_signal() -> None:
    assert told(np.concatenate((tone(950, seconds=0.4), np.zeros(4000))))[0][0] is Sound.SIGNAL


def test_a_ring_that_is_covered_for_a_while() -> None:
    wave = np.concatenate((tone(425, seconds=0.6), np.zeros(4000)))
    wave[1600:3200] += noise(0.2, -15, 8000)
    assert lasting(wave, Sound.SIGNAL) == 0


@pytest.mark.parametrize("hertz", [425.0, 950.0, 2100.0])
def test_tones_that_begin_later_are_signals(hertz: float) -> None:
    wave = np.concatenate((np.zeros(4000), tone(hertz, seconds=0.5), np.zeros(4000)))
    assert lasting(wave, Sound.SIGNAL) == pytest.approx(500, abs=60)
    assert lasting(wave, Sound.SPEECH) == lasting(wave, Sound.RING) == 0


def test_notes_are_music() -> None:
    notes = [
        tone(*(root * n for n in (1, 2, 3)), seconds=0.4) for root in (262.0, 294.0, 330.0, 349.0)
    ]
    assert lasting(np.concatenate(notes), Sound.MUSIC) > 1000
    assert lasting(sentences(8000)[0].astype(np.float64), Sound.MUSIC) < 300
