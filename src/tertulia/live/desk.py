"""Sessions as REST asks for them: by id, in pages, as values."""

from tertulia.live.neighbours import Neighbours
from tertulia.live.sessions import Sessions
from tertulia.model.errors import InvalidSession, SessionNotFound
from tertulia.model.ids import ApplicationId, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession, SessionsOf
from tertulia.ports import ListedSession, Page
from tertulia.ports.sessions import SharedLedger
from tertulia.services.sessionlists import page_of_sessions


class Desk:
    """Of an installation of one node, which has them all."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def list(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]:
        """Connected sessions, of one user or of all, in order of their creation."""
        which = SessionsOf(application_id=application_id, user_id=user_id)
        return page_of_sessions((each.shown for each in self._sessions.connected(which)), page)

    async def find(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession:
        """Raises SessionNotFound."""
        return self._sessions.find(session_id, application_id).shown

    async def end(self, session_id: SessionId, application_id: ApplicationId) -> None:
        """Raises SessionNotFound."""
        self._sessions.end(self._sessions.find(session_id, application_id))

    async def end_user(self, user_id: UserId) -> None:
        self._sessions.end_all(SessionsOf(user_id=user_id))

    async def end_application(self, application_id: ApplicationId) -> None:
        self._sessions.end_all(SessionsOf(application_id=application_id))

    async def expire_application(self, application_id: ApplicationId) -> None:
        self._sessions.expire_all(SessionsOf(application_id=application_id), Instant(0))

    async def renew(
        self, session_id: SessionId, application_id: ApplicationId, user_id: UserId | None,
        expires_at: Instant,
    ) -> None:  # fmt: skip
        """Raises SessionNotFound or InvalidSession."""
        session = self._sessions.find(session_id, application_id)
        self._sessions.renew(session, user_id, expires_at)


class SharedDesk:
    """Of one node of several: what it tells is a quarter of a second old at most."""

    def __init__(self, ledger: SharedLedger, neighbours: Neighbours) -> None:
        self._ledger = ledger
        self._neighbours = neighbours

    async def list(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]:
        """As Desk; so are the next ones. All raise Unavailable."""
        return await self._ledger.connected(application_id, page, user_id)

    async def find(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession:
        found = await self._ledger.one(session_id, application_id)
        if found is None:
            raise SessionNotFound()
        return found

    async def end(self, session_id: SessionId, application_id: ApplicationId) -> None:
        found = await self.find(session_id, application_id)
        await self._neighbours.end(SessionsOf(session_id=found.record.id))

    async def end_user(self, user_id: UserId) -> None:
        await self._neighbours.end(SessionsOf(user_id=user_id))

    async def end_application(self, application_id: ApplicationId) -> None:
        await self._neighbours.end(SessionsOf(application_id=application_id))

    async def expire_application(self, application_id: ApplicationId) -> None:
        await self._neighbours.expire(SessionsOf(application_id=application_id), Instant(0))

    async def renew(
        self, session_id: SessionId, application_id: ApplicationId, user_id: UserId | None,
        expires_at: Instant,
    ) -> None:  # fmt: skip
        found = await self.find(session_id, application_id)
        if user_id != found.record.user_id:
            raise InvalidSession()
        await self._neighbours.expire(SessionsOf(session_id=found.record.id), expires_at)
