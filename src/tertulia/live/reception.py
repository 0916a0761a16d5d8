"""The reception: lets a user in, tells it what it has missed, and has it told what happens next."""

from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

from tertulia.live.catchup import CatchUp, Owed
from tertulia.live.dialect import pending, shown
from tertulia.live.neighbours import Neighbours, Nobody
from tertulia.live.packets import Packets
from tertulia.live.presence import Presence
from tertulia.live.session import Outlet, Session
from tertulia.live.sessions import Knock, Sessions, Visitor
from tertulia.model.errors import (
    InvalidSession,
    InvalidUser,
    Unavailable,
    UserNotFound,
    ValidationFailed,
)
from tertulia.model.ids import Position, SessionId, UserId
from tertulia.ports import Directory
from tertulia.protocols.socketio import emitted
from tertulia.protocols.websocket import frame
from tertulia.services.users import Users
from tertulia.settings import Sessions as Limits


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
        self, *, sessions: Sessions, neighbours: Neighbours | Nobody, catch_up: CatchUp,
        directory: Directory, users: Users, reached: Callable[[Position], Awaitable[None]],
        limits: Limits, api_key: str,
    ) -> None:  # fmt: skip
        """`reached` waits until delivery has handed on all up to a position."""
        self._sessions = sessions
        self._neighbours = neighbours
        self._attendance = sessions.attendance
        self._catch_up = catch_up
        self._directory = directory
        self._users = users
        self._reached = reached
        self._create_users = limits.create_users
        self._part_bytes = limits.buffer // 4
        self._api_key = api_key

    async def log_in(self, visitor: Visitor, knock: Knock, outlet: Outlet) -> Session:
        """Open or resume a session and greet it; from here on it is delivered to.

        Raises:
            InvalidUser, InvalidSession, TooManySessions: the client is told by this name.
            Unavailable: it may try again.
        """
        user_id = await self.recognise(visitor)
        await self._neighbours.attend(visitor.application_id)
        await self._reached(await self._catch_up.attend(visitor.application_id))
        is_here = await self._neighbours.bring(knock.session_id, user_id)
        if not is_here:
            await self._neighbours.admit(user_id)
        presence = self._attendance.expect(user_id)
        try:
            await self._learn(presence)
            # in turn with the user's deletion, which ends the sessions that there are
            async with self._users.unchanged(user_id) as user:
                session = self._sessions.resumed(knock, user)
                if session is None and is_here:  # or it would be a new one to its client
                    raise Unavailable("the session has gone to another node again")
                session = session or self._sessions.open(knock, user)
                self._sessions.connect(session, outlet, user, visitor.expires_at)
            await self._go_live(session, presence, knock, outlet)
            return session
        except UserNotFound:
            raise InvalidUser() from None
        finally:
            self._attendance.release(presence)

    async def recognise(self, visitor: Visitor) -> UserId:
        """Whom the visitor says it is. Raises InvalidUser."""
        name, application_id = visitor.user_name, visitor.application_id
        if name is None:
            raise InvalidUser("The token names no user.")
        find = self._users.ensure if self._create_users else self._users.id_of
        try:
            user_id = await find(name, application_id)
        except ValidationFailed:
            user_id = None
        if user_id is None:
            raise InvalidUser()
        return user_id

    async def _learn(self, presence: Presence) -> None:
        """Where the user has joined, as of where delivery is: of what comes after, it tells."""
        if presence.changed is not None:
            joined = await self._directory.joined(presence.user_id)
            await self._reached(joined.as_of)
            if presence.changed is not None:  # else another login was faster
                self._attendance.know(presence, joined.members)

    async def _go_live(
        self, session: Session, presence: Presence, knock: Knock, outlet: Outlet
    ) -> None:
        """Tell what the session is owed, no faster than it takes it, then have delivery tell."""
        is_greeted = False
        after = session.acknowledged
        try:
            await self._sessions.settled(session)
            await self._reached(after)  # another node may have told more than has come here yet
            while True:
                owed = await self._catch_up.owed(session.record, presence, after)
                for part in owed.parts(self._part_bytes):
                    if session.outlet is not outlet:
                        raise InvalidSession("Another connection has resumed the session.")
                    if is_greeted:
                        session.deliver(Packets(part.events)[session.variant])
                    else:
                        self._greet(session, part, knock, outlet)
                        is_greeted = True
                    if part.is_all and not outlet.is_full:
                        self._attendance.attach(presence, session)
                        return
                    await outlet.drained()
                after = owed.through
        except BaseException:
            self._sessions.leave(session, outlet)
            raise

    def _greet(self, session: Session, owed: Owed, knock: Knock, outlet: Outlet) -> None:
        dialect = session.record.dialect
        welcome = Welcome(
            session.id, session.user_id, session.name, self._api_key,
            [msgspec.Raw(pending(shown(dialect, event))) for event in owed.events] or None,
        )  # fmt: skip
        greeting = msgspec.json.encode(Greeting(welcome, knock.rid))
        number = owed.through if session.record.acknowledges else None
        outlet.take(session)  # now: a long catch-up goes on while the client acknowledges
        session.write(frame(emitted("session:success", greeting, number)))
        session.owe([owed.through])
