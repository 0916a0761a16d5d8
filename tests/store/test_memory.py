from collections.abc import Iterator
from contextlib import contextmanager

from tests.contracts.directory import DirectoryContract
from tests.contracts.event_log import EventLogContract
from tests.contracts.message_records import MessageRecordsContract
from tests.contracts.scenario import StoreContract

from tertulia.app.outside import Store
from tertulia.store.memory import MemoryStore


class OnMemory(StoreContract):
    async def open(self) -> Store:
        return MemoryStore()

    async def close(self, store: Store) -> None:
        return None

    @contextmanager
    def failing(self, store: Store) -> Iterator[None]:
        assert isinstance(store, MemoryStore)
        store.fail()
        yield
        store.fail(False)


class TestMemoryLog(OnMemory, EventLogContract):
    pass


class TestMemoryDirectory(OnMemory, DirectoryContract):
    pass


class TestMemoryMessageRecords(OnMemory, MessageRecordsContract):
    pass


def test_a_new_store_has_an_epoch_of_its_own() -> None:
    assert MemoryStore().epoch != MemoryStore().epoch
