import asyncio
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contracts.builders import APP, append, leg, user

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position
from tertulia.model.state import Profile
from tertulia.ports import CallFilter, ConversationFilter, FoundCalls, Page, Records
from tertulia.store.migrations import MIGRATIONS, Migration, UnknownSchema, migrate
from tertulia.store.rows import encode
from tertulia.store.sqlite import SqliteStore

MINE = ConversationFilter(APP)
VERSION_1 = Path(__file__).parent / "version1.sql"
NEXT = Migration(MIGRATIONS[-1].version + 1, "ALTER TABLE users ADD COLUMN mood TEXT;")


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "tertulia.db", isolation_level=None)


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_versions_are_numbered_from_1() -> None:
    assert [each.version for each in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_store_is_brought_forward_once(connection: sqlite3.Connection) -> None:
    migrate(connection)
    assert version(connection) == MIGRATIONS[-1].version
    for _ in range(2):
        migrate(connection, (*MIGRATIONS, NEXT))
        assert version(connection) == NEXT.version
    connection.execute("SELECT mood FROM users")
    connection.close()


def test_a_migration_that_fails_leaves_the_version_before_it(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection)
    broken = Migration(NEXT.version, f"{NEXT.sql} SELECT * FROM nowhere;")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (*MIGRATIONS, broken))
    connection.rollback()
    assert version(connection) == MIGRATIONS[-1].version
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT mood FROM users")
    connection.close()


def test_a_newer_store_is_refused(connection: sqlite3.Connection, tmp_path: Path) -> None:
    migrate(connection, (*MIGRATIONS, NEXT))
    connection.close()
    for opening in (SqliteStore.open, SqliteStore.open_reader):
        with pytest.raises(UnknownSchema, match="schema version"):
            asyncio.run(opening(tmp_path / "tertulia.db"))


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tertulia.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(Unavailable, match="cannot open"):
        asyncio.run(SqliteStore.open(tmp_path / "tertulia.db"))


def test_legs_of_version_2_are_calls_if_they_came_by_one(tmp_path: Path) -> None:
    path = tmp_path / "tertulia.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, MIGRATIONS[:2])
    alice = user("alice")
    call, other = replace(leg(alice), is_call=True), leg(alice)
    connection.execute("INSERT INTO applications (number, id, created_at) VALUES (1, ?, 0)", (APP,))
    for each in (call, other):
        connection.execute(
            "INSERT INTO legs (id, application, user_id, is_over, leg) VALUES (?, 1, ?, 0, ?)",
            (each.id, each.user_id, encode(each)),
        )
    connection.close()

    async def play() -> None:
        store = await SqliteStore.open(path)
        assert await store.calls(CallFilter(APP), Records()) == FoundCalls(1, [call])
        assert len(await store.open_legs()) == 2
        await store.close()

    asyncio.run(play())


def test_a_store_of_version_1_is_read_and_written(tmp_path: Path) -> None:
    """version1.sql is the dump of a store that the first release wrote."""
    path = tmp_path / "tertulia.db"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    connection.close()

    async def play() -> None:
        store = await SqliteStore.open(path)
        assert store.epoch == "0123456789abcdef0123456789abcdef"
        found = await store.follow(Position(0))
        assert [(each.id, each.type, each.body) for each in found] == [
            (None, "conversation:created", b'{"text":"knock"}'),
            (1, "message", b"{}"),
            (2, "event:delete", b'{"text":"Hello, w\xc3\xb6rld"}'),
        ]
        assert found[1].deleted_at and found[1].state
        room = found[0].became
        assert isinstance(room, Profile)
        assert [each.profile for each in await store.conversations(MINE, Page())] == [room]
        assert [each.user.name for each in await store.members(room.id, Page())] == ["alice"]
        assert [each.id for each in await store.applications()] == [APP]
        assert await store.append(append(room, 2)) == 4
        await store.close()

    asyncio.run(play())
