"""The grammar that all SIP header fields share: tokens, quoted strings, lists, parameters.

Every pattern here takes linear time, also on input made to be slow.
"""

import re
from collections.abc import Mapping

Params = Mapping[str, str | None]
"""By lower-case name; the value as written, with its quotes; None: a name alone."""

ELEMENTS = 256
"""Elements of one list, or parameters of one value."""

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]"
IS_TOKEN = re.compile(TOKEN + "+")
HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]+"

_PARAM = re.compile(
    rf"[ \t]*+({TOKEN}++)[ \t]*+"
    r'(?:=[ \t]*+("(?:[^"\\]|\\.)*+"|[^ \t;,"<>]*+)[ \t]*+)?(?:;|\Z)|[ \t]*+(?:;|\Z)',
    re.S,
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.S)
_ESCAPED = re.compile(r"\\(.)", re.S)
_MARKS = re.compile(r'\\.|[",;<>]', re.S)
_NUMBER = re.compile(r"[0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")


class Malformed(ValueError):
    """A value that is not what the grammar allows; the text is fit for a reason phrase."""


def number(text: str, largest: int = 2**32 - 1) -> int:
    """Decimal digits, with leading zeros or not, up to `largest`."""
    if _NUMBER.fullmatch(text) is None or (value := int(text)) > largest:
        raise Malformed("bad number")
    return value


def token(text: str) -> str:
    if IS_TOKEN.fullmatch(text) is None:
        raise Malformed("bad token")
    return text


def unquote(text: str) -> str:
    """What a quoted string says; other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


def quote(text: str) -> str:
    """As a quoted string. Control characters become a space."""
    inner = _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def quoted_at_start(text: str) -> tuple[str, str] | None:
    """The quoted string that `text` begins with (unquoted), and the rest; None: no whole one."""
    found = _QUOTED.match(text)
    if found is None:
        return None
    return unquote(found[0]), text[found.end() :]


def split(text: str, separator: str = ",") -> list[str]:
    """The elements of a list, stripped: no separator inside quotes or angle brackets counts.

    Empty elements are left out (RFC 3261 section 7.3.1 has none; some senders do).
    """
    if separator not in text:
        pieces = [text]
    elif '"' not in text and "<" not in text:
        pieces = text.split(separator)
    else:
        pieces = _split_outside(text, separator)
    if len(pieces) > ELEMENTS:
        raise Malformed("too many elements")
    return [piece for part in pieces if (piece := part.strip())]


def _split_outside(text: str, separator: str) -> list[str]:
    pieces, start, quoted, bracketed = [], 0, False, False
    for hit in _MARKS.finditer(text):
        mark = hit[0]
        if mark == '"':
            quoted = not quoted and not bracketed
        elif quoted:
            continue
        elif mark in "<>":
            bracketed = mark == "<"
        elif mark == separator and not bracketed:
            pieces.append(text[start : hit.start()])
            start = hit.end()
    if quoted or bracketed:
        raise Malformed("unbalanced quotes or brackets")
    pieces.append(text[start:])
    return pieces


def params(text: str) -> Params:
    """`name=value;name;...`: what follows the first semicolon. The first of a name counts."""
    found: dict[str, str | None] = {}
    at, end, count = 0, len(text), 0
    while at < end:
        hit = _PARAM.match(text, at)
        if hit is None or (count := count + 1) > ELEMENTS:
            raise Malformed("bad parameter")
        at = hit.end()
        if hit[1] is not None:
            found.setdefault(hit[1].lower(), hit[2])
    return found


def after(rest: str) -> Params:
    """The parameters in what follows a value: nothing, or a semicolon and parameters."""
    rest = rest.strip()
    if not rest:
        return {}
    if rest[0] != ";":
        raise Malformed("text after a value")
    return params(rest[1:])


def written(values: Params) -> str:
    """Parameters as they follow a value, with the first semicolon; empty when there are none."""
    return "".join(
        f";{name}" if value is None else f";{name}={value}" for name, value in values.items()
    )


def plain_param(values: Params, name: str) -> str | None:
    """A parameter's value without quotes; empty for a name alone; None when it is not there."""
    key = name.lower()
    return unquote(values[key] or "") if key in values else None
