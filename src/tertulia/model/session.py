"""The live session of a user: what has to be known of it to resume it (wire-clients 1.1, 1.5)."""

from enum import StrEnum

from msgspec import Struct

from tertulia.model.ids import ApplicationId, SessionId, UserId
from tertulia.model.instant import Instant


class Dialect(StrEnum):
    """Which events a kind of client can parse."""

    OPEN = "open"
    """Any type: what it does not know it passes on."""
    TYPED = "typed"
    """COMPAT: a fixed list; one unknown type in a resume costs it the whole resume."""


class SessionRecord(Struct, frozen=True, array_like=True):
    """What the first connection of a session told; a reconnection tells only its id."""

    id: SessionId
    application_id: ApplicationId
    user_id: UserId
    dialect: Dialect
    version: str
    """`session_version` of the client: from 0.0.3 on an invitation carries an offer."""
    acknowledges: bool
    """Whether the client reports each event that it got."""
    created_at: Instant


class LiveSession(Struct, frozen=True):
    """A session as it is shown to others."""

    record: SessionRecord
    user_name: str
    expires_at: Instant
    """When its token does."""


class Standing(Struct, frozen=True):
    """What of a session changes while it lasts, and is shown to others."""

    user_name: str
    expires_at: Instant
    """When its token does."""
    is_connected: bool


class SessionsOf(Struct, frozen=True, omit_defaults=True):
    """Those sessions that are all of what is given; something is."""

    application_id: ApplicationId | None = None
    user_id: UserId | None = None
    session_id: SessionId | None = None

    def has(self, record: SessionRecord) -> bool:
        return (
            self.session_id in (None, record.id)
            and self.user_id in (None, record.user_id)
            and self.application_id in (None, record.application_id)
        )
