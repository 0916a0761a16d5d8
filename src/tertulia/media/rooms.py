"""Who is in which room, and who may hear whom there: laid out for the mixer.

All legs of one rate are mixed together: rooms at 8 kHz, where all legs are G.711, and rooms at
16 kHz. A leg in no room is laid out as a room of its own, so that it is sent silence, or what is
played to it alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tertulia.media import mixing
from tertulia.media.bank import UNKNOWN, Bank, are_wide
from tertulia.model.commands import Hearing

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Room:
    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.members: list[int] = []
        """Slots, in the order of joining."""


class Layout(NamedTuple):
    """The legs of one rate, room by room."""

    slots: Numbers
    rooms: mixing.Rooms
    here: list[Room | None]
    """By number in `rooms`; None for a leg in no room."""
    places: dict[str, int]
    """The number in `rooms` of each by its name."""
    legs: dict[str, int]
    """The index in `slots` of each by its name."""
    names: list[str]
    """Of the legs."""
    keys: Numbers
    """Of each room in `rooms`: a number that stays its own while the layout changes."""


class Rooms:
    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._rooms: dict[str, Room] = {}
        self._numbers: dict[int, Room] = {}
        self._made = 0
        self._hearing: dict[int, Hearing] = {}
        self._names: dict[int, str] = {}
        self._layouts: tuple[Layout, Layout] | None = None

    def __len__(self) -> int:
        return len(self._rooms)

    def add(self, slot: int, name: str) -> None:
        self._names[slot] = name
        self._layouts = None

    def remove(self, slot: int) -> str | None:
        """A leg is no more. Returns the name of the room that went with it."""
        gone = self.leave(slot)
        self._names.pop(slot, None)
        self._hearing.pop(slot, None)
        return gone

    def refresh(self) -> None:
        """A leg has another codec."""
        self._layouts = None

    def join(self, slot: int, name: str) -> str | None:
        """Returns the name of the room that the leg has left empty."""
        room = self._rooms.get(name)
        if room is not None and slot in room.members:
            return None
        gone = self.leave(slot)
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = self._make(name)
        room.members.append(slot)
        self._bank.room[slot] = room.number
        return gone

    def leave(self, slot: int) -> str | None:
        self._layouts = None
        room = self.of(slot)
        if room is None:
            return None
        room.members.remove(slot)
        self._bank.room[slot] = UNKNOWN
        if room.members:
            return None
        del self._rooms[room.name], self._numbers[room.number]
        return room.name

    def hear(self, slot: int, hearing: Hearing) -> None:
        self._bank.muted[slot], self._bank.earmuffed[slot] = hearing.muted, hearing.earmuffed
        self._hearing[slot] = hearing
        self._layouts = None

    def of(self, slot: int) -> Room | None:
        number = int(self._bank.room[slot])
        return self._numbers.get(number)

    @property
    def numbers(self) -> set[int]:
        return set(self._numbers)

    def named(self, name: str) -> Room | None:
        return self._rooms.get(name)

    def layouts(self) -> tuple[Layout, Layout]:
        """At 8 kHz, and at 16."""
        if self._layouts is None:
            self._layouts = self._lay_out()
        return self._layouts

    def _make(self, name: str) -> Room:
        """With a number that no room before it had: what it sounded like is still known by it."""
        room = self._numbers[self._made] = Room(name, self._made)
        self._made += 1
        return room

    def _lay_out(self) -> tuple[Layout, Layout]:
        wides = are_wide(self._bank.codec) | (self._bank.sockets > 8_000)
        groups: tuple[list[Room | None], list[Room | None]] = ([], [])
        members: tuple[list[list[int]], list[list[int]]] = ([], [])
        for room in self._rooms.values():
            wide = bool(wides[room.members].any())
            groups[wide].append(room)
            members[wide].append(room.members)
        for slot in self._names:
            if self._bank.room[slot] == UNKNOWN:
                wide = bool(wides[slot])
                groups[wide].append(None)
                members[wide].append([slot])
        narrow = self._layout(groups[0], members[0])
        layout = self._layout(groups[1], members[1])
        self._bank.wide[:] = False
        self._bank.wide[layout.slots] = True
        return narrow, layout

    def _layout(self, rooms: list[Room | None], members: list[list[int]]) -> Layout:
        slots = np.array([slot for each in members for slot in each], np.int64)
        lists = {
            number: self._permitted(each)
            for number, each in enumerate(members)
            if len(each) > 1 and self._has_lists(each)
        }
        sizes = [len(each) for each in members]
        arranged = mixing.arrange(sizes, self._bank.earmuffed[slots], lists)
        # Rooms have their numbers, legs alone their slots: below 0, to tell them apart.
        names = [self._names[slot] for slot in slots.tolist()]
        keys = [
            room.number if room is not None else -1 - each[0]
            for room, each in zip(rooms, members, strict=True)
        ]
        return Layout(
            slots, arranged, rooms,
            {room.name: number for number, room in enumerate(rooms) if room is not None},
            {name: index for index, name in enumerate(names)}, names,
            np.array(keys, np.int64),
        )  # fmt: skip

    def _has_lists(self, slots: Iterable[int]) -> bool:
        found = [self._hearing[slot] for slot in slots if slot in self._hearing]
        return any(one.can_hear is not None or one.can_speak is not None for one in found)

    def _permitted(self, slots: list[int]) -> Flags:
        names = [self._names[slot] for slot in slots]
        of = {self._names[slot]: self._hearing[slot] for slot in slots if slot in self._hearing}
        can_hear = {name: set(one.can_hear) for name, one in of.items() if one.can_hear is not None}
        can_speak = {
            name: set(one.can_speak) for name, one in of.items() if one.can_speak is not None
        }
        return mixing.permitted(names, can_hear, can_speak)
