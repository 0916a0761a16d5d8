"""What all parts of an agent share: the time, deadlines, what goes out, and randomness."""

from collections.abc import Callable
from typing import Protocol

from tertulia.protocols.sip.flow import Flow
from tertulia.protocols.sip.signals import Output, Resolve, Stepped
from tertulia.protocols.sip.timers import Timers


class Timed(Protocol):
    def fire(self, name: str) -> None:
        """A deadline set under that name has come."""


class Waiting(Protocol):
    def resolved(self, flows: tuple[Flow, ...]) -> None:
        """Where to send it, best first."""


class Core:
    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self.now = 0.0
        """Of what happens right now."""
        self.out: list[Output] = []
        self.dropped = 0
        """Messages that came in and could not be understood or fitted nothing."""
        self.tickets: dict[int, Waiting] = {}
        self._timers: Timers[tuple[Timed, str]] = Timers()
        self._draw = draw
        self._count = 0

    def post(self, output: Output) -> None:
        self.out.append(output)

    def trace(self, call: str, sent: bool, line: str, flow: Flow) -> None:
        if call:
            self.out.append(Stepped(call, sent, line, flow))

    def token(self, octets: int = 8) -> str:
        """For tags, branches and names: nobody can guess it."""
        return self._draw(octets).hex()

    def fraction(self) -> float:
        """From 0 to below 1."""
        return int.from_bytes(self._draw(2), "big") / 65536

    def start(self, owner: Timed, name: str, seconds: float) -> None:
        self._timers.set((owner, name), self.now + seconds)

    def stop(self, owner: Timed, *names: str) -> None:
        for name in names:
            self._timers.cancel((owner, name))

    def resolve(self, waiting: Waiting, uri: str, hint: Flow | None, size: int = 0) -> int:
        """The ticket under which the owner will tell the flows."""
        self._count += 1
        self.tickets[self._count] = waiting
        self.post(Resolve(self._count, uri, hint, size))
        return self._count

    def fire(self) -> None:
        """All deadlines that have come."""
        for owner, name in self._timers.due(self.now):
            owner.fire(name)

    @property
    def next_timer(self) -> float | None:
        return self._timers.next

    @property
    def deadlines(self) -> int:
        return len(self._timers)
