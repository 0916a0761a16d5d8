"""PostgreSQL's texts hold no U+0000: another sign stands for it, in rows and in look-ups."""

import re
from typing import TypeVar

V = TypeVar("V")

_NUL, _NO_NUL = "\0", "\ufffd"
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def storable(value: V) -> V | str:
    if isinstance(value, str) and _NUL in value:
        return value.replace(_NUL, _NO_NUL)
    return value


def storable_json(text: str) -> str:
    """Of texts in JSON that PostgreSQL is to take apart."""
    return _ESCAPED_NUL.sub(rf"\1{_NO_NUL}", text) if "u0000" in text else text
