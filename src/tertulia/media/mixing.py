"""Who hears what in this frame: all rooms of one rate at once, without a loop over legs.

A leg hears the legs of its room that count, but never itself. Legs are rows, a room is a run of
rows. Rooms where everybody may hear everybody are the sum of a room minus one's own voice; where
there are lists of who may hear whom, each distinct set of voices is summed once.
All sums are of 32 bits and exact; `limiter` brings them into 16.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tertulia.media.limiter import Factors, Samples, Sums, limit, recovered

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

NOBODY = -1
_FEW = 8
"""Voices of a room that are added for all rooms together, one a step. More are added room by room:
a call of numpy pays only for several rows."""
_WORD = 32
"""Voices told apart in one step of grouping: group and word share 64 bits."""


class Rooms(NamedTuple):
    """The rooms as they stand; made anew when a leg joins, leaves or is told whom to hear."""

    of: Indices
    """Room of each leg [n], ascending."""
    number: int
    """How many."""
    earmuffed: Flags
    """[n]"""
    listed: Flags
    """[n]: legs of the rooms with lists."""
    first: Indices
    """[n]: where in `hearers` those begin who may hear a leg of a room with lists."""
    many: Indices
    """[n]: how many they are."""
    hearers: Indices


class Gains(NamedTuple):
    """What the limiter has come to: for what each leg last heard, and the whole of each room.
    The caller keeps it from frame to frame, and 1 for whoever is new."""

    legs: Factors
    rooms: Factors


class Extras(NamedTuple):
    """What is played, and what is wanted besides. A leg or room stands in each list once."""

    legs: Indices
    leg_audio: Samples
    """[len(legs), s]: for one leg alone, on top of what it hears, also when it is earmuffed."""
    rooms: Indices
    room_audio: Samples
    """[len(rooms), s]: for every leg that is not earmuffed."""
    whole: Indices
    """Rooms whose whole mix is wanted though nobody may hear it: those that are recorded."""


class Mixes(NamedTuple):
    """The distinct mixes of a frame, m of them, each to be encoded once for each codec."""

    audio: Samples
    """[m, s]"""
    which: Indices
    """[n]: the mix that a leg hears, or NOBODY."""
    leader: Indices
    """[m]: the first leg that hears it; NOBODY when it is only wanted whole."""
    room: Indices
    """[m]: the room of which it is the whole, what those hear who are silent themselves; NOBODY
    for others. With `leader` it tells which encoder goes on with it."""
    gains: Gains
    """For the next frame."""


class _Part(NamedTuple):
    """Some of the mixes, not yet limited."""

    sums: Sums
    leader: Indices
    room: Indices


_NONE: Indices = np.empty(0, np.intp)
_SILENCE: Samples = np.empty((0, 0), np.int16)
NO_EXTRAS = Extras(_NONE, _SILENCE, _NONE, _SILENCE, _NONE)


def permitted(
    legs: Sequence[str],
    can_hear: Mapping[str, Collection[str]],
    can_speak: Mapping[str, Collection[str]],
) -> Flags:
    """[hearer, speaker]: a leg with a list of whom it can hear, or to whom it can speak, is bound
    by it; one without is not."""
    hears = np.ones((len(legs), len(legs)), np.bool_)
    for index, leg in enumerate(legs):
        if leg in can_hear:
            hears[index, :] &= [other in can_hear[leg] for other in legs]
        if leg in can_speak:
            hears[:, index] &= [other in can_speak[leg] for other in legs]
    return hears


def arrange(
    sizes: Sequence[int], earmuffed: Flags | None = None, lists: Mapping[int, Flags] | None = None
) -> Rooms:
    """`sizes` are legs of each room, `lists` a matrix [hearer, speaker] for each room that is not
    open to all; its diagonal is of no matter."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.cumsum([0, *sizes])
    muffs = np.zeros(len(of), np.bool_) if earmuffed is None else earmuffed
    listed = np.zeros(len(of), np.bool_)
    many = np.zeros(len(of), np.intp)
    hearers = [_NONE]
    for room, matrix in sorted((lists or {}).items()):
        legs = slice(starts[room], starts[room + 1])
        open_to = (matrix & ~np.eye(len(matrix), dtype=np.bool_) & ~muffs[legs, np.newaxis]).T
        listed[legs], many[legs] = True, open_to.sum(axis=1)
        hearers.append(np.nonzero(open_to)[1] + starts[room])
    return Rooms(
        of, len(sizes), muffs, listed, np.cumsum(many) - many, many, np.concatenate(hearers)
    )


def unlimited(rooms: Rooms) -> Gains:
    """To begin with."""
    return Gains(np.ones(len(rooms.of), np.float32), np.ones(rooms.number, np.float32))


def mix(
    rooms: Rooms, frames: Samples, counting: Flags, gains: Gains, extras: Extras = NO_EXTRAS
) -> Mixes:
    """What everybody hears of frames [n, s]. `counting` [n] are those who speak and are not muted;
    the rows of others may hold anything."""
    which = np.full(len(rooms.of), NOBODY, np.intp)
    part = _open(rooms, frames, counting, extras, which)
    if rooms.listed.any():
        lists = _listed(rooms, frames, counting, extras, which)
        which[rooms.listed & (which >= 0)] += len(part.sums)
        part = _Part(
            np.concatenate((part.sums, lists.sums)),
            np.concatenate((part.leader, lists.leader)),
            np.concatenate((part.room, lists.room)),
        )
    whole = part.room >= 0
    begin = np.empty(len(whole), np.float32)
    begin[whole], begin[~whole] = gains.rooms[part.room[whole]], gains.legs[part.leader[~whole]]
    audio, ends = limit(part.sums, begin)
    legs, of_rooms = recovered(gains.legs), recovered(gains.rooms)
    legs[which >= 0] = ends[which[which >= 0]]
    of_rooms[part.room[whole]] = ends[whole]
    return Mixes(audio, which, part.leader, part.room, Gains(legs, of_rooms))


def _sums(frames: Samples, members: Indices, sizes: Indices) -> Sums:
    """Of each group of rows; groups stand in `members` one after the other. Adding the first of
    all groups, then the second of all and so on takes 0.03 µs a leg in rooms of three, where
    `np.add.reduceat` takes 0.36."""
    sums = np.zeros((len(sizes), frames.shape[1]), np.int32)
    first = np.cumsum(sizes) - sizes
    for rank in range(min(int(sizes.max(initial=0)), _FEW)):
        groups = np.flatnonzero(sizes > rank)
        rows = frames.take(members[first[groups] + rank], axis=0)
        if len(groups) == len(sizes):
            sums += rows
        else:
            sums[groups] += rows
    for group in np.flatnonzero(sizes > _FEW):
        rest = members[first[group] + _FEW : first[group] + sizes[group]]
        sums[group] += frames.take(rest, axis=0).sum(axis=0, dtype=np.int32)
    return sums


class _Totals(NamedTuple):
    """What there is to be heard in the rooms that are summed as a whole."""

    sums: Sums
    place: Indices
    """[rooms]: where in `sums`; anything for silent rooms."""
    sources: Indices
    """[rooms]: how many voices and plays."""

    def of(self, rooms: Indices) -> Sums:
        if not len(self.sums):
            return np.zeros((len(rooms), self.sums.shape[1]), np.int32)
        return self.sums.take(self.place[rooms], axis=0)


def _totals(rooms: Rooms, frames: Samples, talkers: Indices, extras: Extras) -> _Totals:
    voices = np.bincount(rooms.of[talkers], minlength=rooms.number)
    sources = voices.copy()
    sources[extras.rooms] += 1
    place = np.cumsum(sources > 0) - 1
    sums = _sums(frames, talkers, voices[sources > 0])
    if len(extras.rooms):
        sums[place[extras.rooms]] += extras.room_audio
    return _Totals(sums, place, sources)


def _open(rooms: Rooms, frames: Samples, counting: Flags, extras: Extras, which: Indices) -> _Part:
    """The mixes of rooms without lists, and those that are wanted whole; fills in `which`."""
    plain, wanted = ~rooms.listed, _marked(extras.whole, rooms.number)
    summed = plain | wanted[rooms.of]
    totals = _totals(rooms, frames, np.flatnonzero(counting & summed), extras)
    hears = (totals.sources[rooms.of] > counting) & ~rooms.earmuffed
    alone = _marked(extras.legs, len(which))
    own = np.flatnonzero((alone | (counting & hears)) & plain)
    shared = np.flatnonzero(hears & ~counting & ~alone & plain)
    leader, of = _wholes(rooms.of[shared], shared, np.flatnonzero(wanted & (totals.sources > 0)))
    number = np.empty(rooms.number, np.intp)
    number[of] = np.arange(len(of))
    which[shared] = number[rooms.of[shared]]
    which[own] = len(of) + np.arange(len(own))
    sums = totals.of(np.concatenate((of, rooms.of[own])))
    private = sums[len(of) :]
    private[~hears[own]] = 0
    _subtract(private, frames, own, (counting & hears)[own])
    _play_alone(sums, which, plain, extras)
    nobody = np.full(len(own), NOBODY)
    return _Part(sums, np.concatenate((leader, own)), np.concatenate((of, nobody)))


def _marked(indices: Indices, size: int) -> Flags:
    flags = np.zeros(size, np.bool_)
    flags[indices] = True
    return flags


def _wholes(of: Indices, listeners: Indices, wanted: Indices) -> tuple[Indices, Indices]:
    """Rooms of which the whole is needed, and the first listener of each. `of` is the room of
    each listener, ascending."""
    begins = np.ones(len(of), np.bool_)
    begins[1:] = of[1:] != of[:-1]
    firsts = np.flatnonzero(begins)
    if not len(wanted):
        return listeners[firsts], of[firsts]
    unheard = np.setdiff1d(wanted, of[firsts])
    nobody = np.full(len(unheard), NOBODY)
    return np.concatenate((listeners[firsts], nobody)), np.concatenate((of[firsts], unheard))


def _subtract(sums: Sums, frames: Samples, legs: Indices, where: Flags) -> None:
    """Take their own voice out of what legs hear."""
    if where.all():
        sums -= frames.take(legs, axis=0)
    else:
        sums[where] -= frames.take(legs[where], axis=0)


def _play_alone(sums: Sums, which: Indices, legs: Flags, extras: Extras) -> None:
    """Add what is played to single legs, as far as they are among `legs`."""
    if len(extras.legs):
        here = legs[extras.legs]
        sums[which[extras.legs[here]]] += extras.leg_audio[here]


def _listed(
    rooms: Rooms, frames: Samples, counting: Flags, extras: Extras, which: Indices
) -> _Part:
    """The mixes of rooms with lists; fills in `which`, without what comes before."""
    talkers = np.flatnonzero(counting & rooms.listed)
    voices = np.bincount(rooms.of[talkers], minlength=rooms.number)
    speakers, hearers, ranks = _pairs(rooms, talkers, voices)
    alone = _marked(extras.legs, len(which))
    ears = np.flatnonzero(rooms.listed & (alone | ~rooms.earmuffed))
    group = rooms.of + np.where(alone, rooms.number + np.arange(len(which)), 0)
    leaders, groups = _grouped(group, ears, hearers, ranks)
    sizes = np.bincount(hearers, minlength=len(which))[leaders]
    sums = _sums(frames, _members(speakers, hearers, leaders, len(which)), sizes)

    played = _marked(extras.rooms, rooms.number)[rooms.of[leaders]] & ~rooms.earmuffed[leaders]
    if played.any():
        row = np.zeros(rooms.number, np.intp)
        row[extras.rooms] = np.arange(len(extras.rooms))
        sums[played] += extras.room_audio[row[rooms.of[leaders[played]]]]
    which[ears] = groups
    _play_alone(sums, which, rooms.listed, extras)
    heard = (sizes > 0) | played | alone[leaders]
    whole = (sizes == voices[rooms.of[leaders]]) & ~alone[leaders] & ~rooms.earmuffed[leaders]
    which[ears] = np.where(heard, np.cumsum(heard) - 1, NOBODY)[groups]
    room = np.where(whole, rooms.of[leaders], NOBODY)
    return _Part(sums[heard], leaders[heard], room[heard])


def _pairs(rooms: Rooms, talkers: Indices, voices: Indices) -> tuple[Indices, Indices, Indices]:
    """Who is heard by whom in rooms with lists: speakers, hearers, and the rank of the speaker
    among those who count in the room."""
    many = rooms.many[talkers]
    rank = np.arange(len(talkers)) - (np.cumsum(voices) - voices)[rooms.of[talkers]]
    within = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    hearers = rooms.hearers[np.repeat(rooms.first[talkers], many) + within]
    return np.repeat(talkers, many), hearers, np.repeat(rank, many)


def _grouped(
    group: Indices, ears: Indices, hearers: Indices, ranks: Indices
) -> tuple[Indices, Indices]:
    """The first leg of each set of legs that hear the same voices, and the set of each of `ears`.

    Voices are bits of a word. Each word splits the groups that the words before have left, so
    that the answer is exact for any number of voices.
    """
    leaders, groups = _unique(group[ears])
    for low in range(0, int(ranks.max(initial=-1)) + 1, _WORD):
        here = (ranks >= low) & (ranks < low + _WORD)
        bits = np.exp2(ranks[here] - low)
        word = np.bincount(hearers[here], weights=bits, minlength=len(group))[ears]
        leaders, groups = _unique((groups << _WORD) + word.astype(np.intp))
    return ears[leaders], groups


def _unique(keys: Indices) -> tuple[Indices, Indices]:
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first, inverse


def _members(speakers: Indices, hearers: Indices, leaders: Indices, legs: int) -> Indices:
    """The voices that each leader hears, one leader after the other."""
    place = np.full(legs, NOBODY)
    place[leaders] = np.arange(len(leaders))
    led = place[hearers]
    order = np.argsort(led, kind="stable")
    return speakers[order[np.count_nonzero(led < 0) :]]
