"""A call that we make: several ways to the same callee, some at once, others one after another."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from tertulia.model.telephone import Dial
from tertulia.protocols.sip.digest import Credentials
from tertulia.protocols.sip.flow import Flow
from tertulia.sip.trunks import Trunk

TRY_NEXT = {408, 500, 502, 503, 504}
"""The way is at fault and not the callee."""
LEAST_TELLING = {408: 1, 503: 2, 487: 3}
"""Of several failures these say least about the callee, the last one least of all."""


class Way(Struct, frozen=True):
    uri: str
    """Whom to call there."""
    domain: str
    """Where the caller is at home, as this way sees it."""
    flow: Flow | None = None
    trunk: Trunk | None = None
    credentials: Credentials | None = None


class Failure(Struct, frozen=True):
    code: int
    text: str = ""


class Outgoing:
    """Waves of ways: those of a wave are called at once, the next wave when all have failed."""

    def __init__(self, dial: Dial, waves: Iterable[list[Way]]) -> None:
        self.dial = dial
        self.ways: dict[str, Way] = {}
        """All that were tried, by the agent's names of those calls."""
        self.live: set[str] = set()
        """Calls under way."""
        self.has_rung = False
        self._waves = deque(waves)
        self._failures: list[Failure] = []

    def next_wave(self) -> dict[str, Way]:
        """What is to be called now; empty when nothing is left."""
        if not self._waves:
            return {}
        wave = {}
        for way in self._waves.popleft():
            leg, count = self.dial.leg, len(self.ways) + 1
            call = leg if count == 1 else f"{leg}.{count}"
            wave[call] = self.ways[call] = way
        self.live = set(wave)
        return wave

    def failed(self, call: str, failure: Failure) -> None:
        """One way has come to nothing."""
        self.live.discard(call)
        self._failures.append(failure)

    @property
    def goes_on(self) -> bool:
        """Whether another wave may do better than those that have failed."""
        if self.has_rung or not self._waves:
            return False
        return all(failure.code in TRY_NEXT for failure in self._failures)

    @property
    def is_refused(self) -> bool:
        """The callee wants to be called nowhere (RFC 3261 section 16.7)."""
        return any(failure.code >= 600 for failure in self._failures)

    @property
    def outcome(self) -> Failure:
        """Of all failures the one that says most."""
        return most_telling(self._failures)


def most_telling(failures: Iterable[Failure]) -> Failure:
    """Of several ways that have come to nothing."""
    return min(failures, key=_rank, default=Failure(480))


def _rank(failure: Failure) -> tuple[bool, int, int]:
    return failure.code < 600, LEAST_TELLING.get(failure.code, 0), failure.code
