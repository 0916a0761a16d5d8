"""Who hears whom: by tones, and against the plain definition."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tertulia.media.limiter import Samples
from tertulia.media.mixing import (
    NO_EXTRAS,
    NOBODY,
    Extras,
    Flags,
    Gains,
    Mixes,
    Rooms,
    arrange,
    mix,
    permitted,
    unlimited,
)

RATE, FRAME = 16_000, 320
TONES = (350, 600, 950, 1450, 2150, 3050)
"""None is a multiple of another; each is whole in a second."""
LEGS = ["one", "two", "three", "four", "five", "six"]


def voices(tones: tuple[int, ...] = TONES, level: int = 3000) -> Samples:
    """[leg, s]: a second of each."""
    along = 2 * np.pi * np.arange(RATE) / RATE
    return np.asarray(np.rint(level * np.sin(np.outer(tones, along))), np.int16)


def heard(
    rooms: Rooms, audio: Samples, counting: Flags, extras: Extras = NO_EXTRAS
) -> NDArray[np.int16]:
    """What each leg hears, frame after frame; silence where it hears nobody."""
    gains, out = unlimited(rooms), np.zeros_like(audio)
    for start in range(0, audio.shape[1], FRAME):
        frame = slice(start, start + FRAME)
        mixes = mix(rooms, audio[:, frame], counting, gains, extras)
        gains = mixes.gains
        hearing = mixes.which >= 0
        out[hearing, frame] = mixes.audio[mixes.which[hearing]]
    return out


def presence(heard_by: Samples) -> NDArray[np.float64]:
    """[hearer, tone] in decibels, 0 as loud as it was said."""
    bins = np.abs(np.fft.rfft(heard_by, axis=1))[:, list(TONES)] / (RATE / 2 * 3000)
    return np.asarray(20 * np.log10(bins + 1e-9))


def assert_heard(out: Samples, expected: NDArray[np.bool_]) -> None:
    """Each cell: there, or 60 dB down."""
    cells = presence(out)
    assert np.all(np.abs(cells[expected]) < 0.1)
    assert np.all(cells[~expected] < -60)


OTHERS = ~np.eye(6, dtype=np.bool_)
ALL = np.ones(6, np.bool_)


def test_each_hears_the_others_and_never_itself() -> None:
    assert_heard(heard(arrange([6]), voices(), ALL), OTHERS)


def test_rooms_are_apart() -> None:
    expected = np.zeros((6, 6), np.bool_)
    for room in (slice(0, 2), slice(2, 5), slice(5, 6)):
        expected[room, room] = True
    assert_heard(heard(arrange([2, 3, 1]), voices(), ALL), expected & OTHERS)


def test_muted_and_silent_legs_are_not_heard_but_hear() -> None:
    counting = np.array([True, False, True, True, False, True])
    assert_heard(heard(arrange([6]), voices(), counting), OTHERS & counting)


def test_an_earmuffed_leg_hears_nothing_but_is_heard() -> None:
    muffs = np.array([False, True, False, False, False, True])
    rooms = arrange([6], muffs)
    assert_heard(heard(rooms, voices(), ALL), OTHERS & ~muffs[:, np.newaxis])
    mixes = mix(rooms, voices()[:, :FRAME], ALL, unlimited(rooms))
    assert mixes.which[[1, 5]].tolist() == [NOBODY, NOBODY]


def test_a_coach_whispers() -> None:
    """Six speaks to one alone; two hears three alone; the others do as they like."""
    hears = permitted(LEGS, {"two": ["three"]}, {"six": ["one"]})
    expected = OTHERS.copy()
    expected[1] = [False, False, True, False, False, False]
    expected[1:, 5] = False
    assert_heard(heard(arrange([6], lists={0: hears}), voices(), ALL), expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=36, max_size=36), st.sets(st.integers(0, 5)))
def test_every_matrix(cells: list[bool], silent: set[int]) -> None:
    hears = np.array(cells).reshape(6, 6)
    counting = np.array([leg not in silent for leg in range(6)])
    out = heard(arrange([6], lists={0: hears}), voices(), counting)
    assert_heard(out, hears & OTHERS & counting)


def test_own_voice_is_gone_from_a_loud_room() -> None:
    """Also while the limiter is at work: what is left of it is what the gain does to the others."""
    loud = voices(level=32_000)
    out = heard(arrange([6]), np.tile(loud, 3), ALL)[:, 2 * RATE :]
    cells = presence(out)
    assert np.all(cells[~OTHERS] - cells[OTHERS].reshape(6, 5).min(axis=1) < -60)


# ── which mixes there are ──


def ramp(legs: int) -> Samples:
    return np.random.default_rng(legs).integers(-1000, 1000, (legs, FRAME)).astype(np.int16)


def test_those_who_are_silent_share_a_mix() -> None:
    rooms, counting = arrange([4, 3]), np.array([0, 1, 0, 0, 0, 1, 1], np.bool_)
    mixes = mix(rooms, ramp(7), counting, unlimited(rooms))
    assert mixes.which.tolist() == [0, NOBODY, 0, 0, 1, 2, 3]
    assert mixes.room.tolist() == [0, 1, NOBODY, NOBODY]
    assert mixes.leader.tolist() == [0, 4, 5, 6]


def test_lists_that_change_nothing_give_the_same_mixes() -> None:
    counting = np.array([0, 1, 0, 0, 0, 1, 1], np.bool_)
    plain, listed = arrange([4, 3]), arrange([4, 3], lists={0: np.ones((4, 4), np.bool_)})
    one = mix(plain, ramp(7), counting, unlimited(plain))
    other = mix(listed, ramp(7), counting, unlimited(listed))
    for leg in range(7):
        assert (one.which[leg] < 0) == (other.which[leg] < 0)
        if one.which[leg] >= 0:
            assert np.array_equal(one.audio[one.which[leg]], other.audio[other.which[leg]])
    assert sorted(one.room) == sorted(other.room)
    assert sorted(one.leader) == sorted(other.leader)


def test_those_who_hear_the_same_voices_share_a_mix() -> None:
    """Also with who speaks. Forty voices: more than a word of bits has."""
    hears = np.ones((60, 60), np.bool_)
    hears[40:50, 39] = False
    hears[50:55, 0] = False
    counting = np.arange(60) < 40
    rooms = arrange([60], lists={0: hears})
    mixes = mix(rooms, ramp(60), counting, unlimited(rooms))
    assert len(mixes.audio) == 41
    assert set(mixes.which[40:50]) == {mixes.which[39]}
    assert set(mixes.which[50:55]) == {mixes.which[0]}
    assert set(mixes.which[55:]) == set(np.flatnonzero(mixes.room == 0))


@pytest.mark.parametrize("lists", [None, {0: np.zeros((2, 2), np.bool_)}])
def test_a_recorded_room_is_mixed_whole(lists: dict[int, Flags] | None) -> None:
    """Also when all speak, or nobody may hear; not when there is nothing."""
    rooms, audio = arrange([2, 2], lists=lists), ramp(4)
    extras = NO_EXTRAS._replace(whole=np.array([0, 1]))
    mixes = mix(rooms, audio, np.array([True, True, False, False]), unlimited(rooms), extras)
    (row,) = np.flatnonzero(mixes.room == 0)
    assert mixes.leader[row] == NOBODY
    assert np.array_equal(mixes.audio[row], audio[0] + audio[1])
    assert 1 not in mixes.room


def test_nobody_is_there() -> None:
    for sizes in ([], [0], [0, 2, 0]):
        rooms = arrange(sizes)
        mixes = mix(rooms, ramp(sum(sizes)), np.zeros(sum(sizes), np.bool_), unlimited(rooms))
        assert len(mixes.audio) == 0
        assert np.all(mixes.which == NOBODY)


def test_gains_go_along_with_legs_and_rooms() -> None:
    rooms = arrange([4, 2])
    loud = np.full((6, FRAME), 30_000, np.int16)
    counting = np.array([1, 1, 1, 0, 0, 0], np.bool_)
    gains = mix(rooms, loud, counting, unlimited(rooms)).gains
    assert gains.legs[:3].tolist() == pytest.approx([32767 / 60_000] * 3)
    assert gains.legs[3] == gains.rooms[0] == pytest.approx(32767 / 90_000)
    assert gains.legs[4:].tolist() == [1, 1]
    assert gains.rooms[1] == 1
    after = mix(rooms, loud, ~ALL, gains).gains
    assert np.all(after.legs[:4] > gains.legs[:4])
    assert gains.rooms[0] < after.rooms[0] < 1


# ── against the plain definition ──


class Case(NamedTuple):
    rooms: Rooms
    lists: dict[int, Flags]
    audio: Samples
    counting: Flags
    extras: Extras


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sizes = draw(st.lists(st.integers(0, 12), max_size=6))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    legs, muffs = sum(sizes), draw(st.sampled_from([0.0, 0.3]))
    lists = {
        room: chance.random((size, size)) < 0.6
        for room, size in enumerate(sizes)
        if draw(st.booleans())
    }

    def some(count: int, share: float) -> NDArray[np.intp]:
        return np.flatnonzero(chance.random(count) < share)

    def noise(rows: int) -> Samples:
        return chance.integers(-1200, 1201, (rows, 160)).astype(np.int16)

    alone = some(legs, draw(st.sampled_from([0.0, 0.3])))
    played = some(len(sizes), draw(st.sampled_from([0.0, 0.5])))
    whole = some(len(sizes), draw(st.sampled_from([0.0, 0.5])))
    return Case(
        arrange(sizes, chance.random(legs) < muffs, lists),
        lists,
        noise(legs),
        chance.random(legs) < draw(st.sampled_from([0.1, 0.5, 1.0])),
        Extras(alone, noise(len(alone)), played, noise(len(played)), whole),
    )


def defined(case: Case, leg: int) -> bytes | None:
    """What a leg hears, summed one by one; None when there is nothing."""
    rooms, extras = case.rooms, case.extras
    room = rooms.of[leg]
    legs = np.flatnonzero(rooms.of == room)
    sources = [extras.leg_audio[row] for row in np.flatnonzero(extras.legs == leg)]
    if not rooms.earmuffed[leg]:
        sources += [extras.room_audio[row] for row in np.flatnonzero(extras.rooms == room)]
        for other in legs:
            may = room not in case.lists or case.lists[room][leg - legs[0], other - legs[0]]
            if other != leg and case.counting[other] and may:
                sources.append(case.audio[other])
    return np.sum(sources, axis=0, dtype=np.int32).astype(np.int16).tobytes() if sources else None


def mixed(case: Case) -> Mixes:
    return mix(case.rooms, case.audio, case.counting, unlimited(case.rooms), case.extras)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_as_defined(case: Case) -> None:
    mixes = mixed(case)
    expected = [defined(case, leg) for leg in range(len(case.rooms.of))]
    rows = [None if row < 0 else mixes.audio[row].tobytes() for row in mixes.which]
    assert rows == expected
    assert all(np.all(gains == 1) for gains in mixes.gains)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_rows_are_distinct_and_named(case: Case) -> None:
    mixes = mixed(case)
    rows = len(mixes.audio)
    assert len(mixes.leader) == len(mixes.room) == rows
    firsts = dict(reversed([(row, leg) for leg, row in enumerate(mixes.which.tolist())]))
    assert [firsts.get(row, NOBODY) for row in range(rows)] == mixes.leader.tolist()
    for row, room in enumerate(mixes.room):
        if room >= 0:
            sources = case.audio[(case.rooms.of == room) & case.counting]
            played = case.extras.room_audio[case.extras.rooms == room]
            whole = np.concatenate((sources, played)).sum(axis=0, dtype=np.int32)
            assert np.array_equal(mixes.audio[row], whole)
    heard_by_many = [row for row in range(rows) if np.count_nonzero(mixes.which == row) > 1]
    texts = [mixes.audio[row].tobytes() for row in heard_by_many]
    assert len(set(texts)) == len(texts)
    wanted = {room for room in case.extras.whole.tolist() if room_has_sound(case, room)}
    assert wanted <= set(mixes.room.tolist())


def room_has_sound(case: Case, room: int) -> bool:
    counts = case.counting & (case.rooms.of == room)
    return bool(counts.any()) or room in case.extras.rooms


def test_the_caller_s_arrays_are_left_alone() -> None:
    rooms, audio = arrange([3]), np.full((3, FRAME), 30_000, np.int16)
    gains = Gains(np.full(3, 0.5, np.float32), np.full(1, 0.5, np.float32))
    mix(rooms, audio, np.ones(3, np.bool_), gains)
    assert np.all(audio == 30_000)
    assert np.all(gains.legs == 0.5) and np.all(gains.rooms == 0.5)
