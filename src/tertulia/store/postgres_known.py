"""What a writer knows of the store from batch to batch, and what it has to ask for again.

As long as nobody else writes, nothing. When another node has written, the ends of what is numbered
are in the row `head`; the streams that we know are of applications at home here, and nobody else
writes those. A writer without a home of its own shares with anybody, and learns all anew.
"""

from typing import NamedTuple

import msgspec
from asyncpg import Connection

from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import NotAtHome
from tertulia.store.entry import Entry
from tertulia.store.heads import Heads
from tertulia.store.owner import Owner
from tertulia.store.postgres_queries import STATEMENTS

ALONE = 8
"""Batches of ours in a row, after which the next is expected to be ours too."""

_IDS = msgspec.json.Decoder(frozenset[ApplicationId])
_NUMBERS = msgspec.json.Decoder(dict[ApplicationId, int])


class Newest(NamedTuple):
    """The row `head`: where the log ends, who wrote last, and from where on a part is wanting."""

    position: int
    writer: str
    batch: int
    conversations: int
    applications: int
    homes: int
    log_end: int


class Known:
    def __init__(self, owner: Owner | None) -> None:
        self._owner = owner
        self._own: frozenset[ApplicationId] = frozenset()
        self._newest: Newest | None = None
        self._in_a_row = ALONE
        self.heads: Heads | None = None
        """Right as long as nobody has written since; None: not known."""

    @property
    def batch(self) -> int:
        assert self._newest is not None, "it is asked for where the heads are known"
        return self._newest.batch

    @property
    def has_room(self) -> bool:
        """For all that was decided on the heads, in the parts that the log has."""
        assert self._newest is not None and self.heads is not None, "the heads are known"
        return self.heads.position < self._newest.log_end

    def extended(self, log_end: int) -> None:
        """Parts were added, in a transaction that is still to be committed."""
        assert self._newest is not None, "the heads are known"
        self._newest = self._newest._replace(log_end=log_end)

    @property
    def is_alone(self) -> bool:
        """Most likely nobody has written since."""
        return self.heads is not None and self._in_a_row >= ALONE

    def forget(self) -> None:
        """Something went wrong: the heads may have moved on without a commit."""
        self.heads = None

    def wrote(self, writer: str, batch: int) -> None:
        """A batch of ours is committed."""
        heads, before = self.heads, self._newest
        assert heads is not None and before is not None, "it was decided on the heads"
        self._in_a_row += 1
        self._newest = Newest(
            heads.position, writer, batch, heads.conversations, len(heads.applications),
            before.homes, before.log_end,
        )  # fmt: skip

    async def renew(self, connection: Connection, newest: Newest) -> Heads:
        """Know what is so from now on until the commit: `newest` was read and locked."""
        before, self._newest = self._newest, newest
        if self.heads is not None and before == newest:
            return self.heads
        if before is not None and before.writer != newest.writer:
            self._in_a_row = 0
        if self._owner is not None and (before is None or before.homes != newest.homes):
            await self._look_home(connection, self._owner)
        if self.heads is None or self._owner is None:
            self.heads = Heads(await connection.fetchval(STATEMENTS["heads"].sql))
            return self.heads
        self.heads.position, self.heads.conversations = newest.position, newest.conversations
        if newest.applications != len(self.heads.applications):
            found = await connection.fetchval(STATEMENTS["application_numbers"].sql)
            self.heads.applications = _NUMBERS.decode(found)
        return self.heads

    def refusal(self, entry: Entry) -> NotAtHome | None:
        """Events are written where their application is at home, and nowhere else."""
        if self._owner is None or not entry.events or entry.application_id in self._own:
            return None
        return NotAtHome(f"{entry.application_id} is not at home here")

    async def _look_home(self, connection: Connection, owner: Owner) -> None:
        """What is at home here may have been elsewhere in between, and written to there."""
        statement = STATEMENTS["own_homes"]
        named = {"node": owner.node, "incarnation": owner.incarnation}
        self._own = _IDS.decode(
            await connection.fetchval(statement.sql, *statement.arguments(named))
        )
        if self.heads is not None:
            self.heads.streams.clear()
