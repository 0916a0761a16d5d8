"""From the decoder's complaint to the wording of the compatible API (joi-like, wire-api 1.8)."""

import re
from typing import Any, TypeVar

import msgspec

from tertulia.model.errors import Parameter, ValidationFailed

T = TypeVar("T")

_AT = re.compile(r" - at `(?P<where>[^`]*)`$")
_WORDINGS = (
    (r"Object missing required field `(?P<name>[^`]+)`", "is required"),
    (r"Object contains unknown field `(?P<name>[^`]+)`", "is not allowed"),
    (r"Expected `str` of length <= (?P<n>\d+)", "length must be less than or equal to {n} characters long"),
    (r"Expected `str` of length >= (?P<n>\d+)", "length must be at least {n} characters long"),
    (r"Expected `str` matching regex (?P<n>.+)", "fails to match the required pattern: {n}"),
    (r"Expected `array` of length <= (?P<n>\d+)", "must contain less than or equal to {n} items"),
    (r"Expected `array` of length >= (?P<n>\d+)", "must contain at least {n} items"),
    (r"Expected `(?:int|float)` >= (?P<n>\S+)", "must be larger than or equal to {n}"),
    (r"Expected `(?:int|float)` <= (?P<n>\S+)", "must be less than or equal to {n}"),
    (r"Invalid enum value (?P<n>.+)", "must be one of the allowed values, not {n}"),
    (r"Invalid value (?P<n>.+)", "must be one of the allowed values, not {n}"),
    (r"Expected `(?P<n>[^`]+)`, got `[^`]+`", "must be {n}"),
)
_WORDINGS_COMPILED = tuple((re.compile(pattern), reason) for pattern, reason in _WORDINGS)
_NOUNS = {
    "str": "a string", "int": "a number", "float": "a number", "bool": "a boolean",
    "object": "an object", "array": "an array",
}  # fmt: skip


def explain(error: msgspec.ValidationError, root: str = "") -> ValidationFailed:
    """The 400 for a decoder's complaint. `root` is the parameter that was decoded ("" = the body)."""
    text = str(error)
    where = root
    if at := _AT.search(text):
        text = text[: at.start()]
        path = at["where"].removeprefix("$").replace("[...]", "").lstrip(".")
        where = ".".join(part for part in (root, path) if part)
    for pattern, reason in _WORDINGS_COMPILED:
        if match := pattern.match(text):
            found = match.groupdict()
            name = ".".join(part for part in (where, found.get("name") or "") if part) or "body"
            value = found.get("n", "")
            if reason == "must be {n}":
                kinds = [_NOUNS.get(kind.strip(), kind.strip()) for kind in value.split("|")]
                value = " or ".join(kind for kind in kinds if kind != "null")
            return ValidationFailed(parameters=(Parameter(name, f'"{name}" {reason.format(n=value)}'),))
    name = where or "body"
    return ValidationFailed(parameters=(Parameter(name, f'"{name}" is not valid: {text}'),))


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
