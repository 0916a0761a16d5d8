"""The ledger of live sessions on PostgreSQL, which all nodes share.

What a node has to write of its sessions is collected and written for all of them together, a few
times a second, in one statement; only an opening is waited for. The rows that this statement finds
are still ours: what it does not find, another has taken or ended.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position, SessionId
from tertulia.model.instant import Instant
from tertulia.model.session import SessionRecord, Standing
from tertulia.ports import LedgerEntry
from tertulia.ports.sessions import HeldSession
from tertulia.store import postgres_ledger_sql as sql
from tertulia.store.owner import Owner
from tertulia.store.postgres_pool import PostgresPool
from tertulia.store.postgres_sessions import PostgresSessions

WRITE_SECONDS = 0.15
WRITE_SHARE = 3.0
"""How much longer than a writing the rest after it is, up to the longest: the more sessions there
are, the longer it takes, and the database has other things to do."""
WRITE_SECONDS_MAX = 0.25
CHECK_SECONDS = 20.0
"""How often it is made sure that all sessions are still ours."""
PAUSE_SECONDS = 1.5
"""Without writing: this process was stopped, or the store away, and others may have taken them."""
CONNECTIONS = 4

_UNTOLD = Standing("", Instant(0), is_connected=True)
_encode = msgspec.msgpack.Encoder().encode
_log = logging.getLogger(__name__)


class _Held:
    """A session that this node has."""

    __slots__ = ("is_closed", "is_stored", "record", "standing", "stored", "turn")

    def __init__(self, record: SessionRecord, turn: int, *, is_stored: bool) -> None:
        self.record = record
        self.turn = turn
        self.is_stored = is_stored
        self.stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Done when it is known whether it could be."""
        if is_stored:
            self.stored.set_result(True)
        self.is_closed = False
        self.standing: Standing | None = None


class _Opening(Struct):
    held: _Held
    encoded: bytes
    acknowledged: Position


class _Line(Struct, frozen=True):
    """What is to be written of a session; None: nothing new."""

    held: _Held
    acknowledged: Position | None
    standing: Standing | None


class PostgresLedger(PostgresSessions):
    """SessionLedger and SharedLedger of one process."""

    def __init__(self, pool: PostgresPool, owner: Owner) -> None:
        super().__init__(pool)
        self._owner = owner
        self._held: dict[int, _Held] = {}
        self._next = 0
        self._opening: list[_Opening] = []
        self._opener: asyncio.Task[None] | None = None
        self._acknowledged: dict[int, Position] = {}
        """To be written, as are the next four."""
        self._changed: set[int] = set()
        self._checked: set[int] = set()
        """Of which there is nothing to write, but whose rows are to be found."""
        self._parting: list[_Line] = []
        self._closed: list[_Held] = []
        self._lost: Callable[[SessionId], None] = lambda _: None
        self._is_behind = False
        self._turn = asyncio.Lock()
        self._keeper = asyncio.create_task(self._keep())

    @classmethod
    async def connect(cls, url: str, owner: Owner) -> "PostgresLedger":
        """To a store that has been opened before. Raises Unavailable."""
        pool = PostgresPool(url, "sessions", connections=CONNECTIONS)
        await pool.open()
        try:
            await pool.fetch(sql.BEGIN)
        except Unavailable:
            await pool.close()
            raise
        return cls(pool, owner)

    async def shut(self) -> None:
        """Write what there is to write; from now on nobody is connected here."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        if self._opener is not None:
            await self._opener
        for place in tuple(self._held):
            self.release(place)
        await self._try_to_write()
        await self.pool.close()

    # --- SessionLedger ---

    def load(self) -> list[LedgerEntry]:
        return []

    def open(self, record: SessionRecord, acknowledged: Position) -> int:
        held = _Held(record, 1, is_stored=False)
        self._opening.append(_Opening(held, _encode(record), acknowledged))
        if self._opener is None:
            self._opener = asyncio.create_task(self._open_all())
        return self._hold(held)

    async def settled(self, place: int) -> None:
        if not await asyncio.shield(self._held[place].stored):
            raise Unavailable("the session cannot be kept")

    def show(self, place: int, standing: Standing) -> None:
        self._held[place].standing = standing
        self._changed.add(place)

    def acknowledge(self, place: int, position: Position) -> None:
        self._acknowledged[place] = position

    def close(self, place: int) -> None:
        held = self._dismiss(place).held
        held.is_closed = True
        if held.is_stored:
            self._closed.append(held)

    # --- SharedLedger ---

    async def take(self, found: HeldSession, acknowledged: Position) -> LedgerEntry | None:
        rows = await self.pool.fetch(
            sql.TAKE, self._owner.node, self._owner.incarnation, found.record.id, found.turn,
            acknowledged,
        )  # fmt: skip
        for turn, position in rows:
            place = self._hold(_Held(found.record, turn, is_stored=True))
            return LedgerEntry(place, found.record, Position(position))
        return None

    def release(self, place: int) -> None:
        line = self._dismiss(place)
        if line.standing is not None:
            line = replace(line, standing=replace(line.standing, is_connected=False))
        self._parting.append(line)

    async def flush(self) -> None:
        await self._try_to_write()

    def on_lost(self, listener: Callable[[SessionId], None]) -> None:
        self._lost = listener

    # --- writing ---

    def check(self) -> None:
        """Make sure, with the next writing, that all sessions are still ours."""
        self._checked.update(self._held)

    async def written(self) -> None:
        """Wait until others can know all that is known here now."""
        while self._opener is not None:
            await asyncio.shield(self._opener)
        while True:
            if await self._try_to_write():
                return
            await asyncio.sleep(WRITE_SECONDS)

    def _hold(self, held: _Held) -> int:
        self._next += 1
        self._held[self._next] = held
        return self._next

    def _dismiss(self, place: int) -> _Line:
        """It is not ours any more; what was to be written of it."""
        held = self._held.pop(place)
        self._changed.discard(place)
        self._checked.discard(place)
        return _Line(held, self._acknowledged.pop(place, None), held.standing)

    async def _open_all(self) -> None:
        """What is opened while a batch is on its way is the next batch."""
        while self._opening:
            batch, self._opening = self._opening, []
            is_stored = await self._store(batch)
            for held in [each.held for each in batch]:
                held.is_stored = is_stored
                held.stored.set_result(is_stored)
                if held.is_closed or not is_stored:  # it may be there all the same
                    self._closed.append(held)
        self._opener = None

    async def _store(self, batch: list[_Opening]) -> bool:
        records = [each.held.record for each in batch]
        standings = [each.held.standing or _UNTOLD for each in batch]
        try:
            await self.pool.fetch(
                sql.OPEN, self._owner.node, self._owner.incarnation,
                [each.id for each in records], [each.application_id for each in records],
                [each.user_id for each in records], [each.created_at for each in records],
                [each.encoded for each in batch], [each.acknowledged for each in batch],
                [_encoded(each.user_name) for each in standings],
                [each.expires_at for each in standings],
            )  # fmt: skip
        except Unavailable as error:
            told = {"action": "sessions_refused", "error": str(error), "count": len(batch)}
            _log.warning("sessions cannot be kept, and are refused", extra=told)
            return False
        return True

    async def _keep(self) -> None:
        written = checked = monotonic()
        rest = WRITE_SECONDS
        while True:
            await asyncio.sleep(rest)
            now = monotonic()
            if now - checked > CHECK_SECONDS:
                checked = now
                self.check()
            if now - written > PAUSE_SECONDS:  # who is connected may have been written off
                self._changed.update(self._held)
            if await self._try_to_write():
                written = monotonic()
                took = WRITE_SHARE * (written - now)
                rest = max(WRITE_SECONDS, min(WRITE_SECONDS_MAX, took))

    async def _try_to_write(self) -> bool:
        try:
            async with self._turn:
                await self._write()
        except Unavailable as error:
            if not self._is_behind:
                told = {"action": "sessions_wait", "error": str(error)}
                _log.warning("what sessions acknowledge waits for the store", extra=told)
            self._is_behind = True
            return False
        self._is_behind = False
        return True

    async def _write(self) -> None:
        due, parting, closed = self._due(), self._parting, self._closed
        self._parting, self._closed = [], []
        try:
            found = await self._found([*due.values(), *parting])
            if closed:
                ids, turns = [each.record.id for each in closed], [each.turn for each in closed]
                await self.pool.fetch(sql.CLOSE, ids, turns)
        except BaseException:
            self._undo(due)
            self._parting, self._closed = parting + self._parting, closed + self._closed
            raise
        for place, line in due.items():
            session_id = line.held.record.id
            if session_id not in found and place in self._held:
                self._dismiss(place)
                self._lost(session_id)

    def _due(self) -> dict[int, _Line]:
        """What has to be written of those that are ours."""
        due = {}
        for place in self._acknowledged.keys() | self._changed | self._checked:
            held = self._held[place]
            if held.is_stored:
                standing = held.standing if place in self._changed else None
                due[place] = _Line(held, self._acknowledged.pop(place, None), standing)
        self._changed.difference_update(due)
        self._checked.difference_update(due)
        return due

    def _undo(self, due: dict[int, _Line]) -> None:
        """It could not be written."""
        for place, line in due.items():
            if place not in self._held:
                self._parting.append(line)
                continue
            self._changed.add(place)
            if line.acknowledged is not None:
                self._acknowledged.setdefault(place, line.acknowledged)

    async def _found(self, lines: list[_Line]) -> set[SessionId]:
        """Those of which there was something to be written on."""
        if not lines:
            return set()
        standings = [each.standing for each in lines]
        rows = await self.pool.fetch(
            sql.WRITE,
            [each.held.record.id for each in lines],
            [each.held.turn for each in lines],
            [each.acknowledged for each in lines],
            [each and _encoded(each.user_name) for each in standings],
            [each and each.expires_at for each in standings],
            [each and each.is_connected for each in standings],
        )  # fmt: skip
        return {row[0] for row in rows}


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "replace")
