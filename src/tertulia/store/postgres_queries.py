"""PostgreSQL's statements by name, with numbered parameters."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from tertulia.postgres.values import storable
from tertulia.store.queries import load, read_sql
from tertulia.store.sides import Parameter

PLANNING = {
    "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_sort": "off",
    "enable_bitmapscan": "off", "enable_hashjoin": "off",
}  # fmt: skip
"""Each statement goes by its indexes, whatever a server's statistics say of the day, and is planned
once a connection: over a hundred parts of the log, planning a page took four times as long as
reading it (4.9 and 1.1 ms). "Off" is only where there is another way."""
_PAGE = "SELECT '[' || coalesce(string_agg(line, ','), '') || ']' FROM (\n{}\n) AS page"
_NAMED = re.compile(r"(?<!:):([a-z]\w*)")

Argument = Parameter | list[Parameter]


class Statement(NamedTuple):
    sql: str
    names: tuple[str, ...]
    """Of its parameters, in the order of their numbers."""

    def arguments(self, named: Mapping[str, Argument]) -> list[Argument]:
        values = (named[name] for name in self.names)
        return [each if isinstance(each, list) else storable(each) for each in values]


def _statement(text: str) -> Statement:
    names = tuple(dict.fromkeys(_NAMED.findall(text)))
    return Statement(_NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", text), names)


STATEMENTS = {
    name: _statement(text)
    for name, text in load(read_sql("postgres_queries.sql"), page=_PAGE).items()
}
