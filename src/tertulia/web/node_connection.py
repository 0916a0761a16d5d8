"""One keep-alive HTTP/1.1 connection to another node: a request, then its answer, piece by piece.

No more is read while nobody takes the pieces. The other node should be one of ours; what is not
HTTP, or has no end where it should have one, breaks the connection.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools

OVERHEAD_MAX = 64 * 1024
"""Octets of an answer, one after the other, that are no body."""
HELD_MAX = 256 * 1024
"""Octets of a body that wait to be taken before no more are read."""
_OF_THE_CONNECTION = frozenset({
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "trailer", "upgrade",
    "content-length", "content-type", "date",
})  # fmt: skip
"""What is said of the answer in other words, or anew."""
_BODILESS = (204, 304)


class Broken(Exception):
    """The connection ended before the answer did."""


class Head(NamedTuple):
    status: int
    content_type: str
    headers: tuple[tuple[str, str], ...]
    length: int | None
    """Octets of the body; None: it ends when it ends."""

    def is_whole(self, octets: int) -> bool:
        """Whether the body is no longer than that, as far as is told."""
        return self.status in _BODILESS or (self.length is not None and self.length <= octets)


class NodeConnection(asyncio.Protocol):
    """Carries one exchange at a time. `time` gives seconds."""

    def __init__(
        self, on_lost: Callable[["NodeConnection"], None], time: Callable[[], float]
    ) -> None:
        self._on_lost = on_lost
        self._time = time
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._fields: list[tuple[str, str]] = []
        self._head: Head | None = None
        self._held: list[bytes] = []
        self._held_octets = self._overhead = self._received = 0
        self._error: Broken | None = None
        self._wakes: asyncio.Future[None] | None = None
        self._has_no_body = self._is_paused = False
        self._is_complete = self._keeps_alive = True
        self.since = time()
        """When it became idle or, while somebody waits, when something came last."""

    @property
    def is_open(self) -> bool:
        """Whether another exchange may begin."""
        return (
            self._is_complete and not self._held and self._keeps_alive and self._error is None
            and not self._transport.is_closing() and not self._transport.get_write_buffer_size()
        )  # fmt: skip

    @property
    def is_untouched(self) -> bool:
        """Whether not an octet of the answer has come."""
        return self._received == 0

    @property
    def is_waited_for(self) -> bool:
        return self._wakes is not None

    async def ask(self, request: bytes, *, is_head: bool) -> Head:
        """Send a request; the body of the answer is to be taken by `piece`. Raises Broken."""
        self._parser = httptools.HttpResponseParser(self)
        self._fields, self._head = [], None
        self._held.clear()
        self._held_octets = self._overhead = self._received = 0
        self._is_complete = False
        self._has_no_body = is_head
        self._transport.write(request)
        while self._head is None:
            await self._changed()
        return self._head

    async def piece(self) -> bytes:
        """What has come of the body; nothing at its end. Raises Broken."""
        while not self._held:
            if self._is_complete:
                return b""
            await self._changed()
        piece = b"".join(self._held)
        self._held.clear()
        self._held_octets = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return piece

    def abort(self, reason: str = "it was given up") -> None:
        """Whoever waits finds it broken."""
        self._fail(reason)
        self._transport.abort()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: the loop's transports act as asyncio.Transport without inheriting from it.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._is_complete:
            return self.abort("it answers what nobody asked")
        self.since = self._time()
        self._received += len(data)
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return self.abort("the answer changes the protocol")
        except httptools.HttpParserError as error:
            return self.abort(f"the answer is not HTTP: {error}")
        if self._overhead > OVERHEAD_MAX and not self._is_complete:
            return self.abort("the answer has too much around its body")
        if self._held_octets > HELD_MAX and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the connection was closed")
        self._on_lost(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._head is not None:  # a second answer: to whom?
            self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_complete:
            self._fields.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._is_complete:
            return
        status = self._parser.get_status_code()
        named = {name.lower(): value for name, value in self._fields}
        length = named.get("content-length")
        is_chunked = named.get("transfer-encoding", "").lower() == "chunked"
        has_no_body = self._has_no_body or status in _BODILESS
        if status < 200 or not (has_no_body or is_chunked or (length or "").isdecimal()):
            self._keeps_alive = False
            self._fail("the answer has no end that can be seen")
            return
        told = tuple(each for each in self._fields if each[0].lower() not in _OF_THE_CONNECTION)
        octets = int(length) if length and length.isdecimal() else None
        self._head = Head(status, named.get("content-type", ""), told, octets)
        if has_no_body:
            self._complete()

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        if not self._is_complete:
            self._held.append(body)
            self._held_octets += len(body)

    def on_message_complete(self) -> None:
        if self._head is not None and not self._is_complete:
            self._complete()

    def _complete(self) -> None:
        self._keeps_alive = self._keeps_alive and self._parser.should_keep_alive()
        self._is_complete = True

    def _fail(self, reason: str) -> None:
        self._error = self._error or Broken(reason)
        self._wake()

    def _wake(self) -> None:
        if self._wakes is not None and not self._wakes.done():
            self._wakes.set_result(None)

    async def _changed(self) -> None:
        """Until something has come. Raises Broken when nothing more will."""
        if self._error is not None:
            raise self._error
        self.since = self._time()
        self._wakes = asyncio.get_running_loop().create_future()
        try:
            await self._wakes
        finally:
            self._wakes = None
