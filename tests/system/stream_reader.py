"""A back end on the event stream: Server-Sent Events over a plain socket."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from tests.system.caller import fresh_token

from tertulia.devkit import DevDocument

PATH = "/tertulia/v1/events"


class Reader:
    """Server-Sent Events as octets over a plain socket; what it has read it remembers."""

    def __init__(self, document: DevDocument, query: str = "") -> None:
        address = urlsplit(document.api_url)
        self._address = (address.hostname, address.port)
        self._token = fresh_token(document)
        self._target = f"{PATH}?{query}"
        self.last_id = ""
        self.events: list[tuple[int, Any]] = []
        """Position and envelope."""
        self.raw: list[bytes] = []
        """The envelopes as they came."""

    async def read(self, octets: int, *, until: int) -> None:
        """Connect and read about so many octets, or so many events in all; then hang up."""
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(self._request())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), head
            text = b""
            while octets > 0 and len(self.events) < until:
                size = int(await reader.readuntil(b"\r\n"), 16)
                piece = (await reader.readexactly(size + 2))[:-2][:octets]
                octets -= len(piece)
                *blocks, text = (text + piece).split(b"\n\n")
                for block in blocks:
                    self._take(block)
        finally:
            writer.transport.abort()

    def _request(self) -> bytes:
        resuming = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        return (
            f"GET {self._target} HTTP/1.1\r\nHost: here\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {self._token}\r\n{resuming}\r\n"
        ).encode()

    def _take(self, block: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
        self.last_id = fields.get(b"id", self.last_id.encode()).decode()
        if b"data" in fields:
            self.raw.append(fields[b"data"])
            event = json.loads(fields[b"data"])
            assert event["type"] == fields[b"event"].decode()
            self.events.append((int(self.last_id), event))
