"""The live sessions of all nodes, as rows to be asked and to be ended."""

import msgspec
from asyncpg import Record

from tertulia.model.errors import InvalidCursor
from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession, SessionRecord, SessionsOf
from tertulia.ports import ListedSession, Page
from tertulia.ports.sessions import HeldSession
from tertulia.store import postgres_ledger_sql as sql
from tertulia.store.postgres_pool import PostgresPool

ID_MAX = 100
_decode = msgspec.msgpack.Decoder(SessionRecord).decode


class PostgresSessions:
    """AllSessions."""

    def __init__(self, pool: PostgresPool) -> None:
        self.pool = pool

    async def find(self, session_id: str) -> HeldSession | None:
        if not _can_be_an_id(session_id):
            return None
        for record, node, turn, acknowledged in await self.pool.fetch(sql.FIND, session_id):
            return HeldSession(_decode(record), node, turn, Position(acknowledged))
        return None

    async def one(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession | None:
        if not _can_be_an_id(session_id):
            return None
        for row in await self.pool.fetch(sql.ONE, session_id, application_id):
            return _shown(row)
        return None

    async def connected(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]:
        keys = [key for key in (page.after, page.before) if key is not None]
        if not all(map(_can_be_a_key, keys)):
            raise InvalidCursor()
        is_back = page.before is not None
        statement = sql.listed(
            of_user=user_id is not None, after=page.after is not None, before=is_back,
            descending=page.descending,
        )  # fmt: skip
        whose = (application_id,) if user_id is None else (application_id, user_id)
        bounds = [part for key in keys for part in key]
        found = [
            _shown(row) for row in await self.pool.fetch(statement, *whose, *bounds, page.limit)
        ]
        listed = [ListedSession((each.record.created_at, each.record.id), each) for each in found]
        return listed[::-1] if is_back else listed

    async def count(self, user_id: UserId) -> int:
        ((count,),) = await self.pool.fetch(sql.COUNT, user_id)
        return int(count)

    async def end(self, which: SessionsOf) -> None:
        condition, whose = sql.those(which, 1)
        await self.pool.fetch(f"DELETE FROM sessions WHERE {condition}", *whose)

    async def expire(self, which: SessionsOf, at: Instant) -> None:
        condition, whose = sql.those(which, 2)
        await self.pool.fetch(f"UPDATE sessions SET expires_at = $1 WHERE {condition}", at, *whose)

    async def sweep(self, away_s: float) -> None:
        await self.pool.fetch(sql.DIE)
        await self.pool.fetch(sql.SWEEP, float(away_s))


def _shown(row: Record) -> LiveSession:
    record, user_name, expires_at = row
    return LiveSession(_decode(record), user_name.decode("utf-8", "replace"), Instant(expires_at))


def _can_be_an_id(text: str) -> bool:
    return len(text) <= ID_MAX and text.isascii() and text.isprintable()


def _can_be_a_key(key: tuple[str | int, ...]) -> bool:
    match key:
        case (int(at), str(session_id)):
            return abs(at) < 1 << 62 and _can_be_an_id(session_id)
    return False
