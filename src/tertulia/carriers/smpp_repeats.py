"""Tells a message that an SMSC delivers again from one that says the same.

SMPP 3.4 gives no ids to what is delivered (4.6). On a connection on which the same was answered it
is another message. On the next one it is the same, if the first was lost right after the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tertulia.model.instant import Instant

_REMEMBERED_MS = 600_000
"""From the first one on."""
_ACROSS_STARTS_MS = 120_000
"""What comes again after a start of ours is known by this stretch of time alone, and so is another
message that says the same: losing that is worse than getting one twice, hence it is short."""
_HEARD_SECONDS = 1.0
"""When a peer is heard so long after an answer, it has got it."""
_MARKS_MAX = 10_000


class Hearing(Protocol):
    """A connection."""

    @property
    def heard_at(self) -> float:
        """When something came from it last, in monotonic seconds."""


@dataclass(slots=True)
class _Mark:
    since: Instant
    line: Hearing
    answered_at: float
    count: int = 0
    failed: list[str] = field(default_factory=list)
    """Refs of those that have to come again."""


class Repeats:
    def __init__(self, now: Callable[[], Instant], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._marks: dict[str, _Mark] = {}

    def ref(self, digest: str, line: Hearing) -> str:
        """The name of what has come: that of the one that it repeats, or a new one."""
        now = self._now()
        mark = self._marks.pop(digest, None)
        if mark is None or mark.since + _REMEMBERED_MS < now:
            mark = _Mark(now, line, self._monotonic())
        elif mark.failed:
            return self._keep(digest, mark, mark.failed.pop())
        elif mark.line is line or mark.line.heard_at > mark.answered_at + _HEARD_SECONDS:
            mark.count += 1
        mark.line = line
        mark.answered_at = self._monotonic()
        return self._keep(digest, mark, f"{digest}-{mark.since // _ACROSS_STARTS_MS}-{mark.count}")

    def failed(self, digest: str, ref: str) -> None:
        """It was not kept: the next one is the same."""
        mark = self._marks.get(digest)
        if mark is not None and ref not in mark.failed:
            mark.failed.append(ref)

    def _keep(self, digest: str, mark: _Mark, ref: str) -> str:
        self._marks[digest] = mark
        if len(self._marks) > _MARKS_MAX:
            del self._marks[next(iter(self._marks))]
        return ref
