"""`tertulia epoch`: a store that was put back, and what its journal of webhooks keeps."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contracts.builders import append, birth, profile
from tests.contracts.journal import APP, LANE, OTHER, OWN, dead, held
from tests.postgres import PostgresServer

from tertulia.app.epochs import run_epoch
from tertulia.app.journals import journal_tables
from tertulia.app.stores import open_store
from tertulia.cli import main
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.reading import JournalReader
from tertulia.dispatch.records import Batch, LaneName, Progress
from tertulia.model.ids import Position
from tertulia.model.instant import Instant
from tertulia.settings import Data, Settings, Store
from tertulia.store.renewing import NotRenewable

HEAD = 5


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> Settings:
    url = postgres.new_database() if request.param == "postgres" else ""
    return Settings(data=Data(str(tmp_path)), store=Store(url))


async def put_back(settings: Settings) -> str:
    """A store of so many events, with a journal that had seen more; its epoch."""
    store = await open_store(settings)
    of = profile()
    await store.append(birth(of))
    await store.append(append(of, 0, events=HEAD - 1))
    tables = journal_tables(settings)
    journal = Journal(tables)
    await journal.begin_epoch(store.epoch)
    await journal.write(
        Batch(
            held={
                LANE: replace(held(), position=Position(3)),
                OWN: replace(held(OWN), position=Position(8)),
            },
            dead=[dead(3), dead(8)],
            progress=[Progress(APP, Position(9), Instant(6)), Progress(OTHER, Position(4), None)],
        )
    )  # fmt: skip
    await tables.close()
    await store.close()
    return store.epoch


async def look(settings: Settings) -> tuple[str, list[Position], list[Position], list[LaneName]]:
    """After the next start: the epoch, cursors, dead letters and held lanes."""
    store = await open_store(settings)
    tables = journal_tables(settings)
    journal, reader = Journal(tables), JournalReader(tables)
    await journal.begin_epoch(store.epoch)
    cursors = [await journal.cursor(each) for each in (APP, OTHER)]
    letters = [each.letter.position for each in await reader.list_dead_letters(APP)]
    lanes = [each.lane for each in await journal.held(APP)]
    await tables.close()
    await store.close()
    return store.epoch, cursors, letters, lanes


def test_a_new_epoch_keeps_what_is_still_there(settings: Settings) -> None:
    former = asyncio.run(put_back(settings))
    said: list[str] = []
    assert run_epoch(settings, is_new=False, say=said.append) == 0
    assert said == [f"epoch {former}, up to position {HEAD}"]
    assert run_epoch(settings, is_new=True, say=said.append) == 0
    epoch, cursors, letters, lanes = asyncio.run(look(settings))
    assert epoch != former and said[-1] == f"epoch {epoch} from now on; webhooks go on from there"
    assert cursors == [HEAD, 4]
    assert letters == [3]
    assert lanes == [LANE]


def test_a_store_in_use_is_left_alone(postgres: PostgresServer) -> None:
    settings = Settings(store=Store(postgres.new_database()))

    async def scenario() -> None:
        store = await open_store(settings)
        with pytest.raises(NotRenewable, match="a server is running"):
            await asyncio.to_thread(run_epoch, settings, is_new=True, say=print)
        await store.close()

    asyncio.run(scenario())


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    assert main(["epoch", "--new", "--data", str(tmp_path / "none")]) == 2
    assert main(["epoch", "--new", "--data", str(tmp_path)]) == 2
