"""What the server of a websocket leg has said and has not been heard yet: octets of 16-bit samples,
in whatever pieces they came, out again as a frame a tick.

A pause ends once two frames wait, or two ticks after the first octet, so that a server that sends
in time has a frame to spare. What is said faster than time waits, up to a limit; a frame that is
late is heard late. A server that sends in time would be late for good after each time that it, or
we, were held up: what it is late by is taken out of its silence, and of nothing else.
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
WINDOW = 100
"""Ticks over which it is seen whether a server sends in time, and how late it is heard."""
_IN_TIME = 3
"""Frames more or less in a window."""
_QUIET = 200
"""Of what counts as silence, the loudest sample: 44 dB below full scale."""
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
        self._ticks = self._came = 0
        """Of this window; and the octets that came in it."""
        self._least = LIMIT_FRAMES
        """Frames that waited, all the time."""
        self._late = 0
        """Frames that may be left out."""

    def __len__(self) -> int:
        """Octets."""
        return len(self._held)

    def put(self, data: bytes) -> None:
        """What does not fit is lost, in whole samples so that the next ones stay what they are."""
        if self.lost & 1:
            self.lost += len(data[:1])
            data = data[1:]
        room = LIMIT_FRAMES * self.frame - len(self._held)
        self.lost += max(len(data) - room, 0)
        kept = data[:room]
        self._held += kept
        self._said += len(kept)
        self._came += len(kept)

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
            rest = min(len(self._held) & ~1, self.frame // _FADES_A_FRAME)
            self._rest = bytes(self._held[:rest])
        self._held.clear()
        self._marks.clear()
        self._marks_size = self._waited = 0
        self._said = self._heard = 0
        self.lost += self.lost & 1
        self._plays = False
        self._begin_window(late=0)

    def pull(self) -> bytes | None:
        """The frame of this tick, or silence."""
        if self._rest:
            rest, self._rest = self._rest, b""
            return _faded(rest).ljust(self.frame, b"\0")
        self._watch()
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

    def _watch(self) -> None:
        """Leave out a frame of silence, when the last window has shown that it may be."""
        self._least = min(self._least, len(self._held) // self.frame)
        self._ticks += 1
        if self._ticks == WINDOW:
            is_in_time = abs(self._came - WINDOW * self.frame) <= _IN_TIME * self.frame
            self._begin_window(late=max(self._least - CUSHION, 0) if is_in_time else 0)
        is_behind = self._late and len(self._held) > CUSHION * self.frame
        if is_behind and _is_quiet(self._held[: self.frame]):
            self._late -= 1
            del self._held[: self.frame]
            self._heard += self.frame

    def _begin_window(self, late: int) -> None:
        self._ticks = self._came = 0
        self._least, self._late = LIMIT_FRAMES, late

    def _take(self, size: int) -> bytes:
        self._plays, self._waited = size == self.frame, 0
        piece = bytes(self._held[:size])
        del self._held[:size]
        self._heard += size
        return piece.ljust(self.frame, b"\0")


def _is_quiet(frame: bytearray) -> bool:
    samples = np.frombuffer(frame, "<i2")
    return bool(samples.max() < _QUIET and samples.min() > -_QUIET)


def _faded(piece: bytes) -> bytes:
    samples = np.frombuffer(piece, "<i2")
    return (samples * np.linspace(1, 0, len(samples))).astype("<i2").tobytes()
