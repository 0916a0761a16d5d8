"""One frame of all legs of one rate: what is played and pressed goes in, mixes come out to be sent,
recorded and echoed."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tertulia.media import mixing
from tertulia.media.bank import PCMA, PCMU, Bank
from tertulia.media.keys import Keys
from tertulia.media.playing import Players
from tertulia.media.recording import Recorders
from tertulia.media.resampling import Doubling, Halving
from tertulia.media.rooms import Layout
from tertulia.media.voices import NARROW, WIDE, Voices

Samples = NDArray[np.int16]
Numbers = NDArray[np.int64]


class Heard(NamedTuple):
    """A frame of the legs of a layout."""

    frames: Samples
    """What each says, [n, s]; only where `counting`."""
    counting: NDArray[np.bool_]
    mixes: mixing.Mixes

    def said(self, index: int) -> Samples | None:
        return self.frames[index] if self.counting[index] else None

    def mix(self, index: int) -> Samples | None:
        """What a leg hears."""
        which = self.mixes.which[index]
        return self.mixes.audio[which] if which >= 0 else None

    def whole(self, room: int) -> Samples | None:
        found = np.flatnonzero(self.mixes.room == room)
        return self.mixes.audio[found[0]] if len(found) else None


class Conference:
    def __init__(
        self, bank: Bank, voices: Voices, players: Players, recorders: Recorders, keys: Keys
    ) -> None:
        self._bank, self._voices, self._keys = bank, voices, keys
        self._players, self._recorders = players, recorders
        self._doubling, self._halving = Doubling(bank.capacity), Halving(bank.capacity)
        self._leg_gains = np.ones(bank.capacity, np.float32)
        self._room_gains: dict[int, np.float32] = {}
        """Of rooms that are being turned down, by key."""

    def forget(self, slot: int) -> None:
        self._doubling.forget(slot)
        self._halving.forget(slot)
        self._leg_gains[slot] = 1

    def narrowed(self, frames: Samples, slots: Numbers) -> Samples:
        """What legs hear at 16 kHz, at 8."""
        return self._halving.push(frames, slots)

    def hear(self, layout: Layout, rate: int) -> Heard:
        """This frame of the legs of a layout."""
        counting = self._voices.sounds[layout.slots]
        frames = self._frames(layout, counting, rate)
        gains = self._gains(layout)
        mixes = mixing.mix(layout.rooms, frames, counting, gains, self._extras(layout, rate))
        self._leg_gains[layout.slots] = mixes.gains.legs
        turned_down = np.flatnonzero(mixes.gains.rooms < 1).tolist()
        for number in turned_down:
            self._room_gains[int(layout.keys[number])] = mixes.gains.rooms[number]
        return Heard(frames, counting, mixes)

    def _frames(self, layout: Layout, counting: NDArray[np.bool_], rate: int) -> Samples:
        slots = layout.slots
        if rate == 8_000:
            return self._voices.narrow.take(slots, axis=0)
        frames = self._voices.wide.take(slots, axis=0)
        codecs = self._bank.codec[slots]
        narrow = (codecs == PCMU) | (codecs == PCMA)
        if narrow.any():
            said = self._voices.narrow[slots[narrow]]
            said[~counting[narrow]] = 0
            frames[narrow] = self._doubling.push(said, slots[narrow])
        return frames

    def _gains(self, layout: Layout) -> mixing.Gains:
        rooms = np.ones(layout.rooms.number, np.float32)
        if self._room_gains:
            for number, key in enumerate(layout.keys.tolist()):
                rooms[number] = self._room_gains.pop(key, 1)
        return mixing.Gains(self._leg_gains[layout.slots], rooms)

    def _extras(self, layout: Layout, rate: int) -> mixing.Extras:
        """What is played here, and which rooms are recorded."""
        players, recorders = self._players, self._recorders
        samples = rate // 50
        rooms: dict[int, Samples] = {}
        legs: dict[int, Samples] = {}
        for key in tuple(players.targets):
            place, heard = (layout.places.get(key), rooms)
            if place is None:
                place, heard = (layout.legs.get(key), legs)
            if place is not None and (frame := players.pull(key, rate, samples)) is not None:
                heard[place] = frame
        for leg, frame in self._keys.sounds(rate, self._bank.wide):
            if (place := layout.legs.get(leg.name)) is not None:
                legs[place] = frame
        whole = [layout.places[key] for key in recorders.targets if key in layout.places]
        if not rooms and not legs and not whole:
            return mixing.NO_EXTRAS
        return mixing.Extras(
            np.array([*legs], np.intp), _stacked(legs.values(), samples),
            np.array([*rooms], np.intp), _stacked(rooms.values(), samples),
            np.array(whole, np.intp),
        )  # fmt: skip

    def record(self, layout: Layout, heard: Heard) -> None:
        """Push to the recorders what is recorded here."""
        for key in tuple(self._recorders.targets):
            if (room := layout.places.get(key)) is not None:
                members = np.flatnonzero(layout.rooms.of == room).tolist()
                names = layout.names
                frames = (
                    {names[index]: heard.said(index) for index in members}
                    if self._recorders.wants_legs(key)
                    else {}
                )
                self._recorders.push(key, frames, heard.whole(room))
            elif (index := layout.legs.get(key)) is not None:
                self._recorders.push(key, {key: heard.said(index)}, heard.mix(index))


def _stacked(frames: Iterable[Samples], samples: int) -> Samples:
    listed = [*frames]
    return np.stack(listed) if listed else np.zeros((0, samples), np.int16)


class Echoes:
    """What legs without a network say: what they have heard, after a while."""

    def __init__(self, bank: Bank, voices: Voices) -> None:
        self._bank, self._voices = bank, voices
        self._lines: dict[int, deque[Samples | None]] = {}

    def begin(self, slot: int, delay_ms: int) -> None:
        """Anew when there is one."""
        frames = min(max(delay_ms // 20, 1), 500)
        self._lines[slot] = deque([None] * frames, maxlen=frames)

    def forget(self, slot: int) -> None:
        self._lines.pop(slot, None)

    def say(self) -> None:
        for slot, line in self._lines.items():
            wide = bool(self._bank.wide[slot])
            room = self._voices.wide if wide else self._voices.narrow
            frame = line[0]
            # The rate of a room changes with its legs: what was heard at the other one is lost.
            speaks = not self._bank.muted[slot] and frame is not None
            if speaks and frame is not None and len(frame) == (WIDE if wide else NARROW):
                room[slot] = frame
                self._voices.sounds[slot] = True

    def hear(self, layout: Layout, heard: Heard) -> None:
        if not self._lines:
            return
        for index in np.flatnonzero(self._bank.echoes[layout.slots]).tolist():
            line = self._lines.get(int(layout.slots[index]))
            if line is not None:
                mix = heard.mix(index)
                line.append(None if mix is None else mix.copy())
