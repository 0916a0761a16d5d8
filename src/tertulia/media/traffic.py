"""What legs have received and sent, counted in arrays (RFC 3550 6.4, A.1, A.3, A.8)."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Times = NDArray[np.float64]

_DROPOUT = 3000
"""Sequence numbers beyond which a stream has begun anew (RFC 3550 A.1)."""


class Traffic:
    """A slot a leg. Of the current stream: `first`, `highest`, `stream`; of the leg: the others."""

    def __init__(self, capacity: int) -> None:
        def numbers() -> Numbers:
            return np.zeros(capacity, np.int64)

        self.packets_in, self.octets_in = numbers(), numbers()
        self.packets_out, self.octets_out = numbers(), numbers()
        self.first, self.highest, self.stream = numbers(), numbers(), numbers()
        """Extended sequence numbers, and packets, of the stream that comes now; -1: none."""
        self.lost_before = numbers()
        """Of streams that are over."""
        self.heard: Times = np.zeros(capacity)
        """When the last packet came."""
        self.jitter: Times = np.zeros(capacity)
        """Milliseconds, as the next."""
        self.jitter_min: Times = np.zeros(capacity)
        self.jitter_max: Times = np.zeros(capacity)
        self.flaws, self.gaps = numbers(), numbers()
        """Frames concealed; packets found lost while playing."""
        self.runs, self.bursts = numbers(), numbers()
        """Of those the runs, and the packets in runs of more than one."""
        self._transit: Times = np.full(capacity, np.nan)
        self.first[:] = -1

    def reset(self, slot: int) -> None:
        for values in vars(self).values():
            values[slot] = 0
        self.first[slot] = -1
        self.restart(slot)

    def restart(self, slot: int) -> None:
        """Another stream begins."""
        self.lost_before[slot] += max(0, self.lost(slot))
        self.first[slot], self.stream[slot] = -1, 0
        self._transit[slot] = np.nan
        self.jitter[slot] = 0

    def lost(self, slot: int) -> int:
        """Packets of the current stream that have not come (RFC 3550 A.3)."""
        if self.first[slot] < 0:
            return 0
        return int(self.highest[slot] - self.first[slot] + 1 - self.stream[slot])

    def count(
        self, slots: Numbers, sequences: Numbers, media_ms: Times, sizes: Numbers, came: Times
    ) -> None:
        """Packets came at these seconds; `media_ms` are their timestamps in milliseconds."""
        np.add.at(self.packets_in, slots, 1)
        np.add.at(self.octets_in, slots, sizes)
        self.heard[slots] = came
        new = self.first[slots] < 0
        if new.any():
            chosen = slots[new][::-1]
            self.first[chosen] = self.highest[chosen] = sequences[new][::-1]
        np.add.at(self.stream, slots, 1)
        passed = (sequences - self.highest[slots]).astype(np.uint16).view(np.int16).astype(np.int64)
        if (np.abs(passed) > _DROPOUT).any():
            self._begin(slots[np.abs(passed) > _DROPOUT], sequences[np.abs(passed) > _DROPOUT])
            passed[np.abs(passed) > _DROPOUT] = 0
        np.maximum.at(self.highest, slots, self.highest[slots] + passed)
        self._vary(slots, media_ms, came)

    def _begin(self, slots: Numbers, sequences: Numbers) -> None:
        for slot, sequence in zip(slots.tolist(), sequences.tolist(), strict=True):
            self.restart(slot)
            self.first[slot] = self.highest[slot] = sequence
            self.stream[slot] = 1

    def _vary(self, slots: Numbers, media_ms: Times, came: Times) -> None:
        """Interarrival jitter (RFC 3550 A.8). Of two packets that came together only one counts,
        which nobody sees who looks at it every five seconds."""
        transit = came * 1000 - media_ms
        change = np.abs(transit - self._transit[slots])
        self._transit[slots] = transit
        # A clock that jumped is no jitter.
        sound = change < 1000
        chosen = slots[sound]
        self.jitter[chosen] += (change[sound] - self.jitter[chosen]) / 16

    def sample(self, slots: Numbers) -> None:
        """Note the extremes of the jitter; once a while."""
        jitter = self.jitter[slots]
        self.jitter_max[slots] = np.maximum(self.jitter_max[slots], jitter)
        least = self.jitter_min[slots]
        self.jitter_min[slots] = np.where(least == 0, jitter, np.minimum(least, jitter))

    def miss(self, slots: Numbers, gaps: Numbers) -> None:
        """So many packets were lost just before what is played now."""
        some = gaps > 0
        if some.any():
            slots, gaps = slots[some], gaps[some]
            self.gaps[slots] += gaps
            self.flaws[slots] += gaps
            self.runs[slots] += 1
            self.bursts[slots] += np.where(gaps > 1, gaps, 0)

    def send(self, slots: Numbers, sizes: Numbers) -> None:
        """One packet each; `slots` are distinct."""
        self.packets_out[slots] += 1
        self.octets_out[slots] += sizes
