"""One session socket: what the client says, and the order in which the two greet each other.

Protocols decide what bytes mean; this class keeps the few states of the connection. Time passes in
`tick`, which the doorway's sweep calls; there are no timers here.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple, Protocol, cast

import msgspec
from msgspec import Struct

from tertulia.live.session import Session
from tertulia.live.sessions import Knock
from tertulia.model.errors import Rejected, Unavailable
from tertulia.protocols import socketio, websocket
from tertulia.protocols.websocket import FrameReader, Message, WebsocketError, frame

MESSAGE_MAX = 64 * 1024
"""Bytes of one message from a client: what clients still send is small."""
STRIKES_MAX = 100
"""Packets that mean nothing here, before the connection is closed."""
GREETING_SECONDS = 10.0
"""From the handshake to the login; a client that was refused may stay as long."""
CLOSING_SECONDS = 3.0


class Greeting(NamedTuple):
    """What the handshake said."""

    generation: int
    """Of Engine.IO: 3 or 4."""
    token: str | None
    """None: the client will ask for its session by an event (wire-clients 6)."""
    knock: Knock


class House(Protocol):
    """What a socket needs of the doorway it came in by."""

    ping_interval: float
    ping_timeout: float
    buffer: int

    def now(self) -> float: ...
    def sid(self) -> str: ...
    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...
    async def log_in(self, token: str, knock: Knock, socket: "Socket") -> None: ...
    async def renew(self, token: str, session: Session) -> None: ...
    def log_out(self, session: Session) -> None: ...
    def leave(self, socket: "Socket", session: Session) -> None: ...
    def forget(self, socket: "Socket") -> None: ...


class _Request(Struct):
    tid: str | None = None
    body: dict[str, Any] = msgspec.field(default_factory=dict)


_REQUEST = msgspec.json.Decoder(_Request)


class Socket(asyncio.Protocol):
    __slots__ = (
        "_deadline", "_drain", "_generation", "_greeting", "_house", "_is_closing", "_is_connected",
        "_is_refused", "_is_waiting", "_login", "_reader", "_session", "_strikes", "_transport",
        "write",
    )  # fmt: skip

    def __init__(self, house: House, greeting: Greeting) -> None:
        self._house = house
        self._generation = greeting.generation
        self._greeting: Greeting | None = greeting
        self._reader = FrameReader(MESSAGE_MAX, masked=True)
        self._session: Session | None = None
        self._login: asyncio.Task[None] | None = None
        """Under way: one at a time, and none without the connection."""
        self._drain: asyncio.Future[None] | None = None
        """While a login waits for the client to take what it was told."""
        self._deadline = house.now() + GREETING_SECONDS
        """When a ping is due, or something has to have come."""
        self._is_waiting = False
        """Nothing has come since the last ping."""
        self._is_connected = self._is_closing = self._is_refused = False
        self._strikes = 0

    # --- what the transport calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        house = self._house
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=house.buffer // 4, low=0)
        self.write = self._transport.write
        opened = socketio.open_packet(
            house.sid(), ping_interval_ms=int(house.ping_interval * 1000),
            ping_timeout_ms=int(house.ping_timeout * 1000), max_payload=MESSAGE_MAX,
        )  # fmt: skip
        self.write(frame(opened))
        if self._generation == 3:  # the older generation is connected without asking
            self.write(frame(socketio.CONNECT))
            self._connect()

    def data_received(self, data: bytes) -> None:
        self._is_waiting = False
        session = self._session
        if session is not None and self._reader.is_between:
            # nearly all that clients send
            numbers, size = socketio.acknowledgements(data)
            if numbers and (unknown := session.acknowledge(numbers)):
                self._strike(unknown)
            if size == len(data):
                return
            data = data[size:]
        try:
            for message in self._reader.feed(data):
                self._take(message)
        except WebsocketError as error:
            self.close(error.code, error.reason)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        """Who logs in is waited for, whatever it is owed; a session that is slow later is cut."""
        loop = asyncio.get_running_loop()
        if self._login is not None:
            self._drain = loop.create_future()
        else:
            # later: this may be called from inside of a delivery to many sessions
            loop.call_soon(self.drop)

    def resume_writing(self) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and not drain.done():
            drain.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._leave()
        self._house.forget(self)

    # --- what its session and the doorway call ---

    def take(self, session: Session) -> None:
        """What the client says from its greeting on, it says of this session."""
        self._session = session
        self._deadline = self._house.now() + self._house.ping_interval

    @property
    def is_full(self) -> bool:
        return self._drain is not None

    async def drained(self) -> None:
        if self._drain is not None:
            await self._drain

    def drop(self) -> None:
        """Cut the connection; the session can be resumed."""
        self._is_closing = True
        self._leave()
        self._transport.abort()

    def retire(self, farewell: bytes) -> None:
        """Say goodbye for good: the client is not to come back by itself."""
        if not self._is_closing:
            self.write(farewell)
            self.close(1000, "")

    def close(self, code: int, reason: str) -> None:
        """End the connection in good order."""
        if self._is_closing:
            return
        self._is_closing = True
        self._deadline = self._house.now() + CLOSING_SECONDS
        self._leave()
        self.write(frame(websocket.close_payload(code, reason), websocket.CLOSE))
        self._transport.close()

    def _leave(self) -> None:
        session, self._session = self._session, None
        login, self._login = self._login, None
        if login is not None:
            login.cancel()
        if session is not None:
            self._house.leave(self, session)

    def tick(self, now: float, wall: int) -> None:
        """Ping, end what is silent or has expired. `wall` is the time of tokens."""
        session = self._session
        if session is not None and session.expires_at <= wall and not self._is_closing:
            self.retire(frame(socketio.DISCONNECT))
        elif now < self._deadline:
            return
        elif self._is_refused and session is None:
            self.retire(frame(socketio.DISCONNECT))
        elif self._is_closing or session is None or self._is_waiting:
            self.drop()
        elif self._generation == 3:  # the client pings: silence for both times is too long
            self._wait(now, self._house.ping_interval + self._house.ping_timeout)
        else:
            self.write(frame(socketio.PING))
            self._wait(now, self._house.ping_timeout)

    # --- what the client says ---

    def _wait(self, now: float, seconds: float) -> None:
        self._is_waiting = True
        self._deadline = now + seconds

    def _strike(self, count: int = 1) -> None:
        self._strikes += count
        if self._strikes > STRIKES_MAX:
            self.close(1008, "Too much that means nothing here.")

    def _take(self, message: Message) -> None:
        if self._is_closing:
            return
        if message.opcode == websocket.TEXT:
            self._take_packet(message.data)
        elif message.opcode == websocket.PING:
            self._answer(frame(message.data, websocket.PONG))
        elif message.opcode == websocket.CLOSE:
            code, _ = websocket.close_code(message.data)
            self.close(code or 1000, "")
        elif message.opcode == websocket.BINARY:
            self.close(1003, "Only text is spoken here.")

    def _take_packet(self, text: bytes) -> None:
        try:
            packet = socketio.read(text)
        except socketio.PacketError as error:
            self.close(1002, str(error))
            return
        match packet:
            case socketio.Ping(data):
                self._answer(frame(socketio.PONG + data))
            case socketio.Acknowledged(number) if self._session is not None:
                self._strike(self._session.acknowledge([number]))
            case socketio.Connect("/") if not self._is_connected:
                self.write(frame(socketio.connected(self._house.sid())))
                self._connect()
            case socketio.Emitted(name, argument) if self._is_connected:
                self._asked(name, argument)
            case socketio.Disconnect() | socketio.Closed():
                self.close(1000, "")
            case socketio.Pong() | socketio.Noop():
                pass
            case _:
                self._strike()

    def _connect(self) -> None:
        self._is_connected = True
        greeting, self._greeting = self._greeting, None
        if greeting is not None and greeting.token is not None:
            self._log_in(greeting.token, greeting.knock)

    def _asked(self, name: str, argument: bytes) -> None:
        try:
            request = _REQUEST.decode(argument)
        except msgspec.DecodeError:
            self._strike()
            return
        token = request.body.get("token")
        if name == "session:logout" and self._session is not None:
            self._house.log_out(self._session)
            self._leave()
            self._say("session:logged-out", {}, request.tid)
        elif name == "session:login" and self._may_log_in and isinstance(token, str):
            self._log_in(token, self._knock(request))
        elif name == "session:update-token" and self._session and isinstance(token, str):
            self._house.run(self._renew(token, self._session, request.tid))
        else:
            self._strike()
            self._say("system:error:invalid-event", {"type": name[:100]}, request.tid)

    def _knock(self, request: _Request) -> Knock:
        """COMPAT: older clients tell in the event what newer ones tell in the query."""
        body = request.body
        asked = body.get("session_id")
        return Knock(
            session_id=asked if isinstance(asked, str) else None,
            version=str(body.get("session_version", "")), sdk_name=str(body.get("SDK_name", "")),
            acknowledges=False, rid=request.tid,
        )  # fmt: skip

    @property
    def _may_log_in(self) -> bool:
        return self._session is None and self._login is None

    def _log_in(self, token: str, knock: Knock) -> None:
        self._login = self._house.run(self._logged_in(token, knock))

    async def _logged_in(self, token: str, knock: Knock) -> None:
        """COMPAT: a refusal is an event too, and the connection stays: closed at once, clients
        would take it for trouble of the network and come back (wire-clients 1.3). They do so
        when it is cut later, too: who stays that long is told to go."""
        try:
            await self._house.log_in(token, knock, self)
            self._transport.set_write_buffer_limits(high=self._house.buffer)
        except Rejected as refusal:
            self._is_refused = True
            self._say(refusal.code, {}, knock.rid)
            self._strike()
        except Unavailable:
            self.close(1013, "Try again later.")
        finally:
            self._login = None

    async def _renew(self, token: str, session: Session, rid: str | None) -> None:
        try:
            await self._house.renew(token, session)
        except Rejected as refusal:
            self._say(refusal.code, {}, rid)
            self._strike()
        except Unavailable:
            self._say("system:error:unavailable", {}, rid)
        else:
            self._say("session:update-token:success", {}, rid)

    def _say(self, name: str, body: dict[str, Any], rid: str | None) -> None:
        told = {"body": body} if rid is None else {"rid": rid, "body": body}
        self._answer(frame(socketio.emitted(name, msgspec.json.encode(told))))

    def _answer(self, data: bytes) -> None:
        if self._drain is not None:
            self._strike()  # it asks on and on, and does not read
        if not self._is_closing:
            self.write(data)
