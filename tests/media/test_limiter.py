"""The limiter: what fits is untouched, what does not is turned down without an artefact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tertulia.media.limiter import limit, recovered

SPREAD = (330, 497, 661, 823, 1103, 1511, 2003, 2777)
CLOSE = (700, 710, 722, 735, 741, 752, 763, 777)


def tones(frequencies: tuple[int, ...], rate: int, seconds: float) -> NDArray[np.int32]:
    """Full scale each."""
    along = 2 * np.pi * np.arange(int(rate * seconds)) / rate
    waves = np.rint(32767 * np.sin(np.outer(frequencies, along))).astype(np.int32)
    return np.asarray(waves.sum(axis=0), np.int32)


def limited(sums: NDArray[np.int32], length: int) -> tuple[NDArray[np.int16], list[float]]:
    """A whole signal, frame after frame, and the gain after each."""
    gains, frames, course = np.ones(1, np.float32), [], []
    for start in range(0, len(sums) - length + 1, length):
        samples, gains = limit(sums[np.newaxis, start : start + length], gains)
        frames.append(samples[0])
        course.append(float(gains[0]))
    return np.concatenate(frames), course


def purity(samples: NDArray[np.int16], frequencies: tuple[int, ...], rate: int) -> float:
    """Decibels of the tones over everything that is 30 Hz or more beside them."""
    power = np.abs(np.fft.rfft(samples * np.blackman(len(samples)))) ** 2
    of = np.fft.rfftfreq(len(samples), 1 / rate)
    near = np.any([np.abs(of - frequency) < 30 for frequency in frequencies], axis=0)
    return float(10 * np.log10(power[near].sum() / power[~near].sum()))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize(("frequencies", "least"), [(SPREAD, 60), (CLOSE, 40)])
def test_eight_talkers_of_full_scale(rate: int, frequencies: tuple[int, ...], least: float) -> None:
    sums = tones(frequencies, rate, 3)
    samples, course = limited(sums, rate // 50)
    settled = samples[rate:]
    assert purity(settled, frequencies, rate) > least
    assert purity(sums[rate:].clip(-32768, 32767).astype(np.int16), frequencies, rate) < 10
    assert np.abs(settled.astype(np.int32)).max() > 20_000
    assert 1 / 8 <= course[-1] < 1 / 4


def test_only_the_first_millisecond_is_clipped() -> None:
    """Eight that set in together, on the first sample of a frame."""
    sums = np.full((1, 320), 8 * 32767, np.int32)
    samples, gains = limit(sums, np.ones(1, np.float32))
    assert np.all(samples[0, :15] == 32767)
    assert np.all(samples[0, 15:] >= 32766)
    assert gains[0] == pytest.approx(1 / 8)
    late = np.zeros((1, 320), np.int32)
    late[0, 200:] = 80_000
    samples, _ = limit(late, np.ones(1, np.float32))
    assert np.count_nonzero(samples == 32767) <= 121
    assert samples[0, 200] >= 32766


def test_what_fits_is_untouched_beside_what_does_not() -> None:
    sums = np.random.default_rng(5).integers(-32768, 32768, (6, 160)).astype(np.int32)
    sums[1], sums[4, 0] = -32768, 40_000
    samples, gains = limit(sums, np.ones(6, np.float32))
    quiet = [0, 1, 2, 3, 5]
    assert np.array_equal(samples[quiet], sums[quiet])
    assert np.all(gains[quiet] == 1)
    assert gains[4] < 1


def test_it_recovers() -> None:
    quiet = np.full((1, 160), 1000, np.int32)
    gains = np.full(1, 0.25, np.float32)
    silent, course = gains, []
    for _ in range(70):
        samples, gains = limit(quiet, gains)
        silent = recovered(silent)
        course.append(float(gains[0]))
    assert np.all(np.diff(course) >= 0)
    assert course[0] < 0.26
    assert gains[0] == silent[0] == 1
    assert np.array_equal(samples, quiet)


def test_nothing_to_limit() -> None:
    samples, gains = limit(np.empty((0, 160), np.int32), np.empty(0, np.float32))
    assert (samples.shape, gains.shape) == ((0, 160), (0,))


@settings(max_examples=60, deadline=None)
@given(
    level=st.integers(1, 40 * 32768),
    seed=st.integers(0, 2**32 - 1),
    begin=st.floats(1 / 64, 1, width=32),
    length=st.sampled_from([160, 320, 960]),
)
def test_never_louder_never_upside_down(level: int, seed: int, begin: float, length: int) -> None:
    """Whatever noise, and whatever was before it."""
    sums = np.random.default_rng(seed).integers(-level, level + 1, (3, length)).astype(np.int32)
    samples, gains = limit(sums, np.full(3, begin, np.float32))
    assert np.all(np.abs(samples) <= np.abs(sums) + 1)
    assert np.all(np.sign(samples) * np.sign(sums) >= 0)
    assert np.all((gains > 0) & (gains <= 1))
