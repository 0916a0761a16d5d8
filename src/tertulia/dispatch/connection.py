"""One keep-alive HTTP/1.1 connection to a webhook receiver: a request, then its answer.

An asyncio.Protocol around llhttp. Its parser is strict; what it cannot say is said here: how much
is read, what a closed connection means, and when a connection may be used again.
"""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from tertulia.dispatch.answer import Answer, Failure, Response

RESPONSE_MAX = 64 * 1024
"""Bytes of an answer that are read, head and body together."""
HEAD_KEPT = 1024
"""Bytes of its body that are kept, for those who only want to show it."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time."""

    def __init__(
        self, on_lost: Callable[["Connection"], None], *, kept: int = HEAD_KEPT,
        keeps_headers: bool = False,
    ) -> None:  # fmt: skip
        """`kept`: octets of each answer's body."""
        self._on_lost = on_lost
        self._kept = kept
        self._headers: dict[str, str] | None = {} if keeps_headers else None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._received = 0
        self._head = b""
        self._has_headers = False
        self._has_length = False
        self._keeps_alive = True
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether another exchange may begin."""
        return (
            self._keeps_alive and self._transport is not None and not self._transport.is_closing()
        )

    @property
    def is_untouched(self) -> bool:
        """Whether not a byte of an answer has come since the exchange began."""
        return self._received == 0

    def exchange(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; the future never fails."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._received = 0
        if self._transport is None or self._transport.is_closing():
            self._settle(Failure("the connection was closed"))
        else:
            self._transport.write(request)
        return answer

    def abort(self) -> None:
        self._keeps_alive = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's and not its class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            return self.abort()  # nobody asked: what comes now would answer the next request
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._break_off("the answer changes the protocol")
        except httptools.HttpParserError as error:
            self._break_off(f"the answer is not HTTP: {error}")
        if self._received > RESPONSE_MAX and self._answer is not None:
            self._stop_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._keeps_alive = False
        if self._has_headers and not self._has_length and exc is None:
            self._settle(self._response())
        elif self._received == 0:
            self._settle(Failure("the connection was closed without an answer"))
        else:
            self._settle(Failure("the connection was closed in the middle of the answer"))
        self._on_lost(self)

    def on_message_begin(self) -> None:
        self._head = b""
        self._has_headers = self._has_length = False
        if self._headers is not None:
            self._headers = {}
        if self._answer is None:
            self._keeps_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._has_length = True
        if self._headers is not None:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        if len(self._head) < self._kept:
            self._head = (self._head + body)[: self._kept]

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._has_headers = False  # 100 and 103 come before the answer
            return
        self._keeps_alive = self._keeps_alive and self._parser.should_keep_alive()
        self._settle(self._response())

    def _response(self) -> Response:
        return Response(self._parser.get_status_code(), self._head, self._headers or {})

    def _stop_reading(self) -> None:
        """The status of an endless answer counts: the receiver has taken the event."""
        if self._has_headers and self._parser.get_status_code() >= 200:
            self._settle(self._response())
        self._break_off(f"the answer is larger than {RESPONSE_MAX} bytes")

    def _break_off(self, reason: str) -> None:
        self._settle(Failure(reason))
        self.abort()

    def _settle(self, answer: Answer) -> None:
        waiting, self._answer = self._answer, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
