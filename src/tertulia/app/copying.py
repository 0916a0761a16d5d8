"""`tertulia copy`: a store that nobody uses, from one kind of database to another."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tertulia.app.journals import journal_file, journal_tables, put_aside
from tertulia.app.occupancy import occupy
from tertulia.app.stores import of_postgres
from tertulia.dispatch.carrying import carry
from tertulia.settings import Settings, SettingsError
from tertulia.settings.groups import Data, Store
from tertulia.store.copying import copy
from tertulia.store.sqlite_copy import NewSqliteCopy, SqliteCopy

_SQLITE = "sqlite:"
_POSTGRES = ("postgres://", "postgresql://")


def run_copy(source: str, target: str, say: Callable[[str], None]) -> int:
    """Copy, compare, and say how much; the exit code.

    Addresses are `sqlite:DIRECTORY`, a data directory, or `postgres://…`. Raises SettingsError,
    Occupied, TertuliaError.
    """
    asyncio.run(_copy(source, target, say))
    return 0


async def _copy(source_address: str, target_address: str, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    with ExitStack() as ends:
        source = await _opened(source_address, ends, is_new=False)
        target = await _opened(target_address, ends, is_new=True)
        done = await copy(source, target, lambda table, rows: say(f"{table:13} {rows:10,}"))
        webhooks = await _carry_journal(source_address, target_address)
    say(f"{'webhooks':13} {webhooks:10,}")
    say(
        f"copied up to position {done.position:,} in {time.monotonic() - began:.1f} s,"
        " read again, and found equal"
    )


async def _carry_journal(source: str, target: str) -> int:
    """It is beside the log, or in the data directory; of how many applications."""
    here, there = _settings(source), _settings(target)
    if not here.store.url and not journal_file(here).exists():
        return 0
    if not there.store.url:
        put_aside(journal_file(there))
    old, new = journal_tables(here), journal_tables(there)
    try:
        return await carry(old, new)
    finally:
        await old.close()
        await new.close()


def _settings(address: str) -> Settings:
    if address.startswith(_POSTGRES):
        return Settings(store=Store(url=address))
    return Settings(data=Data(dir=address.removeprefix(_SQLITE)))


async def _opened(address: str, ends: ExitStack, *, is_new: bool) -> Any:
    """One end of the copy, which is let go of with `ends`."""
    if address.startswith(_POSTGRES):
        kind = of_postgres("postgres_copy").PostgresCopy
        end = await (kind.new if is_new else kind.of)(address)
    elif address.startswith(_SQLITE):
        path = _taken(Path(address.removeprefix(_SQLITE)), ends, is_new=is_new)
        end = NewSqliteCopy(path) if is_new else SqliteCopy.of(path)
    else:
        raise SettingsError(f"{address}: neither sqlite:DIRECTORY nor postgres://…")
    ends.callback(end.close)
    return end


def _taken(data: Path, ends: ExitStack, *, is_new: bool) -> Path:
    """The store's file in a data directory that no server uses meanwhile."""
    if is_new:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not data.is_dir():
        raise SettingsError(f"{data} is not there")
    ends.callback(os.close, occupy(data))
    return data / "tertulia.db"
