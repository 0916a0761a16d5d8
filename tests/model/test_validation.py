"""The wording of refusals."""

from enum import StrEnum
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from tertulia.model.errors import Parameter, ValidationFailed
from tertulia.model.validation import (
    NESTING_MAX,
    NO_NUL,
    WEB_URI,
    check_nesting,
    convert,
    decode,
)


class Colour(StrEnum):
    RED = "red"


class Inner(Struct, forbid_unknown_fields=True):
    n: int = 0
    must: str = ""

    def __post_init__(self) -> None:
        if self.must == "self":
            raise ValueError("must contain at least one of [a, b]")
        if self.must == "member":
            raise ValueError("`n` is required")
        if self.must == "odd":
            raise ValueError("odd")


class Outer(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=2, max_length=4, pattern="^[a-z]*$")] = "aa"
    size: Annotated[int, Meta(ge=1, le=9)] = 1
    ratio: Annotated[float, Meta(ge=0, le=1)] = 0
    colour: Colour = Colour.RED
    flag: bool = False
    either: int | str | None = None
    items: Annotated[list[Inner], Meta(min_length=1, max_length=2)] | None = None
    by_name: dict[str, Inner] | None = None
    url: Annotated[str, Meta(pattern=WEB_URI)] = "http://h"
    title: Annotated[str, Meta(pattern=NO_NUL)] = ""


WORDED = [
    ('{"name":1}', "name", "must be a string"),
    ('{"name":"a"}', "name", "length must be at least 2 characters long"),
    ('{"name":"aaaaa"}', "name", "length must be less than or equal to 4 characters long"),
    ('{"name":"AA"}', "name", "fails to match the required pattern: '^[a-z]*$'"),
    ('{"size":0}', "size", "must be larger than or equal to 1"),
    ('{"size":10}', "size", "must be less than or equal to 9"),
    ('{"size":"1"}', "size", "must be a number"),
    ('{"ratio":2}', "ratio", "must be less than or equal to 1.0"),
    ('{"colour":"blue"}', "colour", "must be one of the allowed values, not 'blue'"),
    ('{"colour":1}', "colour", "must be a string"),
    ('{"flag":1}', "flag", "must be a boolean"),
    ('{"either":[]}', "either", "must be a number or a string"),
    ('{"items":[]}', "items", "must contain at least 1 items"),
    ('{"items":[{},{},{}]}', "items", "must contain less than or equal to 2 items"),
    ('{"items":{}}', "items", "must be an array"),
    ('{"items":[1]}', "items[0]", "must be an object"),
    ('{"items":[{},{"n":"x"}]}', "items[1].n", "must be a number"),
    ('{"items":[{"x":1}]}', "items[0].x", "is not allowed"),
    ('{"items":[{"must":"self"}]}', "items[0]", "must contain at least one of [a, b]"),
    ('{"items":[{"must":"member"}]}', "items[0].n", "is required"),
    ('{"items":[{"must":"odd"}]}', "items[0]", "is not valid: odd"),
    ('{"by_name":{"k":{"n":"x"}}}', "by_name.n", "must be a number"),
    ('{"url":"javascript:x"}', "url",
     "must be a valid uri with a scheme matching the http|https pattern"),
    ('{"title":"a\\u0000b"}', "title", "must not contain a null character"),
    ('{"x":1}', "x", "is not allowed"),
    ("[]", "body", "must be an object"),
    ("", "body", "must be valid JSON"),
    ("{", "body", "must be valid JSON"),
    ('{"name":"\\ud800"}', "body", "must be valid JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "name", "reason"), WORDED)
def test_wording(raw: str, name: str, reason: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        decode(raw, Outer)
    assert caught.value.parameters == (Parameter(name, f'"{name}" {reason}'),)


def test_the_root_is_named_first() -> None:
    with pytest.raises(ValidationFailed) as caught:
        decode('{"x":1}', Outer, root="body")
    assert caught.value.parameters[0].name == "body.x"


def test_a_missing_member_is_named() -> None:
    class Needy(Struct):
        name: str

    with pytest.raises(ValidationFailed) as caught:
        decode("{}", Needy, root="user")
    assert caught.value.parameters == (Parameter("user.name", '"user.name" is required'),)


def test_bytes_that_are_no_text_are_no_json() -> None:
    with pytest.raises(ValidationFailed, match="not valid JSON"):
        decode(b'{"name":"\xff\xfe"}', Outer)


def test_depth_is_bounded() -> None:
    with pytest.raises(ValidationFailed, match="not valid JSON"):
        decode(100_000 * "[", list[object])


def nested(depth: int, opening: bytes, inside: bytes = b"") -> bytes:
    closing = {b"[": b"]", b'{"a":': b"}"}[opening]
    return opening * depth + inside + closing * depth


@pytest.mark.parametrize("raw", [
    b"", b"{}", b'{"a":[1,{"b":[]}]}',
    nested(NESTING_MAX, b"["), nested(NESTING_MAX, b'{"a":', b"1"),
    nested(NESTING_MAX - 1, b"[", b'"[[{{[[", "\\"[[[\\\\"'),
    b"[" + b"[],{}," * 5000 + b"1]", b'["' + b"[" * 5000 + b'"]', b'["' + b'\\"[' * 5000 + b'"]',
])  # fmt: skip
def test_what_is_nested_enough_may_pass(raw: bytes) -> None:
    check_nesting(raw)


@pytest.mark.parametrize("raw", [
    nested(NESTING_MAX + 1, b"["), nested(NESTING_MAX + 1, b'{"a":', b"1"),
    b"[[]," + nested(NESTING_MAX, b'{"a":', b'"}"') + b"]", b"[" * 1_000_000,
    nested(200_000, b"["), b"[[]" * 1000,
])  # fmt: skip
def test_what_is_nested_deeper_is_refused(raw: bytes) -> None:
    with pytest.raises(ValidationFailed) as caught:
        check_nesting(raw)
    reason = f'"body" must not be nested deeper than {NESTING_MAX} levels'
    assert caught.value.parameters == (Parameter("body", reason),)


def test_query_values_are_read_from_text() -> None:
    assert convert({"size": "3", "flag": "true"}, Outer, strict=False).size == 3
    with pytest.raises(ValidationFailed) as caught:
        convert({"size": "many"}, Outer, strict=False)
    assert caught.value.parameters == (Parameter("size", '"size" must be a number'),)
