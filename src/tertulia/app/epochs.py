"""`tertulia epoch`: which epoch a store has, and a new one after it was put back."""

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from uuid import uuid4

from tertulia.app.journals import journal_file, journal_tables
from tertulia.app.occupancy import occupy
from tertulia.app.stores import of_postgres
from tertulia.dispatch.renewing import renew
from tertulia.settings import Settings, SettingsError
from tertulia.store.renewing import Era, Renewal, SqliteRenewal


def run_epoch(settings: Settings, *, is_new: bool, say: Callable[[str], None]) -> int:
    """While no server runs. Raises SettingsError, Occupied, TertuliaError."""
    asyncio.run(_epoch(settings, is_new, say))
    return 0


async def _epoch(settings: Settings, is_new: bool, say: Callable[[str], None]) -> None:
    with ExitStack() as ends:
        store = await _opened(settings, ends)
        try:
            era = await store.era()
            say(f"epoch {era.epoch}, up to position {era.head:,}")
            if is_new:
                epoch = uuid4().hex
                goes_on = await _renew_journal(settings, era, epoch)
                await store.begin(epoch)
                webhooks = "go on from there" if goes_on else "begin at the start of the log"
                say(f"epoch {epoch} from now on; webhooks {webhooks}")
        finally:
            await store.close()


async def _opened(settings: Settings, ends: ExitStack) -> Renewal:
    if settings.store.url:
        kind = of_postgres("postgres_renewing").PostgresRenewal
        opened: Renewal = await kind.open(settings.store.url)
        return opened
    data = settings.data.path
    if not data.is_dir():
        raise SettingsError(f"{data} is not there")
    ends.callback(os.close, occupy(data))
    return SqliteRenewal(data / "tertulia.db")


async def _renew_journal(settings: Settings, era: Era, epoch: str) -> bool:
    """Before the store's: when that fails, webhooks are repeated rather than left out."""
    if not settings.store.url and not journal_file(settings).exists():
        return False
    tables = journal_tables(settings, "epoch")
    try:
        return await renew(tables, epoch=epoch, former=era.epoch, head=era.head)
    finally:
        await tables.close()
