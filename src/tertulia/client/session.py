"""A session as the published clients have it: Socket.IO on a websocket (wire-clients 1)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from msgspec import Struct, field

from tertulia.client.login import Login, address
from tertulia.client.websocket import Dropped, WebSocket
from tertulia.protocols import socketio
from tertulia.protocols.socketio import (
    Acknowledged,
    Closed,
    Connect,
    Disconnect,
    Emitted,
    Noop,
    Opened,
    Packet,
    PacketError,
    Ping,
    Pong,
    Refused,
)

LOGIN_S = 10.0
LOGOUT_S = 2.0
_PATHS = {3: "/rtc/", 4: "/v2/rtc/"}
_GOODBYES = ("session:logged-out", "session:terminated")


class SessionRefused(Exception):
    """The server gives no session. `type` says why: `system:error:invalid-token` …"""

    def __init__(self, type_: str) -> None:
        super().__init__(type_)
        self.type = type_


class SessionEnded(Exception):
    """The server ended the session: its token has expired, or somebody closed it."""


class Kind(Struct, frozen=True):
    """What a client says of itself when it connects for the first time."""

    generation: int = 4
    """Of Engine.IO: 3 or 4."""
    sdk_name: str | None = None
    """The older client sends none; `@vonage/client-sdk` gets only the types that it knows."""
    sdk_version: str = "9.5.1"
    session_version: str = "0.0.3"
    acknowledge_events: bool = True

    @property
    def path(self) -> str:
        return _PATHS[self.generation]

    def query(self, token: str, session_id: str | None) -> str:
        """A reconnection carries nothing of all that: the server remembers it."""
        own = {"EIO": self.generation, "transport": "websocket", "token": token}
        if session_id is not None:
            return urlencode(own | {"session_id": session_id})
        told: dict[str, object] = {
            "session_version": self.session_version, "SDK_version": self.sdk_version,
            "acknowledge_events": "true" if self.acknowledge_events else "false",
        }  # fmt: skip
        if self.sdk_name is not None:
            told["SDK_name"] = self.sdk_name
        return urlencode(own | told)


class Arrival(NamedTuple):
    """An event as it came."""

    type: str
    payload: dict[str, Any]
    ack: int | None
    """Acknowledges it: its position. None for what is not kept, and for what was pending, which
    the acknowledgement of the login stands for."""


class _SuccessBody(Struct):
    id: str
    user_id: str
    name: str
    pending_events: list[dict[str, Any]] = field(default_factory=list)


class _Success(Struct):
    body: _SuccessBody


_SUCCESS = msgspec.json.Decoder(_Success)
_OBJECT = msgspec.json.Decoder(dict[str, Any])

P = TypeVar("P", bound=Packet)


class Session:
    """One connection's share of a session. Pings are answered while `events` is read.

    `id`, `user_id` and `name` are the server's; `is_resumed` says that it knew the session, and
    so that nothing was missed.
    """

    def __init__(self, socket: WebSocket, kind: Kind) -> None:
        self.id = self.user_id = self.name = ""
        self.is_resumed = False
        self.pending: list[Arrival] = []
        """What was missed while away; the first that `events` gives."""
        self.login_ack: int | None = None
        self._socket = socket
        self._kind = kind
        self._acknowledges = True
        self._silence = LOGIN_S
        self._ping_every = LOGIN_S
        self._ping_at = float("inf")

    @classmethod
    async def open(
        cls, login: Login, *, kind: Kind | None = None, session_id: str | None = None,
        acknowledge: bool = True,
    ) -> "Session":  # fmt: skip
        """Log in, or go on with a session. `acknowledge=False` leaves that to the caller.

        Raises:
            SessionRefused: the server says no.
            NoServer: nobody is there.
            Dropped: no session came of the connection.
        """
        kind = kind or Kind()
        where = address(login.url)
        target = f"{where.path}{kind.path}?{kind.query(login.token, session_id)}"
        session = cls(await WebSocket.open(where, target), kind)
        session._acknowledges = acknowledge
        try:
            async with asyncio.timeout(LOGIN_S):
                await session._log_in(session_id)
        except TimeoutError:
            session.abort()
            raise Dropped(f"no session within {LOGIN_S:g} s") from None
        except BaseException:
            session.abort()
            raise
        return session

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()

    async def events(self) -> AsyncIterator[Arrival]:
        """What was pending, then what comes, each acknowledged before it is given.

        Raises:
            Dropped: the connection is gone; the session may be resumed.
            SessionEnded: the server has ended it.
        """
        while self.pending:
            yield self.pending.pop(0)
        while True:
            arrival = await self._next()
            if arrival.ack is not None and self._acknowledges:
                self.acknowledge(arrival.ack)
            yield arrival

    def acknowledge(self, number: int) -> None:
        self._socket.send(socketio.acknowledgement(number))

    def emit(self, type_: str, payload: object) -> None:
        self._socket.send(socketio.emitted(type_, msgspec.json.encode(payload)))

    async def logout(self) -> bool:
        """End the session. Events that still come are lost; whether the server confirmed it."""
        tid = str(uuid4())
        self.emit("session:logout", {"tid": tid, "body": {}})
        confirmed = False
        with suppress(Dropped, SessionEnded, TimeoutError):
            async with asyncio.timeout(LOGOUT_S):
                while not confirmed:
                    arrival = await self._next()
                    confirmed = arrival.type in _GOODBYES and arrival.payload.get("rid") == tid
        await self._socket.close()
        return confirmed

    async def close(self) -> None:
        """Leave the connection, not the session."""
        await self._socket.close()

    def abort(self) -> None:
        self._socket.abort()

    async def _log_in(self, resumed: str | None) -> None:
        self._keep_alive(await self._expect(Opened))
        if self._kind.generation == 4:
            self._socket.send(socketio.CONNECT)
        await self._expect(Connect)
        first = await self._expect(Emitted)
        if first.name != "session:success":
            raise SessionRefused(first.name)
        try:
            body = _SUCCESS.decode(first.argument).body
        except msgspec.DecodeError as error:
            raise Dropped(f"session:success: {error}") from None
        self.id, self.user_id, self.name = body.id, body.user_id, body.name
        self.is_resumed = resumed == body.id
        self.pending = list(_pending(body))
        self.login_ack = first.ack
        if first.ack is not None and self._acknowledges:
            self.acknowledge(first.ack)

    def _keep_alive(self, opened: Opened) -> None:
        """Generation 4: the server pings; 3: the client does."""
        self._ping_every = opened.ping_interval / 1000
        self._silence = (opened.ping_interval + opened.ping_timeout) / 1000
        if self._kind.generation == 3:
            self._ping_at = asyncio.get_running_loop().time() + self._ping_every

    async def _next(self) -> Arrival:
        while True:
            packet = await self._packet()
            if isinstance(packet, Emitted):
                return Arrival(packet.name, self._payload(packet), packet.ack)
            if isinstance(packet, Disconnect | Refused):
                self.abort()
                raise SessionEnded("the server has ended the session")

    def _payload(self, packet: Emitted) -> dict[str, Any]:
        try:
            return _OBJECT.decode(packet.argument)
        except msgspec.DecodeError as error:
            self.abort()
            raise Dropped(f"{packet.name} is no object: {error}") from None

    async def _expect(self, kind: type[P]) -> P:
        packet = await self._packet()
        if isinstance(packet, kind):
            return packet
        if isinstance(packet, Disconnect | Refused):
            raise SessionRefused("session:error:invalid")
        raise Dropped(f"{packet} instead of {kind.__name__}")

    async def _packet(self) -> Packet:
        """The next that is not about keeping the connection alive. Raises Dropped."""
        while True:
            try:
                packet = socketio.read(await self._text())
            except PacketError as error:
                self.abort()
                raise Dropped(str(error)) from None
            if isinstance(packet, Ping):
                self._socket.send(socketio.PONG + packet.data)
            elif isinstance(packet, Closed):
                self.abort()
                raise Dropped("the server closed the connection")
            elif not isinstance(packet, Pong | Noop | Acknowledged):
                return packet

    async def _text(self) -> bytes:
        loop = asyncio.get_running_loop()
        silent_at = loop.time() + self._silence
        while True:
            if loop.time() >= self._ping_at:
                self._socket.send(socketio.PING)
                self._ping_at += self._ping_every
            try:
                async with asyncio.timeout_at(min(silent_at, self._ping_at)):
                    return await self._socket.text()
            except TimeoutError:
                if loop.time() >= silent_at:
                    self.abort()
                    raise Dropped("the server says nothing any more") from None


def _pending(body: _SuccessBody) -> Iterator[Arrival]:
    for payload in body.pending_events:
        yield Arrival(str(payload.get("type", "")), payload, None)
