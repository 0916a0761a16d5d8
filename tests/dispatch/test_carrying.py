"""A journal that moves with its store."""

import asyncio
from pathlib import Path

import pytest
from tests.contracts.journal import APP, LANE, OTHER, attempt, dead, held
from tests.dispatch.cluster import made
from tests.postgres import PostgresServer

from tertulia.app.copying import run_copy
from tertulia.app.journals import journal_file, move_in
from tertulia.dispatch.carrying import carry
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.postgres_tables import PostgresTables
from tertulia.dispatch.reading import AttemptFilter, JournalReader
from tertulia.dispatch.records import Batch, Progress
from tertulia.dispatch.sqlite_tables import SqliteTables
from tertulia.dispatch.tables import Tables
from tertulia.model.ids import Position
from tertulia.model.instant import Instant
from tertulia.settings import Settings
from tertulia.settings.groups import Data, Store
from tertulia.store.sqlite import SqliteStore


async def fill(tables: Tables) -> None:
    journal, reader = Journal(tables), JournalReader(tables)
    await journal.begin_epoch("one")
    await journal.write(
        Batch(
            attempts=[attempt(n, delivered=n != 2) for n in range(1, 5)],
            held={LANE: held()}, dead=[dead(3), dead(1)],
            progress=[Progress(APP, Position(9), Instant(6)), Progress(OTHER, Position(5), None)],
        )
    )  # fmt: skip
    await reader.request_replay(APP, now=Instant(3), first=Position(2))


async def content(tables: Tables) -> list[object]:
    journal, reader = Journal(tables), JournalReader(tables)
    return [
        [await journal.cursor(each) for each in (APP, OTHER)],
        await journal.held(APP),
        [one.attempt for one in await reader.list_attempts(AttemptFilter(APP))],
        [one.letter for one in await reader.list_dead_letters(APP)],
        await journal.waiting_replays({APP}),
        await reader.counts(),
    ]


def test_it_is_the_same_there_and_back(tmp_path: Path, postgres: PostgresServer) -> None:
    async def scenario() -> None:
        here, there = SqliteTables(tmp_path / "a.db"), PostgresTables(made(postgres))
        back = SqliteTables(tmp_path / "b.db")
        await fill(here)
        assert await carry(here, there, "one") == 2
        assert await carry(there, back) == 2
        assert await content(here) == await content(there) == await content(back)
        await Journal(back).begin_epoch("one")
        assert await content(back) == await content(here)
        for each in (here, there, back):
            await each.close()

    asyncio.run(scenario())


def test_what_the_target_knows_stays(tmp_path: Path, postgres: PostgresServer) -> None:
    async def scenario() -> None:
        here, there = SqliteTables(tmp_path / "a.db"), PostgresTables(made(postgres))
        await fill(here)
        await Journal(there).write(Batch(progress=[Progress(APP, Position(12), None)]))
        assert await carry(here, there, "another") == 0
        assert await carry(here, there, "one") == 1
        assert await Journal(there).cursor(APP) == 12
        assert await Journal(there).cursor(OTHER) == 5
        assert await Journal(there).held(APP) == []
        for each in (here, there):
            await each.close()

    asyncio.run(scenario())


def test_a_copied_store_has_its_journal_with_it(tmp_path: Path, postgres: PostgresServer) -> None:
    here, back, url = tmp_path / "here", tmp_path / "back", postgres.new_database()

    async def before() -> list[object]:
        here.mkdir()
        await (await SqliteStore.open(here / "tertulia.db")).close()
        tables = SqliteTables(here / "dispatch.db")
        await fill(tables)
        return await closed(tables)

    async def closed(tables: Tables) -> list[object]:
        shown = await content(tables)
        await tables.close()
        return shown

    shown = asyncio.run(before())
    run_copy(f"sqlite:{here}", url, print)
    assert asyncio.run(closed(PostgresTables(url))) == shown
    run_copy(url, f"sqlite:{back}", print)
    assert asyncio.run(closed(SqliteTables(back / "dispatch.db"))) == shown


@pytest.mark.parametrize("epoch", ["one", "two"])
def test_a_data_directory_gives_its_journal_up_once(
    tmp_path: Path, postgres: PostgresServer, epoch: str
) -> None:
    url = made(postgres)
    settings = Settings(data=Data(dir=str(tmp_path)), store=Store(url=url))
    file = journal_file(settings)

    async def scenario() -> None:
        here, there = SqliteTables(file), PostgresTables(url)
        await fill(here)
        await here.close()
        for _ in range(2):
            await move_in(settings, there, epoch)
            assert not file.exists()
            assert file.with_name("dispatch.db.old").exists()
        assert await Journal(there).cursor(APP) == (9 if epoch == "one" else 0)
        await there.close()

    asyncio.run(scenario())
