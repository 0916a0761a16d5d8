"""The link between hub and media worker: length-prefixed msgpack of commands and reports.

A frame is four octets of length, big-endian, and one message of model/commands.py. The first frame
of each end holds VERSION alone, so that it can be read whatever changes behind it; the worker's
first report is Hello. Nothing here is bound to Unix sockets: any stream transport will do.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from tertulia.model.commands import VERSION, AnyCommand, AnyReport

SOCKET = "media.sock"
"""In the data folder."""
FRAME_MAX = 1 << 20
"""Octets of a message. The largest are an SDP, and the levels or the tracks of a great room."""
BACKLOG_MAX = 16 << 20
"""Octets that wait for an end that does not read; with more the link is cut."""
ADDRESS_MAX = 107
"""Octets of a Unix socket's address, without the zero behind it (unix(7))."""

_LENGTH = 4
_ENCODER = msgspec.msgpack.Encoder()
_VERSION_DECODER = msgspec.msgpack.Decoder(int)
_COMMAND_DECODER = msgspec.msgpack.Decoder(AnyCommand)
_REPORT_DECODER = msgspec.msgpack.Decoder(AnyReport)

Heard = TypeVar("Heard")
Made = TypeVar("Made", bound="Connection[AnyCommand] | Connection[AnyReport]")


class BadFrame(Exception):
    """The other end sent what is no frame of ours. The message says what is wrong."""


class Frames:
    """Cuts a stream of octets into frames."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def split(self, data: bytes) -> Iterator[bytes]:
        """The bodies of the frames that `data` completes. Raises BadFrame."""
        self._waiting += data
        start = 0
        try:
            while len(self._waiting) - start >= _LENGTH:
                body = start + _LENGTH
                length = int.from_bytes(self._waiting[start:body])
                if not 0 < length <= FRAME_MAX:
                    raise BadFrame(f"a frame of {length} octets")
                if len(self._waiting) < body + length:
                    return
                start = body + length
                yield bytes(self._waiting[body:start])
        finally:
            del self._waiting[:start]


class Connection(asyncio.Protocol, Generic[Heard]):
    """One end. It hears nothing before the versions agree, and nothing after it was closed."""

    def __init__(
        self, decoder: msgspec.msgpack.Decoder[Heard], heard: Callable[[Heard], None],
        lost: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._decoder = decoder
        self._heard = heard
        self._lost = lost
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._agreed = False
        self._end: str | None = None
        """Why it is over."""

    def send(self, message: Struct) -> bool:
        """False: it is longer than a frame may be, and is not sent."""
        body = _ENCODER.encode(message)
        if len(body) > FRAME_MAX:
            return False
        self._write(body)
        return True

    def close(self, reason: str) -> None:
        """End it at once; `lost` is called with the first reason given."""
        if self._end is None:
            self._end = reason
            if self._transport is not None:
                self._transport.abort()

    def finish(self) -> None:
        """End it when all that was said has left."""
        if self._end is None:
            self._end = "it was finished"
            if self._transport is not None:
                self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._end is not None:  # it was closed before it began
            self._transport.abort()
        self._write(_ENCODER.encode(VERSION))

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.split(data):
                if self._end is None:
                    self._take(body)
        except BadFrame as wrong:
            self.close(f"the other end sent {wrong}")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is None:
            self._end = str(exc) if exc else "the other end closed it"
        self._lost(self._end)

    def _take(self, body: bytes) -> None:
        if not self._agreed:
            self._compare(body)
            return
        try:
            message = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadFrame(f"a message that is none: {error}") from None
        self._heard(message)

    def _compare(self, body: bytes) -> None:
        try:
            version = _VERSION_DECODER.decode(body)
        except (msgspec.MsgspecError, RecursionError):
            raise BadFrame("no version") from None
        if version != VERSION:
            raise BadFrame(f"version {version} of the link, and this is version {VERSION}")
        self._agreed = True

    def _write(self, body: bytes) -> None:
        if self._transport is None or self._end is not None:
            return
        self._transport.write(len(body).to_bytes(_LENGTH) + body)
        if self._transport.get_write_buffer_size() > BACKLOG_MAX:
            self.close("the other end does not read")


def worker_end(
    heard: Callable[[AnyCommand], None], lost: Callable[[str], None]
) -> Connection[AnyCommand]:
    return Connection(_COMMAND_DECODER, heard, lost)


def hub_end(
    heard: Callable[[AnyReport], None], lost: Callable[[str], None]
) -> Connection[AnyReport]:
    return Connection(_REPORT_DECODER, heard, lost)


async def connect(path: Path, make: Callable[[], Made]) -> Made:
    """Raises OSError."""
    with short(path) as address:
        _, made = await asyncio.get_running_loop().create_unix_connection(make, address)
    return made


async def listen(path: Path, make: Callable[[], Made]) -> asyncio.AbstractServer:
    """Nobody but the user that we run as may connect. Raises OSError."""
    listener = bound(path)
    try:
        return await asyncio.get_running_loop().create_unix_server(make, sock=listener)
    except OSError:
        listener.close()
        raise


def bound(path: Path) -> socket.socket:
    """A Unix socket at a path, for the user that we run as. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # bind makes the file with the mode of the socket: there is no moment at which it is open
        os.fchmod(listener.fileno(), 0o600)
        path.unlink(missing_ok=True)  # of a hub that was killed
        with short(path) as address:
            listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


@contextmanager
def short(path: Path) -> Iterator[str]:
    """A spelling of a path that a socket's address has room for."""
    if len(os.fsencode(path)) <= ADDRESS_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
