"""Access control lists of tokens: which paths, with which methods (wire-api 6.2).

`acl.paths` maps a pattern to a rule. In a pattern the segment `*` stands for any one segment, `**`
for any number of them, also none; every other segment for itself. A rule `{}` grants all methods,
`{"methods": [...]}` those. COMPAT: `filters` and other members of a rule are accepted and have no
effect, since what they mean is not published.
"""

import re
from collections import defaultdict
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from tertulia.model.errors import Forbidden, InvalidToken


class _Rule(Struct, frozen=True):
    methods: list[str] | None = None


class _Paths(Struct, frozen=True):
    paths: dict[str, _Rule]


class Acl(Struct, frozen=True):
    """A compiled list: at most two regular expressions are tried for a request."""

    any_method: re.Pattern[str] | None
    by_method: dict[str, re.Pattern[str]]

    def allows(self, method: str, path: str) -> bool:
        """HEAD is granted with GET, and a slash at the end of the path makes no difference."""
        path = path.removesuffix("/")
        if self.any_method is not None and self.any_method.fullmatch(path):
            return True
        method = method.upper()
        granted = self.by_method.get("GET" if method == "HEAD" else method)
        return granted is not None and granted.fullmatch(path) is not None

    def require(self, method: str, path: str) -> None:
        """Raises Forbidden unless the list allows it."""
        if not self.allows(method, path):
            raise Forbidden("The token's acl does not grant this path and method.")


def compile_acl(acl: dict[str, Any] | None) -> Acl | None:
    """Make ready the `acl` claim; None, for a token without one, grants everything.

    Raises:
        InvalidToken: it is not of the form above.
    """
    if acl is None:
        return None
    try:
        paths = msgspec.convert(acl, _Paths).paths
    except msgspec.ValidationError as error:
        raise InvalidToken(f"The token's acl is not valid: {error}.") from None
    if not all(pattern.startswith("/") for pattern in paths):
        raise InvalidToken("The token's acl is not valid: its paths must start with a slash.")
    return _compiled(
        tuple(
            (pattern, None if rule.methods is None else tuple(rule.methods))
            for pattern, rule in sorted(paths.items())
        )
    )


@lru_cache(maxsize=256)
def _compiled(rules: tuple[tuple[str, tuple[str, ...] | None], ...]) -> Acl:
    """Cached: an application's tokens mostly carry the same list, and compiling takes 1 ms."""
    anything: list[str] = []
    granted: dict[str, list[str]] = defaultdict(list)
    for pattern, methods in rules:
        expression = _expression(pattern)
        if methods is None:
            anything.append(expression)
        for method in {method.upper() for method in methods or ()}:
            granted["GET" if method == "HEAD" else method].append(expression)
    return Acl(
        re.compile("|".join(anything), re.DOTALL) if anything else None,
        {method: re.compile("|".join(some), re.DOTALL) for method, some in granted.items()},
    )


def _expression(pattern: str) -> str:
    """The pattern as a regular expression that takes no more than linear time for each `**`.

    What stands between two `**` has a fixed number of segments, so its first match is as good as
    any; the atomic group keeps the matcher from trying others, which a list could be made to
    need exponentially many of.
    """
    chunks: list[str] = [""]
    for segment in pattern.removesuffix("/").split("/")[1:]:
        if segment == "**":
            chunks.append("")
        else:
            chunks[-1] += "/[^/]+" if segment == "*" else "/" + re.escape(segment)
    if len(chunks) == 1:
        return chunks[0]
    first, *middle, last = chunks
    found = "".join(f"(?>(?:/[^/]*)*?{chunk}(?=/|\\Z))" for chunk in middle if chunk)
    return first + found + (f"(?:/[^/]*)*{last}" if last else "(?:/.*)?")
