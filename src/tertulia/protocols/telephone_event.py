"""Pressed keys as packets of RTP (RFC 4733): those that a leg sends, and those to be sent to it.

A press is known by the timestamp of its beginning, which all its packets tell; so neither marker
nor any one packet matters, and what is late, doubled or out of order changes nothing. A press of
100 ms is five updates and three ends: at a loss of 10 % all of them are lost once in 10^8.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from tertulia.protocols.rtp import timestamp_distance

DIGITS = "0123456789*#ABCD"
"""By the number of their event."""
TICK_MS = 20
PAUSE = "p"
PAUSE_MS = 500
ENDS = 3
"""Times that the end is sent (RFC 4733 2.5.1.4)."""
SILENCE = 0.25
"""Seconds without a packet after which a press is over: three intervals of the slowest senders,
who send one every 50 ms, and some jitter."""
REMEMBERED = 32
"""Presses that have been told, whose packets may still come late or twice."""
_LENGTH_MAX = 0xFFFF
"""Of a segment: a key that is held for longer is told in several (RFC 4733 2.5.1.3)."""
_TURN = 0x8000
"""A duration that falls by more than this has wrapped; one that falls by less is out of order."""


class Pressed(NamedTuple):
    """A key was pressed, and let go."""

    digit: str
    milliseconds: int


class EventPacket(NamedTuple):
    """What stands in for a frame of audio."""

    payload: bytes
    marker: bool
    timestamp: int
    """Counted from the first tick of the digits, in the rate of the event."""


class _Press:
    """One that has begun. It stays known after it is told."""

    __slots__ = ("base", "beginning", "digit", "duration", "ended", "heard", "rate", "segment")

    def __init__(self, digit: str, beginning: int, rate: int) -> None:
        self.digit = digit
        self.rate = rate
        self.beginning = beginning
        self.segment = beginning
        """Timestamp of its last segment."""
        self.base = 0
        """Duration of what came before that segment, or before the duration last wrapped."""
        self.duration = 0
        """The longest that was told of the segment."""
        self.heard = 0.0
        self.ended = False

    def lengthen(self, duration: int) -> None:
        """Some senders go on with the same timestamp, and let the duration wrap."""
        if self.duration - duration > _TURN:
            self.base += _LENGTH_MAX + 1
            self.duration = duration
        elif duration - self.duration <= _TURN or not self.base:
            self.duration = max(self.duration, duration)

    def goes_on(self, digit: str, timestamp: int, marker: bool) -> bool:
        """Whether a timestamp begins its next segment, rather than another press.

        The next segment begins where this one is full, up to an update of 50 ms before that.
        """
        if marker or self.ended or digit != self.digit or self.duration < _TURN:
            return False
        length = timestamp_distance(timestamp, self.segment)
        return _LENGTH_MAX - self.rate // 20 <= length <= _LENGTH_MAX + 1

    def continue_at(self, timestamp: int) -> None:
        self.base += timestamp_distance(timestamp, self.segment)
        self.segment, self.duration = timestamp, 0

    def pressed(self) -> Pressed:
        return Pressed(self.digit, round((self.base + self.duration) * 1000 / self.rate))


class EventReceiver:
    """Of one leg. Every press is told once, when its end comes, when the next begins, or when
    nothing more comes of it."""

    __slots__ = ("_known", "_open")

    def __init__(self) -> None:
        self._open: list[_Press] = []
        """In the order of their beginning."""
        self._known: deque[tuple[int, _Press]] = deque(maxlen=REMEMBERED)
        """By the timestamps of their segments, those that are open too."""

    @property
    def is_idle(self) -> bool:
        """Nothing is pressed, so `poll` would tell nothing."""
        return not self._open

    def receive(
        self, payload: bytes, rate: int, timestamp: int, marker: bool, now: float
    ) -> list[Pressed]:
        """What the packet tells to be over, in the order of pressing.

        `rate` is that of the event's payload type; `now` in seconds. Packets that are cut short,
        and events that are no keys, tell nothing.
        """
        if len(payload) < 4 or payload[0] >= len(DIGITS):
            return self.poll(now)
        digit = DIGITS[payload[0]]
        press = self._find(digit, timestamp, marker) or self._begin(digit, timestamp, rate)
        press.heard = now
        if timestamp == press.segment:
            press.lengthen(int.from_bytes(payload[2:4], "big"))
            press.ended = press.ended or payload[1] >= 0x80
        return self.poll(now)

    def poll(self, now: float) -> list[Pressed]:
        """What is over by now."""
        over = []
        while self._open and self._is_over(self._open[0], now):
            over.append(self._open.pop(0).pressed())
        return over

    def _is_over(self, press: _Press, now: float) -> bool:
        return press.ended or len(self._open) > 1 or now - press.heard >= SILENCE

    def _find(self, digit: str, timestamp: int, marker: bool) -> _Press | None:
        for beginning, press in reversed(self._known):
            if beginning == timestamp and press.digit == digit:
                return press
        for _, press in reversed(self._known):
            if press.goes_on(digit, timestamp, marker):
                press.continue_at(timestamp)
                self._known.append((timestamp, press))
                return press
        return None

    def _begin(self, digit: str, timestamp: int, rate: int) -> _Press:
        press = _Press(digit, timestamp, rate)
        self._known.append((timestamp, press))
        at = len(self._open)
        while at and timestamp_distance(timestamp, self._open[at - 1].beginning) < 0:
            at -= 1
        self._open.insert(at, press)
        return press


def events(
    digits: str, rate: int, tone_ms: int = 100, pause_ms: int = 100, volume: int = 10
) -> Iterator[EventPacket | None]:
    """What a leg sends for these keys, a packet for each tick; None is a tick of its audio.

    Lengths are whole ticks, the pause at least as long as the ends take. `p` waits half a second.
    `volume` is decibels below full scale, 0 to 63.

    Raises:
        ValueError: no key, or a tone that one segment cannot tell. Before the first packet.
    """
    keys = digits.upper()
    updates = max(1, tone_ms // TICK_MS)
    step = rate * TICK_MS // 1000
    if not set(keys) <= set(DIGITS + PAUSE.upper()):
        raise ValueError("Keys are 0 to 9, A to D, * and #; p is a pause.")
    if updates * step > _LENGTH_MAX or not 0 <= volume <= 63:
        raise ValueError("A tone fits into 16 bits of its rate, a volume into 6.")
    return _events(keys, step, updates, max(ENDS, pause_ms // TICK_MS), volume)


def _events(
    keys: str, step: int, updates: int, pause: int, volume: int
) -> Iterator[EventPacket | None]:
    tick = 0
    for key in keys:
        if key == PAUSE.upper():
            ticks = PAUSE_MS // TICK_MS
            yield from [None] * ticks
        else:
            ticks = updates + pause
            yield from _press(DIGITS.index(key), tick * step, step, updates, volume)
            yield from [None] * (pause - ENDS)
        tick += ticks


def _press(
    event: int, timestamp: int, step: int, updates: int, volume: int
) -> Iterator[EventPacket]:
    for sent in range(1, updates + ENDS + 1):
        end = 0x80 if sent > updates else 0
        duration = min(sent, updates) * step
        payload = bytes((event, end | volume)) + duration.to_bytes(2, "big")
        yield EventPacket(payload, sent == 1, timestamp)
