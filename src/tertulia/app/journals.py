"""Where the dispatcher's journal is, and which webhooks are its work: as the store is."""

import logging
from pathlib import Path

from tertulia.app.stores import of_postgres
from tertulia.dispatch.carrying import carry
from tertulia.dispatch.sqlite_tables import SqliteTables
from tertulia.dispatch.tables import Tables
from tertulia.dispatch.work import AllWork, WebhookWork
from tertulia.settings import Settings

_log = logging.getLogger(__name__)


def journal_file(settings: Settings) -> Path:
    return settings.data.path / "dispatch.db"


def journal_tables(settings: Settings, use: str = "journal") -> Tables:
    """Beside the log. `use`: a name for the server's lists. Raises SettingsError."""
    url = settings.store.url
    if not url:
        return SqliteTables(journal_file(settings))
    tables: Tables = of_postgres("postgres_tables", "dispatch").PostgresTables(url, use)
    return tables


def webhook_work(settings: Settings) -> WebhookWork:
    """Raises SettingsError."""
    cluster = settings.cluster
    if not cluster.node:
        return AllWork()
    kind = of_postgres("leased_work", "dispatch").LeasedWork
    work: WebhookWork = kind(settings.store.url, cluster.node, cluster.lease_s)
    return work


async def move_in(settings: Settings, tables: Tables, epoch: str) -> None:
    """Take over the journal that is in the data directory from before the store was on PostgreSQL,
    and put it aside. Raises Unavailable."""
    file = journal_file(settings)
    if not settings.store.url or not file.exists():
        return
    source = SqliteTables(file)
    try:
        applications = await carry(source, tables, epoch)
    finally:
        await source.close()
    told = {"action": "journal_moved_in", "applications": applications}
    _log.info("the journal of webhooks is on PostgreSQL now", extra=told)
    put_aside(file)


def put_aside(file: Path) -> None:
    """A journal that is not to be gone on with, with the files that SQLite keeps beside it."""
    for beside in ("", "-wal", "-shm"):
        old = Path(f"{file}{beside}")
        if old.exists():
            old.replace(f"{file}.old{beside}")
