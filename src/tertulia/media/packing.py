"""Packets of other lengths than 20 ms for phones that wish them: octets are gathered and cut anew.

Codecs that are packed have 8 octets a millisecond, and as many ticks of RTP's clock.
"""

from typing import NamedTuple

OCTETS = 8
"""Of a millisecond."""


class Piece(NamedTuple):
    """The payload of a packet."""

    payload: bytes
    behind: int
    """Ticks by which it begins before the frame that was pushed last."""


class Packer:
    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._waiting: dict[int, bytes] = {}

    def set(self, slot: int, milliseconds: int) -> None:
        """How long the packets of a leg shall be."""
        self._sizes[slot] = milliseconds * OCTETS
        self._waiting[slot] = b""

    def forget(self, slot: int) -> None:
        self._sizes.pop(slot, None)
        self._waiting.pop(slot, None)

    def drop(self, slot: int) -> None:
        """What waits gives way to something else."""
        self._waiting[slot] = b""

    def push(self, slot: int, frame: bytes) -> list[Piece]:
        """The packets that are full with this frame."""
        waiting, size = self._waiting[slot], self._sizes[slot]
        joined, behind = waiting + frame, len(waiting)
        whole = len(joined) // size * size
        self._waiting[slot] = joined[whole:]
        return [
            Piece(joined[start : start + size], behind - start) for start in range(0, whole, size)
        ]
