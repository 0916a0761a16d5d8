"""Connections to the websocket servers of applications: what is asyncio of websocket legs.

The tick writes and never waits: what a server does not read in time is thrown away. What a server
sends is read as far as a tick's share goes; the rest stays with it.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Protocol, cast

from tertulia.model.commands import Socket
from tertulia.protocols.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    WebsocketError,
    close_payload,
    masked_frame,
)
from tertulia.protocols.websocket_client import NONCE, NotOpened, Opening

CONNECT_SECONDS = 3.0
"""To find the server, and for TCP and TLS."""
HANDSHAKE_SECONDS = 5.0
CLOSING_SECONDS = 2.0
"""For a server to close its end when we have closed ours."""
TEXT_MAX = 64 * 1024
AUDIO_MAX = 256 * 1024
"""Octets of a message; one that is longer ends the leg."""
BACKLOG_MAX = 256 * 1024
"""Octets that wait for a server that does not read, of any kind."""
SHARE_MESSAGES = 1100
SHARE_OCTETS = 2 << 20
"""That are taken of a server in a tick: all of a full queue sent at once, and some more."""
_SLICE = 8 * 1024
"""Octets between two looks at the share."""
_ADDRESSES_MAX = 3
_UNSENT = 16 * 1024
"""Octets that the kernel keeps for a server, beside those that are on their way."""
_NOWHERE = "no websocket server can be reached from here"
_UNSENT_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""Where there is none, the kernel keeps what it likes."""

LOST, CLOSED, FAILED = "lost", "closed", "failed"
"""How a connection ends: without a word; by the server's closing it; by its breaking the protocol.
One that never opened is lost as well."""


class Place(NamedTuple):
    """Where a URL leads."""

    addresses: list[str]
    """Numeric, and permitted: no others are connected to."""
    host: str
    """For TLS."""
    port: int
    authority: str
    """For the Host header."""
    path: str
    secure: bool


class NoPlace(Exception):
    """A URL leads nowhere, or to where it must not. The message says which."""


Find = Callable[[str], Awaitable[Place]]
"""Raises NoPlace."""


class Owner(Protocol):
    """Who is told what comes of a connection, between ticks."""

    def on_open(self, remote: str) -> None: ...
    def on_audio(self, data: bytes) -> None: ...
    def on_text(self, data: bytes) -> None: ...
    def on_lost(self, cause: str, reason: str) -> None:
        """The last thing that is told."""


class Connection(Protocol):
    """To a server, from dialling on."""

    received: int
    """Octets, so far."""

    @property
    def backlog(self) -> int:
        """Octets that the server has not taken."""

    def send(self, data: bytes, opcode: int = TEXT) -> None:
        """Nothing before it is open, nor when too much waits."""

    def renew(self) -> None:
        """A tick is over: read on."""

    def hang_up(self) -> None:
        """Close it, or give it up. The owner is told nothing more."""


Dial = Callable[[Socket, Owner], Connection]


async def nowhere(url: str) -> Place:
    raise NoPlace(_NOWHERE)


def nobody(command: Socket, owner: Owner) -> Connection:
    """Where there is no loop to dial with."""
    wire = Wire(owner, bytes)
    wire.give_up(_NOWHERE)
    return wire


class Wire(asyncio.Protocol):
    """A connection over TCP or TLS. Used from the loop's thread."""

    def __init__(self, owner: Owner, random: Callable[[int], bytes]) -> None:
        self.received = 0
        self.dialling: asyncio.Task[None] | None = None
        self._owner: Owner | None = owner
        self._random = random
        self._transport: asyncio.Transport | None = None
        self._opening: Opening | None = None
        self._opened: asyncio.Future[None] | None = None
        """While hands are being shaken."""
        self._is_open = False
        self._reader = FrameReader(AUDIO_MAX, masked=False, text_max=TEXT_MAX)
        self._unread = bytearray()
        """What came beyond a tick's share."""
        self._messages = self._octets = 0
        """Taken in this tick."""
        self._closing: asyncio.TimerHandle | None = None

    # ── what its leg calls ──

    @property
    def backlog(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def send(self, data: bytes, opcode: int = TEXT) -> None:
        if self._is_open and self._closing is None and self.backlog <= BACKLOG_MAX:
            self._write(data, opcode)

    def renew(self) -> None:
        self._messages = self._octets = 0
        if self._unread and self._is_open:
            unread, self._unread = self._unread, bytearray()
            self._take(bytes(unread))
            if not self._unread and self._transport is not None:
                self._transport.resume_reading()

    def hang_up(self) -> None:
        self._owner = None
        if self._is_open:
            self._close(1000)
        elif self.dialling is not None:
            self.dialling.cancel()

    # ── the opening ──

    async def shake_hands(self, opening: Opening) -> None:
        """Raises NotOpened, OSError."""
        if self._transport is None or self._transport.is_closing():
            raise NotOpened("the server has gone")
        self._opening, self._opened = opening, asyncio.get_running_loop().create_future()
        self._transport.write(opening.request)
        await self._opened

    def give_up(self, reason: str) -> None:
        """It does not open."""
        if self._transport is not None:
            self._transport.abort()
        self._end(LOST, reason)

    def _open(self, rest: bytes) -> None:
        self._opening, self._is_open = None, True
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        if self._owner is not None and self._transport is not None:
            peer = self._transport.get_extra_info("peername") or ("", 0)
            self._owner.on_open("{}:{}".format(*peer[:2]))
        if rest:
            self._take(rest)

    # ── what its transport calls ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio's and not its class.
        self._transport = cast(asyncio.Transport, transport)
        plain = transport.get_extra_info("socket")
        if plain is not None and _UNSENT_OPTION is not None:
            with suppress(OSError):
                plain.setsockopt(socket.IPPROTO_TCP, _UNSENT_OPTION, _UNSENT)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self._is_open:
            self._take(data)
        elif self._opening is not None:
            self._hear_answer(self._opening, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closing is not None:
            self._closing.cancel()
        reason = str(exc) if exc else "the server has gone"
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(NotOpened(reason))
        elif self._is_open:
            self._end(LOST, reason)
        self._is_open = False
        self._unread.clear()

    def _hear_answer(self, opening: Opening, data: bytes) -> None:
        try:
            rest = opening.feed(data)
        except NotOpened as error:
            if self._opened is not None and not self._opened.done():
                self._opened.set_exception(error)
            return
        if rest is not None:
            self._open(rest)

    # ── messages ──

    def _take(self, data: bytes) -> None:
        """As much of it as this tick has a share for."""
        if self._unread:
            self._unread += data
            return
        for start in range(0, len(data), _SLICE):
            if self._messages >= SHARE_MESSAGES or self._octets >= SHARE_OCTETS:
                self._unread += data[start:]
                if self._transport is not None:
                    self._transport.pause_reading()
                return
            self._read(data[start : start + _SLICE])

    def _read(self, data: bytes) -> None:
        self._octets += len(data)
        try:
            messages = self._reader.feed(data)
        except WebsocketError as error:
            self._close(error.code)
            self._end(FAILED, error.reason)
            return
        self._messages += len(messages)
        for message in messages:
            self._hear(message)

    def _hear(self, message: Message) -> None:
        if message.opcode == PING:
            self.send(message.data, PONG)
        elif message.opcode == CLOSE:
            self._answer_close(message.data)
            self._end(CLOSED, "the server has closed the connection")
        elif self._owner is not None and message.opcode == BINARY:
            self._owner.on_audio(message.data)
        elif self._owner is not None and message.opcode == TEXT:
            self._owner.on_text(message.data)

    def _answer_close(self, data: bytes) -> None:
        if self._closing is None:
            self._write(data[:2], CLOSE)
            self._close_later()
        if self._transport is not None:
            self._transport.close()

    # ── the end ──

    def _close(self, code: int) -> None:
        """Say so and wait a while for the server to do the same."""
        if self._closing is None:
            self._write(close_payload(code), CLOSE)
            self._close_later()

    def _close_later(self) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(CLOSING_SECONDS, self._transport.abort)

    def _end(self, cause: str, reason: str) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.on_lost(cause, reason)

    def _write(self, data: bytes, opcode: int) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(masked_frame(data, self._random(4), opcode))


class Dialer:
    """Makes connections, within the time-outs. Needs a running loop."""

    def __init__(
        self, find: Find, random: Callable[[int], bytes], tls: ssl.SSLContext | None = None
    ) -> None:
        self._find, self._random = find, random
        self._tls = tls or ssl.create_default_context()

    def dial(self, command: Socket, owner: Owner) -> Wire:
        wire = Wire(owner, self._random)
        wire.dialling = asyncio.get_running_loop().create_task(self._dial(command, wire))
        return wire

    async def _dial(self, command: Socket, wire: Wire) -> None:
        is_done = False
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                place = await self._find(command.url)
                nonce = self._random(NONCE)
                opening = Opening(place.authority, place.path, nonce, command.headers)
                await self._connect(place, wire)
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await wire.shake_hands(opening)
            is_done = True
        except TimeoutError:
            wire.give_up("the server did not answer in time")
        except (OSError, NoPlace, NotOpened, ValueError) as error:
            wire.give_up(str(error) or type(error).__name__)
        finally:
            wire.dialling = None
            if not is_done:
                wire.give_up("it was given up")

    async def _connect(self, place: Place, wire: Wire) -> None:
        """To the first address that answers. Raises OSError, of which TimeoutError is one."""
        addresses = place.addresses[:_ADDRESSES_MAX]
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS / len(addresses)):
                    await asyncio.get_running_loop().create_connection(
                        lambda: wire, address, place.port,
                        ssl=self._tls if place.secure else None,
                        server_hostname=place.host if place.secure else None,
                        ssl_shutdown_timeout=CLOSING_SECONDS if place.secure else None,
                    )  # fmt: skip
                return
            except OSError:
                if address == addresses[-1]:
                    raise
        raise NoPlace("the URL leads to no address")
