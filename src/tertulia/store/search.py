"""The search index in a SQLite file of its own, by FTS5.

It holds nothing that is not in the log, so it is synced lazily, and a file that cannot be read or
proves to be damaged is made anew. Writes have a thread and a statement a table, as the log's have;
searches have threads of their own, since a broad one takes long.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import local
from time import monotonic
from typing import TypeVar

import msgspec

from tertulia.model.errors import SearchMissing, SearchTooBroad, Unavailable
from tertulia.model.ids import ConversationId, EventId, Position
from tertulia.model.indexing import TextChanges
from tertulia.model.words import MARK, UNMARK, Term, snippet_of
from tertulia.ports.search import FoundText, Line, TextQuery
from tertulia.store.queries import read_sql

VERSION = 2
SEARCH_SECONDS = 1.0
SEARCHES_MAX = 32
"""Under way or waiting; more are refused."""
NARROW_MAX = 100
"""So many conversations are named to the index; among more it is looked row by row."""
_STEPS = 20_000
"""Of SQLite's machine, between two looks at the clock."""

_NAME = "INSERT OR IGNORE INTO names (id) SELECT DISTINCT value FROM json_each(?)"
_SAY = """
INSERT OR IGNORE INTO texts (position, application, conversation, event, text, author)
SELECT j.value->>0, a.number, c.number, j.value->>3, j.value->>4, j.value->>5
FROM json_each(?) AS j
CROSS JOIN names AS a ON a.id = j.value->>1
CROSS JOIN names AS c ON c.id = j.value->>2"""
_CHANGE = """
UPDATE texts SET text = ?3
WHERE conversation = (SELECT number FROM names WHERE id = ?1) AND event = ?2
  AND (?4 IS NULL OR author = ?4)"""
_REMOVE = """
DELETE FROM texts WHERE (conversation, event) IN (
    SELECT c.number, j.value->>1 FROM json_each(?) AS j
    CROSS JOIN names AS c ON c.id = j.value->>0)"""
_CLOSE = """
DELETE FROM texts WHERE conversation IN (
    SELECT c.number FROM json_each(?) AS j CROSS JOIN names AS c ON c.id = j.value)"""
_FIND = f"""
SELECT json_group_array(json_array(position, conversation, event, snippet)) FROM (
    SELECT t.position, c.id AS conversation, t.event,
           snippet(words, 1, '{MARK}', '{UNMARK}', '…', 24) AS snippet
    FROM words CROSS JOIN texts AS t ON t.position = words.rowid
    CROSS JOIN names AS c ON c.number = t.conversation
    WHERE words MATCH :match AND words.rowid < :before
      AND t.application = (SELECT number FROM names WHERE id = :application)
      AND (:conversations IS NULL OR c.id IN (SELECT value FROM json_each(:conversations)))
    ORDER BY words.rowid DESC LIMIT :limit)"""
_NUMBERS = """
SELECT json_group_array(number) FROM names WHERE id IN (SELECT value FROM json_each(?))"""
_WHOLE = ""
_UPTO = "SELECT upto FROM progress WHERE line IN (?, '') ORDER BY line DESC LIMIT 1"
_ADVANCE = """
INSERT INTO progress (line, upto) VALUES (?, ?)
ON CONFLICT (line) DO UPDATE SET upto = excluded.upto"""
_HIGHEST = 2**63 - 1
_DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA = read_sql("search.sql")
_EMPTY = "".join(f"DROP TABLE {table};" for table in ("words", "texts", "names", "progress"))
_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -16384;
"""

_Row = tuple[Position, ConversationId, EventId, str]
_ROWS = msgspec.json.Decoder(list[_Row])
_INTEGERS = msgspec.json.Decoder(list[int])
_log = logging.getLogger(__name__)

Connect = Callable[..., sqlite3.Connection]
T = TypeVar("T")


class SqliteSearch:
    """SearchIndex."""

    def __init__(self, path: Path, *, connect: Connect = sqlite3.connect) -> None:
        """`connect` is for tests in which the disk fails."""
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="search-writer")
        self._searchers = _search_threads()
        self._local = local()
        self._opened: list[sqlite3.Connection] = []
        self._is_damaged = False
        self._searches = 0
        self._is_able = has_fts5()

    async def begin(self, epoch: str, head: Position, line: Line = None) -> Position:
        if self._is_damaged:
            await self._discard()
        return await self._run(self._writer, partial(self._begin, epoch, head, line or _WHOLE))

    async def write(self, changes: TextChanges, upto: Position, line: Line = None) -> None:
        await self._run(self._writer, partial(self._write, changes, upto, line or _WHOLE))

    async def find(self, query: TextQuery) -> list[FoundText]:
        if self._is_able and self._connection is None:
            raise Unavailable("the search index is not open yet")
        if self._searches >= SEARCHES_MAX:
            raise Unavailable("too many searches are waiting")
        self._searches += 1
        try:
            return await self._run(self._searchers, partial(self._find, query))
        finally:
            self._searches -= 1

    async def close(self) -> None:
        for threads in (self._searchers, self._writer):
            await asyncio.to_thread(threads.shutdown)
        for connection in self._opened:
            connection.close()

    async def _discard(self) -> None:
        """Remove the file, once nobody is in it."""
        self._connection = None
        await asyncio.to_thread(self._searchers.shutdown)
        self._searchers = _search_threads()
        await self._run(self._writer, self._remove)
        self._is_damaged = False

    async def _run(self, threads: Executor, work: Callable[[], T]) -> T:
        if not self._is_able:
            raise SearchMissing()
        return await asyncio.get_running_loop().run_in_executor(threads, self._guarded, work)

    def _guarded(self, work: Callable[[], T]) -> T:
        """Errors of SQLite as those of the port."""
        try:
            return work()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)
            if code == sqlite3.SQLITE_INTERRUPT:
                raise SearchTooBroad() from None
            self._is_damaged |= code & 0xFF in _DAMAGES
            told = {"action": "search_failed", "error": str(error)}
            _log.error("the search index failed", extra=told)
            raise Unavailable("the search index failed") from error

    def _open(self, mode: str) -> sqlite3.Connection:
        connection = self._connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True, isolation_level=None, check_same_thread=False, timeout=SEARCH_SECONDS,
        )  # fmt: skip
        self._opened.append(connection)
        return connection

    def _begin(self, epoch: str, head: Position, line: str) -> Position:
        connection = self._connection = self._connection or self._made()
        (known,) = connection.execute("SELECT epoch FROM progress WHERE line = ''").fetchone()
        (furthest,) = connection.execute("SELECT max(upto) FROM progress").fetchone()
        if known != epoch or furthest > head:
            _script(connection, _EMPTY + _SCHEMA)
            connection.execute("UPDATE progress SET epoch = ?", (epoch,))
        (upto,) = connection.execute(_UPTO, (line,)).fetchone()
        return Position(upto)

    def _made(self) -> sqlite3.Connection:
        """The file, opened; made anew unless it is one of this version."""
        try:
            connection = self._open("rwc")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError:
            version = None
        if version != VERSION:
            self._remove()
            connection = self._open("rwc")
        connection.executescript(_PRAGMAS)
        if version != VERSION:
            _script(connection, f"{_SCHEMA}PRAGMA user_version = {VERSION};")
        return connection

    def _remove(self) -> None:
        while self._opened:
            self._opened.pop().close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _write(self, changes: TextChanges, upto: Position, line: str) -> None:
        if self._connection is None or self._is_damaged:
            raise Unavailable("not open yet, or to be made anew")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            _apply(self._connection, changes)
            self._connection.execute(_ADVANCE, (line, upto))
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _find(self, query: TextQuery) -> list[FoundText]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open("rw")
            connection.execute("PRAGMA query_only = ON")
        deadline = monotonic() + SEARCH_SECONDS
        connection.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
        scope = _scope(connection, query)
        if scope is None:
            return []
        among = None if query.conversations is None else _json(query.conversations)
        (rows,) = connection.execute(_FIND, {
            "match": f"scope : ({scope}) AND text : ({_words(query.terms)})",
            "application": query.application_id, "conversations": among,
            "before": _HIGHEST if query.before is None else query.before, "limit": query.limit,
        }).fetchone()  # fmt: skip
        return [
            FoundText(position, conversation_id, event_id, snippet_of(marked))
            for position, conversation_id, event_id, marked in _ROWS.decode(rows)
        ]


def _search_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="search")


def has_fts5() -> bool:
    """Whether this host's SQLite was built with it; nearly all are."""
    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute(
        "SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'"
    ).fetchone()
    connection.close()
    return bool(found)


def _script(connection: sqlite3.Connection, sql: str) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{sql}COMMIT;")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _apply(connection: sqlite3.Connection, changes: TextChanges) -> None:
    if changes.said:
        names = {name for text in changes.said for name in (
            text.application_id, text.conversation_id)}  # fmt: skip
        connection.execute(_NAME, (_json(list(names)),))
        connection.execute(_SAY, (_json(changes.said),))
    if changes.changed:
        connection.executemany(_CHANGE, map(msgspec.structs.astuple, changes.changed))
    if changes.removed:
        connection.execute(_REMOVE, (_json(changes.removed),))
    if changes.closed:
        connection.execute(_CLOSE, (_json(changes.closed),))


def _scope(connection: sqlite3.Connection, query: TextQuery) -> str | None:
    """The words of the index that stand for the scope; None when nothing is in it."""
    among = query.conversations
    if among is None or len(among) > NARROW_MAX:
        numbers, letter = _numbers(connection, (query.application_id,)), "a"
    else:
        numbers, letter = _numbers(connection, among), "c"
    return " OR ".join(f'"{letter}{number}"' for number in numbers) or None


def _numbers(connection: sqlite3.Connection, ids: Sequence[str]) -> list[int]:
    (found,) = connection.execute(_NUMBERS, (_json(ids),)).fetchone()
    return _INTEGERS.decode(found)


def _words(terms: Sequence[Term]) -> str:
    """An expression of FTS5. Terms hold letters and digits only, so nothing needs to be escaped."""
    return " AND ".join(
        f'"{" ".join(term.words)}"{"*" if term.is_prefix else ""}' for term in terms
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
