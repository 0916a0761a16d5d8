"""The registry of live sessions: which there are, how long each stays, and what ends it.

A session is more than its connection: it stays for the resume window when that is lost, and for a
restart of the server, since the ledger keeps who it is of and how far it got.
"""

from collections.abc import Callable

from msgspec import Struct

from tertulia.live.presence import Attendance
from tertulia.live.session import Outlet, Session
from tertulia.model.errors import InvalidSession, SessionNotFound, TooManySessions, Unavailable
from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import Dialect, SessionRecord, SessionsOf, Standing
from tertulia.model.state import User
from tertulia.ports import Clock, Ids, LedgerEntry, SessionLedger
from tertulia.protocols.socketio import DISCONNECT, emitted
from tertulia.protocols.websocket import frame
from tertulia.settings import Sessions as Limits

AWAY_MAX = 100_000
"""Sessions that wait to be resumed; the one that left first is forgotten first."""
TYPED_CLIENTS = frozenset({"@vonage/client-sdk"})
"""COMPAT: by `SDK_name`; other clients take any type of event (wire-clients 1.1)."""
VERSION_MAX = 16


class Knock(Struct, frozen=True):
    """What a connection says of itself when it comes."""

    session_id: str | None = None
    version: str = ""
    sdk_name: str = ""
    acknowledges: bool = False
    rid: str | None = None
    """Id of the request that this answers, where the client asked by one."""


class Visitor(Struct, frozen=True):
    """Whom a verified token speaks for."""

    application_id: ApplicationId
    user_name: str | None
    expires_at: Instant


class Sessions:
    """`cursor` tells how far delivery is: a new session begins there."""

    def __init__(
        self, *, ledger: SessionLedger, attendance: Attendance, cursor: Callable[[], Position],
        clock: Clock, ids: Ids, limits: Limits,
    ) -> None:  # fmt: skip
        self.attendance = attendance
        self._ledger = ledger
        self._cursor = cursor
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._sessions: dict[SessionId, Session] = {}
        self._away: dict[SessionId, Instant] = {}
        """Sessions without a connection: since when, the longest away first."""
        self._away_by_user: dict[UserId, list[SessionId]] = {}
        self.revocations = 0
        """How often tokens were taken back, by their application or with their user."""

    def restore(self) -> None:
        """Take up what sessions there were; they can be resumed from now on."""
        for entry in self._ledger.load():
            self.adopt(entry)

    def adopt(self, entry: LedgerEntry) -> None:
        """It is to be had here from now on; it waits to be resumed."""
        session = Session(entry.record, "", self._ledger, entry.place, entry.acknowledged)
        self._sessions[session.id] = session
        self._set_aside(session)

    def get(self, session_id: str) -> Session | None:
        return self._sessions.get(SessionId(session_id))

    def let_go(self, session: Session) -> None:
        """It is another node's from now on: nothing is written of it here any more."""
        outlet, session.place = session.outlet, 0
        self._forget(session)
        if outlet is not None:
            outlet.drop()

    # --- coming and going ---

    def resumed(self, knock: Knock, user: User) -> Session | None:
        """The session that is asked for, if it is still known, without the connection it had.

        Raises InvalidSession: it is another user's.
        """
        session = self.get(knock.session_id or "")
        if session is None:
            return None
        if session.user_id != user.id:
            raise InvalidSession()
        self._take_back(session)
        before = session.outlet
        if before is not None:
            self.attendance.detach(session)
            session.detach()
            before.drop()
        return session

    def open(self, knock: Knock, user: User) -> Session:
        """Raises TooManySessions."""
        presence = self.attendance.presences.get(user.id)
        if presence is not None and presence.count > self._limits.per_user:
            raise TooManySessions()
        typed = knock.sdk_name in TYPED_CLIENTS
        record = SessionRecord(
            id=self._ids.session(), application_id=user.application_id, user_id=user.id,
            dialect=Dialect.TYPED if typed else Dialect.OPEN, version=knock.version[:VERSION_MAX],
            acknowledges=knock.acknowledges, created_at=self._clock.now(),
        )  # fmt: skip
        cursor = self._cursor()
        place = self._ledger.open(record, cursor)
        session = Session(record, user.name, self._ledger, place, cursor)
        self._sessions[session.id] = session
        return session

    def connect(self, session: Session, outlet: Outlet, user: User, expires_at: Instant) -> None:
        """It is reached by this connection, as long as its token is good."""
        session.name, session.expires_at = user.name, expires_at
        session.attach(outlet)
        self._show(session)

    async def settled(self, session: Session) -> None:
        """Wait until it would outlive this process. Raises Unavailable: then it is no more."""
        if session.place:
            try:
                await self._ledger.settled(session.place)
            except Unavailable:
                self._forget(session)
                raise

    def leave(self, session: Session, outlet: Outlet) -> None:
        """The connection is gone; the session waits to be resumed."""
        if session.outlet is not outlet:
            return
        self.attendance.detach(session)
        session.detach()
        self._show(session)
        self._set_aside(session)

    def _show(self, session: Session) -> None:
        if session.place:
            is_connected = session.outlet is not None
            standing = Standing(session.name, session.expires_at, is_connected)
            self._ledger.show(session.place, standing)

    def _set_aside(self, session: Session) -> None:
        """It waits; no more of a user's wait than may be connected, lest one fill the house."""
        self._away[session.id] = self._clock.now()
        waiting = self._away_by_user.setdefault(session.user_id, [])
        waiting.append(session.id)
        if len(waiting) > self._limits.per_user:
            self._forget(self._sessions[waiting[0]])
        if len(self._away) > AWAY_MAX:
            self._forget(self._sessions[next(iter(self._away))])

    def _take_back(self, session: Session) -> None:
        if self._away.pop(session.id, None) is not None:
            waiting = self._away_by_user[session.user_id]
            waiting.remove(session.id)
            if not waiting:
                del self._away_by_user[session.user_id]

    def log_out(self, session: Session) -> None:
        """The client ends it; it cannot be resumed."""
        self._forget(session)

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        self._take_back(session)
        self.attendance.detach(session)
        session.end()

    def sweep(self) -> None:
        """Forget who has been away for too long."""
        horizon = self._clock.now() - int(self._limits.resume_window_s * 1000)
        while self._away:
            session_id, since = next(iter(self._away.items()))
            if since > horizon:
                return
            self._forget(self._sessions[session_id])

    def renew(self, session: Session, user_id: UserId | None, expires_at: Instant) -> None:
        """Go on with a new token of the same user. Raises InvalidSession."""
        if user_id != session.user_id:
            raise InvalidSession()
        self._expire(session, expires_at)

    def _expire(self, session: Session, at: Instant) -> None:
        session.expires_at = at
        if session.outlet is not None:
            self._show(session)

    # --- what others ask of sessions ---

    @property
    def count(self) -> int:
        """Sessions that are connected."""
        return len(self._sessions) - len(self._away)

    @property
    def away(self) -> int:
        """Sessions that may yet be resumed."""
        return len(self._away)

    def connected(self, which: SessionsOf) -> list[Session]:
        return [each for each in self._of(which) if each.outlet is not None]

    def find(self, session_id: str, application_id: ApplicationId) -> Session:
        """Raises SessionNotFound."""
        session = self.get(session_id)
        if session is None or session.record.application_id != application_id:
            raise SessionNotFound()
        return session

    def end(self, session: Session) -> None:
        """End it from outside: its client is told, and does not come back by itself."""
        outlet = session.outlet
        self._forget(session)
        if outlet is not None:
            farewell = frame(emitted("session:terminated", b'{"body":{}}')) + frame(DISCONNECT)
            outlet.retire(farewell)

    def end_all(self, which: SessionsOf) -> None:
        """End those of a user or an application that is no more, or one."""
        self._revoke(which)
        for session in self._of(which):
            self.end(session)

    def expire_all(self, which: SessionsOf, at: Instant) -> None:
        """Their tokens are good until then, which may be over."""
        self._revoke(which)
        for session in self._of(which):
            self._expire(session, at)

    def _revoke(self, which: SessionsOf) -> None:
        if which.session_id is None:
            self.revocations += 1

    def _of(self, which: SessionsOf) -> list[Session]:
        if which.session_id is not None:
            found = self._sessions.get(which.session_id)
            among = [found] if found is not None else []
        else:
            among = list(self._sessions.values())
        return [each for each in among if which.has(each.record)]
