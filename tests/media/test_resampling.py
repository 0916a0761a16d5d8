"""Rates: what is in band goes through, what is not is gone, and no frame has a seam."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tertulia.media.resampling import Doubling, Halving, Resampler, Stretching

BAND = (300, 1000, 2000, 3000, 3400)


def sines(frequencies: tuple[int, ...], rate: int, level: int = 20_000) -> NDArray[np.int16]:
    """[row, s]: half a second of each."""
    along = 2 * np.pi * np.arange(rate // 2) / rate
    return np.asarray(np.rint(level * np.sin(np.outer(frequencies, along))), np.int16)


def through(
    way: Doubling | Halving | Stretching, audio: NDArray[np.int16], frame: int
) -> NDArray[np.int16]:
    rows = np.arange(len(audio))
    frames = np.split(audio, range(frame, audio.shape[1], frame), axis=1)
    return np.concatenate([way.push(part, rows) for part in frames], axis=1)


def decibels(audio: NDArray[np.int16]) -> NDArray[np.float64]:
    """[row, frequency in units of 2.5 Hz], 0 for a sine of 20,000, without the settling."""
    rate = audio.shape[1] * 2
    settled = audio[:, rate // 10 :]
    window = np.hanning(settled.shape[1])
    spectrum = np.abs(np.fft.rfft(settled * window, axis=1))
    return np.asarray(20 * np.log10(spectrum / (20_000 * window.sum() / 2) + 1e-9))


def assert_same(one: NDArray[np.int16], other: NDArray[np.int16]) -> None:
    """A product may add up in another order for another number of legs."""
    assert one.shape == other.shape
    assert np.abs(one.astype(np.int32) - other).max() <= 1


def test_doubling_has_no_images() -> None:
    spectrum = decibels(through(Doubling(5), sines(BAND, 8000), 160))
    half = spectrum.shape[1] // 2
    assert np.all(np.abs(spectrum[:, :half].max(axis=1)) < 0.1)
    assert np.all(spectrum[:, half:] < -55)


def test_halving_has_no_aliases() -> None:
    beyond = tuple(8000 - frequency for frequency in BAND)
    assert np.all(np.abs(decibels(through(Halving(5), sines(BAND, 16_000), 320)).max(axis=1)) < 0.1)
    assert np.all(decibels(through(Halving(5), sines(beyond, 16_000), 320)).max(axis=1) < -55)


def test_there_and_back_is_a_delay() -> None:
    audio = sines(BAND, 8000)
    back = through(Halving(5), through(Doubling(5), audio, 160), 320)
    delay = 12 + 11
    error = back[:, 800:].astype(np.int32) - audio[:, 800 - delay : -delay]
    assert np.abs(error).max() < 120


WIDE_BAND = (*BAND, 5000, 6000, 6500)


@pytest.mark.parametrize(("before", "after"), [(16_000, 24_000), (24_000, 16_000)])
def test_stretching_has_neither_images_nor_aliases(before: int, after: int) -> None:
    way = Stretching(len(WIDE_BAND), before, after)
    made = through(way, sines(WIDE_BAND, before), before // 50)
    assert made.shape[1] == after // 2
    spectrum = decibels(made)
    assert np.all(np.abs(spectrum.max(axis=1)) < 0.1)
    for line, frequency in zip(spectrum, WIDE_BAND, strict=True):
        at = int(line.argmax())
        line[max(at - 100, 0) : at + 100] = -200
        assert line.max() < -55, frequency


def test_what_16_khz_cannot_hold_is_gone() -> None:
    made = through(Stretching(3, 24_000, 16_000), sines((8300, 9500, 11_000), 24_000), 480)
    assert np.all(decibels(made).max(axis=1) < -55)


def test_stretched_and_back_is_a_delay_of_two_milliseconds() -> None:
    audio = sines(WIDE_BAND, 16_000)
    count = len(WIDE_BAND)
    up = through(Stretching(count, 16_000, 24_000), audio, 320)
    back = through(Stretching(count, 24_000, 16_000), up, 480)
    quiet = [
        np.abs(back[:, 800:].astype(np.int32) - audio[:, 800 - delay : -delay]).max()
        for delay in range(28, 36)
    ]
    assert 28 + int(np.argmin(quiet)) in (31, 32)


def test_stretched_rows_are_each_on_their_own() -> None:
    audio = sines(BAND, 16_000)
    whole = through(Stretching(5, 16_000, 24_000), audio, 320)
    way = Stretching(9, 16_000, 24_000)
    rows = np.array([7, 2])
    frames = np.split(audio[[3, 1]], 25, axis=1)
    one = np.concatenate([way.push(part, rows) for part in frames], axis=1)
    assert_same(one, whole[[3, 1]])
    way.forget(7)
    again = way.push(frames[0], rows)
    assert_same(again[:1], whole[3:4, :480])
    assert way.push(np.zeros((0, 320), np.int16), rows[:0]).shape == (0, 480)


@pytest.mark.parametrize("frame", [16, 80, 160, 480])
@pytest.mark.parametrize("legs", [1, 39, 40, 41, 100])
def test_frames_of_any_length_and_number(frame: int, legs: int) -> None:
    chance = np.random.default_rng(3)
    audio = chance.integers(-32768, 32768, (legs, 960)).astype(np.int16)
    rows = np.arange(legs)
    assert_same(through(Doubling(legs), audio, frame), Doubling(legs).push(audio, rows))
    assert_same(through(Halving(legs), audio, 2 * frame), Halving(legs).push(audio, rows))


@pytest.mark.parametrize("kind", [Doubling, Halving])
def test_rows_are_each_on_their_own(kind: type[Doubling] | type[Halving]) -> None:
    """Some rows come in one tick, others in the next; one is given to somebody else."""
    audio = np.random.default_rng(4).integers(-9000, 9000, (4, 640)).astype(np.int16)
    way, alone = kind(8), kind(4)
    places = np.array([6, 1, 3, 0])
    expected = through(alone, audio, 320)
    first = way.push(audio[[2, 0], :320], places[[2, 0]])
    other = way.push(audio[[3, 1], :320], places[[3, 1]])
    half = expected.shape[1] // 2
    assert_same(first, expected[[2, 0], :half])
    assert_same(other, expected[[3, 1], :half])
    assert_same(way.push(audio[:, 320:], places), expected[:, half:])
    way.forget(6)
    assert_same(way.push(audio[:1, :320], places[:1]), expected[:1, :half])


def test_nobody() -> None:
    nobody = np.empty(0, np.intp)
    assert Doubling(2).push(np.empty((0, 160), np.int16), nobody).shape == (0, 320)
    assert Halving(2).push(np.empty((0, 320), np.int16), nobody).shape == (0, 160)


@pytest.mark.parametrize(("before", "after"), [(22_050, 16_000), (8000, 48_000), (48_000, 8000)])
def test_streams(before: int, after: int) -> None:
    audio = sines((1000,), before)[0]
    stream = Resampler(before, after)
    parts = [stream.push(part) for part in np.array_split(audio, 37)]
    out = np.concatenate([*parts, stream.flush()])
    assert abs(len(out) - after // 2) <= 1
    expected = sines((1000,), after)[0][: len(out)]
    middle = slice(after // 20, after // 2 - after // 20)
    assert np.abs(out[middle] - expected[middle].astype(np.int32)).max() < 40


def test_a_stream_of_one_rate() -> None:
    audio = sines((1000,), 8000)[0]
    stream = Resampler(8000, 8000)
    assert stream.push(audio) is audio
    assert len(stream.flush()) == 0
