"""A token bucket: how many things may happen at once, and how many a second for ever."""


class Bucket:
    """Holds at most `burst` and gains `rate` a second. `now` is monotonic seconds."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take one out: 0.0, or the seconds until there will be one to take."""
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
            self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / self._rate
