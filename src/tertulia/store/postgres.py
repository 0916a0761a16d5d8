"""The log and the directory in PostgreSQL, in a schema of their own.

A commit is answered when it is on the server's disk. Any number of processes may read; writers take
turns by a row, and hear of each other's events by a bus.
"""

from collections.abc import Callable

from tertulia.model.ids import ApplicationId, Position
from tertulia.ports.cluster import Bus
from tertulia.store import rows
from tertulia.store.owner import Owner
from tertulia.store.postgres_reader import PooledReader
from tertulia.store.postgres_session import WriterSession
from tertulia.store.postgres_writer import TaskWriter
from tertulia.store.sharing import Sharing
from tertulia.store.stored import Stored
from tertulia.store.tail import Tail
from tertulia.store.writer import WAITING_MAX


class PostgresStore(Stored):
    _sharing: Sharing | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        waiting_max: int = WAITING_MAX,
        owner: Owner | None = None,
        bus: Bus | None = None,
    ) -> "PostgresStore":
        """Open to write and read, making or migrating the schema. An `owner` writes events only of
        applications that are at home with it. By the `bus`, which stays the caller's, stores of
        several nodes hear of each other's events.

        Raises UnknownSchema or Unavailable.
        """
        tail = Tail(Position(0))
        sharing = Sharing(tail, bus) if bus is not None else None
        session = WriterSession(url, sharing or tail, owner=owner)
        await session.open()
        writer = TaskWriter(session, sharing or tail, waiting_max=waiting_max)
        store = await cls._over(url, writer, tail, owner)
        if sharing is not None:
            store._sharing = sharing
            await sharing.start(store)
        return store

    @classmethod
    async def open_reader(cls, url: str) -> "PostgresStore":
        """Open a store that another process writes; writing here is Unavailable, no wake comes."""
        return await cls._over(url, None, None)

    @classmethod
    async def _over(
        cls, url: str, writer: TaskWriter | None, tail: Tail | None, owner: Owner | None = None
    ) -> "PostgresStore":
        reader = PooledReader(url, owner=owner)
        try:
            await reader.check()
            epoch = await reader.read("epoch", rows.text)
        except BaseException:
            await reader.close()
            if writer is not None:
                await writer.close()
            raise
        return cls(reader, writer, tail, epoch)

    @property
    def mended(self) -> int:
        return 0 if self._sharing is None else self._sharing.mended

    async def attend(self, application_id: ApplicationId) -> Position:
        if self._sharing is None:
            return await super().attend(application_id)
        return await self._sharing.attend(application_id)

    def on_append(self, wake: Callable[[], None]) -> None:
        if self._sharing is None:
            super().on_append(wake)
        else:
            self._sharing.on_append(wake)

    async def close(self) -> None:
        if self._sharing is not None:
            assert self._writer is not None
            await self._writer.close()
            await self._sharing.close()
        await super().close()
