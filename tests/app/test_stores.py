"""Which store a hub opens."""

import asyncio
from pathlib import Path

import pytest
from tests.postgres import PostgresServer

from tertulia.app import stores
from tertulia.app.stores import open_store
from tertulia.model.errors import Unavailable
from tertulia.settings import Data, Settings, SettingsError, Store
from tertulia.store.postgres import PostgresStore
from tertulia.store.sqlite import SqliteStore


def test_a_file_or_a_database(tmp_path: Path, postgres: PostgresServer) -> None:
    data = Data(str(tmp_path))

    async def opened(settings: Settings) -> tuple[type, type]:
        with pytest.raises(Unavailable):
            await open_store(settings, reads_only=True)
        store = await open_store(settings)
        reader = await open_store(settings, reads_only=True)
        assert reader.epoch == store.epoch
        await reader.close()
        await store.close()
        return type(store), type(reader)

    assert asyncio.run(opened(Settings(data=data))) == (SqliteStore, SqliteStore)
    url = Store(postgres.new_database())
    assert asyncio.run(opened(Settings(data=data, store=url))) == (PostgresStore, PostgresStore)


def test_the_extra_is_asked_for_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'asyncpg'", name="asyncpg")

    monkeypatch.setattr(stores, "import_module", missing)
    settings = Settings(store=Store("postgres://me:secret@db/tertulia"))
    with pytest.raises(SettingsError, match=r"tertulia\[postgres\]") as error:
        asyncio.run(open_store(settings))
    assert "secret" not in str(error.value)
