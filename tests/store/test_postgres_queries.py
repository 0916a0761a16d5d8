"""No list reads or sorts more than its page, on PostgreSQL as on SQLite."""

import asyncio
import re

import asyncpg
import pytest
from tests.postgres import PostgresServer

from tertulia.postgres.connections import connect
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_queries import PLANNING, STATEMENTS, Statement
from tertulia.store.queries import SQL

SORTED = {
    "calls ASC": "what is shown of a page",
    "calls DESC": "what is shown of a page",
    "calls_of_conversation ASC": "the calls of one conversation",
    "calls_of_conversation DESC": "the calls of one conversation",
}
"""Where there is no other way."""
SCANNED = {
    "applications": "there are few",
    "heads": "the same, by id",
    "application_numbers": "the same, by id",
}
ONE_ROW = {"head"}


@pytest.fixture(scope="module")
def plans(postgres: PostgresServer) -> dict[str, str]:
    """How each statement would be carried out, where there is an index for it."""
    url = postgres.new_database()

    async def explain() -> dict[str, str]:
        await (await PostgresStore.open(url)).close()
        connection = await connect(url, "test", seconds=10, settings=PLANNING)
        await connection.execute("SELECT extend_log((SELECT 2 * log_end FROM head))")
        try:
            return {name: await _plan(connection, each) for name, each in STATEMENTS.items()}
        finally:
            await connection.close()

    return asyncio.run(explain())


async def _plan(connection: asyncpg.Connection, statement: Statement) -> str:
    nulls = ", ".join("NULL" for _ in statement.names)
    await connection.execute(f"PREPARE planned AS {statement.sql}")
    rows = await connection.fetch(
        f"EXPLAIN (COSTS OFF) EXECUTE planned{f'({nulls})' if nulls else ''}"
    )
    await connection.execute("DEALLOCATE planned")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_finds_its_rows_by_index(name: str, plans: dict[str, str]) -> None:
    scanned = set(re.findall(r"Seq Scan on (\w+)", plans[name])) - ONE_ROW
    assert bool(scanned) == (name in SCANNED), plans[name]


@pytest.mark.parametrize("name", [each for each in STATEMENTS if " " in each])
def test_no_list_sorts_more_than_there_is_of_one(name: str, plans: dict[str, str]) -> None:
    sorts = re.findall(r"^ *(?:-> +)?Sort$", plans[name], re.MULTILINE)
    assert bool(sorts) == (name in SORTED), plans[name]


def test_both_kinds_of_database_know_the_same_statements() -> None:
    own = {
        "lock", "last_batch", "note", "fence", "put_log_alone", "application_numbers", "own_homes",
        "extend_log",
    }  # fmt: skip
    assert STATEMENTS.keys() - own == SQL.keys()
