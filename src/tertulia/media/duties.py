"""What has to be done between ticks, with a bound on the time that it takes from them."""

from collections import deque
from collections.abc import Callable
from math import inf

Job = Callable[[], None]


class Duties:
    """Jobs are done at once, until a tick's budget is spent and there is no time to spare; the
    others wait for the next ticks. A DTLS handshake costs 0.6 ms, an offer 0.3: a hundred callers
    at once make nobody late."""

    def __init__(self, clock: Callable[[], float], budget: float = 0.004) -> None:
        self._clock = clock
        self._budget = budget
        self._spent = 0.0
        self._until = -inf
        self._waiting: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def do(self, job: Job) -> None:
        if self._waiting or not self._has_time():
            self._waiting.append(job)
        else:
            self._run(job)

    def renew(self, until: float = -inf) -> None:
        """A tick is over; there is time until then, whatever the budget says."""
        self._spent, self._until = 0.0, until
        while self._waiting and self._has_time():
            self._run(self._waiting.popleft())

    def finish(self) -> None:
        """Do all that waits, whatever it takes."""
        while self._waiting:
            self._run(self._waiting.popleft())

    def _has_time(self) -> bool:
        return self._spent < self._budget or self._clock() < self._until

    def _run(self, job: Job) -> None:
        began = self._clock()
        job()
        self._spent += self._clock() - began
