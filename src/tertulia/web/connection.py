"""One HTTP/1.1 connection: requests in order, one at a time, each answered before the next.

One task a connection lives as long as its transport. Whatever happens to the connection sets a
field and wakes the task, and only the task writes. Time passes in `expire`, which the server's
sweep calls; there are no timers here.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import cast

from msgspec import Struct

from tertulia.protocols.http1 import (
    CONTINUE,
    HttpError,
    Limits,
    Request,
    Response,
    Streamed,
    encode,
    encode_start,
)
from tertulia.protocols.http1_parser import Parser
from tertulia.web.problems import internal_error, protocol_problem
from tertulia.web.streaming import Flow

Handle = Callable[[Request, str], Awaitable[Response]]
"""Answers a request; the second argument is the scheme of the listener, `http` or `https`."""

Upgrade = Callable[[Request], tuple[bytes, asyncio.Protocol]]
"""The answer to a websocket handshake, and the protocol that takes the connection over. Raises
HttpError when there is none."""

_log = logging.getLogger(__name__)


def no_upgrade(request: Request) -> tuple[bytes, asyncio.Protocol]:
    """The Upgrade of a server without websockets."""
    raise HttpError(404, "There is no websocket at this address.")


LARGE_AT_ONCE = 16
"""Bodies of the largest size that fit into memory together, with more octets 503. It bounds what is
longer than an ordinary body; of those, a connection has one."""


class Timeouts(Struct, frozen=True):
    """Seconds, to the second or so of the sweep."""

    receive: float = 15.0
    """From the first byte of a request to its last; then 408."""
    pace: int = 64 * 1024
    """Octets of body a second; whoever sends no slower is given the time that a long one takes."""
    idle: float = 75.0
    """Between requests; then the connection is closed without a word."""
    write: float = 30.0
    """That a peer may take less than `pace` octets of what is to be written; then it is cut."""
    linger: float = 2.0
    """Listening to a refused peer, so that the refusal is not lost to a reset (RFC 9112 9.6)."""


class Front:
    """What the connections of a server share."""

    def __init__(
        self,
        handle: Handle,
        limits: Limits,
        timeouts: Timeouts,
        *,
        connections_max: int,
        pipeline: int,
        now: Callable[[], float],
        wall: Callable[[], float],
        instance: Callable[[], str],
    ) -> None:
        self.handle = handle
        self.upgrade: Upgrade = no_upgrade
        self.limits = limits
        self.timeouts = timeouts
        self.connections_max = connections_max
        self.pipeline = pipeline
        self.now = now
        self.instance = instance
        self.large = 0
        """Octets of large bodies in memory."""
        self.large_max = LARGE_AT_ONCE * max(limits.larger.values(), default=0)
        self.connections: set[Connection] = set()
        self.responses = [0, 0, 0, 0, 0, 0]
        """How many, by the first digit of their status."""
        self.is_draining = False
        self._wall = wall
        self._second = -1
        self._date = b""

    def date(self) -> bytes:
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True).encode("ascii")
        return self._date


class Connection(asyncio.Protocol):
    def __init__(self, front: Front, scheme: str) -> None:
        self._front = front
        self._scheme = scheme
        self._parser: Parser
        self._queue: deque[Request] = deque()
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._wakes: asyncio.Future[None] | None = None
        self._flow: Flow | None = None
        """The streamed answer under way."""
        self._error: HttpError | None = None
        self._answering: Request | None = None
        self._large = 0
        """Octets of large bodies that are in memory because of this connection."""
        self._is_busy = self._is_paused = self._has_eof = self._is_lost = False
        self._is_handed_over = False
        self._began_at = 0.0
        """When the request that is coming in began."""
        self._idle_since = front.now()
        self._stuck_since: float | None = None
        self._unsent = 0
        """Octets that the transport held when it was full, or when the peer last took some."""
        self._ending_since: float | None = None

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """Ends when the connection has. None when it was refused."""
        return self._task

    def wake(self) -> None:
        """Have the task look again."""
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)

    def abort(self) -> None:
        """Cut the connection and whatever it is doing."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()

    def expire(self, now: float) -> None:
        """End what has lasted too long."""
        timeouts = self._front.timeouts
        if self._unsent > timeouts.pace and not self._is_lost:
            self._see_progress(now)
        if self._ending_since is not None:
            patience = timeouts.linger if self._error else timeouts.write
            if now - self._ending_since >= patience:
                self._transport.abort()
        elif self._stuck_since is not None:
            if now - self._stuck_since >= timeouts.write:
                self._transport.abort()
        elif self._is_busy or self._queue:
            pass
        elif self._parser.is_inside:
            patience = timeouts.receive + self._parser.received // timeouts.pace
            if now - self._began_at >= patience:
                self._error = HttpError(408, "The request took too long to arrive.")
                self.wake()
        elif now - self._idle_since >= timeouts.idle:
            self._close()

    def _see_progress(self, now: float) -> None:
        """A long answer may take long, as long as it is taken."""
        unsent = self._transport.get_write_buffer_size()
        if unsent <= self._unsent - self._front.timeouts.pace:
            self._unsent = unsent
            self._stuck_since = self._stuck_since and now
            self._ending_since = self._ending_since and now

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: the loop's transports act as asyncio.Transport without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)
        front = self._front
        if front.is_draining or len(front.connections) >= front.connections_max:
            self._send(_problem(HttpError(503, "There are too many connections."), front))
            self._close()
            return
        peer = transport.get_extra_info("peername")
        self._parser = Parser(front.limits, peer=peer[0] if peer else "")
        front.connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        if self._ending_since is None:
            self._read(data)
            self.wake()

    def eof_received(self) -> bool:
        """A peer that only closed its sending side still gets its answers; TLS cannot do that."""
        self._has_eof = True
        self.wake()
        return self._scheme == "http" and self._ending_since is None

    def pause_writing(self) -> None:
        self._stuck_since = self._front.now()
        self._unsent = self._transport.get_write_buffer_size()
        if self._flow is not None:
            self._flow.pause()

    def resume_writing(self) -> None:
        self._stuck_since = None
        if self._flow is not None:
            self._flow.resume()
        self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self.wake()

    # What the task does.

    async def _serve(self) -> None:
        try:
            while (request := await self._next()) is not None:
                if request.upgrade:
                    if self._hand_over(request):
                        return
                    break
                if not await self._answer(request):
                    self._error = None
                    break
            self._end()
            while not self._is_lost:
                await self._changed()
        finally:
            self._front.large -= self._large
            self._front.connections.discard(self)
            if not self._is_handed_over:
                self._transport.abort()

    def _hand_over(self, request: Request) -> bool:
        """Give the connection to the protocol that the client asks for, with what it has sent."""
        try:
            answer, protocol = self._front.upgrade(request)
        except HttpError as error:
            self._error = error
            return False
        self._is_handed_over = True
        self._front.responses[1] += 1
        transport, held = self._transport, self._parser.held
        transport.write(answer)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if held:
            protocol.data_received(held)
        if self._has_eof and not protocol.eof_received():
            transport.close()
        elif self._is_paused:
            transport.resume_reading()
        return True

    async def _next(self) -> Request | None:
        """Wait for a request, and for the peer to have taken the last answer. None: that is all."""
        while not self._is_lost:
            if self._stuck_since is None:
                if not self._queue and self._is_paused:
                    self._read_held()
                if self._queue:
                    return self._queue.popleft()
                if self._is_finished():
                    return None
                if self._parser.expecting:
                    self._parser.expecting = False
                    self._transport.write(CONTINUE)
                self._idle_since = self._front.now()
            await self._changed()
        return None

    def _is_finished(self) -> bool:
        parser = self._parser
        self._error = self._error or parser.error
        if self._error is not None or parser.is_over or self._has_eof:
            return True
        return self._ending_since is not None or (self._front.is_draining and not parser.is_inside)

    async def _changed(self) -> None:
        self._wakes = asyncio.get_running_loop().create_future()
        await self._wakes
        self._wakes = None

    async def _answer(self, request: Request) -> bool:
        """Whether the connection goes on.

        The request is carried out to its end even when the peer goes away meanwhile: its effect
        may be durable already.
        """
        front = self._front
        self._is_busy = True
        self._answering = request
        try:
            response = await front.handle(request, self._scheme)
            if isinstance(response, Streamed):
                return await self._stream(response, request)
            return self._send(response, request)
        except Exception:  # The supervisor of requests: a bug ends its request, nothing else.
            instance = front.instance()
            told = {"action": "request_failed", "method": request.method, "path": request.path}
            _log.exception("a request met a bug", extra={**told, "instance": instance})
            if self._flow is not None:  # the answer has begun: only its sudden end tells
                self._transport.abort()
                return False
            return self._send(internal_error(instance), request)
        finally:
            self._is_busy = False
            self._answering = None
            self._flow = None
            if self._large:
                self._weigh()

    async def _stream(self, answer: Streamed, request: Request) -> bool:
        """Write an answer piece by piece, until its end or until nobody wants more of it.

        Where there is no end in sight, a peer that has stopped sending counts as gone: a quiet
        stream would notice it late.
        """
        front = self._front
        is_endless = answer.length is None
        chunked = is_endless and request.version != "1.0"
        goes_on = request.keep_alive and self._goes_on()
        flow = Flow(answer, self._transport, chunked=chunked)
        try:
            start = encode_start(answer, keep_alive=goes_on, date=front.date(), chunked=chunked)
            front.responses[answer.status // 100] += 1
            self._flow = flow
            if not self._transport.is_closing():
                self._transport.write(start)
            if request.method != "HEAD":
                flow.start(on_end=self.wake)
                while not (flow.is_over or self._is_lost):
                    if is_endless and (self._has_eof or front.is_draining):
                        break
                    await self._changed()
        finally:
            await flow.close()
        flow.finish()
        return goes_on

    def _goes_on(self) -> bool:
        """Not when draining, once all that was read is answered."""
        return not self._front.is_draining or bool(self._queue or self._parser.held)

    def _send(self, response: Response, request: Request | None = None) -> bool:
        """Write an answer, the last when there is no request. Whether the connection goes on."""
        front = self._front
        goes_on = request is not None and request.keep_alive and self._goes_on()
        is_head = request is not None and request.method == "HEAD"
        data = encode(response, keep_alive=goes_on, date=front.date(), head=is_head)
        front.responses[response.status // 100] += 1
        if not self._transport.is_closing():
            self._transport.write(data)
        return goes_on

    def _read(self, data: bytes) -> None:
        front, parser = self._front, self._parser
        was_inside = parser.is_inside
        requests = parser.feed(data, front.pipeline - len(self._queue))
        self._queue.extend(requests)
        if parser.is_inside and (requests or not was_inside):
            self._began_at = front.now()
        if parser.held and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        if front.limits.larger:
            self._weigh()

    def _weigh(self) -> None:
        """Count the large bodies; of those that still come in, refuse what would be too much."""
        front, parser = self._front, self._parser
        ordinary = front.limits.body
        requests = (*self._queue, self._answering) if self._answering else self._queue
        large = sum(len(each.body) for each in requests if len(each.body) > ordinary)
        if parser.received > ordinary:
            large += parser.received
        front.large += large - self._large
        if large > self._large and parser.is_inside and front.large > front.large_max:
            self._error = HttpError(503, "Too much is being uploaded at this time.")
        self._large = large

    def _read_held(self) -> None:
        self._read(b"")
        if not self._parser.held and not self._is_lost:
            self._is_paused = False
            self._transport.resume_reading()

    def _end(self) -> None:
        """Close; after an error say why, and let the peer read it before the connection goes."""
        if self._is_lost or self._ending_since is not None:
            return
        if self._error is None:
            self._close()
            return
        self._send(_problem(self._error, self._front))
        self._ending_since = self._front.now()
        if self._has_eof:
            self._transport.close()
        elif self._scheme == "http":
            self._transport.write_eof()

    def _close(self) -> None:
        self._ending_since = self._front.now()
        self._transport.close()


def _problem(error: HttpError, front: Front) -> Response:
    return protocol_problem(error, front.instance())
