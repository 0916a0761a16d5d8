"""Tones: the right frequencies at the right times, without a click."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tertulia.media.tones import (
    BEEP,
    COUNTRIES,
    DIGITS,
    HOLD,
    Tone,
    busy,
    digit,
    named,
    ringback,
)

RATE = 8000


def peaks(samples: NDArray[np.int16], rate: int = RATE) -> list[int]:
    """Frequencies that hold more than a tenth of the largest, a second of them."""
    spectrum = np.abs(np.fft.rfft(samples[:rate] * np.hanning(min(rate, len(samples))), rate))
    high = spectrum > spectrum.max() / 10
    top = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] >= spectrum[2:]) & high[1:-1]
    found: list[int] = (np.flatnonzero(top) + 1).tolist()
    return found


def sounding(samples: NDArray[np.int16], rate: int = RATE) -> list[bool]:
    """By 25 ms."""
    parts = samples[: len(samples) // (rate // 40) * (rate // 40)].reshape(-1, rate // 40)
    return [bool(part) for part in np.abs(parts.astype(np.int32)).max(axis=1) > 0]


def runs(flags: list[bool]) -> list[int]:
    """Milliseconds of sound and silence in turn."""
    edges = np.flatnonzero(np.diff(flags, prepend=not flags[0], append=not flags[-1]))
    lengths: list[int] = (np.diff(edges) * 25).tolist()
    return lengths


@pytest.mark.parametrize(
    ("tone", "frequencies", "cadence"),
    [
        (ringback("us"), [440, 480], [2000, 4000]),
        (ringback("gb"), [400, 450], [400, 200, 400, 2000]),
        (ringback("eu"), [425], [1000, 4000]),
        (ringback("fr"), [440], [1500, 3500]),
        (busy("us"), [480, 620], [500, 500]),
        (busy("gb"), [400], [375, 375]),
        (busy("eu"), [425], [500, 500]),
    ],
)
def test_cadences(tone: Tone, frequencies: list[int], cadence: list[int]) -> None:
    assert tone.cycle_ms == sum(cadence)
    assert tone.length(RATE) is None
    twice = tone.samples(0, 2 * tone.cycle_ms * RATE // 1000, RATE)
    assert runs(sounding(twice)) == cadence * 2
    assert peaks(twice[: cadence[0] * RATE // 1000]) == frequencies


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
def test_every_country_rings_and_is_busy(country: str, rate: int) -> None:
    for tone in (ringback(country), busy(country)):
        loudest = int(np.abs(tone.samples(0, rate, rate).astype(np.int32)).max())
        assert 1000 < loudest < 12_000
    assert ringback("nowhere") == ringback("us")


@pytest.mark.parametrize("key", DIGITS)
def test_digits(key: str) -> None:
    row, column = divmod(DIGITS.index(key), 4)
    samples = digit(key, 1000, 40).samples(0, RATE, RATE)
    assert peaks(samples) == [(697, 770, 852, 941)[row], (1209, 1336, 1477, 1633)[column]]
    assert runs(sounding(digit(key, 100, 50).samples(0, RATE // 4, RATE))) == [100, 150]
    assert digit(key, 100, 50).length(RATE) == 1200


@pytest.mark.parametrize("key", ["", "x", "12"])
def test_no_digit(key: str) -> None:
    with pytest.raises(ValueError, match="no key"):
        digit(key)


def test_the_beep_is_said_once() -> None:
    length = BEEP.length(RATE)
    assert length == 2400
    samples = BEEP.samples(0, 8000, RATE)
    assert peaks(samples[:length]) == [1000]
    assert not samples[length:].any()
    assert not BEEP.samples(10**9, 10, RATE).any()


EVERY = [*map(ringback, COUNTRIES), *map(busy, COUNTRIES), BEEP, HOLD, digit("5")]


@settings(max_examples=60, deadline=None)
@given(
    tone=st.sampled_from(EVERY),
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=20),
    start=st.integers(0, 400_000),
)
def test_pieces_are_the_whole(tone: Tone, cuts: list[int], start: int) -> None:
    whole, at, parts = tone.samples(start, sum(cuts), RATE), start, []
    for count in cuts:
        parts.append(tone.samples(at, count, RATE))
        at += count
    assert np.array_equal(np.concatenate(parts), whole)
    assert whole.dtype == np.int16


@pytest.mark.parametrize("tone", EVERY)
def test_there_is_no_click(tone: Tone) -> None:
    """A click is a moment with something at high frequencies: none is louder than -75 dB, not
    where it begins, repeats, or ends."""
    rate, frame = 48_000, 480
    count = (2 * tone.cycle_ms + 100) * rate // 1000
    samples = np.concatenate((np.zeros(frame, np.int16), tone.samples(0, count, rate)))
    for shift in (0, frame // 2):
        frames = samples[shift : shift + (len(samples) - shift) // frame * frame]
        spectrum = np.abs(np.fft.rfft(frames.reshape(-1, frame) * np.blackman(frame), axis=1))
        level = spectrum[:, 60:].max() / (32767 * frame / 4)
        assert 20 * np.log10(level + 1e-9) < -75


def test_the_music_is_soft_and_has_no_gap() -> None:
    samples = HOLD.samples(0, 24 * RATE, RATE).astype(np.int32)
    assert np.abs(samples).max() < 12_000
    seconds = np.sqrt(np.mean(samples.reshape(-1, RATE // 2) ** 2.0, axis=1))
    assert seconds.min() > 300
    assert seconds.max() < 6 * seconds.min()


def test_names_of_a_play() -> None:
    assert named("ringback", "gb") == ringback("gb")
    assert named("busy") == busy("us")
    assert (named("beep"), named("hold"), named("whistle")) == (BEEP, HOLD, None)
