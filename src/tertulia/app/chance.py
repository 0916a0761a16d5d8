"""The real clock and the real ids, behind their ports."""

import os
import time

from tertulia.model.ids import ApplicationId, ConversationId, MemberId, SessionId, UserId
from tertulia.model.instant import Instant


class SystemClock:
    """Wall-clock milliseconds that do not go back when the system's clock is set back."""

    def __init__(self) -> None:
        self._latest = Instant(0)

    def now(self) -> Instant:
        self._latest = max(self._latest, Instant(time.time_ns() // 1_000_000))
        return self._latest


SUPPLY = 4096
"""Octets asked of the kernel at once."""
_VARIANT = "89ab" * 4


class RandomIds:
    """Random uuids (RFC 9562 5.4) with the prefixes of the wire.

    From a supply: to ask the kernel lets go of the interpreter lock, and to get it back from the
    store's thread cost 40 µs an id, a twentieth of a call.
    """

    def __init__(self) -> None:
        self._supply = ""

    def conversation(self) -> ConversationId:
        return ConversationId(f"CON-{self.bare()}")

    def member(self) -> MemberId:
        return MemberId(f"MEM-{self.bare()}")

    def user(self) -> UserId:
        return UserId(f"USR-{self.bare()}")

    def application(self) -> ApplicationId:
        return ApplicationId(self.bare())

    def session(self) -> SessionId:
        return SessionId(f"SES-{self.bare()}")

    def bare(self) -> str:
        if not self._supply:
            self._supply = os.urandom(SUPPLY).hex()
        drawn, self._supply = self._supply[-32:], self._supply[:-32]
        variant = _VARIANT[int(drawn[16], 16)]
        return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{variant}{drawn[17:20]}-{drawn[20:]}"
