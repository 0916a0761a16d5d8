"""The application that is called: says what becomes of each call, and counts what it is told.

A process of its own, which answers at once. `/answer` gives a script with which the call stays,
in a conversation of its own, until the caller hangs up. GET `/tally` answers a Tally, DELETE
forgets.
"""

import asyncio
import re
import sys
from typing import cast
from urllib.parse import parse_qs, urlsplit

import httptools
import msgspec
import uvloop
from msgspec import Struct

COMPLETED = re.compile(rb'"status":"completed"')
FAILED = re.compile(rb'"status":"(?:busy|cancelled|failed|rejected|timeout|unanswered)"')
VOICE = b'"disconnected_by":'
"""Tells a voice webhook about the end of a call from events of conversations."""
SCRIPT = '[{"action":"conversation","name":"call-%s"}]'


class Tally(Struct, frozen=True):
    asked: int
    """What becomes of a call."""
    told: int
    """Anything else."""
    completed: int
    """Calls that were answered, and have ended."""
    failed: int
    """Calls that have ended without an answer."""


class Ears:
    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._asked = self._told = self._completed = self._failed = 0

    def answer(self, method: bytes, url: bytes, body: bytes) -> bytes:
        path = urlsplit(url.decode())
        if path.path == "/answer":
            self._asked += 1
            return (SCRIPT % parse_qs(path.query)["uuid"][0]).encode()
        if path.path == "/tally":
            tally = Tally(self._asked, self._told, self._completed, self._failed)
            if method == b"DELETE":
                self._forget()
            return msgspec.json.encode(tally)
        self._told += 1
        if VOICE in body:
            self._completed += COMPLETED.search(body) is not None
            self._failed += FAILED.search(body) is not None
        return b""


class Receiver(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._parser = httptools.HttpRequestParser(self)
        self._url = self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = self._ears.answer(self._parser.get_method(), self._url, self._body)
        self._url = self._body = b""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(answer) + answer)


async def serve(port: int) -> None:
    ears = Ears()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(ears), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
