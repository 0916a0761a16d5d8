"""The arrays of legs: whatever the packet path asks of a leg stands in one place of each array, its
slot. What happens seldom stands in objects, in `legs.py`."""

import heapq
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tertulia.media.jitter import Jitter
from tertulia.media.lines import NO_LINE
from tertulia.media.srtp import Srtp
from tertulia.media.traffic import Traffic

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

CAPACITY = 4096
"""Legs of a worker: the rings take 20 kB of address space each, memory only once they are used."""
UNKNOWN = -1


class Codec(IntEnum):
    NONE = 0
    PCMU = 1
    PCMA = 2
    OPUS = 3
    G722 = 4


PCMU, PCMA, OPUS, G722 = int(Codec.PCMU), int(Codec.PCMA), int(Codec.OPUS), int(Codec.G722)
"""For arrays: to look a member up takes as long as to compare a hundred legs."""
CODECS = {codec.name.lower(): codec for codec in Codec if codec is not Codec.NONE}
STEPS = {codec: 960 if codec is Codec.OPUS else 160 for codec in Codec}
"""Ticks of RTP's clock in 20 ms; that of G.722 has 8,000, whatever its samples (RFC 3551 4.5.2)."""


def are_wide(codecs: NDArray[np.int8]) -> Flags:
    """Whose audio is at 16 kHz."""
    wide: Flags = (codecs == OPUS) | (codecs == G722)
    return wide


class BankFull(Exception):
    """No slot is free."""


class Bank:
    """Slots and their arrays. The lowest free slot is taken, so that the arrays stay dense."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.jitter = Jitter(capacity)
        self.traffic = Traffic(capacity)
        self.srtp: list[Srtp | None] = [None] * capacity
        self.used: Flags = np.zeros(capacity, np.bool_)
        self.codec = np.zeros(capacity, np.int8)
        self.target: Numbers = np.zeros(capacity, np.int64)
        """Key of the address that we send to; 0 is none yet."""
        self.sends: Flags = np.zeros(capacity, np.bool_)
        """Whether we send to it, its path being up."""
        self.type_in = np.full(capacity, UNKNOWN, np.int16)
        self.level_id = np.zeros(capacity, np.int16)
        """Of the header extension with the level; 0 is none."""
        self.source: Numbers = np.full(capacity, UNKNOWN, np.int64)
        """SSRC of what comes."""
        self.level = np.zeros(capacity, np.int16)
        """Decibels below full scale of the packet that came last; 0 where none are told."""
        self.type_out = np.zeros(capacity, np.uint8)
        self.ssrc_out = np.zeros(capacity, np.uint32)
        self.sequence_out = np.zeros(capacity, np.uint16)
        self.ticks_out = np.zeros(capacity, np.uint32)
        self.muted: Flags = np.zeros(capacity, np.bool_)
        self.earmuffed: Flags = np.zeros(capacity, np.bool_)
        self.room: Numbers = np.full(capacity, UNKNOWN, np.int64)
        self.wide: Flags = np.zeros(capacity, np.bool_)
        """Whose room is at 16 kHz."""
        self.talking: Flags = np.zeros(capacity, np.bool_)
        self.plain: Flags = np.zeros(capacity, np.bool_)
        """A leg without protection."""
        self.echoes: Flags = np.zeros(capacity, np.bool_)
        """A leg without a network."""
        self.sockets = np.zeros(capacity, np.int32)
        """Rate of a leg that is a websocket; 0 of others."""
        self.line: Numbers = np.full(capacity, NO_LINE, np.int64)
        """File of the socket of its own by which a phone is sent to."""
        self.origin: Numbers = np.zeros(capacity, np.int64)
        """Of phones: key of the address that packets are taken from."""
        self.packs: Flags = np.zeros(capacity, np.bool_)
        """Who wishes packets of another length than a frame."""
        self.noise = np.zeros(capacity, np.int16)
        """Decibels below full scale of the noise in a pause, told by the peer; 0 is none."""
        self._free = list(range(capacity))

    @property
    def active(self) -> Numbers:
        return np.flatnonzero(self.used)

    def take(self) -> int:
        """A slot with nothing in it. Raises BankFull."""
        if not self._free:
            raise BankFull
        slot = heapq.heappop(self._free)
        self.used[slot] = True
        return slot

    def release(self, slot: int) -> None:
        self.stop(slot)
        self.used[slot] = self.muted[slot] = self.earmuffed[slot] = False
        self.talking[slot] = self.echoes[slot] = False
        self.sockets[slot] = 0
        self.room[slot] = UNKNOWN
        self.jitter.late[slot] = 0
        self.traffic.reset(slot)
        heapq.heappush(self._free, slot)

    def stop(self, slot: int) -> None:
        """Forget the media path of a leg."""
        self.srtp[slot] = None
        self.codec[slot] = Codec.NONE
        self.target[slot] = self.level[slot] = self.level_id[slot] = 0
        self.sends[slot] = self.plain[slot] = self.packs[slot] = False
        self.line[slot], self.origin[slot], self.noise[slot] = NO_LINE, 0, 0
        self.type_in[slot] = self.source[slot] = UNKNOWN
        self.jitter.reset(slot)

    def carry(self, slot: int, codec: Codec, payload_type: int, ssrc: int) -> None:
        """Begin the streams of a media path, of which nothing has come or gone yet."""
        self.codec[slot] = codec
        self.type_in[slot] = self.type_out[slot] = payload_type
        self.ssrc_out[slot] = ssrc
        self.source[slot], self.noise[slot] = UNKNOWN, 0
        self.jitter.reset(slot, STEPS[codec])
        self.traffic.restart(slot)
