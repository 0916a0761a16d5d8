"""Webhook work by leases on PostgreSQL: of the applications that are at home with this node.

All times are the server's. Ours is only for how long a lease may be relied on: from before it was
asked for, and less a part of it for what is on its way out.
"""

import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from uuid import uuid4

from msgspec import Struct

from tertulia.dispatch.postgres_tables import SETTINGS
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId
from tertulia.postgres.line import Line

RENEW_SECONDS = 1.0
AGAIN_SECONDS = 0.1
"""While something that is to be ours is another's yet, or nobody answers."""
RELIED_ON = 0.8
"""Part of a lease that we rely on."""

_RENEW = """
UPDATE webhook_leases AS l SET expires_at = now() + $4 * interval '1 second'
FROM unnest($2::text[], $3::text[]) AS c (application, token)
WHERE l.application = c.application AND l.token = c.token
RETURNING l.application,
    EXISTS (SELECT FROM homes AS h WHERE h.application = l.application AND h.node = $1) AS is_home
"""
_TAKE = """
WITH free AS (
    SELECT l.application FROM webhook_leases AS l
    JOIN homes AS h ON h.application = l.application
    WHERE h.node = $1 AND l.expires_at < now() AND l.application <> ALL ($4::text[])
    FOR UPDATE OF l SKIP LOCKED
), taken AS (
    UPDATE webhook_leases AS l SET node = $1, token = $2,
        expires_at = now() + $3 * interval '1 second'
    FROM free WHERE l.application = free.application
    RETURNING l.application
), made AS (
    INSERT INTO webhook_leases (application, node, token, expires_at)
    SELECT h.application, $1, $2, now() + $3 * interval '1 second' FROM homes AS h
    WHERE h.node = $1
      AND NOT EXISTS (SELECT FROM webhook_leases AS l WHERE l.application = h.application)
    ORDER BY h.application
    ON CONFLICT (application) DO NOTHING
    RETURNING application
)
SELECT h.application, t.application IS NOT NULL AS is_ours
FROM homes AS h
LEFT JOIN (SELECT * FROM taken UNION ALL SELECT * FROM made) AS t ON t.application = h.application
WHERE h.node = $1 AND h.application <> ALL ($4::text[])
"""
_GIVE_BACK = "DELETE FROM webhook_leases WHERE application = $1 AND token = $2"

_log = logging.getLogger(__name__)


def awake() -> float:
    """Seconds of a clock that goes on while the process is stopped, and the machine asleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class _Lease(Struct):
    token: str
    until: float
    is_leaving: bool = False


class LeasedWork:
    def __init__(
        self, url: str, node: str, lease_s: float, *, now: Callable[[], float] = awake
    ) -> None:
        self._line = Line(url, "webhook leases", seconds=lease_s, settings=SETTINGS)
        self._node = node
        self._seconds = lease_s
        self._now = now
        self._leases: dict[ApplicationId, _Lease] = {}

    async def renew(self, busy: Collection[ApplicationId]) -> float:
        until = self._now() + self._seconds * RELIED_ON
        asked = {application_id: each.token for application_id, each in self._leases.items()}
        token = uuid4().hex
        async with self._line.hold() as connection:
            renewed = await connection.fetch(
                _RENEW, self._node, list(asked), list(asked.values()), self._seconds
            )
            self._keep(asked, {row["application"]: row["is_home"] for row in renewed}, until)
            found = await connection.fetch(
                _TAKE, self._node, token, self._seconds, list(self._leases)
            )
        taken = [row["application"] for row in found if row["is_ours"]]
        for application_id in taken:
            self._leases[application_id] = _Lease(token, until)
            _tell("webhooks_taken", application_id)
        for application_id in [each for each in self._leases if self.is_leaving(each)]:
            if application_id not in busy:
                await self.give_back(application_id)
        has_all = len(taken) == len(found)
        return min(RENEW_SECONDS, self._seconds / 3) if has_all else AGAIN_SECONDS

    def _keep(
        self, asked: dict[ApplicationId, str], renewed: dict[ApplicationId, bool], until: float
    ) -> None:
        """What was given back meanwhile stays away."""
        for application_id, token in asked.items():
            lease = self._leases.get(application_id)
            if lease is None or lease.token != token:
                continue
            if application_id in renewed:
                lease.until, lease.is_leaving = until, not renewed[application_id]
            else:
                del self._leases[application_id]
                _tell("webhooks_lost", application_id)

    def token(self, application_id: ApplicationId) -> str | None:
        lease = self._leases.get(application_id)
        return None if lease is None else lease.token

    def is_leaving(self, application_id: ApplicationId) -> bool:
        lease = self._leases.get(application_id)
        return lease is not None and lease.is_leaving

    def may_send(self, application_id: ApplicationId) -> bool:
        lease = self._leases.get(application_id)
        return lease is not None and self._now() < lease.until

    async def give_back(self, application_id: ApplicationId) -> None:
        lease = self._leases.pop(application_id, None)
        if lease is None:
            return
        _tell("webhooks_given_back", application_id)
        with suppress(Unavailable):
            async with self._line.hold() as connection:
                await connection.execute(_GIVE_BACK, application_id, lease.token)

    async def close(self) -> None:
        await self._line.close()


def _tell(action: str, application_id: ApplicationId) -> None:
    _log.info("webhook work", extra={"action": action, "application": application_id})
