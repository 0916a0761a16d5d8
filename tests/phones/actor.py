"""A callee on a stage: its script, run in virtual time against what a caller does."""

from collections.abc import Callable

from tertulia.phones.callee import Callee
from tertulia.phones.callfile import parse
from tertulia.phones.conduct import Conduct
from tertulia.phones.orders import Order, Presses, Sounds

SOUND_SECONDS = 2.0


class Actor:
    """Sounds and keys last two seconds each, unless they are hushed."""

    def __init__(self, callee: Callee, *, calls: bool = False, prepared: bool = True) -> None:
        self.now = 100.0
        self.conduct = Conduct(callee, calls=calls)
        self.orders: list[Order] = []
        self._over_at: float | None = None
        if prepared:
            self.take(self.conduct.prepared)
        self.take(self.conduct.start)

    def take(self, happens: Callable[[float], list[Order]]) -> list[Order]:
        orders = happens(self.now)
        for order in orders:
            if isinstance(order, Sounds | Presses):
                self._over_at = self.now + SOUND_SECONDS
        self.orders += orders
        return orders

    def rest(self, seconds: float) -> list[Order]:
        """Let time pass; what is ordered meanwhile."""
        before = len(self.orders)
        until = self.now + seconds
        while (when := self._next()) is not None and when <= until:
            self.now = max(self.now, when)
            if self._over_at is not None and self._over_at <= self.now:
                self._over_at = None
                self.take(self.conduct.played)
            else:
                self.take(self.conduct.passed)
        self.now = until
        return self.orders[before:]

    def _next(self) -> float | None:
        times = [each for each in (self._over_at, self.conduct.wake) if each is not None]
        return min(times, default=None)

    def press(self, digits: str) -> list[Order]:
        return [
            order
            for digit in digits
            for order in self.take(lambda now, digit=digit: self.conduct.pressed(digit, now))  # type: ignore[misc]
        ]

    def speak(self, seconds: float) -> list[Order]:
        """Begin and, so much later, stop."""
        orders = self.take(lambda now: self.conduct.speaks(True, now))
        orders += self.rest(seconds)
        return orders + self.take(lambda now: self.conduct.speaks(False, now))

    def said(self, orders: list[Order] | None = None) -> list[str]:
        """The texts among these orders, or all."""
        found = self.orders if orders is None else orders
        return [getattr(each.step, "text", "♪") for each in found if isinstance(each, Sounds)]


def scripted(steps: str, *parts: str) -> Callee:
    """A callee of a start part, and others as `name = [...]`."""
    text = "\n".join((f"start = [{steps}]", *parts))
    return parse("1", f'about = "x"\n[parts]\n{text}', source="1.toml")
