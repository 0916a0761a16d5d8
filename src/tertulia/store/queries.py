"""SQL by name, from a file in which fragments are spliced in; SQLite's is queries.sql."""

import re
from importlib.resources import files

_SECTION = re.compile(r"^-- (name|page|fragment): (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
_PAGE = "SELECT '[' || ifnull(group_concat(line), '') || ']' FROM (\n{}\n)"


def load(source: str, *, page: str) -> dict[str, str]:
    """Statements by name; those with a direction twice, as `name ASC` and `name DESC`.

    `page` is what makes one array of the lines of a page.
    """
    _, *parts = _SECTION.split(source)
    fragments: dict[str, str] = {}
    statements: dict[str, str] = {}
    for kind, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        sql = _COMMENT.sub("", text).strip()
        for fragment, spliced in fragments.items():
            sql = sql.replace(f"{{{fragment}}}", spliced)
        if kind == "fragment":
            fragments[name] = sql
            continue
        whole = page.format(sql) if kind == "page" else sql
        for direction in ("ASC", "DESC") if "{direction}" in whole else ("",):
            statements[f"{name} {direction}".strip()] = whole.replace("{direction}", direction)
    return statements


def read_sql(name: str) -> str:
    """The text of a file of this package."""
    return files("tertulia.store").joinpath(name).read_text(encoding="utf-8")


SQL = load(read_sql("queries.sql"), page=_PAGE)


def listing(name: str, *, descending: bool) -> str:
    """The name of a list's statement in one of its two directions."""
    return f"{name} {'DESC' if descending else 'ASC'}"
