"""Lets a simulated phone call in and write: a Unix socket in the data folder, a line a command.

`call FROM TO` is answered with a line for each thing that happens: `ringing`, `answered`, then
`ended CODE`; or `failed CODE TEXT`, or `refused TEXT`. Who closes the connection hangs up.
`text CHANNEL FROM TO TEXT…` is answered `sent ID` or `refused TEXT`; `handset CHANNEL ADDRESS` and
`handsets` with JSON.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import msgspec

from tertulia.media.link import bound, short
from tertulia.model.sending import Content
from tertulia.phones.call import Call
from tertulia.phones.exchange import CallRefused, Exchange
from tertulia.phones.handset_api import listing, screen
from tertulia.phones.texting import NotWritten, Texting

SOCKET = "phones.sock"
"""In the data folder."""
LINE_MAX = 8192
"""Octets."""
ANSWER_MAX = 1 << 20
"""Octets: a screen full of messages."""
_CALL = re.compile(r"call (\+?\d{1,20}) (\+?\d{1,20})", re.ASCII)
_TEXT = re.compile(r"text (\w{1,20}) (\S{1,200}) (\S{1,200}) (.+)", re.ASCII)
_HANDSET = re.compile(r"handset (\w{1,20}) (\S{1,200})", re.ASCII)


class Control:
    """From `open` to `close`."""

    def __init__(self, exchange: Exchange, texting: Texting) -> None:
        self._exchange, self._texting = exchange, texting
        self._server: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """Raises OSError."""
        listener = bound(path)
        try:
            self._server = await asyncio.get_running_loop().create_unix_server(
                lambda: _Line(self._exchange, self._texting), sock=listener
            )
        except OSError:
            listener.close()
            raise

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()


class _Line(asyncio.Protocol):
    """One connection: one command."""

    def __init__(self, exchange: Exchange, texting: Texting) -> None:
        self._exchange, self._texting = exchange, texting
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
        command = line.decode("utf-8", "replace").strip()
        match = _CALL.fullmatch(command)
        if match is None or self._call is not None:
            self._end(self._answered(command) or "refused this is no command")
            return
        try:
            self._call = self._exchange.call(match[1], match[2], self._told)
        except CallRefused as refusal:
            self._end(f"refused {refusal}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._call is not None:
            self._call.hang_up()

    def _answered(self, command: str) -> str:
        """To a command of messages; empty when it is none."""
        if match := _TEXT.fullmatch(command):
            channel, sender, to, text = match.groups()
            try:
                message = self._texting.write(channel, sender, to, Content("text", {"text": text}))
            except NotWritten as refusal:
                return f"refused {refusal}"
            return f"sent {message.id}"
        if match := _HANDSET.fullmatch(command):
            return msgspec.json.encode(screen(self._texting, match[1], match[2])).decode()
        if command == "handsets":
            return msgspec.json.encode(listing(self._texting)).decode()
        return ""

    def _told(self, text: str) -> None:
        if text.startswith(("ended", "failed")):
            self._end(text)
        else:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._transport is not None:
            self._transport.write(" ".join(text.splitlines()).encode() + b"\n")

    def _end(self, text: str) -> None:
        self._say(text)
        if self._transport is not None:
            self._transport.close()


async def told(data: Path, command: str) -> str:
    """The answer to a command of messages. Raises OSError: there are no simulated phones."""
    with short(data / SOCKET) as address:
        reader, writer = await asyncio.open_unix_connection(address, limit=ANSWER_MAX)
    try:
        writer.write(command.encode() + b"\n")
        return (await reader.readline()).decode().rstrip("\n")
    finally:
        writer.close()


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
