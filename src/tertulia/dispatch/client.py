"""The HTTP client of the dispatcher: keep-alive connections in bounded pools, one per origin.

A request is GET or POST. POST carries the envelope as its body. GET has none: the envelope's
members become query parameters, strings and numbers as they are, objects as JSON text (the payload
hash is then that of the empty body; see courier.py).
"""

import asyncio
import ssl
from collections import deque

from msgspec.structs import replace

from tertulia.dispatch.answer import Answer, Call, Failure, Withheld
from tertulia.dispatch.connection import HEAD_KEPT, Connection
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.target import Target, TargetGuard, parse_target

Origin = tuple[bool, str, int]


class _Pool:
    """The connections to one origin: idle ones, newest last, and room for more."""

    def __init__(self, limit: int) -> None:
        self.slots = asyncio.Semaphore(limit)
        self.users = 0
        self.idle: deque[Connection] = deque()
        self.all: set[Connection] = set()

    def take(self) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if connection.is_open:
                return connection
        return None

    def lost(self, connection: Connection) -> None:
        self.all.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


class _Trip:
    """A request on its way."""

    def __init__(self) -> None:
        self.is_sent = False


class HttpSender:
    """Sends calls to targets that the guard permits."""

    def __init__(
        self,
        settings: DispatchSettings,
        guard: TargetGuard,
        *,
        tls: ssl.SSLContext | None = None,
        kept: int = HEAD_KEPT,
        keeps_headers: bool = False,
        repeats: bool = True,
    ) -> None:
        """`kept`: octets of an answer's body. `repeats`: a request that finds its idle connection
        closed is sent again; otherwise it fails, since somebody may have read it."""
        self._guard = guard
        self._kept = kept
        self._keeps_headers = keeps_headers
        self._repeats = repeats
        self._tls = tls or ssl.create_default_context()
        self._per_origin = settings.connections_per_origin
        self._idle_seconds = settings.idle_ms / 1000
        self._pools: dict[Origin, _Pool] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    async def send(self, call: Call) -> Answer:
        """Make the call on an idle connection or a new one; time runs once there is room for it."""
        target = parse_target(call.url)
        if isinstance(target, Failure):
            return target
        pool = self._pools.setdefault(target.origin, _Pool(self._per_origin))
        pool.users += 1
        trip = _Trip()
        try:
            async with pool.slots, asyncio.timeout(call.total_timeout_ms / 1000):
                answer = await self._send(pool, target, call, trip)
        except TimeoutError:
            return Failure(f"no answer within {call.total_timeout_ms} ms", trip.is_sent)
        else:
            is_doubtful = isinstance(answer, Failure) and trip.is_sent
            return replace(answer, is_sent=True) if is_doubtful else answer
        finally:
            pool.users -= 1
            self._tidy(target.origin, pool)

    def close(self) -> None:
        """Close every connection."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for pool in self._pools.values():
            for connection in tuple(pool.all):
                connection.abort()

    async def _send(self, pool: _Pool, target: Target, call: Call, trip: "_Trip") -> Answer:
        request = _request(target, call)
        reused = pool.take()
        if reused is not None:
            answer = await self._exchange(pool, reused, call, request, trip)
            is_unread = isinstance(answer, Failure) and reused.is_untouched
            if isinstance(answer, Withheld) or not (is_unread and self._repeats):
                return answer
            # The receiver closed the idle connection just then: it has not seen the request.
        opened = await self._connect(pool, target, call.connect_timeout_ms)
        if isinstance(opened, Failure):
            return opened
        return await self._exchange(pool, opened, call, request, trip)

    async def _exchange(
        self, pool: _Pool, connection: Connection, call: Call, request: bytes, trip: "_Trip"
    ) -> Answer:
        complete = False
        try:
            if not call.may_go():
                complete = connection.is_open
                return Withheld("it may not be sent any more")
            trip.is_sent = trip.is_sent or connection.is_open
            answer = await connection.exchange(request)
            complete = connection.is_open
            return answer
        finally:
            if complete:
                connection.idle_since = asyncio.get_running_loop().time()
                pool.idle.append(connection)
                self._sweep_later()
            else:
                connection.abort()

    async def _connect(self, pool: _Pool, target: Target, timeout_ms: int) -> Connection | Failure:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                found = await self._guard.addresses(target)
                if isinstance(found, Failure):
                    return found
                return await self._connect_to_any(pool, target, found)
        except TimeoutError:
            return Failure(f"cannot connect within {timeout_ms} ms")

    async def _connect_to_any(
        self, pool: _Pool, target: Target, addresses: list[str]
    ) -> Connection | Failure:
        reason = ""
        for address in addresses:
            connection = Connection(pool.lost, kept=self._kept, keeps_headers=self._keeps_headers)
            try:
                await asyncio.get_running_loop().create_connection(
                    lambda connection=connection: connection,
                    address,
                    target.port,
                    ssl=self._tls if target.secure else None,
                    server_hostname=target.host if target.secure else None,
                )
            except OSError as error:
                reason = str(error)
                continue
            pool.all.add(connection)
            return connection
        return Failure(f"cannot connect: {reason}")

    def _tidy(self, origin: Origin, pool: _Pool) -> None:
        if not pool.users and not pool.all:
            self._pools.pop(origin, None)

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            loop = asyncio.get_running_loop()
            self._sweeping = loop.call_later(self._idle_seconds / 2, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        eldest = asyncio.get_running_loop().time() - self._idle_seconds
        for origin, pool in tuple(self._pools.items()):
            while pool.idle and pool.idle[0].idle_since <= eldest:
                connection = pool.idle.popleft()
                pool.all.discard(connection)
                connection.abort()
            self._tidy(origin, pool)
        if any(pool.idle for pool in self._pools.values()):
            self._sweep_later()


def _request(target: Target, call: Call) -> bytes:
    path = target.path
    if call.query:
        path += ("&" if "?" in path else "?") + call.query
    lines = f"{call.method} {path} HTTP/1.1\r\nHost: {target.authority}\r\n".encode("ascii")
    if call.method != "GET":
        lines += b"Content-Length: %d\r\n" % len(call.body)
    return lines + call.headers + b"\r\n" + call.body
