"""The journal, in a file and on PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contracts.journal import APP, LANE, OTHER, JournalContract, attempt, dead, held
from tests.dispatch.cluster import made, work
from tests.dispatch.virtual import InlineExecutor
from tests.postgres import PostgresServer

from tertulia.dispatch.journal import Journal
from tertulia.dispatch.postgres_tables import PostgresTables
from tertulia.dispatch.reading import AttemptFilter, JournalReader
from tertulia.dispatch.records import Batch, Progress
from tertulia.dispatch.sqlite_tables import SqliteTables
from tertulia.dispatch.tables import Tables
from tertulia.model.ids import Position

REFUSE = """
CREATE FUNCTION tertulia.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON tertulia.webhook_progress
    EXECUTE FUNCTION tertulia.refuse();
"""


class TestSqliteJournal(JournalContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "dispatch.db"

    async def tables(self) -> Tables:
        return SqliteTables(self.path, executor=InlineExecutor(), busy_seconds=0)

    @contextmanager
    def failing(self) -> Iterator[None]:
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")
        other.close()


class TestPostgresJournal(JournalContract):
    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer) -> None:
        self.server, self.url = postgres, made(postgres)

    async def tables(self) -> Tables:
        return PostgresTables(self.url)

    @contextmanager
    def failing(self) -> Iterator[None]:
        self.server.execute(self.url, REFUSE)
        yield
        self.server.execute(self.url, "DROP TRIGGER refuse ON tertulia.webhook_progress")


def test_of_an_application_that_was_lost_only_attempts_are_written(
    postgres: PostgresServer,
) -> None:
    url = made(postgres, {APP: "a", OTHER: "a"})

    async def scenario() -> None:
        journal, reader = Journal(PostgresTables(url)), JournalReader(PostgresTables(url))
        async with work(url, "a") as ours:
            await ours.renew(())
            claims = {each: ours.token(each) or "" for each in (APP, OTHER)}
            both = [Progress(APP, Position(9), None), Progress(OTHER, Position(9), None)]
            batch = Batch(
                claims=claims, attempts=[attempt(1)], held={LANE: held()}, dead=[dead(1)],
                progress=both,
            )  # fmt: skip
            postgres.execute(url, "UPDATE tertulia.webhook_leases SET token = 'x'"
                                  f" WHERE application = '{APP}'")  # fmt: skip
            assert set(await journal.write(batch)) == {APP}
        assert (await journal.cursor(APP), await journal.cursor(OTHER)) == (0, 9)
        assert await journal.held(APP) == []
        assert await reader.list_dead_letters(APP) == []
        assert len(await reader.list_attempts(AttemptFilter(APP))) == 1
        await journal.close()
        await reader.close()

    asyncio.run(scenario())


def test_it_goes_on_when_its_connection_was_cut(postgres: PostgresServer) -> None:
    url = made(postgres)

    async def scenario() -> None:
        journal = Journal(PostgresTables(url))
        await journal.write(Batch(progress=[Progress(APP, Position(1), None)]))
        postgres.execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'tertulia journal' AND datname = current_database()",
        )
        await asyncio.sleep(0.05)
        assert await journal.cursor(APP) == 1
        await journal.close()

    asyncio.run(scenario())
