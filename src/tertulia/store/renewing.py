"""A store that was put back to an earlier state gets a new epoch: its positions are given again.

Only while no server runs on it. What an epoch is for: whoever kept a position is told that it means
nothing any more, instead of being given other events by it.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple, Protocol

from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.model.ids import Position
from tertulia.store.migrations import migrate


class NotRenewable(TertuliaError):
    """There is no store, or a server runs on it."""


class Era(NamedTuple):
    epoch: str
    head: Position
    """The newest position that this store has."""


class Renewal(Protocol):
    """Raises Unavailable, NotRenewable."""

    async def era(self) -> Era: ...

    async def begin(self, epoch: str) -> None: ...

    async def close(self) -> None: ...


class SqliteRenewal:
    """Of a file that nobody else has."""

    def __init__(self, path: Path) -> None:
        """Raises NotRenewable, Unavailable, UnknownSchema."""
        if not path.exists():
            raise NotRenewable(f"{path} is not there")
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            migrate(self._connection)
        except sqlite3.Error as error:
            raise Unavailable(f"cannot open the store {path}: {error}") from error

    async def era(self) -> Era:
        found = self._connection.execute(
            "SELECT value, (SELECT ifnull(max(position), 0) FROM log) FROM meta WHERE key = 'epoch'"
        ).fetchone()
        if found is None:
            raise NotRenewable("the store has never been opened")
        return Era(*found)

    async def begin(self, epoch: str) -> None:
        try:
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
        except sqlite3.Error as error:
            raise Unavailable(f"the store cannot write: {error}") from error

    async def close(self) -> None:
        self._connection.close()
