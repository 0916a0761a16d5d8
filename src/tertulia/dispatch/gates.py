"""How many calls may be under way: in all, for an application, and for one of its endpoints.

An endpoint that lets its callers wait and then fails gets a smaller share, down to two calls, and
its full share back with successes: whoever is stuck holds few of the places that others need.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tertulia.dispatch.settings import DispatchSettings
from tertulia.model.ids import ApplicationId

SLOW_MS = 1_000
"""A failure that took this long counts as being stuck; a quick refusal holds no place for long."""
SMALLEST = 2

Endpoint = tuple[ApplicationId, str]


class Gate:
    """Lets in at most `limit` at a time, the others in the order of their coming."""

    def __init__(self, limit: int) -> None:
        self._full = self._limit = limit
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_unused(self) -> bool:
        return not self._inside and not self._waiting and self._limit == self._full

    async def enter(self) -> None:
        if self._inside < self._limit and not self._waiting:
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self._inside -= 1
        self._admit()

    def narrow(self) -> None:
        self._limit = max(min(SMALLEST, self._full), self._limit // 2)

    def widen(self) -> None:
        if self._limit < self._full:
            self._limit += 1
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)


class Gates:
    """The gates that a call passes, the narrowest first, so that who waits there holds nothing."""

    def __init__(self, settings: DispatchSettings) -> None:
        self._settings = settings
        self._all = Gate(settings.in_flight)
        self._applications: dict[ApplicationId, Gate] = {}
        self._endpoints: dict[Endpoint, Gate] = {}

    @asynccontextmanager
    async def place(self, application_id: ApplicationId, url: str) -> AsyncIterator[Gate]:
        """Wait for a place; yields the endpoint's gate."""
        key = (application_id, url)
        endpoint = self._endpoints.setdefault(key, Gate(self._settings.in_flight_per_endpoint))
        application = self._applications.setdefault(
            application_id, Gate(self._settings.in_flight_per_application)
        )
        passed: list[Gate] = []
        try:
            for gate in (endpoint, application, self._all):
                await gate.enter()
                passed.append(gate)
            yield endpoint
        finally:
            for gate in reversed(passed):
                gate.leave()
            self._forget_unused(key)

    def _forget_unused(self, key: Endpoint) -> None:
        endpoint, application = self._endpoints.get(key), self._applications.get(key[0])
        if endpoint is not None and endpoint.is_unused:
            del self._endpoints[key]
        if application is not None and application.is_unused:
            del self._applications[key[0]]
