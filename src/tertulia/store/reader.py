"""Threads that read, a connection each: a page that comes from the disk never holds the loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

from msgspec.json import Decoder

from tertulia.model.errors import Unavailable
from tertulia.store.queries import SQL
from tertulia.store.sides import Parameter

T = TypeVar("T")


class ThreadedReader:
    """Runs statements that answer with one row of JSON text (queries.sql)."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, threads: int = 3) -> None:
        self._connect = connect
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")
        self._local = local()
        self._connections: list[sqlite3.Connection] = []

    async def read(
        self, name: str, decoder: "Decoder[T]", parameters: Mapping[str, Parameter] | None = None
    ) -> T:
        """The decoded answer of a statement in queries.sql, or Unavailable."""
        return await self.run(SQL[name], decoder, parameters)

    async def run(
        self, sql: str, decoder: "Decoder[T]", parameters: Mapping[str, Parameter] | None = None
    ) -> T:
        """Of any statement."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._read, sql, decoder, parameters or {})

    def _read(self, sql: str, decoder: "Decoder[T]", parameters: Mapping[str, Parameter]) -> T:
        try:
            row = self._connection().execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise Unavailable("the store cannot read") from error
        if row is None:  # the epoch's, while the store is being made
            raise Unavailable("the store is not ready")
        return decoder.decode(row[0])

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            self._connections.append(connection)
        return connection

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._connections:
            connection.close()
