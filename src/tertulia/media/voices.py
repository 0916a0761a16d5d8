"""What legs say, as samples: a row a leg, decoded only where somebody counts.

A leg that is muted, is in no room or says of itself that it is silent (RFC 6464, DTX) costs nothing
here. Whoever begins to count is decoded from the packet before on, and everybody is faded in and
out within a frame, so that neither the codec nor a mute clicks. What is softer than anybody hears
does not count either: each voice costs an encoder of its own for the one who speaks.
"""

import numpy as np
from numpy.typing import NDArray

from tertulia.media.bank import G722, OPUS, PCMA, PCMU, Bank, are_wide
from tertulia.media.g711 import alaw_decode, ulaw_decode
from tertulia.media.g722 import G722Decoder
from tertulia.media.jitter import PCM, Due
from tertulia.media.opus import OpusDecoder

Samples = NDArray[np.int16]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NARROW, WIDE = 160, 320
"""Samples of 20 ms at 8 and at 16 kHz."""
_QUIET = 60
"""Decibels below full scale, told by a leg, from which it is not decoded."""
_AUDIBLE = -58.0
"""Decibels: what is softer is not mixed, once it has been so for _HOLD frames."""
_HOLD = 20
_CONCEALED = 5
"""Frames of Opus that are made up; what is lost longer is silence."""
_NOTHING = 2
"""Octets of a packet of Opus that stands for none (RFC 7587 3.1.3)."""
_FADES = np.array([1.0, 0.7, 0.4, 0.15, 0.0], np.float32)
"""Of G.711 and G.722: what is left of the frame before, by the frames missed."""
_SOFT = 30
"""Decibels below full scale: noise that is told to be louder is no comfort."""
_NOISE = np.convolve(np.random.default_rng(3389).standard_normal(1 << 13), (0.6, 0.8), "same")
_UP = np.linspace(0, 1, WIDE, dtype=np.float32)


class Voices:
    def __init__(self, bank: Bank) -> None:
        self.narrow: Samples = np.zeros((bank.capacity, NARROW), np.int16)
        self.wide: Samples = np.zeros((bank.capacity, WIDE), np.int16)
        self.sounds: Flags = np.zeros(bank.capacity, np.bool_)
        """Whose row of `wide` or `narrow` holds the audio of this frame."""
        self.decoded = 0
        """Packets, since the start."""
        self._bank = bank
        self._decoders: dict[int, OpusDecoder] = {}
        self._g722: dict[int, G722Decoder] = {}
        self._warm: Flags = np.zeros(bank.capacity, np.bool_)
        """Whose decoder has seen the frame before."""
        self._open: Flags = np.zeros(bank.capacity, np.bool_)
        """Who was heard in the frame before."""
        self._silent: Flags = np.zeros(bank.capacity, np.bool_)
        """Who says so."""
        self._hold = np.zeros(bank.capacity, np.int16)
        self._random = np.random.default_rng(0)
        self._address = self.wide.ctypes.data

    def forget(self, slot: int) -> None:
        self._decoders.pop(slot, None)
        self._g722.pop(slot, None)
        self._warm[slot] = self._open[slot] = self.sounds[slot] = self._silent[slot] = False
        self._hold[slot] = 0
        self.narrow[slot] = self.wide[slot] = 0

    def row(self, slot: int) -> Samples:
        """The frame of a leg that sounds."""
        is_wide = self.are_wide(np.array([slot]))[0]
        frame: Samples = self.wide[slot] if is_wide else self.narrow[slot]
        return frame

    def are_wide(self, slots: Numbers) -> Flags:
        """Whose frames stand in `wide`: of wide-band codecs, or said at the rate of the room."""
        bank = self._bank
        follows = bank.echoes[slots] | (bank.sockets[slots] > 0)
        return are_wide(bank.codec[slots]) | (follows & bank.wide[slots])

    def decode(self, due: Due, wanted: Flags) -> None:
        """The frames that are due, of the legs that count; `wanted` is by slot."""
        bank = self._bank
        self.sounds[:] = False
        slots = due.slots
        codecs = bank.codec[slots]
        silent = (bank.level[slots] > _QUIET) & ~bank.talking[slots]
        self._silent[slots] = silent
        counts = (wanted[slots] & ~silent) | self._open[slots]
        kinds = bank.jitter.kinds[due.cells]
        opus = (codecs == OPUS) & (kinds != PCM)
        for codec, decode in ((PCMU, ulaw_decode), (PCMA, alaw_decode)):
            chosen = counts & due.there & (codecs == codec) & (kinds != PCM)
            if chosen.any():
                octets = bank.jitter.frames[due.cells[chosen], :NARROW]
                self.narrow[slots[chosen]] = decode(octets)
                self.sounds[slots[chosen]] = True
                self.decoded += int(np.count_nonzero(chosen))
        self._copy(due, counts & due.there & (kinds == PCM))
        if (g722 := (codecs == G722) & counts & due.there & (kinds != PCM)).any():
            self._decode_g722(due, np.flatnonzero(g722))
        missing = counts & ~due.there & (codecs != OPUS)
        self._extend(slots[missing & (bank.noise[slots] == 0)])
        if bank.noise[slots].any():
            bank.noise[slots[due.there]] = 0
            self._make_noise(slots[missing & (bank.noise[slots] > 0)])
        self._warm[slots[opus & ~counts]] = False
        if (opus & counts).any():
            self._decode_opus(due, np.flatnonzero(opus & counts))

    def _copy(self, due: Due, chosen: Flags) -> None:
        """Frames that were decoded when they came."""
        for slot, cell in zip(due.slots[chosen].tolist(), due.cells[chosen].tolist(), strict=True):
            samples = self._bank.jitter.frames[cell, : self._bank.jitter.sizes[cell]].view(np.int16)
            room = self.wide if len(samples) == WIDE else self.narrow
            room[slot] = samples
            self.sounds[slot] = True

    def _extend(self, slots: Numbers) -> None:
        """Lost frames: the one before once more, softer and softer."""
        missed = np.minimum(self._bank.jitter.missed[slots], len(_FADES) - 1)
        slots, missed = slots[missed < len(_FADES) - 1], missed[missed < len(_FADES) - 1]
        if len(slots):
            fades = (_FADES[missed] / _FADES[missed - 1])[:, np.newaxis]
            for room, chosen in self._rooms(slots):
                room[slots[chosen]] = (room[slots[chosen]] * fades[chosen]).astype(np.int16)
            self.sounds[slots] = True

    def _make_noise(self, slots: Numbers) -> None:
        """In pauses that are told as such (RFC 3389), of its level alone."""
        for room, chosen in self._rooms(slots):
            for slot in slots[chosen].tolist():
                start = int(self._random.integers(len(_NOISE) - WIDE))
                loud = 32768 * 10 ** (-max(int(self._bank.noise[slot]), _SOFT) / 20)
                room[slot] = _NOISE[start : start + room.shape[1]] * loud
        self.sounds[slots] = True

    def _rooms(self, slots: Numbers) -> list[tuple[Samples, Flags]]:
        """Where the frames of these stand, and of which of them."""
        wide = self.are_wide(slots)
        return [
            (room, chosen)
            for room, chosen in ((self.narrow, ~wide), (self.wide, wide))
            if chosen.any()
        ]

    def _decode_g722(self, due: Due, chosen: Numbers) -> None:
        for index in chosen.tolist():
            slot = int(due.slots[index])
            decoder = self._g722.get(slot)
            if decoder is None:
                decoder = self._g722[slot] = G722Decoder()
            self.wide[slot] = decoder.decode(self._payload(int(due.cells[index])))
            self.sounds[slot] = True
        self.decoded += len(chosen)

    def _decode_opus(self, due: Due, chosen: Numbers) -> None:
        jitter = self._bank.jitter
        next_cells, has_next = jitter.next_cells(due)
        before, had_before = jitter.previous_cells(due.slots)
        for index in chosen.tolist():
            slot = int(due.slots[index])
            decoder = self._decoders.get(slot)
            if decoder is None:
                decoder = self._decoders[slot] = OpusDecoder(16_000)
            address = self._address + slot * WIDE * 2
            if due.there[index]:
                if not self._warm[slot] and had_before[index]:
                    decoder.decode_at(self._payload(int(before[index])), address, WIDE)
                payload = self._payload(int(due.cells[index]))
                heard = len(payload) > _NOTHING and decoder.decode_at(payload, address, WIDE) > 0
                self.decoded += 1
            else:
                following = self._payload(int(next_cells[index])) if has_next[index] else b""
                heard = self._conceal(decoder, slot, following, address)
            self._warm[slot] = self.sounds[slot] = heard

    def _payload(self, cell: int) -> bytes:
        jitter = self._bank.jitter
        return jitter.frames[cell, : jitter.sizes[cell]].tobytes()

    def _conceal(self, decoder: OpusDecoder, slot: int, following: bytes, address: int) -> bool:
        """Whether there is anything to be heard."""
        if not self._warm[slot] or self._bank.jitter.missed[slot] > _CONCEALED:
            return False
        # The copy in the next packet; made up when that holds none, or has not come.
        return decoder.recover_at(following, address, WIDE) > 0

    def gate(self, slots: Numbers, levels: NDArray[np.float32], wanted: Flags) -> None:
        """Fade in who begins to be heard, fade out who ceases, and take those out of `sounds` who
        are too soft; of all legs that may sound. `levels` and `wanted` are by slot."""
        loud = levels[slots] > _AUDIBLE
        hold = np.where(loud, _HOLD, np.maximum(self._hold[slots] - 1, 0)).astype(np.int16)
        self._hold[slots] = hold
        sounds = self.sounds[slots]
        heard = sounds & (hold > 0) & wanted[slots] & ~self._silent[slots]
        was = self._open[slots]
        self._ramp(slots[heard & ~was], up=True)
        self._ramp(slots[sounds & was & ~heard], up=False)
        self.sounds[slots] = sounds & (heard | was)
        self._open[slots] = heard

    def _ramp(self, slots: Numbers, *, up: bool) -> None:
        if not len(slots):
            return
        wide = self.are_wide(slots)
        for room, chosen, line in ((self.wide, wide, _UP), (self.narrow, ~wide, _UP[::2])):
            if chosen.any():
                gains = line if up else line[::-1]
                room[slots[chosen]] = (room[slots[chosen]] * gains).astype(np.int16)
