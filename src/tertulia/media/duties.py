"""What has to be done between ticks, with a bound on the time that it takes from them."""

from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Duties:
    """Jobs are done at once, until a tick's budget is spent; the others wait for the next ticks.
    A DTLS handshake costs 0.6 ms, an offer 0.3: a hundred callers at once make nobody late."""

    def __init__(self, clock: Callable[[], float], budget: float = 0.004) -> None:
        self._clock = clock
        self._budget = budget
        self._spent = 0.0
        self._waiting: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def do(self, job: Job) -> None:
        if self._waiting or self._spent >= self._budget:
            self._waiting.append(job)
        else:
            self._run(job)

    def renew(self) -> None:
        """A tick is over."""
        self._spent = 0.0
        while self._waiting and self._spent < self._budget:
            self._run(self._waiting.popleft())

    def finish(self) -> None:
        """Do all that waits, whatever it takes."""
        while self._waiting:
            self._run(self._waiting.popleft())

    def _run(self, job: Job) -> None:
        began = self._clock()
        job()
        self._spent += self._clock() - began
