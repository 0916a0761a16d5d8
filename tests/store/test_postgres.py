from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.contracts.directory import DirectoryContract
from tests.contracts.event_log import DurableContract, EventLogContract
from tests.contracts.message_records import MessageRecordsContract
from tests.contracts.scenario import StoreContract
from tests.postgres import PostgresServer

from tertulia.app.outside import Store
from tertulia.bus.local import LocalBus
from tertulia.store.postgres import PostgresStore

FULL = """
CREATE OR REPLACE FUNCTION tertulia.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON tertulia.head EXECUTE FUNCTION tertulia.refuse();
"""


class OnPostgres(StoreContract):
    server: PostgresServer
    url: str

    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer) -> None:
        self.server, self.url = postgres, postgres.new_database()

    async def open(self) -> Store:
        return await PostgresStore.open(self.url)

    async def close(self, store: Store) -> None:
        assert isinstance(store, PostgresStore)
        await store.close()

    @contextmanager
    def failing(self, store: Store) -> Iterator[None]:
        self.server.execute(self.url, FULL)
        yield
        self.server.execute(self.url, "DROP TRIGGER refuse ON tertulia.head")


class TestPostgresLog(OnPostgres, EventLogContract):
    pass


class TestPostgresDirectory(OnPostgres, DirectoryContract):
    pass


class TestPostgresMessageRecords(OnPostgres, MessageRecordsContract):
    pass


class TestPostgresDurability(OnPostgres, DurableContract):
    pass


class TestSharedPostgresLog(OnPostgres, EventLogContract):
    """Of a node that has others, by a bus."""

    async def open(self) -> Store:
        self.bus = LocalBus()
        return await PostgresStore.open(self.url, bus=self.bus)
