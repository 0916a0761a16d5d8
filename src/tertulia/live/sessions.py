"""The registry of live sessions: which there are, how long each stays, and what ends it.

A session is more than its connection: it stays for the resume window when that is lost, and for a
restart of the server, since the ledger keeps who it is of and how far it got.
"""

from collections.abc import Callable

from msgspec import Struct

from tertulia.live.presence import Attendance
from tertulia.live.session import Outlet, Session
from tertulia.model.errors import InvalidSession, SessionNotFound, TooManySessions
from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import Dialect, SessionRecord
from tertulia.model.state import User
from tertulia.ports import Clock, Ids, SessionLedger
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
        """How often an application has taken back its tokens, or went with them."""

    def restore(self) -> None:
        """Take up what sessions there were; they can be resumed from now on."""
        for entry in self._ledger.load():
            session = Session(entry.record, "", self._ledger, entry.place, entry.acknowledged)
            self._sessions[session.id] = session
            self._set_aside(session)

    # --- coming and going ---

    def resumed(self, knock: Knock, user: User) -> Session | None:
        """The session that is asked for, if it is still known, without the connection it had.

        Raises InvalidSession: it is another user's.
        """
        session = self._sessions.get(SessionId(knock.session_id or ""))
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

    def leave(self, session: Session, outlet: Outlet) -> None:
        """The connection is gone; the session waits to be resumed."""
        if session.outlet is not outlet:
            return
        self.attendance.detach(session)
        session.detach()
        self._set_aside(session)

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
        session.expires_at = expires_at

    # --- what others ask of sessions ---

    @property
    def count(self) -> int:
        """Sessions that are connected."""
        return len(self._sessions) - len(self._away)

    @property
    def away(self) -> int:
        """Sessions that may yet be resumed."""
        return len(self._away)

    def connected(
        self, application_id: ApplicationId, user_id: UserId | None = None
    ) -> list[Session]:
        """The live sessions of a user, or of all users of an application, oldest first."""
        if user_id is not None:
            presence = self.attendance.presences.get(user_id)
            found = list(presence.sessions) if presence is not None else []
        else:
            found = [each for each in self._sessions.values() if each.outlet is not None]
        return sorted(
            (each for each in found if each.record.application_id == application_id),
            key=lambda each: (each.record.created_at, each.id),
        )

    def find(self, session_id: str, application_id: ApplicationId) -> Session:
        """Raises SessionNotFound."""
        session = self._sessions.get(SessionId(session_id))
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

    def end_user(self, user_id: UserId) -> None:
        """End all sessions of a user that is no more."""
        for session in [each for each in self._sessions.values() if each.user_id == user_id]:
            self.end(session)

    def end_application(self, application_id: ApplicationId) -> None:
        """End all sessions of an application that is no more."""
        self.revocations += 1
        for session in self._of(application_id):
            self.end(session)

    def expire_application(self, application_id: ApplicationId) -> None:
        """The tokens of an application are worth nothing any more, those of its sessions too."""
        self.revocations += 1
        for session in self._of(application_id):
            session.expires_at = Instant(0)

    def _of(self, application_id: ApplicationId) -> list[Session]:
        sessions = self._sessions.values()
        return [each for each in sessions if each.record.application_id == application_id]
