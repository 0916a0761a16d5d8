"""Sessions as REST asks for them: by id, in pages, as values."""

from collections.abc import Callable

from tertulia.live.session import Session
from tertulia.live.sessions import Sessions
from tertulia.model.errors import InvalidCursor
from tertulia.model.ids import ApplicationId, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession
from tertulia.ports import ListedSession, Page


class Desk:
    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def list(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]:
        """Connected sessions, of one user or of all, in order of their creation."""
        live = self._sessions.connected(application_id, user_id)
        listed = [ListedSession(_key(each), _shown(each)) for each in live]
        return _page(listed, page)

    def find(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession:
        """Raises SessionNotFound."""
        return _shown(self._sessions.find(session_id, application_id))

    def end(self, session_id: SessionId, application_id: ApplicationId) -> None:
        """Raises SessionNotFound."""
        self._sessions.end(self._sessions.find(session_id, application_id))

    def end_user(self, user_id: UserId) -> None:
        self._sessions.end_user(user_id)

    def end_application(self, application_id: ApplicationId) -> None:
        self._sessions.end_application(application_id)

    def expire_application(self, application_id: ApplicationId) -> None:
        self._sessions.expire_application(application_id)

    def renew(
        self, session_id: SessionId, application_id: ApplicationId, user_id: UserId | None,
        expires_at: Instant,
    ) -> None:  # fmt: skip
        """Raises SessionNotFound or InvalidSession."""
        session = self._sessions.find(session_id, application_id)
        self._sessions.renew(session, user_id, expires_at)


def _key(session: Session) -> tuple[str | int, ...]:
    return (session.record.created_at, session.id)


def _shown(session: Session) -> LiveSession:
    return LiveSession(session.record, session.name, session.expires_at)


def _page(listed: list[ListedSession], page: Page) -> list[ListedSession]:
    for key in (page.after, page.before):
        if key is not None and [type(part) for part in key] != [int, str]:
            raise InvalidCursor()
    ahead = _beyond(page.after, forward=not page.descending)
    behind = _beyond(page.before, forward=page.descending)
    found = [item for item in listed if ahead(item) and behind(item)]
    if page.descending:
        found.reverse()
    return found[-page.limit :] if page.before is not None else found[: page.limit]


def _beyond(key: tuple[str | int, ...] | None, *, forward: bool) -> Callable[[ListedSession], bool]:
    if key is None:
        return lambda item: True
    if forward:
        return lambda item: item.key > key
    return lambda item: item.key < key
