"""Utterances: where they begin and end, why, and what is in the file."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.media.desk import FRAME_MS, START, AtOnce, Reports, read, tone

from tertulia.media.audio_files import Samples
from tertulia.media.listening import AFTER_MS, BEFORE_MS, Listeners, threshold
from tertulia.media.voice import Voice, loudness
from tertulia.model.commands import Listen, Listened
from tertulia.model.instant import Instant


def sound(milliseconds: int, rate: int = 16_000, peak: int = 8_000) -> Samples:
    """Something like a vowel of 140 Hz in four syllables a second."""
    seconds = np.arange(milliseconds * rate // 1000) / rate
    harmonics = [140.0 * number for number in range(1, 25)]
    wave = sum(np.sin(2 * np.pi * f * seconds) / (1 + abs(f - 600) / 300) for f in harmonics)
    wave *= 0.55 + 0.45 * np.sin(8 * np.pi * seconds)
    return np.asarray(np.rint(peak * wave / 4.0), np.int16)


def quiet(milliseconds: int, rate: int = 16_000) -> Samples:
    return np.zeros(milliseconds * rate // 1000, np.int16)


class Ear:
    def __init__(self) -> None:
        self.jobs = AtOnce()
        self.reports = Reports()
        self.listeners = Listeners(self.reports, self.jobs)
        self.at = START
        self.listeners.advance(START)

    def hear(self, samples: Samples, rate: int = 16_000) -> None:
        for start in range(0, len(samples), rate // 50):
            self.listeners.advance(self.at)
            self.listeners.push("leg", samples[start : start + rate // 50])
            self.at = Instant(self.at + FRAME_MS)

    def hear_nothing(self, milliseconds: int) -> None:
        for _ in range(milliseconds // FRAME_MS):
            self.listeners.advance(self.at)
            self.at = Instant(self.at + FRAME_MS)

    def outcome(self) -> Listened:
        self.listeners.advance(self.at)
        (report,) = self.reports
        assert isinstance(report, Listened)
        return report


@pytest.fixture
def ear() -> Ear:
    return Ear()


def listen(path: Path, **more: int) -> Listen:
    return Listen("l", "leg", str(path / "l.wav"), **more)


def test_an_utterance_is_cut_out(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(listen(tmp_path))
    assert set(ear.listeners.targets) == {"leg"}
    ear.hear(quiet(2_000))
    ear.hear(sound(1_500))
    ear.hear(quiet(1_000))  # a pause, shorter than the silence that ends it
    ear.hear(sound(500))
    ear.hear(quiet(1_960))
    assert not ear.reports
    ear.hear(quiet(300))
    outcome = ear.outcome()
    assert outcome.reason == "end_on_silence_timeout"
    assert 1_600 <= outcome.started - START <= 1_700
    assert 0 <= outcome.ended - START - 5_000 - AFTER_MS <= 8 * FRAME_MS  # its own hang-over
    path = tmp_path / "l.wav"
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert path.stat().st_size == outcome.size
    found = read(path)
    assert len(found) == (outcome.ended - outcome.started) * 16
    start = (2_000 - (outcome.started - START)) * 16
    assert np.array_equal(found[start : start + 24_000], sound(1_500))
    assert not ear.listeners.targets


def test_nobody_speaks(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(listen(tmp_path, start_ms=3_000))
    ear.hear(quiet(2_980))
    assert not ear.reports
    ear.hear_nothing(100)
    assert ear.outcome() == Listened("l", START, Instant(START + 3_000), 0, "start_timeout")
    assert not (tmp_path / "l.wav").exists()


def test_a_click_and_noise_are_no_voice(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(listen(tmp_path, start_ms=4_000))
    noise = np.random.default_rng(3).normal(0, 50, 64_000).astype(np.int16)
    noise[32_000:32_640] = 20_000
    ear.hear(noise)
    ear.hear_nothing(40)
    assert ear.outcome().reason == "start_timeout"


def test_somebody_speaks_for_too_long(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(listen(tmp_path, limit_ms=2_000))
    ear.hear(quiet(400))
    ear.hear(sound(3_000))
    outcome = ear.outcome()
    assert outcome.reason == "max_duration"
    assert outcome.ended - outcome.started == pytest.approx(2_000 + BEFORE_MS, abs=12 * FRAME_MS)


@pytest.mark.parametrize(("spoke", "octets"), [(True, True), (False, False)])
@pytest.mark.parametrize("reason", ["stopped", "left"])
def test_it_ends_before_its_time(
    ear: Ear, tmp_path: Path, reason: str, spoke: bool, octets: bool
) -> None:
    ear.listeners.start(listen(tmp_path))
    ear.hear(sound(1_000) if spoke else quiet(1_000))
    if reason == "left":
        ear.listeners.gone("leg")
    else:
        ear.listeners.stop("l")
    outcome = ear.outcome()
    assert outcome.reason == reason
    assert bool(outcome.size) is octets
    ear.listeners.stop("l")
    ear.listeners.gone("leg")


def test_a_leg_that_falls_silent_on_the_wire(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(listen(tmp_path, silence_ms=1_000))
    ear.hear(quiet(400))
    ear.hear(sound(600))
    ear.hear_nothing(500)
    ear.hear(sound(600))
    ear.hear_nothing(1_200)
    outcome = ear.outcome()
    assert outcome.reason == "end_on_silence_timeout"
    found = read(tmp_path / "l.wav")
    place = (1_500 - (outcome.started - START)) * 16
    assert np.array_equal(found[place : place + 9_600], sound(600))
    assert not found[place - 8_000 : place].any()
    assert outcome.ended - START == pytest.approx(2_100, abs=AFTER_MS)


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_every_rate_becomes_that_of_the_file(ear: Ear, tmp_path: Path, rate: int) -> None:
    ear.listeners.start(listen(tmp_path, silence_ms=500))
    ear.hear(quiet(400, rate), rate)
    ear.hear(sound(1_000, rate), rate)
    ear.hear(quiet(800, rate), rate)
    outcome = ear.outcome()
    found = read(tmp_path / "l.wav")
    assert len(found) == (outcome.ended - outcome.started) * 16
    place = (400 - (outcome.started - START)) * 16
    assert np.corrcoef(found[place : place + 16_000], sound(1_000))[0, 1] > 0.999


@pytest.mark.parametrize(
    ("sensitivity", "decibels"), [(10, -25.0), (100, -55.0), (55, -40.0), (0, -25.0), (900, -55.0)]
)
def test_sensitivity_is_a_threshold(sensitivity: int, decibels: float) -> None:
    assert threshold(sensitivity) == pytest.approx(decibels)


@pytest.mark.parametrize(("peak", "sensitivity", "heard"), [(1_500, 90, True), (1_500, 10, False)])
def test_a_soft_voice(ear: Ear, tmp_path: Path, peak: int, sensitivity: int, heard: bool) -> None:
    ear.listeners.start(listen(tmp_path, sensitivity=sensitivity, start_ms=2_000))
    ear.hear(sound(1_000, peak=peak))
    ear.hear_nothing(3_000)
    assert bool(ear.outcome().size) is heard


def test_two_listen_to_one_leg(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(Listen("a", "leg", str(tmp_path / "a"), silence_ms=400))
    ear.listeners.start(Listen("b", "leg", str(tmp_path / "b"), silence_ms=900))
    ear.listeners.start(Listen("b", "leg", str(tmp_path / "b"), silence_ms=100))
    ear.hear(sound(500))
    ear.hear(quiet(1_500))
    assert [report.listen for report in ear.reports if isinstance(report, Listened)] == ["a", "b"]


def test_a_file_that_cannot_be_written(ear: Ear, tmp_path: Path) -> None:
    ear.listeners.start(listen(tmp_path / "none"))
    ear.hear(sound(500))
    ear.listeners.stop("l")
    outcome = ear.outcome()
    assert (outcome.reason, outcome.size) == ("failed", 0)


def test_loudness() -> None:
    assert loudness(quiet(20)) == -100.0
    assert loudness(np.zeros(0, np.int16)) == -100.0
    assert loudness(np.full(320, -32_768, np.int16)) == pytest.approx(0.0)
    assert loudness(tone(16_000, peak=32_767)) == pytest.approx(-3.01, abs=0.01)


def test_a_voice_must_be_loud_enough() -> None:
    voice = Voice(-20.0)
    frames = np.split(sound(400, peak=500), 20)
    assert not any(voice.is_in(frame) for frame in frames)
    frames = np.split(sound(400, peak=20_000), 20)
    assert sum(voice.is_in(frame) for frame in frames) > 10


def test_a_thread_writes(tmp_path: Path) -> None:
    reports = Reports()
    listeners = Listeners(reports)
    listeners.advance(START)
    listeners.start(listen(tmp_path))
    for frame in np.split(sound(400), 20):
        listeners.push("leg", frame)
    listeners.stop("l")
    deadline = time.monotonic() + 10
    while not reports and time.monotonic() < deadline:
        listeners.advance(START)
        threading.Event().wait(0.002)
    listeners.close()
    assert reports and (tmp_path / "l.wav").exists()
