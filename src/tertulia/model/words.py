"""What is asked of a search, and what it answers with: terms and snippets.

The language is small on purpose: words are all wanted, "words in quotes" stand side by side, and
a star at the end stands for any ending. Nothing that is typed is an error but the lack of a word.
"""

import re

from msgspec import Struct

from tertulia.model.errors import ValidationFailed

PREFIX_MIN = 2
"""Letters before a star: a single one stands for a good part of all that was ever said."""
SNIPPET_MAX = 500
"""Characters."""

MARK, UNMARK = "\x02", "\x03"
"""Around what was found, in the text that `snippet_of` reads."""

_TERM = re.compile(r'"(?P<phrase>[^"]*)"?(?P<star>\*?)|(?P<word>[^\s"]+)')
_WORD = re.compile(r"(?:[^\W_]|[\u0300-\u036f])+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


class Term(Struct, frozen=True):
    """Words that stand side by side."""

    words: tuple[str, ...]
    is_prefix: bool = False
    """The last word may go on."""


class Snippet(Struct, frozen=True):
    """A piece of a text, and where in it the words are that were looked for."""

    text: str
    marks: list[tuple[int, int]]
    """Start and end of each, in characters (code points)."""


def terms_of(asked: str) -> tuple[Term, ...]:
    """Raises ValidationFailed when there is no word in it."""
    found = []
    for match in _TERM.finditer(asked):
        text = match["phrase"] if match["word"] is None else match["word"]
        words = tuple(words_of(text))
        starred = bool(match["star"]) or (match["word"] is not None and text.endswith("*"))
        if words:
            found.append(Term(words, starred and len(words[-1]) >= PREFIX_MIN))
    if not found:
        raise ValidationFailed.of("q", "must contain a word")
    return tuple(found)


def words_of(text: str) -> list[str]:
    return _WORD.findall(text)


def places_of(text: str) -> list[tuple[int, int]]:
    """Where the words of a text are."""
    return [match.span() for match in _WORD.finditer(text)]


def plain(text: str) -> str:
    """Without control characters: they end texts, and mark what was found."""
    return _CONTROLS.sub(" ", text)


def snippet_of(marked: str) -> Snippet:
    """Take the marks out of a text, and say where they were."""
    parts: list[str] = []
    marks: list[tuple[int, int]] = []
    start = length = 0
    for part in re.split(f"([{MARK}{UNMARK}])", marked[: 2 * SNIPPET_MAX]):
        if part == MARK:
            start = length
        elif part == UNMARK:
            marks.append((start, length))
        else:
            parts.append(part)
            length += len(part)
    text = "".join(parts)[:SNIPPET_MAX]
    return Snippet(text, [(start, end) for start, end in marks if end <= len(text)])
