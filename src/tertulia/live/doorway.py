"""The doorway: websocket handshakes for sessions, and the sweep over all sockets.

Both generations of the protocol come in here, at the paths that the published clients know; the
query tells which one is spoken (wire-clients 1.1, 6).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from tertulia.live.reception import Reception
from tertulia.live.session import Session
from tertulia.live.sessions import Knock, Sessions, Visitor
from tertulia.live.socket import Greeting, Socket
from tertulia.model.errors import Rejected
from tertulia.ports import Clock, Ids
from tertulia.protocols.http1 import HttpError, Request
from tertulia.protocols.websocket import accept
from tertulia.settings import Sessions as Limits

PATHS = frozenset(("/v2/rtc", "/rtc"))
QUERY_MAX = 50
GENERATIONS = {"3": 3, "4": 4}
SWEEP_SECONDS = 1.0
GOING_AWAY = "The server is going away."
DRAIN_RATE = 500.0
"""Clients a second: those who come to other nodes have to be told there what they have missed."""
DRAIN_STEP = 0.02
"""Seconds that are not waited for."""

Identify = Callable[[str], Awaitable[Visitor]]
"""Whom a token speaks for, if it may open sessions. Raises rows of the error table."""


class Doorway:
    """Gives a handshake its socket. `now` is monotonic, in seconds."""

    def __init__(
        self, reception: Reception, sessions: Sessions, identify: Identify, *, clock: Clock,
        ids: Ids, now: Callable[[], float], limits: Limits,
    ) -> None:  # fmt: skip
        self._reception = reception
        self._sessions = sessions
        self._identify = identify
        self._clock = clock
        self._ids = ids
        self.now = now
        self.ping_interval = limits.ping_interval_s
        self.ping_timeout = limits.ping_timeout_s
        self.buffer = limits.buffer
        self._sockets_max = limits.max_sockets
        self._sockets: set[Socket] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    def enter(self, request: Request) -> tuple[bytes, asyncio.Protocol]:
        """The answer to a handshake, and the protocol that takes the connection over.

        Raises:
            HttpError: it is not one, or nobody can be let in.
        """
        if request.path.rstrip("/") not in PATHS:
            raise HttpError(404, "There is no websocket at this address.")
        greeting = _greeting(request.query)
        answer = accept(request)
        if self._is_closed:
            raise HttpError(503, GOING_AWAY)
        if len(self._sockets) >= self._sockets_max:
            raise HttpError(503, "There are too many sessions.")
        socket = Socket(self, greeting)
        self._sockets.add(socket)
        return answer, socket

    def open(self) -> None:
        """Begin to sweep."""
        loop = asyncio.get_running_loop()
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep_again)

    async def drain(self, per_second: float = DRAIN_RATE) -> None:
        """Have all clients go elsewhere, so many a second; their sessions can be resumed.

        A connection that is closed as any may be is, to published clients, trouble of the network:
        they come back by themselves, after their first delay (wire-clients 1.5).
        """
        self._is_closed = True
        loop = asyncio.get_running_loop()
        began, closed = loop.time(), 0
        for socket in tuple(self._sockets):
            ahead = began + closed / per_second - loop.time()
            if ahead > DRAIN_STEP:
                await asyncio.sleep(ahead)
            socket.close(1001, GOING_AWAY)
            closed += 1

    async def close(self) -> None:
        """Tell all clients that the server goes away; their sessions can be resumed."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for socket in tuple(self._sockets):
            socket.close(1001, GOING_AWAY)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def sweep(self) -> None:
        """What time does to sockets and sessions. Runs by itself while open."""
        now, wall = self.now(), self._clock.now()
        for socket in tuple(self._sockets):
            socket.tick(now, wall)
        self._sessions.sweep()

    def _sweep_again(self) -> None:
        self.open()  # first: a bug met in one sweep must not be the end of all
        self.sweep()

    # --- what sockets ask for ---

    def sid(self) -> str:
        return self._ids.bare()

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def log_in(self, token: str, knock: Knock, socket: Socket) -> None:
        sessions = self._sessions
        revocations = sessions.revocations
        session = await self._reception.log_in(await self._identify(token), knock, socket)
        if revocations != sessions.revocations:  # the token may have been taken back meanwhile
            try:
                await self.renew(token, session)
            except Rejected:
                sessions.end(session)

    async def renew(self, token: str, session: Session) -> None:
        revocations = None
        while revocations != self._sessions.revocations:  # the token may just be taken back
            revocations = self._sessions.revocations
            visitor = await self._identify(token)
            user_id = await self._reception.recognise(visitor)
        self._sessions.renew(session, user_id, visitor.expires_at)

    def log_out(self, session: Session) -> None:
        self._sessions.log_out(session)

    def leave(self, socket: Socket, session: Session) -> None:
        self._sessions.leave(session, socket)

    def forget(self, socket: Socket) -> None:
        self._sockets.discard(socket)


def _greeting(query: str) -> Greeting:
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=QUERY_MAX))
    except ValueError:
        raise HttpError(400, "The query is malformed.") from None
    generation = GENERATIONS.get(given.get("EIO", ""))
    if generation is None or given.get("transport") != "websocket":
        raise HttpError(400, "Engine.IO 3 or 4 over a websocket is spoken here.")
    token = given.get("token")
    if token is None and generation == 4:
        token = ""  # which is none: the client is told so by an event
    knock = Knock(
        session_id=given.get("session_id") or None, version=given.get("session_version", ""),
        sdk_name=given.get("SDK_name", ""),
        acknowledges=given.get("acknowledge_events", "").lower() == "true",
    )  # fmt: skip
    return Greeting(generation, token, knock)
