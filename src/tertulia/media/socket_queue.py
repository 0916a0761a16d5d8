"""What the server of a websocket leg has said and has not been heard yet: octets of 16-bit samples,
in whatever pieces they came, out again as a frame a tick.

A pause ends once two frames wait, or two ticks after the first octet, so that a server that sends
in time has a frame to spare. Nothing else is ever left out or made up: what is said faster than
time waits, up to a limit, and a frame that is late is heard late.
"""

from collections import deque

import numpy as np

LIMIT_FRAMES = 1024
"""20.48 s, which is what others keep (wire: 1,024 messages of 20 ms)."""
CUSHION = 2
"""Frames, and ticks."""
MARKS_MAX = 256 * 1024
"""Octets of the marks that wait."""
_MARK_COST = 64
_FRAMES_A_SECOND = 50
_FADES_A_FRAME = 4
"""What is cut off fades within 5 ms."""


class SocketQueue:
    def __init__(self, rate: int) -> None:
        self.frame = rate // _FRAMES_A_SECOND * 2
        """Octets."""
        self.lost = 0
        """Octets that found no room."""
        self._held = bytearray()
        self._marks: deque[tuple[int, bytes]] = deque()
        """Each with the count of octets before it."""
        self._marks_size = 0
        self._said = self._heard = 0
        """Octets, since the start."""
        self._plays = False
        self._waited = 0
        """Ticks, since there was something to wait for."""
        self._rest = b""
        """What is heard of a frame that was cut off."""

    def __len__(self) -> int:
        """Octets."""
        return len(self._held)

    def put(self, data: bytes) -> None:
        """What does not fit is lost, in whole samples so that the next ones stay what they are."""
        room = LIMIT_FRAMES * self.frame - len(self._held)
        if len(data) > room:
            lost = len(data) - room
            lost += lost & 1
            self.lost += lost
            data = data[: max(len(data) - lost, 0)]
        self._held += data
        self._said += len(data)

    def mark(self, reply: bytes) -> bool:
        """Give it back once everything before it has been heard. False: too many wait."""
        size = len(reply) + _MARK_COST
        if self._marks_size + size > MARKS_MAX:
            return False
        self._marks_size += size
        self._marks.append((self._said, reply))
        return True

    def reached(self) -> list[bytes]:
        """The marks that everything before has been heard of, in their order."""
        found = []
        while self._marks and self._marks[0][0] & ~1 <= self._heard:
            found.append(self._marks.popleft()[1])
            self._marks_size -= len(found[-1]) + _MARK_COST
        return found

    def clear(self) -> None:
        """Forget all that waits, marks as well."""
        if self._plays:
            self._rest = bytes(self._held[: self.frame & ~1])
        self._held.clear()
        self._marks.clear()
        self._marks_size = self._waited = 0
        self._said = self._heard = 0
        self._plays = False

    def pull(self) -> bytes | None:
        """The frame of this tick, or silence."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return self._faded(rest)
        size = len(self._held) & ~1
        if not size:
            self._plays, self._waited = False, 0
            return None
        if size < self.frame and self._plays:
            self._plays = False
        elif self._plays or size >= CUSHION * self.frame:
            self._plays = True
        if not self._plays and self._waited < CUSHION:
            self._waited += 1
            return None
        return self._take(min(size, self.frame))

    def _take(self, size: int) -> bytes:
        self._plays, self._waited = size == self.frame, 0
        piece = bytes(self._held[:size])
        del self._held[:size]
        self._heard += size
        return piece.ljust(self.frame, b"\0")

    def _faded(self, piece: bytes) -> bytes:
        samples = np.frombuffer(piece[: self.frame // _FADES_A_FRAME & ~1], "<i2")
        faded = samples * np.linspace(1, 0, len(samples))
        return faded.astype("<i2").tobytes().ljust(self.frame, b"\0")
