"""The log and the directory in PostgreSQL, in a schema of their own.

A commit is answered when it is on the server's disk. Any number of processes may read; writers take
turns by a row, so that several are safe, though each hears of its own writes only.
"""

from tertulia.model.ids import Position
from tertulia.store import rows
from tertulia.store.postgres_connections import PooledReader
from tertulia.store.postgres_session import WriterSession
from tertulia.store.postgres_writer import TaskWriter
from tertulia.store.stored import Stored
from tertulia.store.tail import Tail
from tertulia.store.writer import WAITING_MAX


class PostgresStore(Stored):
    @classmethod
    async def open(cls, url: str, *, waiting_max: int = WAITING_MAX) -> "PostgresStore":
        """Open to write and read, making or migrating the schema.

        Raises UnknownSchema or Unavailable.
        """
        tail = Tail(Position(0))
        session = WriterSession(url, tail)
        await session.open()
        return await cls._over(url, TaskWriter(session, tail, waiting_max=waiting_max), tail)

    @classmethod
    async def open_reader(cls, url: str) -> "PostgresStore":
        """Open a store that another process writes; writing here is Unavailable, no wake comes."""
        return await cls._over(url, None, None)

    @classmethod
    async def _over(cls, url: str, writer: TaskWriter | None, tail: Tail | None) -> "PostgresStore":
        reader = PooledReader(url)
        try:
            await reader.check()
            epoch = await reader.read("epoch", rows.text)
        except BaseException:
            await reader.close()
            if writer is not None:
                await writer.close()
            raise
        return cls(reader, writer, tail, epoch)
