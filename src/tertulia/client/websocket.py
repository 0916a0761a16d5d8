"""The client's end of a websocket over asyncio streams. It has no task: it reads when asked to."""

import asyncio
import os
from collections import deque
from contextlib import suppress

from tertulia.client.login import Address, Streams, dial
from tertulia.protocols.websocket import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    WebsocketError,
    close_code,
    close_payload,
    masked_frame,
)
from tertulia.protocols.websocket_client import NONCE, NotOpened, Opening

MESSAGE_MAX = 64 * 1024 * 1024
"""Bytes: a session that was away for long gets all it missed in one message."""
HANDSHAKE_S = 10.0
_READ = 64 * 1024


class Dropped(ConnectionError):
    """The connection is gone, or was never one."""


class WebSocket:
    """Open from the start; `texts` are what comes."""

    def __init__(self, streams: Streams) -> None:
        self._reader, self._writer = streams
        self._frames = FrameReader(MESSAGE_MAX, masked=False)
        self._arrived: deque[Message] = deque()

    @classmethod
    async def open(cls, where: Address, target: str) -> "WebSocket":
        """Raises NoServer, or Dropped when what is there does not become a websocket."""
        streams = await dial(where)
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await _shake_hands(streams, where, target)
        except TimeoutError:
            streams[1].transport.abort()
            raise Dropped(f"no websocket within {HANDSHAKE_S:g} s") from None
        except (OSError, EOFError, asyncio.LimitOverrunError, NotOpened) as error:
            streams[1].transport.abort()
            raise Dropped(str(error)) from None
        except BaseException:
            streams[1].transport.abort()
            raise
        return cls(streams)

    async def text(self) -> bytes:
        """The next text. Raises Dropped."""
        while True:
            while self._arrived:
                message = self._arrived.popleft()
                if message.opcode == TEXT:
                    return message.data
                self._control(message)
            await self._read()

    def send(self, text: bytes, opcode: int = TEXT) -> None:
        """Queue a text; what was lost on a broken line is told by `text`."""
        self._writer.write(masked_frame(text, os.urandom(4), opcode))

    async def close(self, code: int = 1000) -> None:
        """Say goodbye and do not wait for the answer."""
        self.send(close_payload(code), CLOSE)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Go without a word."""
        self._writer.transport.abort()

    async def _read(self) -> None:
        try:
            data = await self._reader.read(_READ)
            self._arrived.extend(self._frames.feed(data))
        except (OSError, WebsocketError) as error:
            self.abort()
            raise Dropped(str(error)) from None
        if not data:
            self.abort()
            raise Dropped("the server closed the connection")

    def _control(self, message: Message) -> None:
        if message.opcode == PING:
            self.send(message.data, PONG)
        elif message.opcode == CLOSE:
            code, reason = close_code(message.data)
            self.abort()
            raise Dropped(f"the server closed the websocket: {code or ''} {reason}".rstrip(": "))


async def _shake_hands(streams: Streams, where: Address, target: str) -> None:
    reader, writer = streams
    opening = Opening(where.authority, target, os.urandom(NONCE))
    writer.write(opening.request)
    opening.feed(await reader.readuntil(b"\r\n\r\n"))
