"""The reception: lets a user in, tells it what it has missed, and has it told what happens next."""

import msgspec
from msgspec import Struct

from tertulia.live.catchup import CatchUp, Owed
from tertulia.live.dialect import pending
from tertulia.live.packets import Packets
from tertulia.live.presence import Presence
from tertulia.live.session import Outlet, Session
from tertulia.live.sessions import Knock, Sessions, Visitor
from tertulia.model.errors import InvalidSession, InvalidUser
from tertulia.model.ids import SessionId, UserId
from tertulia.model.state import User
from tertulia.ports import Directory
from tertulia.protocols.socketio import emitted
from tertulia.protocols.websocket import frame
from tertulia.services.users import Users


class Welcome(Struct, omit_defaults=True):
    """The body of `session:success` (wire-clients 1.3)."""

    id: SessionId
    user_id: UserId
    name: str
    api_key: str
    pending_events: list[msgspec.Raw] | None = None


class Greeting(Struct, omit_defaults=True):
    body: Welcome
    rid: str | None = None


class Reception:
    def __init__(
        self, *, sessions: Sessions, catch_up: CatchUp, directory: Directory, users: Users,
        create_users: bool, api_key: str,
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._attendance = sessions.attendance
        self._catch_up = catch_up
        self._directory = directory
        self._users = users
        self._create_users = create_users
        self._api_key = api_key

    async def log_in(self, visitor: Visitor, knock: Knock, outlet: Outlet) -> Session:
        """Open or resume a session and greet it; from here on it is delivered to.

        Raises:
            InvalidUser, InvalidSession, TooManySessions: the client is told by this name.
            Unavailable: it may try again.
        """
        user = await self._user(visitor)
        presence = self._attendance.expect(user.id)
        try:
            await self._learn(presence)
            session = self._sessions.resumed(knock, user)
            if session is None:
                session = self._sessions.open(knock, user)
            session.expires_at = visitor.expires_at
            session.name = user.name
            session.attach(outlet)
            await self._go_live(session, presence, knock)
            return session
        finally:
            self._attendance.release(presence)

    async def _user(self, visitor: Visitor) -> User:
        if visitor.user_name is None:
            raise InvalidUser("The token names no user.")
        user = await self._users.named(
            visitor.user_name, visitor.application_id, create=self._create_users
        )
        if user is None:
            raise InvalidUser()
        return user

    async def _learn(self, presence: Presence) -> None:
        if presence.changed is not None:
            joined = await self._directory.joined(presence.user_id)
            if presence.changed is not None:  # else another login was faster
                self._attendance.know(presence, joined)

    async def _go_live(self, session: Session, presence: Presence, knock: Knock) -> None:
        outlet = session.outlet
        after = session.acknowledged
        is_greeted = False
        try:
            while True:
                owed = await self._catch_up.owed(session.record, presence, after)
                if session.outlet is not outlet:
                    raise InvalidSession("Another connection has resumed the session.")
                after = owed.through
                if not is_greeted:
                    self._greet(session, owed, knock)
                    is_greeted = True
                elif owed.events:
                    session.deliver(Packets(owed.events)[session.variant])
                if owed.is_all:
                    self._attendance.attach(presence, session)
                    return
        except BaseException:
            if outlet is not None:
                self._sessions.leave(session, outlet)
            raise

    def _greet(self, session: Session, owed: Owed, knock: Knock) -> None:
        welcome = Welcome(
            session.id, session.user_id, session.name, self._api_key,
            [msgspec.Raw(pending(event)) for event in owed.events] or None,
        )  # fmt: skip
        greeting = msgspec.json.encode(Greeting(welcome, knock.rid))
        number = owed.through if session.record.acknowledges else None
        if session.outlet is not None:  # a long catch-up goes on while the client acknowledges
            session.outlet.take(session)
        session.write(frame(emitted("session:success", greeting, number)))
        session.owe([owed.through])
