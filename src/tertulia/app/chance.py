"""The real clock and the real ids, behind their ports."""

import time
from uuid import uuid4

from tertulia.model.ids import ApplicationId, ConversationId, MemberId, SessionId, UserId
from tertulia.model.instant import Instant


class SystemClock:
    """Wall-clock milliseconds that do not go back when the system's clock is set back."""

    def __init__(self) -> None:
        self._latest = Instant(0)

    def now(self) -> Instant:
        self._latest = max(self._latest, Instant(time.time_ns() // 1_000_000))
        return self._latest


class RandomIds:
    """Random uuids with the prefixes of the wire."""

    def conversation(self) -> ConversationId:
        return ConversationId(f"CON-{uuid4()}")

    def member(self) -> MemberId:
        return MemberId(f"MEM-{uuid4()}")

    def user(self) -> UserId:
        return UserId(f"USR-{uuid4()}")

    def application(self) -> ApplicationId:
        return ApplicationId(str(uuid4()))

    def session(self) -> SessionId:
        return SessionId(f"SES-{uuid4()}")

    def bare(self) -> str:
        return str(uuid4())
