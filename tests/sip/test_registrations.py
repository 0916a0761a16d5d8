"""The adapters of Registrations against their contract."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.contracts.registrations import Join, RegistrationsContract
from tests.postgres import PostgresServer

from tertulia.ports.phones import Registrations
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_registrations import PostgresRegistrations
from tertulia.testing.registrations import Book, SharedBook


class TestSharedBook(RegistrationsContract):
    @asynccontextmanager
    async def nodes(self) -> AsyncIterator[Join]:
        book, loop = Book(), asyncio.get_running_loop()

        async def join(name: str) -> Registrations:
            return SharedBook(name, book, loop.time)

        yield join


class TestPostgresRegistrations(RegistrationsContract):
    url: str

    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer) -> None:
        self.url = postgres.new_database()

    @asynccontextmanager
    async def nodes(self) -> AsyncIterator[Join]:
        made: list[PostgresRegistrations] = []

        async def join(name: str) -> Registrations:
            made.append(await PostgresRegistrations.open(self.url, name))
            return made[-1]

        store = await PostgresStore.open(self.url)
        try:
            yield join
        finally:
            for each in made:
                await each.close()
            await store.close()
