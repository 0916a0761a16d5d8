"""PostgreSQL's statements by name, with numbered parameters."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from tertulia.store.queries import load, read_sql
from tertulia.store.sides import Parameter

_PAGE = "SELECT '[' || coalesce(string_agg(line, ','), '') || ']' FROM (\n{}\n) AS page"
_NAMED = re.compile(r"(?<!:):([a-z]\w*)")
_NUL, _NO_NUL = "\0", "\ufffd"
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

Argument = Parameter | list[Parameter]


class Statement(NamedTuple):
    sql: str
    names: tuple[str, ...]
    """Of its parameters, in the order of their numbers."""

    def arguments(self, named: Mapping[str, Argument]) -> list[Argument]:
        values = (named[name] for name in self.names)
        return [each if isinstance(each, list) else storable(each) for each in values]


def storable(value: Parameter) -> Parameter:
    """PostgreSQL's texts hold no U+0000: another sign stands for it, in rows and in look-ups."""
    if isinstance(value, str) and _NUL in value:
        return value.replace(_NUL, _NO_NUL)
    return value


def storable_json(text: str) -> str:
    """The same, of texts in JSON that PostgreSQL is to take apart."""
    return _ESCAPED_NUL.sub(rf"\1{_NO_NUL}", text) if "u0000" in text else text


def _statement(text: str) -> Statement:
    names = tuple(dict.fromkeys(_NAMED.findall(text)))
    return Statement(_NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", text), names)


STATEMENTS = {
    name: _statement(text)
    for name, text in load(read_sql("postgres_queries.sql"), page=_PAGE).items()
}
