"""The ledgers of sessions that nodes share, and PostgreSQL's when things go wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from tests.contracts.session_ledger import (
    HERE,
    AllSessionsContract,
    SessionLedgerContract,
    SharedLedgerContract,
    TwoNodes,
    record,
)
from tests.postgres import PostgresServer, running

from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position, SessionId
from tertulia.ports import LedgerEntry, SessionLedger
from tertulia.store import postgres_ledger
from tertulia.store.owner import Owner
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_ledger import PostgresLedger
from tertulia.store.shared_sessions import LAG, MemorySessions, MemorySharedLedger

SIGN = """
INSERT INTO tertulia.nodes (name, incarnation, url, seen_at) VALUES ($1, $2, '', now())
ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, seen_at = now()"""
DEAD = "UPDATE tertulia.nodes SET seen_at = 'epoch' WHERE name = $1"


class OnMemory(TwoNodes):
    @asynccontextmanager
    async def nodes(self) -> AsyncIterator[tuple[Any, Any]]:
        shared = MemorySessions()
        yield shared.ledger("one"), shared.ledger("two")

    async def kill(self, ledger: Any) -> None:
        ledger.die()

    async def written(self, ledger: Any) -> None:
        await asyncio.sleep(2 * LAG)


class TestSharedMemory(OnMemory, SharedLedgerContract):
    pass


class TestAllInMemory(OnMemory, AllSessionsContract):
    pass


class TestMemoryOfANode(SessionLedgerContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SessionLedger]:
        yield MemorySessions().ledger("one")

    async def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
        assert isinstance(ledger, MemorySharedLedger)
        found = []
        for place, session_id in ledger.places.items():
            held = await ledger.find(session_id)
            assert held is not None
            found.append(LedgerEntry(place, held.record, held.acknowledged))
        return found


async def execute(url: str, sql: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql, *arguments)
    finally:
        await connection.close()


@asynccontextmanager
async def node(url: str, name: str) -> AsyncIterator[PostgresLedger]:
    owner = Owner(name, f"{name}'s life")
    await execute(url, SIGN, owner.node, owner.incarnation)
    ledger = await PostgresLedger.connect(url, owner)
    try:
        yield ledger
    finally:
        await ledger.shut()


async def made(url: str) -> str:
    await (await PostgresStore.open(url)).close()
    return url


class OnPostgres:
    server: PostgresServer

    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.url = postgres, postgres.new_database()
        monkeypatch.setattr(postgres_ledger, "WRITE_SECONDS", 0.02)


class TwoOnPostgres(OnPostgres, TwoNodes):
    @asynccontextmanager
    async def nodes(self) -> AsyncIterator[tuple[Any, Any]]:
        url = await made(self.url)
        async with node(url, "one") as one, node(url, "two") as two:
            yield one, two

    async def kill(self, ledger: Any) -> None:
        await execute(self.url, DEAD, "one")

    async def written(self, ledger: Any) -> None:
        ledger.check()
        await ledger.written()


class TestSharedPostgres(TwoOnPostgres, SharedLedgerContract):
    pass


class TestAllOnPostgres(TwoOnPostgres, AllSessionsContract):
    pass


class TestPostgresOfANode(OnPostgres, SessionLedgerContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SessionLedger]:
        async with node(await made(self.url), "one") as ledger:
            yield ledger

    async def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
        assert isinstance(ledger, PostgresLedger)
        await ledger.written()
        connection = await asyncpg.connect(self.url)
        rows = await connection.fetch("SELECT id FROM tertulia.sessions")
        await connection.close()
        found = []
        for (session_id,) in rows:
            held = await ledger.find(session_id)
            assert held is not None
            places = [at for at, each in ledger._held.items() if each.record.id == session_id]
            found.append(LedgerEntry(places[0], held.record, held.acknowledged))
        return found


def test_a_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was acknowledged meanwhile is written then; what is opened meanwhile is refused."""
    monkeypatch.setattr(postgres_ledger, "WRITE_SECONDS", 0.02)

    async def scenario(server: PostgresServer) -> None:
        url = await made(server.new_database())
        async with node(url, "one") as one:
            kept, closed = one.open(record(), Position(1)), one.open(record("2"), Position(1))
            for place in (kept, closed):
                await one.settled(place)
                one.show(place, HERE)
            server.stop("immediate")
            one.acknowledge(kept, Position(5))
            one.close(closed)
            refused = one.open(record("3"), Position(1))
            with pytest.raises(Unavailable):
                await one.settled(refused)
            one.close(refused)
            with pytest.raises(Unavailable):
                await one.find("SES-1")
            await asyncio.sleep(0.1)
            one.acknowledge(kept, Position(6))
            server.start()
            await one.written()
            found = await one.find("SES-1")
            assert found is not None
            assert found.acknowledged == 6
            assert await one.find("SES-2") is None
            assert await one.find("SES-3") is None

    with running() as server:
        asyncio.run(scenario(server))


def test_who_was_stopped_finds_out_what_was_taken(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although there is nothing to write of it."""
    monkeypatch.setattr(postgres_ledger, "WRITE_SECONDS", 0.02)

    async def scenario() -> None:
        url = await made(postgres.new_database())
        lost: list[SessionId] = []
        told = asyncio.Event()

        def lose(session_id: SessionId) -> None:
            lost.append(session_id)
            told.set()

        async with node(url, "one") as one, node(url, "two") as two:
            one.on_lost(lose)
            for name in ("1", "2"):
                place = one.open(record(name), Position(1))
                await one.settled(place)
                one.show(place, HERE)
            await one.written()
            found = await two.find("SES-1")
            assert found is not None
            await two.take(found, Position(1))
            await asyncio.sleep(0.1)
            assert lost == []
            monkeypatch.setattr(postgres_ledger, "PAUSE_SECONDS", 0.0)
            await asyncio.wait_for(told.wait(), 5)
            assert lost == ["SES-1"]

    asyncio.run(scenario())


def test_acknowledgements_of_thousands_are_one_statement(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        url = await made(postgres.new_database())
        async with node(url, "one") as one:
            places = [one.open(record(str(number)), Position(0)) for number in range(2000)]
            await asyncio.gather(*map(one.settled, places))
            statements = []
            fetch = one.pool.fetch

            async def counted(sql: str, *arguments: Any) -> list[asyncpg.Record]:
                statements.append(sql)
                return await fetch(sql, *arguments)

            monkeypatch.setattr(one.pool, "fetch", counted)
            for position in range(1, 4):
                for place in places:
                    one.acknowledge(place, Position(position))
            await one.written()
            assert len(statements) == 1

    asyncio.run(scenario())


def test_of_another_epoch_nothing_is_left(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        url = await made(postgres.new_database())
        for expected in (True, False):
            async with node(url, "one") as one:
                await one.settled(one.open(record(f"for {expected}"), Position(1)))
            async with node(url, "two") as two:
                assert (await two.find("SES-for True") is not None) is expected
            await execute(url, "UPDATE tertulia.meta SET value = 'new' WHERE key = 'epoch'")

    asyncio.run(scenario())
