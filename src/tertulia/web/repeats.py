"""The resend rule: a POST that comes again with the same token is the same request.

Published SDKs resend on a dropped line with the token they had. Why only tokens without `sub`, and
what an honest second call needs: docs/decisions/0002-resent-posts.md.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from tertulia.protocols.http1 import Request
from tertulia.web.access import Identity

WINDOW = 60.0
"""Seconds from the arrival of the first."""
ANSWERS_MAX = 20_000
BODIES_MAX = 16 * 1024 * 1024
"""Octets of all bodies together."""


class Answer(Protocol):
    """What is remembered: a response."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...


A = TypeVar("A", bound=Answer)


class _Entry(Generic[A]):
    """A request that came: running until it has its answer."""

    __slots__ = ("answer", "at", "ends")

    def __init__(self, at: float) -> None:
        self.at = at
        self.answer: A | None = None
        self.ends: asyncio.Future[None] | None = None
        """Made once somebody waits for it: almost nobody ever does."""


class Repeats(Generic[A]):
    """Remembers answers for a minute; when there are too many, the oldest fall out first.

    Refusals that are raised are not remembered: they changed nothing, so deciding again is safe.
    One look-up and one entry a request: this lies on the way of every POST.
    """

    def __init__(self, *, answers_max: int = ANSWERS_MAX, bodies_max: int = BODIES_MAX) -> None:
        self._answers_max = answers_max
        self._bodies_max = bodies_max
        self._entries: OrderedDict[bytes, _Entry[A]] = OrderedDict()
        """In the order of arrival."""
        self._octets = 0

    @staticmethod
    def key(identity: Identity, request: Request) -> bytes:
        """What makes two requests the same. The target is taken as sent, with its query; no part
        can pass for another."""
        told = f"{identity.application.id}\n{request.method} {request.target}\n{identity.jti}\n"
        return hashlib.sha256(b"%d\n%b%b" % (len(told), told.encode(), request.body)).digest()

    async def once(self, key: bytes, now: float, run: Callable[[], Awaitable[A]]) -> A:
        """The answer of the first request with this key, or `run` when this is the first.

        `now` is monotonic seconds. While the first is still running, wait for it; should it fail,
        the next takes its place.
        """
        while (known := self._entries.get(key)) is not None:
            if known.answer is None:
                await asyncio.shield(_end_of(known))
            elif now - known.at < WINDOW:
                return known.answer
            else:
                self._drop(key)
        entry = self._entries[key] = _Entry(now)
        try:
            answer = await run()
            if answer.status < 500 and answer.status != 429:
                entry.answer = answer
                self._octets += len(answer.body)
            return answer
        finally:
            if entry.answer is None:
                del self._entries[key]
            else:
                self._trim()
            if entry.ends is not None:
                entry.ends.set_result(None)

    def _trim(self) -> None:
        """Let the oldest go; one that is still running keeps those behind it a little longer."""
        while len(self._entries) > self._answers_max or self._octets > self._bodies_max:
            key, oldest = next(iter(self._entries.items()))
            if oldest.answer is None:
                return
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        answer = self._entries.pop(key).answer
        if answer is not None:
            self._octets -= len(answer.body)


def _end_of(entry: _Entry[A]) -> "asyncio.Future[None]":
    if entry.ends is None:
        entry.ends = asyncio.get_running_loop().create_future()
    return entry.ends
