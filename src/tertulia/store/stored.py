"""A store of any kind of database: the ports EventLog, Directory and MessageRecords."""

from tertulia.store.directory import StoredDirectory
from tertulia.store.log import StoredLog
from tertulia.store.messages import StoredMessages
from tertulia.store.sides import Reader, Writer
from tertulia.store.tail import Tail
from tertulia.store.tally import Tally


class Stored(StoredLog, StoredDirectory, StoredMessages):
    def __init__(
        self, reader: Reader, writer: Writer | None, tail: Tail | None, epoch: str
    ) -> None:
        """Without writer and tail: open for reading, while another process writes."""
        self._reader = reader
        self._writer = writer
        self._tail = tail
        self._epoch = epoch

    @property
    def tally(self) -> Tally | None:
        """None where another process writes."""
        return None if self._writer is None else self._writer.tally

    @property
    def mended(self) -> int:
        """Events of other nodes that were read from the store, since no word of them came."""
        return 0

    async def close(self) -> None:
        """Write all that was appended, then let go of the database."""
        if self._writer is not None:
            await self._writer.close()
        await self._reader.close()
