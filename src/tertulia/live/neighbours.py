"""The other nodes, which have live sessions too: a session moves to where its client comes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
from msgspec import Struct

from tertulia.live.passing import Passing
from tertulia.live.sessions import Sessions
from tertulia.model.errors import InvalidSession, TooManySessions, Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import SessionsOf
from tertulia.ports.cluster import Bus, Homes, Stop, Unanswered
from tertulia.ports.sessions import HeldSession, SharedLedger
from tertulia.services.announcements import Listener
from tertulia.settings import Sessions as Limits

ALL = "sessions"
"""The subject of what all nodes are told; each has one of its own below it."""
ASK_SECONDS = 0.3
TRIES = 4
"""To take a session over that others take at the same time."""
SWEEP_SECONDS = 5.0

_log = logging.getLogger(__name__)


class LetGo(Struct, frozen=True):
    """Somebody resumes it here. The answer is how far it is acknowledged, or that it is not had."""

    session_id: SessionId


class End(Struct, frozen=True, tag="end"):
    which: SessionsOf


class Expire(Struct, frozen=True, tag="expire"):
    which: SessionsOf
    at: Instant


_encode = msgspec.msgpack.Encoder().encode
_asked = msgspec.msgpack.Decoder(LetGo).decode
_answered = msgspec.msgpack.Decoder(Position | None).decode
_heard = msgspec.msgpack.Decoder(End | Expire).decode


class Shared(Struct, frozen=True):
    """What a node has in common with others."""

    ledger: SharedLedger
    bus: Bus
    homes: Homes
    forget: Callable[[ApplicationId], None] = lambda _: None
    """Called with an application whose tokens have changed or are no more."""


class Nobody:
    """Of an installation of one node."""

    taken_over = 0

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def bring(self, session_id: str | None, user_id: UserId) -> bool:
        return False

    async def admit(self, user_id: UserId) -> None:
        return

    async def attend(self, application_id: ApplicationId) -> None:
        return

    def announce(self, event: Event) -> None:
        return


class Neighbours:
    """`deliver` is called with events that other nodes announce."""

    def __init__(
        self, shared: Shared, sessions: Sessions, limits: Limits, deliver: Listener
    ) -> None:
        self._passing = Passing(shared.bus, shared.homes, deliver)
        self._ledger = shared.ledger
        self._bus = shared.bus
        self._homes = shared.homes
        self._forget = shared.forget
        self._sessions = sessions
        self._limits = limits
        self._bringing: dict[str, asyncio.Event] = {}
        """Sessions on their way here: set at the end of each."""
        self.taken_over = 0
        """Sessions that were had elsewhere before."""
        self._stops: list[Stop] = []
        self._sweeping: asyncio.Task[None] | None = None
        shared.ledger.on_lost(self._lose)

    async def start(self) -> None:
        """Hear the others, and sweep up after those that have died."""
        self._stops.append(await self._bus.subscribe(ALL, self._hear))
        self._stops.append(await self._bus.serve(f"{ALL}.{self._homes.name}", self._let_go))
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        await self._passing.close()
        for stop in self._stops:
            await stop()
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    def announce(self, event: Event) -> None:
        """Tell them of an event that is not kept."""
        self._passing.announce(event)

    # --- for those who come ---

    async def attend(self, application_id: ApplicationId) -> None:
        """Hear of its events that are not kept, from now on."""
        await self._passing.attend(application_id)

    async def bring(self, session_id: str | None, user_id: UserId) -> bool:
        """Have the session here, from wherever it is; whether there is such a one.

        Raises:
            InvalidSession: it is another user's.
            Unavailable: the client may try again.
        """
        if session_id is None:
            return False
        if self._sessions.get(session_id) is not None:
            return True
        async with self._in_turn(session_id):
            return await self._taken_over(session_id, user_id)

    @asynccontextmanager
    async def _in_turn(self, session_id: str) -> AsyncIterator[None]:
        """One after the other: of two that have the same session here, one would be forgotten."""
        while (before := self._bringing.get(session_id)) is not None:
            await before.wait()
        ended = self._bringing[session_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._bringing[session_id]
            ended.set()

    async def _taken_over(self, session_id: str, user_id: UserId) -> bool:
        for _ in range(TRIES):
            if self._sessions.get(session_id) is not None:
                return True
            found = await self._ledger.find(session_id)
            if found is None:
                return False
            if found.record.user_id != user_id:
                raise InvalidSession()
            entry = await self._ledger.take(found, await self._let_go_of(found))
            if entry is not None:
                self._sessions.adopt(entry)
                self.taken_over += 1
                return True
        raise Unavailable("other connections take the session, too")

    async def _let_go_of(self, found: HeldSession) -> Position:
        """Have who has it drop it; how far it is acknowledged, as far as anybody says."""
        answer = None
        if any(each.name == found.node for each in self._homes.nodes()):
            word = _encode(LetGo(found.record.id))
            with suppress(Unanswered, msgspec.DecodeError):
                answer = _answered(await self._bus.ask(f"{ALL}.{found.node}", word, ASK_SECONDS))
        return max(found.acknowledged, answer or found.acknowledged)

    async def admit(self, user_id: UserId) -> None:
        """Raises TooManySessions. Logins of one moment at several nodes do not see each other."""
        if await self._ledger.count(user_id) >= self._limits.per_user:
            raise TooManySessions()

    # --- for all sessions, wherever they are ---

    async def end(self, which: SessionsOf) -> None:
        """Who has them tells their clients; without the bus their connections are cut soon."""
        self._tell(End(which))
        await self._ledger.end(which)

    async def expire(self, which: SessionsOf, at: Instant) -> None:
        self._tell(Expire(which, at))
        await self._ledger.expire(which, at)

    def _tell(self, word: End | Expire) -> None:
        self._obey(word)
        self._bus.publish(ALL, _encode(word))

    # --- what others ask ---

    def _hear(self, word: bytes) -> None:
        try:
            self._obey(_heard(word))
        except msgspec.DecodeError:
            _log.warning("a word about sessions means nothing", extra={"action": "sessions_word"})

    def _obey(self, word: End | Expire) -> None:
        which = word.which
        if which.application_id is not None and which.session_id is None:
            self._forget(which.application_id)
        if isinstance(word, End):
            self._sessions.end_all(which)
        else:
            self._sessions.expire_all(which, word.at)

    async def _let_go(self, word: bytes) -> bytes:
        session = self._sessions.get(_asked(word).session_id)
        if session is None:
            await self._ledger.flush()  # it may have ended just now
            return _encode(None)
        self._ledger.release(session.place)
        self._sessions.let_go(session)
        return _encode(session.acknowledged)

    def _lose(self, session_id: SessionId) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            self._sessions.let_go(session)

    async def _sweep(self) -> None:
        away_s = self._limits.resume_window_s + SWEEP_SECONDS  # who has them is first
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with suppress(Unavailable):
                await self._ledger.sweep(away_s)
