import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contracts.builders import NOW, append, birth, profile, user
from tests.contracts.directory import DirectoryContract
from tests.contracts.event_log import DurableContract, EventLogContract
from tests.contracts.message_records import MessageRecordsContract
from tests.contracts.scenario import StoreContract
from tests.store.disk import Disk

from tertulia.app.outside import Store
from tertulia.model.errors import Unavailable
from tertulia.model.event import Receipt
from tertulia.model.ids import EventId, Position
from tertulia.ports import EventQuery
from tertulia.store import heads
from tertulia.store.migrations import migrate
from tertulia.store.sqlite import SqliteStore


class OnSqlite(StoreContract):
    path: Path
    disk: Disk

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "tertulia.db"
        self.disk = Disk()

    async def open(self) -> Store:
        return await SqliteStore.open(self.path, connect=self.disk.connect)

    async def close(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        await store.close()

    @contextmanager
    def failing(self, store: Store) -> Iterator[None]:
        with self.disk.full():
            yield


class TestSqliteLog(OnSqlite, EventLogContract):
    pass


class TestSqliteDirectory(OnSqlite, DirectoryContract):
    pass


class TestSqliteMessageRecords(OnSqlite, MessageRecordsContract):
    pass


class TestSqliteDurability(OnSqlite, DurableContract):
    pass


def play(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scenario())


def test_the_epoch_is_the_stores_own(tmp_path: Path) -> None:
    async def epoch(name: str) -> str:
        store = await SqliteStore.open(tmp_path / name)
        await store.close()
        return store.epoch

    one, same, other = (asyncio.run(epoch(name)) for name in ("one", "one", "other"))
    assert one == same != other


def test_another_process_reads_what_is_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        path, room = tmp_path / "tertulia.db", profile()
        with pytest.raises(Unavailable):
            await SqliteStore.open_reader(path)
        writer = await SqliteStore.open(path)
        reader = await SqliteStore.open_reader(path)
        assert reader.epoch == writer.epoch
        await writer.append(birth(room))
        await writer.append(append(room, 0))
        followed = await reader.follow(Position(0))
        assert followed == await writer.follow(Position(0))
        assert await reader.head() == followed[-1].position
        with pytest.raises(Unavailable):
            await reader.append(append(room, 1))
        with pytest.raises(Unavailable):
            await reader.put_user(user())
        await reader.close()
        await writer.close()

    asyncio.run(scenario())


def test_a_store_without_an_epoch_yet_is_unavailable(tmp_path: Path) -> None:
    """The dispatcher may look between the two transactions in which a store is made."""
    path = tmp_path / "tertulia.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection)
    connection.close()

    async def scenario() -> None:
        with pytest.raises(Unavailable):
            await SqliteStore.open_reader(path)

    play(scenario)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """The page limit makes SQLite fail as a full disk does: in the middle of a statement."""

    async def scenario() -> None:
        disk, room = Disk(), profile()
        store = await SqliteStore.open(tmp_path / "tertulia.db", connect=disk.connect)
        await store.append(birth(room))
        (connection,) = disk.connections
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 3}")
        stored = 0
        with pytest.raises(Unavailable):
            while True:
                await store.append(append(room, stored, events=10))
                stored += 10
        with pytest.raises(Unavailable):
            await store.append(append(room, stored, events=500))
        connection.execute("PRAGMA max_page_count = 1000000")
        await store.append(append(room, stored, events=500))
        found = await store.events(room.id, EventQuery(limit=1000))
        assert [each.id for each in found] == list(range(1, stored + 501))
        await store.close()

    play(scenario)


def test_a_full_queue_refuses_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        room = profile()
        store = await SqliteStore.open(tmp_path / "tertulia.db", waiting_max=3)
        await store.append(birth(room))
        waiting = [store.append(append(room, expected)) for expected in range(3)]
        with pytest.raises(Unavailable, match="too many"):
            store.append(append(room, 3))
        await asyncio.gather(*waiting)
        await store.append(append(room, 3))
        await store.close()
        with pytest.raises(Unavailable, match="closed"):
            store.append(append(room, 4))

    play(scenario)


def test_a_value_that_cannot_be_stored_spares_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        room = profile()
        store = await SqliteStore.open(tmp_path / "tertulia.db")
        await store.append(birth(room))
        strange = Receipt(EventId(1), "seen_by", object(), NOW)  # type: ignore[arg-type]
        first = store.append(append(room, 0))
        waiting = [append(room, 1), append(room, 2, strange), append(room, 2), append(room, 3)]
        results = await asyncio.gather(*map(store.append, waiting), return_exceptions=True)
        assert [type(result) for result in results] == [int, Unavailable, int, int]
        await first
        await store.close()

    play(scenario)
    assert "store_broken" in {getattr(each, "action", "") for each in caplog.records}


def test_more_conversations_than_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "STREAMS_MAX", 4)

    async def scenario() -> None:
        store = await SqliteStore.open(tmp_path / "tertulia.db")
        rooms = [profile() for _ in range(10)]
        for room in rooms:
            await store.append(birth(room))
        for number in range(3):
            for room in rooms:
                await store.append(append(room, number))
        assert len(await store.follow(Position(0))) == 40
        await store.close()

    play(scenario)
