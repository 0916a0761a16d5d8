"""Live sessions: who is connected, a new token for one, the end of one (wire-clients 3.2, 5.2)."""

from typing import Protocol

from msgspec import Struct

from tertulia.model.errors import Forbidden, SessionNotFound
from tertulia.model.ids import ApplicationId, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession
from tertulia.ports import Clock, ListedSession, Page
from tertulia.protocols.http1 import Response
from tertulia.services.users import Users
from tertulia.web import answers, shapes
from tertulia.web.paging import PageQuery, cut, page_answer, page_of
from tertulia.web.routing import EDITIONS, SECOND, Call, Edition, route

ONE = "/sessions/{session_id}"


class SessionDesk(Protocol):
    """What the live sessions tell REST, and do for it."""

    async def list(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]: ...
    async def find(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession: ...
    async def end(self, session_id: SessionId, application_id: ApplicationId) -> None: ...
    async def end_user(self, user_id: UserId) -> None: ...
    async def end_application(self, application_id: ApplicationId) -> None: ...
    async def expire_application(self, application_id: ApplicationId) -> None: ...
    async def renew(
        self, session_id: SessionId, application_id: ApplicationId, user_id: UserId | None,
        expires_at: Instant,
    ) -> None: ...  # fmt: skip


class Renewed(Struct, frozen=True):
    session_id: str


class SessionResource:
    def __init__(self, desk: SessionDesk, users: Users, clock: Clock, api_key: str) -> None:
        self._desk = desk
        self._users = users
        self._clock = clock
        self._api_key = api_key

    @route("GET", "/users/{user_id}/sessions", editions=EDITIONS, query=PageQuery,
           answers={200: shapes.SessionPage})  # fmt: skip
    async def list_user_sessions(self, call: Call) -> Response:
        """List the live sessions of a user"""
        user = await self._users.find(call.params["user_id"], call.actor.application_id)
        if not call.actor.is_system and call.actor.user_id != user.id:
            raise Forbidden("A user may only list its own sessions.")
        return await self._list(call, f"/users/{user.id}/sessions", user.id)

    @route("GET", "/tertulia/v1/sessions", query=PageQuery, answers={200: shapes.SessionPage})
    async def list_sessions(self, call: Call) -> Response:
        """List the live sessions of the application"""
        if not call.actor.is_system:
            raise Forbidden("A user may only list its own sessions.")
        return await self._list(call, "/tertulia/v1/sessions", None)

    @route("PUT", ONE, editions=(*SECOND, Edition.V03), answers={200: Renewed})
    async def renew_session(self, call: Call) -> Response:
        """Go on with the token of this request"""
        session_id = await self._own(call)
        actor = call.actor
        await self._desk.renew(
            session_id, actor.application_id, actor.user_id, call.identity.expires_at
        )
        return answers.json(200, Renewed(session_id))

    @route("POST", ONE + "/touch", editions=(Edition.V03,), answers={200: Renewed})
    async def touch_session(self, call: Call) -> Response:
        """Tell that a session is still wanted"""
        return answers.json(200, Renewed(await self._own(call)))

    @route("DELETE", ONE, editions=(Edition.V03,), answers={204: None})
    async def end_session(self, call: Call) -> Response:
        """End a session; its client is told and does not come back by itself"""
        await self._desk.end(await self._own(call), call.actor.application_id)
        return answers.nothing()

    @route("DELETE", ONE, name="end_session", editions=SECOND, answers={200: dict[str, str]})
    async def end_session_of_old(self, call: Call) -> Response:
        """End a session; its client is told and does not come back by itself"""
        await self._desk.end(await self._own(call), call.actor.application_id)
        return answers.json(200, {})

    async def _own(self, call: Call) -> SessionId:
        """The session of the path, if the caller may have a say in it."""
        asked = SessionId(call.params["session_id"])
        session = await self._desk.find(asked, call.actor.application_id)
        if not call.actor.is_system and call.actor.user_id != session.record.user_id:
            raise SessionNotFound()
        return session.record.id

    async def _list(self, call: Call, path: str, user_id: UserId | None) -> Response:
        page = page_of(call.query, "sessions", tuple[int, str])
        found = await self._desk.list(call.actor.application_id, page, user_id)
        piece = cut(found, page, "sessions")
        now, base = self._clock.now(), f"{call.origin}/{call.edition or Edition.V03}"
        items = [
            shapes.session(item.session, base, api_key=self._api_key, now=now)
            for item in piece.items
        ]
        return page_answer(call, path, piece, {"sessions": items})
