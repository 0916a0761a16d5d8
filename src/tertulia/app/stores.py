"""The stores of a hub, in its data directory."""

from pathlib import Path

from msgspec import Struct

from tertulia.store.media_files import FileMediaStore
from tertulia.store.search import SqliteSearch
from tertulia.store.session_ledger import FileSessionLedger
from tertulia.store.sqlite import SqliteStore


class Stores(Struct, frozen=True):
    store: SqliteStore
    media: FileMediaStore
    search: SqliteSearch
    ledger: FileSessionLedger

    @classmethod
    async def open(cls, data: Path) -> "Stores":
        """Makes what is missing. Raises Unavailable, OSError."""
        store = await SqliteStore.open(data / "tertulia.db")
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
