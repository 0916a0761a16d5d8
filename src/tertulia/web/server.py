"""The HTTP/1.1 front: listeners, the sweep that ends slow connections, and the graceful end.

A request's way in is connection.py; what it may weigh is protocols/http1.py.
"""

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable

from tertulia.protocols.http1 import Limits
from tertulia.web.connection import (
    Connection,
    Front,
    Handle,
    Timeouts,
    Upgrade,
)

_LIMITS = Limits()
_TIMEOUTS = Timeouts()
_BACKLOG = 1024
_SWEEP_S = 1.0


def _random_instance() -> str:
    return secrets.token_hex(16)


class Server:
    """Answers requests with `handle` on any number of listeners, until drained.

    `connections_max`: one more is answered 503. `pipeline`: how many requests of one connection
    wait to be answered before no more are read. `now` and `wall`: seconds, of any origin and of the
    epoch. `instance` names one refusal or failure, in the answer and in the log.
    """

    def __init__(
        self,
        handle: Handle,
        limits: Limits = _LIMITS,
        timeouts: Timeouts = _TIMEOUTS,
        *,
        connections_max: int = 10_000,
        pipeline: int = 16,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        instance: Callable[[], str] = _random_instance,
    ) -> None:
        self._front = Front(
            handle, limits, timeouts,
            connections_max=connections_max, pipeline=pipeline,
            now=now, wall=wall, instance=instance,
        )  # fmt: skip
        self._listeners: list[asyncio.Server] = []
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._front.connections)

    @property
    def responses(self) -> tuple[int, ...]:
        """How many were written, by the first digit of their status."""
        return tuple(self._front.responses)

    def take_upgrades(self, upgrade: Upgrade) -> None:
        """Let `upgrade` answer websocket handshakes; without it there are none."""
        self._front.upgrade = upgrade

    async def listen(self, host: str, port: int, ssl: ssl.SSLContext | None = None) -> int:
        """Open a listener and return its port, chosen by the system when `port` is 0.

        Raises:
            OSError: the address is taken or not ours.
        """
        front, scheme = self._front, "https" if ssl else "http"
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: Connection(front, scheme), host, port,
            ssl=ssl, backlog=_BACKLOG, reuse_address=True,
            ssl_handshake_timeout=front.timeouts.receive if ssl else None,
            # many peers never answer the end of TLS, and a shutdown waits for all of them
            ssl_shutdown_timeout=front.timeouts.linger / 4 if ssl else None,
        )  # fmt: skip
        self._listeners.append(listener)
        if self._sweeping is None:
            self._sweeping = loop.call_later(_SWEEP_S, self._sweep_again)
        bound: int = listener.sockets[0].getsockname()[1]
        return bound

    def sweep(self) -> None:
        """End what has lasted too long on any connection. Runs by itself while listening."""
        now = self._front.now()
        for connection in tuple(self._front.connections):
            connection.expire(now)

    def stop_accepting(self) -> None:
        """Close the listeners; open connections go on."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def drain(self, seconds: float) -> None:
        """Answer what has begun, close every connection, and after `seconds` cut the rest."""
        self.stop_accepting()
        self._front.is_draining = True
        for connection in tuple(self._front.connections):
            connection.wake()
        if ending := [each.task for each in self._front.connections if each.task is not None]:
            await asyncio.wait(ending, timeout=seconds)
            for connection in tuple(self._front.connections):
                connection.abort()
            await asyncio.gather(*ending, return_exceptions=True)
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _sweep_again(self) -> None:
        self.sweep()
        self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep_again)
