"""Tells a message that an SMSC delivers again from one that says the same.

SMPP 3.4 gives no ids to what is delivered (4.6). On a connection on which the same was answered it
is another message. On the next one it is the same, if the first was lost right after the answer.
After a start of ours it is another: getting one twice is better than losing one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tertulia.model.instant import Instant

_REMEMBERED_MS = 600_000
"""From the first one on."""
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
    ref: str
    failed: list[str] = field(default_factory=list)
    """Refs of those that have to come again."""


class Repeats:
    def __init__(self, now: Callable[[], Instant], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._marks: dict[str, _Mark] = {}
        self._start = now()
        self._count = 0

    def ref(self, digest: str, line: Hearing) -> str:
        """The name of what has come: that of the one that it repeats, or a new one."""
        now = self._now()
        mark = self._marks.pop(digest, None)
        if mark is None or mark.since + _REMEMBERED_MS < now:
            mark = _Mark(now, line, self._monotonic(), self._new(digest))
        elif mark.failed:
            return self._keep(digest, mark, mark.failed.pop())
        elif mark.line is line or mark.line.heard_at > mark.answered_at + _HEARD_SECONDS:
            mark.ref = self._new(digest)
        mark.line = line
        mark.answered_at = self._monotonic()
        return self._keep(digest, mark, mark.ref)

    def _new(self, digest: str) -> str:
        self._count += 1
        return f"{digest}-{self._start}-{self._count}"

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
