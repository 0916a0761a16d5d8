"""The stores of a hub: in its data directory, or the log and its tables on PostgreSQL."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct

from tertulia.ports import MediaStore, SessionLedger
from tertulia.ports.cluster import Bus
from tertulia.ports.sessions import SharedLedger
from tertulia.settings import Settings, SettingsError
from tertulia.store.media_files import DATABASE, FileMediaStore
from tertulia.store.media_moving import move_in, put_aside
from tertulia.store.owner import Owner
from tertulia.store.search import SqliteSearch
from tertulia.store.session_ledger import FileSessionLedger
from tertulia.store.sqlite import SqliteStore
from tertulia.store.stored import Stored


class Stores(Struct, frozen=True):
    store: Stored
    media: MediaStore
    search: SqliteSearch
    """Each node has its own: it follows from the log."""
    ledger: SessionLedger
    shared: SharedLedger | None
    """The same ledger, where there are other nodes."""
    _ends: tuple[Callable[[], Awaitable[None]], ...]

    @classmethod
    async def open(
        cls, settings: Settings, owner: Owner | None = None, bus: Bus | None = None
    ) -> "Stores":
        """Makes what is missing. A node, who is an `owner`, keeps in its folder nothing that others
        may be asked for. Raises Unavailable, OSError, SettingsError."""
        data = settings.data.path
        if owner is None:
            store = await _own_store(settings)
            files = await FileMediaStore.open(data)
            ledger = FileSessionLedger(data / "sessions", store.epoch)
            search = SqliteSearch(data / "search.db")
            ends = (files.close, search.close, store.close, ledger.end)
            return cls(store, files, search, ledger, None, ends)
        url = settings.store.url
        store = await of_postgres("postgres").PostgresStore.open(url, owner=owner, bus=bus)
        media = await _shared_media(url, data)
        sessions = await of_postgres("postgres_ledger").PostgresLedger.connect(url, owner)
        search = SqliteSearch(data / "search.db")
        ends = (media.close, search.close, sessions.shut, store.close)
        return cls(store, media, search, sessions, sessions, ends)

    async def close(self) -> None:
        for end in self._ends:
            await end()


async def _own_store(settings: Settings) -> Stored:
    """Of a server that is alone: it would write what nodes believe to be theirs."""
    store = await open_store(settings)
    if settings.store.url:
        names = await of_postgres("postgres_homes").living(settings.store.url)
        if names:
            await store.close()
            raise SettingsError(
                f"store.url: it is the store of the nodes {', '.join(names)}; set cluster.node"
            )
    return store


async def _shared_media(url: str, data: Path) -> Any:
    """With the files that a server had in its folder as long as it was alone."""
    kind = of_postgres("postgres_media").PostgresMediaStore
    if not (data / DATABASE).exists():
        return await kind.open(url)
    files = await FileMediaStore.open(data)
    try:
        media = await kind.open(url, secret=files.secret)
        await move_in(files, media)
    finally:
        await files.close()
    put_aside(data)
    return media


async def open_store(settings: Settings, *, reads_only: bool = False) -> Stored:
    """The log and its tables. Raises Unavailable, UnknownSchema, SettingsError."""
    url = settings.store.url
    if not url:
        path = settings.data.path / "tertulia.db"
        return await (SqliteStore.open_reader if reads_only else SqliteStore.open)(path)
    kind = of_postgres("postgres").PostgresStore
    opened: Stored = await (kind.open_reader if reads_only else kind.open)(url)
    return opened


def of_postgres(name: str, package: str = "store") -> Any:
    """A module that only those need who have chosen PostgreSQL. Raises SettingsError."""
    try:
        return import_module(f"tertulia.{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise SettingsError(
            "store.url: PostgreSQL needs the extra: pip install 'tertulia[postgres]'"
        ) from None
