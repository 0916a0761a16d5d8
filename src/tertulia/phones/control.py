"""Lets a simulated phone call in: a Unix socket in the data folder, a line a command.

`call FROM TO` is answered with a line for each thing that happens: `ringing`, `answered`, then
`ended CODE`; or `failed CODE TEXT`, or `refused TEXT`. Who closes the connection hangs up.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

from tertulia.media.link import bound, short
from tertulia.phones.call import Call
from tertulia.phones.exchange import CallRefused, Exchange

SOCKET = "phones.sock"
"""In the data folder."""
LINE_MAX = 200
_CALL = re.compile(r"call (\+?\d{1,20}) (\+?\d{1,20})", re.ASCII)


class Control:
    """From `open` to `close`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._server: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """Raises OSError."""
        listener = bound(path)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: _Line(self._exchange), sock=listener
            )
        except OSError:
            listener.close()
            raise

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()


class _Line(asyncio.Protocol):
    """One connection: at most one call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waiting = b""
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's and not its class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        line, ended, self._waiting = self._waiting.partition(b"\n")
        if not ended and len(line) <= LINE_MAX:
            self._waiting = line
            return
        match = _CALL.fullmatch(line.decode("ascii", "replace").strip())
        if match is None or self._call is not None:
            self._end("refused this is no command")
            return
        try:
            self._call = self._exchange.call(match[1], match[2], self._told)
        except CallRefused as refusal:
            self._end(f"refused {refusal}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._call is not None:
            self._call.hang_up()

    def _told(self, text: str) -> None:
        if text.startswith(("ended", "failed")):
            self._end(text)
        else:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._transport is not None:
            self._transport.write(" ".join(text.split()).encode() + b"\n")

    def _end(self, text: str) -> None:
        self._say(text)
        if self._transport is not None:
            self._transport.close()


async def call(data: Path, number: str, to: str) -> AsyncGenerator[str, None]:
    """Let a simulated phone call; what happens, to the end. Who closes this hangs up.

    Raises OSError: there are no simulated phones.
    """
    with short(data / SOCKET) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    try:
        writer.write(f"call {number} {to}\n".encode())
        while line := await reader.readline():
            yield line.decode().rstrip("\n")
    finally:
        writer.close()
