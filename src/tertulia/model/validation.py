"""From the decoder's complaint to the wording of the compatible API (joi-like, wire-api 1.8)."""

import re
from typing import Any, TypeVar

import msgspec

from tertulia.model.errors import Parameter, ValidationFailed

T = TypeVar("T")

# Patterns with a wording of their own. `$(?!\n)`: a plain `$` would let a final line feed pass.
_UNSEEN = r"\s\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_NOT_IN_URI = rf'{_UNSEEN}"<>\\'
_GROUP = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join((
    f"(?:{_GROUP}:){{7}}{_GROUP}", f"(?:{_GROUP}:){{1,7}}:", f":(?::{_GROUP}){{1,7}}", "::",
    *(f"(?:{_GROUP}:){{1,{7 - after}}}(?::{_GROUP}){{1,{after}}}" for after in range(1, 7)),
))  # fmt: skip
"""Exactly what is an address: readers of what we hand on fail at one that only looks so."""
WEB_URI = (
    rf"^https?://(?:\[(?:{_IPV6})\]|[^{_NOT_IN_URI}/?#@:\[\]]+)(?::[0-9]{{1,5}})?"
    rf"(?:[/?#][^{_NOT_IN_URI}]*)?$(?!\n)"
)
"""With a host; without user information, which passes for a host, and what a reader cannot see."""
WEB_URI_OR_EMPTY = rf"^$(?!\n)|{WEB_URI}"
EVENT_NUMBER = r"^[0-9]{1,15}$"
LEVEL = r"^-?(0?\.[0-9]+|0|1(\.0+)?)$"
DIGITS = r"^([abcdABCD0-9*#pP])+$(?!\n)"
NUMBER = r"^[0-9]{3,15}$(?!\n)"
SIP_URI = rf"^[sS][iI][pP][sS]?:[^{_NOT_IN_URI}?]+$(?!\n)"
"""Without header fields behind a question mark: whoever calls there would send them."""
SOCKET_URI = WEB_URI.replace("http", "ws", 1)
NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$(?!\n)"
NO_NUL = r"^[^\u0000]*$"
"""For what is looked up by its text: stores and their tools end a text at U+0000."""

NESTING_MAX = 100
"""Objects and arrays inside each other. Recursion, here and in stores, has limits of its own."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ALL_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_TOO_DEEP = b"[" * (NESTING_MAX + 1)
"""Told at once: to take it apart would be a lot of work."""

_AT = re.compile(r" - at `(?P<where>[^`]*)`$")
_WORDINGS = (
    (r"Object missing required field `(?P<name>[^`]+)`", "is required"),
    (r"Object contains unknown field `(?P<name>[^`]+)`", "is not allowed"),
    (
        r"Expected `str` of length <= (?P<n>\d+)",
        "length must be less than or equal to {n} characters long",
    ),
    (r"Expected `str` of length >= (?P<n>\d+)", "length must be at least {n} characters long"),
    (
        f"Expected `str` matching regex {re.escape(repr(WEB_URI))}",
        "must be a valid uri with a scheme matching the http|https pattern",
    ),
    (
        f"Expected `str` matching regex {re.escape(repr(WEB_URI_OR_EMPTY))}",
        "must be a valid uri with a scheme matching the http|https pattern",
    ),
    (f"Expected `str` matching regex {re.escape(repr(EVENT_NUMBER))}", "must be a number"),
    (
        f"Expected `str` matching regex {re.escape(repr(NUMBER))}",
        "must be a phone number: 3 to 15 digits, with the country code first",
    ),
    (
        f"Expected `str` matching regex {re.escape(repr(SIP_URI))}",
        "must be a valid uri with a scheme matching the sip|sips pattern",
    ),
    (
        f"Expected `str` matching regex {re.escape(repr(SOCKET_URI))}",
        "must be a valid uri with a scheme matching the ws|wss pattern",
    ),
    (f"Expected `str` matching regex {re.escape(repr(LEVEL))}", "must be a number from -1 to 1"),
    (
        f"Expected `str` matching regex {re.escape(repr(DIGITS))}",
        "fails to match the required pattern: /^([abcdABCD0-9*#pP])+$/",
    ),
    (
        f"Expected `str` matching regex {re.escape(repr(NO_CONTROLS))}",
        "must not contain control characters",
    ),
    (
        f"Expected `str` matching regex {re.escape(repr(NO_NUL))}",
        "must not contain a null character",
    ),
    (r"Expected `str` matching regex (?P<n>.+)", "fails to match the required pattern: {n}"),
    (r"Expected `array` of length <= (?P<n>\d+)", "must contain less than or equal to {n} items"),
    (r"Expected `array` of length >= (?P<n>\d+)", "must contain at least {n} items"),
    (r"Expected `(?:int|float)` >= (?P<n>\S+)", "must be larger than or equal to {n}"),
    (r"Expected `(?:int|float)` <= (?P<n>\S+)", "must be less than or equal to {n}"),
    (r"Invalid enum value (?P<n>.+)", "must be one of the allowed values, not {n}"),
    (r"Invalid value (?P<n>.+)", "must be one of the allowed values, not {n}"),
    (r"Expected `(?P<n>[^`]+)`(?:, got `[^`]+`)?$", "must be {n}"),
    # What a __post_init__ of ours says, with or without the member it speaks of.
    (r"`(?P<name>[^`]+)` (?P<n>.+)", "{n}"),
    (r"(?P<n>must .+)", "{n}"),
)
_WORDINGS_COMPILED = tuple((re.compile(pattern), reason) for pattern, reason in _WORDINGS)
_NOUNS = {
    "str": "a string", "int": "a number", "float": "a number", "bool": "a boolean",
    "object": "an object", "array": "an array",
}  # fmt: skip


def explain(error: msgspec.ValidationError, root: str = "") -> ValidationFailed:
    """The 400 for a decoder's complaint. `root` is what was decoded ("" = the whole body)."""
    text = str(error)
    where = root
    if at := _AT.search(text):
        text = text[: at.start()]
        path = at["where"].removeprefix("$").replace("[...]", "").lstrip(".")
        where = _joined(root, path)
    for pattern, reason in _WORDINGS_COMPILED:
        if match := pattern.match(text):
            found = match.groupdict()
            return _failed(_joined(where, found.get("name")), _worded(reason, found.get("n", "")))
    return _failed(where, f"is not valid: {text}")


def _joined(*parts: str | None) -> str:
    return ".".join(part for part in parts if part).replace(".[", "[")


def _worded(reason: str, value: str) -> str:
    if reason == "must be {n}":
        kinds = [_NOUNS.get(kind.strip(), kind.strip()) for kind in value.split("|")]
        value = " or ".join(kind for kind in kinds if kind != "null")
    return reason.format(n=value)


def _failed(where: str, reason: str) -> ValidationFailed:
    return ValidationFailed.of(where or "body", reason)


def check_nesting(raw: bytes) -> None:
    """Raises ValidationFailed for JSON that is deeper than NESTING_MAX."""
    if raw.count(b"{") + raw.count(b"[") <= NESTING_MAX:
        return
    brackets = _STRING.sub(b"", raw).translate(_ALL_SQUARE, _NO_BRACKETS)
    for _ in range(NESTING_MAX):  # innermost pairs go first: one level a round
        if not brackets or _TOO_DEEP in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise ValidationFailed.of("body", f"must not be nested deeper than {NESTING_MAX} levels")


def decode(raw: bytes | str, type_: type[T], *, root: str = "") -> T:
    """Decode JSON into `type_`, or raise ValidationFailed naming the wrong member."""
    return decode_with(msgspec.json.Decoder(type_), raw, root=root)


def decode_with(decoder: "msgspec.json.Decoder[T]", raw: bytes | str, *, root: str = "") -> T:
    """As `decode`, with a decoder made once: half the cost on a hot path."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise explain(error, root) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValidationFailed("The body is not valid JSON.", parameters=(
            Parameter(root or "body", f'"{root or "body"}" must be valid JSON'),
        )) from None  # fmt: skip


def convert(value: Any, type_: type[T], *, root: str = "", strict: bool = True) -> T:
    """As `decode`, for values that are already Python (query parameters)."""
    try:
        return msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        raise explain(error, root) from None
