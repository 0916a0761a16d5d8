"""The stores of a hub: in its data directory, or the log and its tables on PostgreSQL."""

from importlib import import_module
from typing import Any

from msgspec import Struct

from tertulia.settings import Settings, SettingsError
from tertulia.store.media_files import FileMediaStore
from tertulia.store.search import SqliteSearch
from tertulia.store.session_ledger import FileSessionLedger
from tertulia.store.sqlite import SqliteStore
from tertulia.store.stored import Stored


class Stores(Struct, frozen=True):
    store: Stored
    media: FileMediaStore
    search: SqliteSearch
    ledger: FileSessionLedger

    @classmethod
    async def open(cls, settings: Settings) -> "Stores":
        """Makes what is missing. Raises Unavailable, OSError, SettingsError."""
        data, store = settings.data.path, await open_store(settings)
        return cls(
            store=store,
            media=await FileMediaStore.open(data),
            search=SqliteSearch(data / "search.db"),
            ledger=FileSessionLedger(data / "sessions", store.epoch),
        )

    async def close(self) -> None:
        await self.media.close()
        await self.search.close()
        await self.store.close()
        self.ledger.shut()


async def open_store(settings: Settings, *, reads_only: bool = False) -> Stored:
    """The log and its tables. Raises Unavailable, UnknownSchema, SettingsError."""
    url = settings.store.url
    if not url:
        path = settings.data.path / "tertulia.db"
        return await (SqliteStore.open_reader if reads_only else SqliteStore.open)(path)
    kind = of_postgres("postgres").PostgresStore
    opened: Stored = await (kind.open_reader if reads_only else kind.open)(url)
    return opened


def of_postgres(name: str) -> Any:
    """A module that only those need who have chosen PostgreSQL. Raises SettingsError."""
    try:
        return import_module(f"tertulia.store.{name}")
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise SettingsError(
            "store.url: PostgreSQL needs the extra: pip install 'tertulia[postgres]'"
        ) from None
