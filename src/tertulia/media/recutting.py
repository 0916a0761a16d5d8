"""Packets of other lengths than 20 ms, which some phones send: decoded as they come, and cut anew.

A leg that has sent one is recut from then on, until another stream begins. What comes out of order
is lost; so is the copy in packets of Opus. Both are rare enough among those who send such packets.
"""

import numpy as np
from numpy.typing import NDArray

from tertulia.media.bank import Bank, Codec
from tertulia.media.g711 import alaw_decode, ulaw_decode
from tertulia.media.g722 import G722Decoder
from tertulia.media.jitter import PCM
from tertulia.media.opus import LONGEST, OpusDecoder, OpusMissing, read_toc

Samples = NDArray[np.int16]

RATES = {Codec.PCMU: 8000, Codec.PCMA: 8000, Codec.OPUS: 16000, Codec.G722: 16000}
"""At which audio of a codec is decoded."""
_GAP_FRAMES = 10
"""Silence that is put in for lost packets; with more the stream jumps."""


class _Cut:
    """What of a stream has not come to a whole frame yet."""

    def __init__(self, ticks: int) -> None:
        self.waiting: Samples = np.zeros(0, np.int16)
        self.expected = ticks
        """Timestamp of the next packet."""
        self.next = ticks
        """Timestamp of the next frame."""
        self.sequence = 0


class Recutter:
    def __init__(self, bank: Bank) -> None:
        self.cuts: NDArray[np.bool_] = np.zeros(bank.capacity, np.bool_)
        self._bank = bank
        self._cut: dict[int, _Cut] = {}
        self._decoders: dict[int, OpusDecoder] = {}
        self._g722: dict[int, G722Decoder] = {}
        self._room: Samples = np.zeros(LONGEST // 3, np.int16)

    def forget(self, slot: int) -> None:
        self._cut.pop(slot, None)
        self._decoders.pop(slot, None)
        self._g722.pop(slot, None)
        self.cuts[slot] = False

    def push(self, slot: int, payload: bytes, ticks: int, ahead_ms: float) -> None:
        codec = Codec(int(self._bank.codec[slot]))
        samples = self._decoded(slot, codec, payload)
        if samples is None:
            return
        if not self.cuts[slot]:
            # Frames and their sequence numbers are counted anew.
            self._bank.jitter.reset(slot)
            self.cuts[slot], self._cut[slot] = True, _Cut(ticks)
        cut, rate = self._cut[slot], RATES[codec]
        step, frame = int(self._bank.jitter.step[slot]), rate // 50
        missing = (ticks - cut.expected + (1 << 31)) % (1 << 32) - (1 << 31)
        if -_GAP_FRAMES * step <= missing < 0:
            return
        cut.expected = (ticks + len(samples) * step // frame) % (1 << 32)
        if abs(missing) > _GAP_FRAMES * step:
            cut.next, cut.waiting = ticks, cut.waiting[:0]
        elif missing:
            samples = np.concatenate((np.zeros(missing * frame // step, np.int16), samples))
        self._hand_on(slot, cut, np.concatenate((cut.waiting, samples)), frame, ahead_ms)

    def _hand_on(self, slot: int, cut: _Cut, samples: Samples, frame: int, ahead_ms: float) -> None:
        jitter = self._bank.jitter
        step = int(jitter.step[slot])
        whole = len(samples) // frame
        cut.waiting = samples[whole * frame :]
        rows = samples[: whole * frame].reshape(whole, frame).view(np.uint8)
        slots = np.full(whole, slot)
        ticks = (cut.next + np.arange(whole) * step) % (1 << 32)
        ahead = np.full(whole, ahead_ms)
        frames = jitter.place(slots, ticks, ahead)
        if (frames < 0).any():
            # The stream has jumped to where no frame of it begins.
            jitter.reset(slot)
            frames = jitter.place(slots, ticks, ahead)
        jitter.store(
            slots, frames, cut.sequence + np.arange(whole), rows, np.zeros(whole, np.int64),
            np.full(whole, frame * 2), ahead_ms=ahead, kind=PCM,
        )  # fmt: skip
        cut.next = (cut.next + whole * step) % (1 << 32)
        cut.sequence += whole

    def _decoded(self, slot: int, codec: Codec, payload: bytes) -> Samples | None:
        octets = np.frombuffer(payload, np.uint8)
        if codec is Codec.PCMU:
            return ulaw_decode(octets)
        if codec is Codec.PCMA:
            return alaw_decode(octets)
        if codec is Codec.G722:
            if slot not in self._g722:
                self._g722[slot] = G722Decoder()
            return self._g722[slot].decode(payload)
        if codec is not Codec.OPUS or read_toc(payload) is None:
            return None
        decoder = self._decoders.get(slot)
        if decoder is None:
            try:
                decoder = self._decoders[slot] = OpusDecoder(RATES[codec])
            except OpusMissing:
                return None
        count = decoder.decode_into(payload, self._room)
        return self._room[:count].copy() if count else None
