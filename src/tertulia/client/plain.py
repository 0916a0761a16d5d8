"""Text of others made safe to print: what a terminal would obey becomes what it only shows."""

import unicodedata

TEXT_MAX = 4000
"""Characters of one text that are shown."""

_CUT = " […]"
JOINERS = "\u200c\u200d\ufe0f"
"""Without width of their own; scripts and emoji need them, and they hide nothing."""
_SHOWN_AS_BLANK = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str) -> str:
    """One line: no control, no change of direction, nothing invisible; long text is cut."""
    shown = "".join(map(_shown, text[:TEXT_MAX]))
    return shown + _CUT if len(text) > TEXT_MAX else shown


def plain_lines(text: str) -> list[str]:
    """As `plain`, a line for each line of the text, at least one."""
    cut = text[:TEXT_MAX] + (_CUT if len(text) > TEXT_MAX else "")
    return [plain(line) for line in cut.splitlines()] or [""]


def width(text: str) -> int:
    """Columns that a plain text takes."""
    return sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """The beginning of a plain text that fits into so many columns."""
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:index]
    return text


def _shown(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    category = unicodedata.category(character)
    if character == "\t" or category == "Zs":
        return " "
    return "\ufffd" if category in _SHOWN_AS_BLANK else ""


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character in JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
