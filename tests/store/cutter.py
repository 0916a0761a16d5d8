"""A way to PostgreSQL that breaks where a test says: a proxy between two Unix sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class Cut(Enum):
    BEFORE = "the server never gets it"
    AFTER = "the server has done it, and its answer is lost"
    LATE = "the client is cut off, and the server gets it when told"


class Cutter:
    def __init__(self) -> None:
        self._word: bytes | None = None
        self._cut = Cut.BEFORE
        self.cuts = 0
        self.is_closed = False
        """Lets nobody in."""
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, word: bytes, cut: Cut) -> None:
        """Break the connection whose client says this next."""
        self._word, self._cut = word, cut

    def release(self) -> None:
        """Let the server have what is late."""
        self._released.set()

    @asynccontextmanager
    async def between(self, folder: Path, server: Path) -> AsyncIterator[None]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.is_closed:
                writer.close()
                return
            behind = await asyncio.open_unix_connection(str(server / SOCKET))
            passing = self._pass_on(reader, behind[1], writer, behind[0])
            self._tasks.add(asyncio.create_task(passing))

        listener = await asyncio.start_unix_server(serve, str(folder / SOCKET))
        try:
            yield
        finally:
            listener.close()
            self.release()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(
        self,
        client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
    ) -> None:
        answers = asyncio.create_task(_pump(server, to_client))
        try:
            while said := await client.read(65536):
                if self._word is not None and self._word in said:
                    self._word = None
                    self.cuts += 1
                    answers.cancel()
                    await self._break(said, to_server, to_client, server)
                    return
                to_server.write(said)
        finally:
            answers.cancel()
            to_server.close()
            to_client.close()

    async def _break(
        self,
        said: bytes,
        to_server: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
    ) -> None:
        if self._cut is Cut.AFTER:
            to_server.write(said)
            await server.read(65536)
        to_client.transport.abort()
        if self._cut is Cut.LATE:
            await self._released.wait()
            with suppress(OSError):
                to_server.write(said)
                await server.read(65536)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()
