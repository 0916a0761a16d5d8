"""A webhook receiver that only counts: 200 to every POST, in a process of its own.

A message whose text begins with `TS=<ns> N=<number>` (rest.MESSAGE) is noted with the time it took
since then, on the clock that load.c reads. GET answers a Tally, DELETE forgets.
"""

import asyncio
import re
import sys
import time
from array import array
from typing import cast

import httptools
import msgspec
import uvloop
from msgspec import Struct

MARK = re.compile(rb"TS=(\d{19}) N=(\d{12})")


class Tally(Struct, frozen=True):
    messages: int
    """Different ones."""
    repeats: int
    others: int
    """Requests without the mark."""
    first: int
    last: int
    """When the first and the last message came, ns of CLOCK_MONOTONIC; 0 if none did."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    """From the time in the message to its arrival."""


class Notes:
    """Of the messages received so far."""

    def __init__(self) -> None:
        self._delays = array("q")
        self._numbers: set[bytes] = set()
        self._repeats = self._others = self._first = self._last = 0

    def note(self, body: bytes) -> None:
        now = time.monotonic_ns()
        mark = MARK.search(body)
        if mark is None:
            self._others += 1
        elif mark[2] in self._numbers:
            self._repeats += 1
        else:
            self._numbers.add(mark[2])
            self._delays.append(now - int(mark[1]))
            self._first = self._first or now
            self._last = now

    def tally(self) -> Tally:
        delays = sorted(self._delays)
        return Tally(
            len(delays),
            self._repeats,
            self._others,
            self._first,
            self._last,
            *(_milliseconds(delays, quantile) for quantile in (0.5, 0.99, 1.0)),
        )


class Receiver(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, sink: "Sink") -> None:
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = self._sink.answer(self._parser.get_method(), self._body)
        self._body = b""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(answer) + answer)


class Sink:
    def __init__(self) -> None:
        self._notes = Notes()

    def answer(self, method: bytes, body: bytes) -> bytes:
        if method == b"POST":
            self._notes.note(body)
        elif method == b"DELETE":
            self._notes = Notes()
        elif method == b"GET":
            return msgspec.json.encode(self._notes.tally())
        return b""


def _milliseconds(ascending: list[int], quantile: float) -> float:
    if not ascending:
        return 0.0
    return ascending[min(int(quantile * len(ascending)), len(ascending) - 1)] / 1e6


async def serve(port: int) -> None:
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(sink), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
