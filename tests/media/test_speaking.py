"""Who is speaking: soon enough on, soon enough off, and not for noise or keys."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.voices import PAUSE_MS, framed, sentences, speech

from tertulia.media.speaking import SILENT, Activity

ON_MS = 200
OFF_MS = 800
AUDIBLE = 300
"""Of samples of a voice."""
RATES = pytest.mark.parametrize("rate", [8000, 16000])
Frames = NDArray[np.int16]
ROW = np.zeros(1, np.int64)


def changes(audio: Iterable[Frames | None], excluded: bool = False) -> list[tuple[int, bool]]:
    """Of one leg, with the milliseconds when they are known; None is a frame that is missing."""
    activity, found = Activity(1), []
    for number, frame in enumerate(audio):
        if frame is not None:
            activity.hear(frame[np.newaxis], ROW, np.array([excluded]))
        found += [(20 * (number + 1), on) for _, on in activity.tick()]
    return found


def silence(rate: int, milliseconds: int) -> Frames:
    return np.zeros(rate * milliseconds // 1000, np.int16)


def noise(rate: int, seconds: float, decibels: float) -> NDArray[np.float64]:
    strength = 32768 * 10 ** (decibels / 20)
    return np.random.default_rng(3).normal(0, strength, round(rate * seconds))


@RATES
@pytest.mark.parametrize("softer", [1.0, 0.1])
def test_each_sentence_is_noticed(rate: int, softer: float) -> None:
    for sentence in sentences(rate):
        said = (sentence * softer).astype(np.int16)
        audible = np.flatnonzero(np.abs(said) > AUDIBLE)
        begins, ends = (PAUSE_MS + 1000 * int(audible[at]) // rate for at in (0, -1))
        whole = np.concatenate((silence(rate, PAUSE_MS), said, silence(rate, PAUSE_MS)))
        found = changes(framed(whole, rate))
        assert [on for _, on in found] == [True, False]
        assert begins <= found[0][0] <= begins + ON_MS
        assert ends <= found[1][0] <= ends + OFF_MS


@RATES
def test_over_noise(rate: int) -> None:
    (sentence, *_) = sentences(rate)
    whole = noise(rate, 3 + len(sentence) / rate, -45)
    whole[2 * rate : 2 * rate + len(sentence)] += sentence
    found = changes(framed(whole.clip(-32768, 32767).astype(np.int16), rate))
    assert [on for _, on in found] == [True, False]
    assert found[0][0] == pytest.approx(2000, abs=2 * ON_MS)


@RATES
@pytest.mark.parametrize("decibels", [-60, -45, -30, -15])
def test_noise_alone_is_nobody(rate: int, decibels: float) -> None:
    steady = framed(noise(rate, 20, decibels).clip(-32768, 32767).astype(np.int16), rate)
    assert changes(steady) == []


@RATES
def test_a_noise_that_begins_is_got_used_to(rate: int) -> None:
    calm, loud = noise(rate, 5, -60), noise(rate, 10, -30)
    found = changes(framed(np.concatenate((calm, loud)).astype(np.int16), rate))
    assert [on for _, on in found] in ([], [True, False])
    assert not found or found[1][0] < 8000


@RATES
def test_lost_frames_do_not_make_a_voice_of_a_noise(rate: int) -> None:
    steady: list[Frames | None] = [*framed(noise(rate, 20, -30).astype(np.int16), rate)]
    assert (
        changes(None if number % 10 in (3, 4) else one for number, one in enumerate(steady)) == []
    )


@RATES
def test_a_network_that_is_cut_ends_it(rate: int) -> None:
    voice = list(framed(speech(rate), rate))
    cut = next(at for at, on in changes(voice) if on) // 20 + 10
    found = changes([*voice[:cut], *[None] * 60])
    assert [on for _, on in found] == [True, False]
    assert found[1][0] - 20 * cut <= OFF_MS


def test_keys_are_no_speech() -> None:
    times = np.arange(8000) / 8000
    tones = 4000 * (np.sin(2 * np.pi * 770 * times) + np.sin(2 * np.pi * 1336 * times))
    assert changes(framed(tones.astype(np.int16), 8000), excluded=True) == []


def test_each_leg_for_itself() -> None:
    """Two rates in a tick, rows in any order, one leg that nothing is heard of."""
    narrow, wide = framed(speech(8000), 8000), framed(speech(16000), 16000)
    activity, found = Activity(4), []
    for one, other in zip(narrow, wide, strict=False):
        activity.hear(np.stack((one * 0, one)), np.array([3, 0]))
        activity.hear(other[np.newaxis], np.array([2]))
        found += activity.tick()
        assert activity.levels[1] == activity.levels[3] == SILENT
    assert {row for row, _ in found} == {0, 2}
    for row in (0, 2):
        mine = [on for its, on in found if its == row]
        assert mine == [True, False] * (len(mine) // 2)
        assert len(mine) >= 8


def test_levels_are_decibels_below_full_scale() -> None:
    activity = Activity(1)
    times = np.arange(160) / 8000
    loud = (32767 * np.sin(2 * np.pi * 1000 * times)).astype(np.int16)
    for frame, level in ((loud, -3.01), (loud // 10, -23.0), (loud * 0, SILENT)):
        activity.hear(frame[np.newaxis], ROW)
        assert activity.levels[0] == pytest.approx(level, abs=0.1)
        activity.tick()
    activity.hear(loud[np.newaxis], ROW)
    activity.tick()
    activity.tick()
    assert activity.levels[0] == SILENT


def test_a_row_that_is_forgotten_speaks_no_more() -> None:
    activity = Activity(1)
    for frame in framed(speech(8000), 8000)[:80]:
        activity.hear(frame[np.newaxis], ROW)
        activity.tick()
    assert activity.on[0]
    activity.forget(0)
    assert activity.tick() == []
    activity.hear(np.zeros((0, 160), np.int16), ROW[:0])
