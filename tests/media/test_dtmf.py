"""Keys as tones: every press once, off their frequencies, in noise and through µ-law; and never
in a voice."""

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.voices import framed, speech

from tertulia.media.dtmf import Tones
from tertulia.media.g711 import ulaw_decode, ulaw_encode
from tertulia.protocols.telephone_event import Pressed

KEYS = "123A456B789C*0#D"
LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
AMPLITUDE = 2000.0
RATES = pytest.mark.parametrize("rate", [8000, 16000])
Audio = NDArray[np.float64]
Frames = NDArray[np.int16]


def pair(rate: int, milliseconds: float, low: float, high: float, twist: float = 0.0) -> Audio:
    """Two tones; `twist` in decibels is how much stronger the low one is."""
    times = np.arange(round(rate * milliseconds / 1000)) / rate
    louder, softer = 10 ** (twist / 40), 10 ** (-twist / 40)
    tones = louder * np.sin(2 * np.pi * low * times), softer * np.sin(2 * np.pi * high * times)
    return AMPLITUDE * (tones[0] + tones[1])


def key(rate: int, digit: str, milliseconds: float = 100) -> Audio:
    index = KEYS.index(digit)
    return pair(rate, milliseconds, LOW[index // 4], HIGH[index % 4])


def silence(rate: int, milliseconds: float) -> Audio:
    return np.zeros(round(rate * milliseconds / 1000))


def frames(rate: int, parts: Iterable[Audio], noise: float | None = None, seed: int = 0) -> Frames:
    """Through µ-law; `noise` in decibels below one tone."""
    audio = np.concatenate([*parts, silence(rate, 120)])
    if noise is not None:
        strength = AMPLITUDE * 10 ** (-noise / 20)
        audio += np.random.default_rng(seed).normal(0, strength, len(audio))
    return framed(ulaw_decode(ulaw_encode(audio.astype(np.int16))), rate)


def presses(rate: int, audio: Frames) -> list[Pressed]:
    """Of one leg."""
    tones, row = Tones(rate, 1), np.zeros(1, np.int64)
    return [pressed for frame in audio for _, pressed in tones.hear(frame[np.newaxis], row)]


def heard(rate: int, audio: Frames) -> str:
    return "".join(pressed.digit for pressed in presses(rate, audio))


def all_heard(rate: int, legs: Sequence[Frames]) -> list[str]:
    """All legs at once; those that end sooner are silent."""
    longest = max(len(leg) for leg in legs)
    tones, found = Tones(rate, len(legs)), [""] * len(legs)
    audio = np.zeros((longest, len(legs), rate // 50), np.int16)
    for number, leg in enumerate(legs):
        audio[: len(leg), number] = leg
    for each in audio:
        for row, pressed in tones.hear(each, np.arange(len(legs))):
            found[row] += pressed.digit
    return found


@RATES
@pytest.mark.parametrize("noise", [None, 15.0])
@pytest.mark.parametrize("milliseconds", [40, 50, 65, 100])
def test_strings(rate: int, milliseconds: int, noise: float | None) -> None:
    """Tones and pauses of this length, 1.2 % off and with 4 dB of twist, both at random."""
    chance = np.random.default_rng(milliseconds)
    digits, legs = [], []
    for leg in range(20):
        wanted = chance.integers(0, 16, 16)
        wanted[8:12] = wanted[8]
        parts = [silence(rate, float(chance.uniform(20, 60)))]
        for index in wanted.tolist():
            low, high = 1 + chance.uniform(-0.012, 0.012, 2)
            parts.append(pair(rate, milliseconds, LOW[index // 4] * low, HIGH[index % 4] * high,
                              twist=float(chance.uniform(-4, 4))))  # fmt: skip
            parts.append(silence(rate, milliseconds + float(chance.uniform(0, 10))))
        digits.append("".join(KEYS[index] for index in wanted))
        legs.append(frames(rate, parts, noise, leg))
    assert all_heard(rate, legs) == digits


@RATES
def test_a_press_has_its_length(rate: int) -> None:
    for milliseconds in (40, 100, 1000, 5000):
        found = presses(rate, frames(rate, [silence(rate, 33), key(rate, "5", milliseconds)]))
        assert [pressed.digit for pressed in found] == ["5"]
        assert found[0].milliseconds == pytest.approx(milliseconds, abs=15)


@RATES
def test_another_key_without_a_pause_is_another_press(rate: int) -> None:
    assert heard(rate, frames(rate, [key(rate, digit) for digit in "159D"])) == "159D"


@RATES
def test_a_lost_frame_makes_no_two_of_one(rate: int) -> None:
    audio = frames(rate, [key(rate, "5", 400)])
    for lost in range(2, 18):
        assert heard(rate, np.where(np.arange(len(audio))[:, None] == lost, 0, audio)) == "5"


@RATES
def test_what_is_no_key_is_none(rate: int) -> None:
    """Keys too short, too soft, too uneven or too far off; single tones, call progress, noise."""
    chance = np.random.default_rng(5)
    off = [pair(rate, 100, LOW[index // 4] * 1.035, HIGH[index % 4]) for index in range(16)]
    other = [pair(rate, 500, low, high) for low, high in ((440, 480), (350, 440), (480, 620),
                                                          (697, 697), (1336, 1336), (697, 770),
                                                          (425, 425), (1400, 2060))]  # fmt: skip
    pieces = [
        *off,
        *other,
        key(rate, "5", 20),
        key(rate, "5") * 0.01,
        pair(rate, 100, 770, 1336, twist=20),
        pair(rate, 100, 770, 1336) + pair(rate, 100, 941, 1633),
        chance.normal(0, 4000, rate),
    ]
    for piece in pieces:
        assert heard(rate, frames(rate, [silence(rate, 40), piece])) == ""


@RATES
@pytest.mark.parametrize("speed", [0.85, 1.0, 1.25])
def test_a_voice_presses_no_keys(rate: int, speed: float) -> None:
    """None in these minutes; an hour's worth of such voices was found to hold none either."""
    audio = ulaw_decode(ulaw_encode(speech(rate, speed)))
    shifts = [framed(audio[shift:], rate) for shift in range(0, rate // 100, rate // 400)]
    assert all_heard(rate, shifts) == [""] * len(shifts)


def test_a_key_is_heard_over_a_voice_that_paused() -> None:
    audio = speech(8000).astype(np.float64)
    assert heard(8000, frames(8000, [audio, key(8000, "3"), audio])) == "3"


def test_legs_come_and_go() -> None:
    tones, row = Tones(8000, 2), np.array([1])
    held = frames(8000, [key(8000, "5", 100)])
    for frame in held[:4]:
        assert tones.hear(frame[np.newaxis], row) == []
    tones.forget(1)
    found = [each for frame in held[5:] for each in tones.hear(frame[np.newaxis], row)]
    assert found == []
    assert tones.hear(np.zeros((0, 160), np.int16), row[:0]) == []
