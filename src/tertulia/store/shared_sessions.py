"""The shared ledger of live sessions in memory, for several nodes of one process: for tests."""

import asyncio
from collections.abc import Callable
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession, SessionRecord, SessionsOf, Standing
from tertulia.ports import LedgerEntry, ListedSession, Page
from tertulia.ports.sessions import HeldSession
from tertulia.services.sessionlists import page_of_sessions

LAG = 0.005
"""Seconds until who has lost a session finds out; others say it sooner."""


class _Row(Struct):
    held: HeldSession
    owner: "MemorySharedLedger"
    standing: Standing = Standing("", Instant(0), is_connected=True)
    left_at: float | None = None
    """Since when nobody is connected by it, as far as is known."""

    @property
    def is_connected(self) -> bool:
        return self.owner.is_alive and self.left_at is None

    @property
    def shown(self) -> LiveSession:
        return LiveSession(self.held.record, self.standing.user_name, self.standing.expires_at)


class MemorySessions:
    """What the nodes share."""

    def __init__(self) -> None:
        self.rows: dict[SessionId, _Row] = {}
        self.ledgers: list[MemorySharedLedger] = []

    def ledger(self, node: str) -> "MemorySharedLedger":
        ledger = MemorySharedLedger(self, node)
        self.ledgers.append(ledger)
        return ledger


class MemorySharedLedger:
    """SessionLedger and SharedLedger of one node."""

    def __init__(self, shared: MemorySessions, node: str) -> None:
        self._shared = shared
        self._node = node
        self.places: dict[int, SessionId] = {}
        self._next = 0
        self._lost: Callable[[SessionId], None] = lambda _: None
        self.is_alive = True

    def load(self) -> list[LedgerEntry]:
        return []

    def open(self, record: SessionRecord, acknowledged: Position) -> int:
        self._shared.rows[record.id] = _Row(HeldSession(record, self._node, 1, acknowledged), self)
        return self._place(record.id)

    async def settled(self, place: int) -> None:
        """It is, as far as it ever will be."""

    def show(self, place: int, standing: Standing) -> None:
        row = self._row(place)
        if row is not None:
            row.standing = standing
            row.left_at = None if standing.is_connected else monotonic()

    def acknowledge(self, place: int, position: Position) -> None:
        row = self._row(place)
        if row is not None:
            row.held = replace(row.held, acknowledged=position)

    def close(self, place: int) -> None:
        if self._row(place) is not None:
            del self._shared.rows[self.places.pop(place)]

    async def find(self, session_id: str) -> HeldSession | None:
        row = self._shared.rows.get(SessionId(session_id))
        return row.held if row is not None else None

    async def take(self, found: HeldSession, acknowledged: Position) -> LedgerEntry | None:
        row = self._shared.rows.get(found.record.id)
        if row is None or row.held.turn != found.turn:
            return None
        row.owner.lose(found.record.id)
        reached = Position(max(row.held.acknowledged, acknowledged))
        row.held = HeldSession(found.record, self._node, found.turn + 1, reached)
        row.owner, row.left_at = self, monotonic()
        return LedgerEntry(self._place(found.record.id), found.record, reached)

    def release(self, place: int) -> None:
        row = self._row(place)
        if row is not None:
            del self.places[place]
            row.left_at = monotonic()

    async def flush(self) -> None:
        return

    def on_lost(self, listener: Callable[[SessionId], None]) -> None:
        self._lost = listener

    def lose(self, session_id: SessionId) -> None:
        """Another has it now, or it has ended."""
        for place, own in tuple(self.places.items()):
            if own == session_id:
                del self.places[place]
                asyncio.get_running_loop().call_later(LAG, self._lost, session_id)

    def die(self) -> None:
        """As if the node were dead."""
        self.is_alive = False

    async def one(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession | None:
        row = self._shared.rows.get(session_id)
        is_found = row is not None and row.held.record.application_id == application_id
        return row.shown if row is not None and is_found else None

    async def connected(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]:
        which = SessionsOf(application_id=application_id, user_id=user_id)
        return page_of_sessions([row.shown for row in self._of(which) if row.is_connected], page)

    async def count(self, user_id: UserId) -> int:
        return len([row for row in self._of(SessionsOf(user_id=user_id)) if row.is_connected])

    async def end(self, which: SessionsOf) -> None:
        for row in self._of(which):
            del self._shared.rows[row.held.record.id]
            row.owner.lose(row.held.record.id)

    async def expire(self, which: SessionsOf, at: Instant) -> None:
        for row in self._of(which):
            row.standing = replace(row.standing, expires_at=at)

    async def sweep(self, away_s: float) -> None:
        now = monotonic()
        for row in tuple(self._shared.rows.values()):
            if row.left_at is None and not row.owner.is_alive:
                row.left_at = now
            if row.left_at is not None and row.left_at < now - away_s:
                await self.end(SessionsOf(session_id=row.held.record.id))

    def _of(self, which: SessionsOf) -> list[_Row]:
        return [row for row in self._shared.rows.values() if which.has(row.held.record)]

    def _row(self, place: int) -> _Row | None:
        """None: it is not ours any more, which we are being told."""
        session_id = self.places.get(place)
        return self._shared.rows.get(session_id) if session_id is not None else None

    def _place(self, session_id: SessionId) -> int:
        self._next += 1
        self.places[self._next] = session_id
        return self._next
