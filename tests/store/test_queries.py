"""No list reads or sorts more than its page, however much there is."""

import re
import sqlite3

import pytest

from tertulia.store.migrations import migrate
from tertulia.store.queries import SQL

SORTED = {
    "applications": "there are few",
    "calls_of_conversation ASC": "the calls of one conversation",
    "calls_of_conversation DESC": "the calls of one conversation",
    "conversations_of_user_by_sort_key ASC": "the conversations of one user",
    "conversations_of_user_by_sort_key DESC": "the conversations of one user",
}
SCANNED = {
    "applications": "there are few",
    "heads": "the same, by id",
    "follow_user": "the conversations of one user, found by index",
}


@pytest.mark.parametrize("name", SQL)
def test_every_statement_finds_its_rows_by_index(name: str) -> None:
    sql = SQL[name]
    connection = sqlite3.connect(":memory:")
    migrate(connection)
    named = dict.fromkeys(re.findall(r":(\w+)", sql))
    parameters = named or ((None,) if "?1" in sql else ())
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    connection.close()
    harmless = re.compile(r"SCAN (\(subquery-\d+\)|CONSTANT ROW|\w+ VIRTUAL TABLE.*)")
    scans = [step for step in plan if step.startswith("SCAN") and not harmless.match(step)]
    sorts = [step for step in plan if step.startswith("USE TEMP B-TREE FOR ORDER BY")]
    assert bool(scans) == (name in SCANNED), plan
    assert bool(sorts) == (name in SORTED), plan
