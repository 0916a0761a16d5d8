"""A session that outlives its connections: it comes back with its id and what was missed."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from enum import Enum, auto

from tertulia.client.login import Logins, NoServer
from tertulia.client.session import Arrival, Kind, Session, SessionEnded, SessionRefused
from tertulia.client.websocket import Dropped

FIRST_DELAY_S = 0.25
DELAY_MAX_S = 5.0
SUCCESS = "session:success"
EXPIRED = "system:error:expired-token"


class Link(Enum):
    """How the connection stands, as `watch` is told."""

    LOST = auto()
    RESUMED = auto()
    """The server knew the session: what was missed comes as events."""
    RENEWED = auto()
    """It is another session: what was missed meanwhile is in the history."""


class LastingSession:
    """Opened by `open`; then `events` goes on over lost connections until it is refused.

    At each return it gives a bare `session:success`, then what was missed. A token that expires is
    renewed by asking for the next login.
    """

    def __init__(
        self, logins: Logins, *, kind: Kind | None = None,
        watch: Callable[[Link], None] = lambda _: None, attempts: int | None = None,
    ) -> None:  # fmt: skip
        """`attempts` to come back, one after the other; None for ever."""
        self._logins = logins
        self._kind = kind
        self._watch = watch
        self._attempts = attempts
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The current one."""
        if self._session is None:
            raise RuntimeError("the session is not open")
        return self._session

    async def open(self) -> Session:
        """Raises SessionRefused, NoServer or Dropped."""
        self._session = await Session.open(self._logins(), kind=self._kind)
        return self._session

    async def events(self) -> AsyncIterator[Arrival]:
        """Raises SessionRefused when coming back is refused, Dropped when attempts run out."""
        while True:
            try:
                async for arrival in self.session.events():
                    yield arrival
            except (Dropped, SessionEnded):
                self.session.abort()
                self._watch(Link.LOST)
                await self._come_back()
                yield Arrival(SUCCESS, {}, None)

    async def logout(self) -> bool:
        return await self.session.logout()

    async def _come_back(self) -> None:
        session_id = self.session.id
        tried = 0
        while True:
            try:
                login = self._logins()
                self._session = await Session.open(login, kind=self._kind, session_id=session_id)
            except (NoServer, Dropped):
                tried += 1
                if tried == self._attempts:
                    raise
            except SessionRefused as refusal:
                if refusal.type != EXPIRED or self._logins().token == login.token:
                    raise
            else:
                self._watch(Link.RESUMED if self.session.is_resumed else Link.RENEWED)
                return
            await asyncio.sleep(delay(tried, random.random()))


def delay(tried: int, chance: float) -> float:
    """Seconds before the next attempt: doubled each time, between half and all of it."""
    most: float = min(DELAY_MAX_S, FIRST_DELAY_S * 2.0 ** min(tried, 10))
    return most * (0.5 + chance / 2)
