"""The log in parts: as one log, wherever its parts end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.contracts.builders import APP, append, birth, profile
from tests.contracts.directory import DirectoryContract
from tests.contracts.event_log import DurableContract, EventLogContract
from tests.postgres import PostgresServer
from tests.store.test_postgres import OnPostgres

from tertulia.app.copying import run_copy
from tertulia.app.outside import Store
from tertulia.model.ids import EventId, Position
from tertulia.model.state import Profile
from tertulia.ports import ConversationFilter, EventQuery, Page
from tertulia.postgres.connections import connect
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_migrations import MIGRATIONS, migrate
from tertulia.store.rows import encode
from tertulia.store.sqlite import SqliteStore

SMALL = 7
"""Positions of a part: no test of a contract stays within one."""
SHRINK = f"""
DROP TABLE log_0;
UPDATE head SET log_end = 0;
UPDATE meta SET value = '{SMALL}' WHERE key = 'log_part';
"""
PARTS = """
SELECT inhrelid::regclass::text AS name FROM pg_inherits
WHERE inhparent = 'log'::regclass ORDER BY length(inhrelid::regclass::text), 1
"""
VERSION_2 = """
INSERT INTO applications (number, id) VALUES (1, '{app}');
INSERT INTO conversations (number, id, application, name, state, place, sort_key, profile)
    VALUES (1, '{id}', 1, 'hall', 'ACTIVE', 1, '', '{profile}');
INSERT INTO log (position, application, stream, id, type, record)
    SELECT n, 1, 1, n, 'message', '{{"timestamp":1,"body":{{}}}}' FROM generate_series(1, 20) AS n;
UPDATE head SET position = 20, conversations = 1, applications = 1;
"""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(url, "test", seconds=10, settings={})
    try:
        yield connection
    finally:
        await connection.close()


async def shrunk(url: str) -> None:
    """A new store whose parts are small."""
    async with connected(url) as connection:
        if await connection.fetchval("SELECT to_regclass('tertulia.log') IS NULL"):
            await migrate(connection)
            await connection.execute(SHRINK)


async def parts(url: str) -> list[str]:
    async with connected(url) as connection:
        return [row["name"] for row in await connection.fetch(PARTS)]


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


async def of_version_2(url: str, room: Profile) -> None:
    """A store with twenty events of a conversation."""
    async with connected(url) as connection:
        await migrate(connection, MIGRATIONS[:2])
        await connection.execute(
            VERSION_2.format(app=APP, id=room.id, profile=encode(room).decode())
        )


async def numbers(store: Store, room: Profile) -> list[EventId | None]:
    return [each.id for each in await store.events(room.id, EventQuery(limit=100))]


class InSmallParts(OnPostgres):
    async def open(self) -> Store:
        await shrunk(self.url)
        return await PostgresStore.open(self.url)


class TestPartedLog(InSmallParts, EventLogContract):
    pass


class TestPartedDirectory(InSmallParts, DirectoryContract):
    pass


class TestPartedDurability(InSmallParts, DurableContract):
    pass


def test_parts_come_as_they_are_needed(postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        await shrunk(url)
        one, other = await PostgresStore.open(url), await PostgresStore.open(url)
        rooms = [profile(), profile()]
        for store, room in zip((one, other), rooms, strict=True):
            await store.append(birth(room))
        assert await parts(url) == ["log_0"]
        for number in range(10):
            for store, room in zip((one, other), rooms, strict=True):
                await store.append(append(room, number))
        assert await parts(url) == ["log_0", "log_7", "log_14", "log_21"]
        waiting = [one.append(append(rooms[0], number)) for number in range(10, 40)]
        assert await asyncio.gather(*waiting) == list(range(23, 53))
        assert len(await parts(url)) == 8, "many at once, in one batch"
        for store, room, count in ((one, rooms[1], 10), (other, rooms[0], 40)):
            assert await numbers(store, room) == list(range(1, count + 1))
        found = await other.follow(Position(0), limit=100)
        assert [each.position for each in found] == list(range(1, 53))
        await one.close()
        await other.close()

    play(scenario)


def test_a_log_of_version_2_is_the_first_part(postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        room = profile()
        await of_version_2(url, room)
        store = await PostgresStore.open(url)
        assert await store.append(append(room, 20)) == 21
        assert await numbers(store, room) == list(range(1, 22))
        (found,) = await store.conversations(ConversationFilter(APP), Page())
        assert found.sequence == 21
        assert await parts(url) == ["log_0"]
        await store.close()

    play(scenario)


def test_a_store_of_version_2_is_copied_as_it_is(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_database()
    room = profile()

    async def read() -> None:
        store = await SqliteStore.open(tmp_path / "tertulia.db")
        assert await numbers(store, room) == list(range(1, 21))
        await store.close()
        async with connected(url) as connection:
            version = await connection.fetchval("SELECT value FROM meta WHERE key = 'version'")
            assert version == "2"

    play(lambda: of_version_2(url, room))
    run_copy(url, f"sqlite:{tmp_path}", print)
    play(read)


def test_a_copy_is_in_parts(postgres: PostgresServer, tmp_path: Path) -> None:
    url = postgres.new_database()
    rooms = [profile(), profile()]

    async def fill() -> None:
        store = await SqliteStore.open(tmp_path / "tertulia.db")
        for room in rooms:
            await store.append(birth(room))
            for number in range(15):
                await store.append(append(room, number))
        await store.close()
        await shrunk(url)

    async def read() -> None:
        assert len(await parts(url)) == 5
        store = await PostgresStore.open(url)
        for room in rooms:
            assert await store.append(append(room, 15))
            assert await numbers(store, room) == list(range(1, 17))
        await store.close()
        async with connected(url) as connection:
            since = await connection.fetch("SELECT since FROM conversations ORDER BY number")
            assert [row["since"] for row in since] == [1, 17]

    play(fill)
    run_copy(f"sqlite:{tmp_path}", url, print)
    play(read)


@pytest.mark.parametrize("asked", ["events", "conversations"])
def test_parts_before_a_conversation_are_not_looked_into(
    postgres: PostgresServer, asked: str
) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        await shrunk(url)
        store = await PostgresStore.open(url)
        old, new = profile(), profile()
        await store.append(birth(old))
        for number in range(20):
            await store.append(append(old, number))
        await store.append(birth(new))
        await store.append(append(new, 0))
        await store.close()
        async with connected(url) as connection:
            before = await _scans(connection)
            for room in (new, old):
                reader = await PostgresStore.open_reader(url)
                if asked == "events":
                    assert await numbers(reader, room) == list(range(1, 21 if room is old else 2))
                else:
                    assert await reader.conversation(room.id)
                await reader.close()
                after = await _scans(connection)
                touched = {name for name, count in after.items() if count > before[name]}
                assert ("log_0" in touched) == (room is old), touched
                before = after

    play(scenario)


async def _scans(connection: asyncpg.Connection) -> dict[str, int]:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    rows = await connection.fetch(
        "SELECT relname, coalesce(idx_scan, 0) AS count FROM pg_stat_user_tables"
        " WHERE relname LIKE 'log\\_%'"
    )
    return {row["relname"]: row["count"] for row in rows}
