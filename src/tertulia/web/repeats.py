"""The resend rule: a POST that comes again with the same token is the same request.

Published SDKs resend on a dropped line with the token they had. Why only tokens without `sub`, and
what an honest second call needs: docs/decisions/0002-resent-posts.md.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from tertulia.model.ids import ApplicationId
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


class Key(NamedTuple):
    """What makes two requests the same. Their own size does not count: it is hashed."""

    application_id: ApplicationId
    jti: str
    digest: bytes


class _Kept(NamedTuple, Generic[A]):
    answer: A
    at: float


class Repeats(Generic[A]):
    """Remembers answers for a minute; when there are too many, the oldest fall out first.

    Refusals that are raised are not remembered: they changed nothing, so deciding again is safe.
    """

    def __init__(self, *, answers_max: int = ANSWERS_MAX, bodies_max: int = BODIES_MAX) -> None:
        self._answers_max = answers_max
        self._bodies_max = bodies_max
        self._kept: OrderedDict[Key, _Kept[A]] = OrderedDict()
        self._octets = 0
        self._running: dict[Key, asyncio.Future[None] | None] = {}
        """A future once somebody waits for it: almost nobody ever does."""

    @staticmethod
    def key(identity: Identity, request: Request) -> Key:
        """The target is taken as sent, with its query; no part can pass for another."""
        head = f"{request.method} {request.target}\n".encode()
        digest = hashlib.sha256(head + request.body).digest()
        return Key(identity.application.id, identity.jti, digest)

    async def once(self, key: Key, now: float, run: Callable[[], Awaitable[A]]) -> A:
        """The answer of the first request with this key, or `run` when this is the first.

        `now` is monotonic seconds. While the first is still running, wait for it; should it fail,
        the next takes its place.
        """
        while key in self._running:
            await asyncio.shield(self._end_of(key))
        kept = self._kept.get(key)
        if kept is not None and now - kept.at < WINDOW:
            return kept.answer
        self._running[key] = None
        try:
            answer = await run()
            if answer.status < 500 and answer.status != 429:
                self._keep(key, _Kept(answer, now))
            return answer
        finally:
            waited_for = self._running.pop(key)
            if waited_for is not None:
                waited_for.set_result(None)

    def _end_of(self, key: Key) -> "asyncio.Future[None]":
        ends = self._running[key]
        if ends is None:
            ends = self._running[key] = asyncio.get_running_loop().create_future()
        return ends

    def _keep(self, key: Key, kept: _Kept[A]) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._octets += len(kept.answer.body)
        while self._kept and self._has_excess(kept.at):
            self._drop(next(iter(self._kept)))

    def _has_excess(self, now: float) -> bool:
        oldest = next(iter(self._kept.values()))
        return (
            len(self._kept) > self._answers_max
            or self._octets > self._bodies_max
            or now - oldest.at >= WINDOW
        )

    def _drop(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._octets -= len(gone.answer.body)
