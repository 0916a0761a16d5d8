"""Access control lists of tokens, as a table and against a plain reading of the pattern."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.acl import Acl, compile_acl
from tertulia.model.errors import Forbidden, InvalidToken

DEFAULT_PATHS = (
    "/*/users/**", "/*/conversations/**", "/*/sessions/**", "/*/devices/**", "/*/image/**",
    "/*/media/**", "/*/applications/**", "/*/push/**", "/*/knocking/**", "/*/legs/**",
)  # fmt: skip
"""The published default."""


def acl(*paths: str, **rule: Any) -> Acl:
    made = compile_acl({"paths": dict.fromkeys(paths, rule)})
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/*/users/**", "/v1/users", True),
        ("/*/users/**", "/v1/users/", True),
        ("/*/users/**", "/v0.3/users/USR-1/x", True),
        ("/*/users/**", "/v1/usersx", False),
        ("/*/users/**", "/users", False),
        ("/*/users/**", "/v1/v2/users", False),
        ("/*/users/**", "/v1/conversations", False),
        ("/*/users/**", "//users", False),
        ("/*/users", "/v1/users/USR-1", False),
        ("/*/users/", "/v1/users", True),
        ("/v1/users/*", "/v1/users/USR-1", True),
        ("/v1/users/*", "/v1/users", False),
        ("/v1/users/*", "/v1/users/a/b", False),
        ("/v1/users", "/v1/Users", False),
        ("/**", "/", True),
        ("/**", "/v1/anything/at/all", True),
        ("/**/events", "/events", True),
        ("/**/events", "/v1/conversations/CON-1/events", True),
        ("/**/events", "/v1/conversations/CON-1/events/7", False),
        ("/**/events", "/v1/xevents", False),
        ("/*/**/members/**/me", "/v1/a/b/members/c/me", True),
        ("/*/**/members/**/me", "/v1/members/me", True),
        ("/*/**/members/**/me", "/v1/members", False),
        ("/*/**/a/*/**/a/b", "/v1/a/a/x/a/b", True),
        ("/v1/a.b", "/v1/axb", False),
        ("/v1/(a|b)*", "/v1/(a|b)*", True),
        ("/v1/(a|b)*", "/v1/a", False),
        ("/", "/", True),
        ("/", "/v1", False),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert acl(pattern).allows("GET", path) is matches


@pytest.mark.parametrize(
    ("methods", "method", "allowed"),
    [
        (None, "PATCH", True),
        (["GET"], "GET", True),
        (["get", "Post"], "POST", True),
        (["GET"], "get", True),
        (["GET"], "POST", False),
        (["GET"], "HEAD", True),
        (["HEAD"], "GET", True),
        (["POST"], "HEAD", False),
        ([], "GET", False),
    ],
)
def test_methods(methods: list[str] | None, method: str, allowed: bool) -> None:
    assert acl("/*/users/**", methods=methods).allows(method, "/v1/users") is allowed


def test_one_of_several_rules_is_enough() -> None:
    both = compile_acl(
        {"paths": {"/*/users/**": {"methods": ["GET"]}, "/v1/users": {"methods": ["POST"]}}}
    )
    assert both is not None
    assert both.allows("POST", "/v1/users")
    assert not both.allows("POST", "/v1/users/USR-1")


def test_the_published_default_opens_what_it_names() -> None:
    default = acl(*DEFAULT_PATHS)
    assert all(default.allows("POST", path.replace("*", "v1")) for path in DEFAULT_PATHS)
    assert not default.allows("GET", "/v1/rtc")


def test_filters_change_nothing() -> None:
    assert acl("/*/rtc/**", filters={"to": [{"type": "phone"}]}, future=1).allows("GET", "/v1/rtc")


def test_no_acl_grants_everything() -> None:
    assert compile_acl(None) is None


def test_nothing_granted_is_forbidden() -> None:
    with pytest.raises(Forbidden):
        acl().require("GET", "/v1/users")
    acl("/**").require("GET", "/v1/users")


@pytest.mark.parametrize(
    "malformed",
    [
        {},
        {"paths": None},
        {"paths": ["/*/users/**"]},
        {"paths": {"/*/users/**": None}},
        {"paths": {"/*/users/**": True}},
        {"paths": {"/*/users/**": {"methods": "GET"}}},
        {"paths": {"/*/users/**": {"methods": [1]}}},
        {"paths": {"users/**": {}}},
        {"paths": {"": {}}},
    ],
)
def test_malformed_lists_are_invalid_tokens(malformed: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        compile_acl(malformed)


def test_hostile_patterns_are_cheap() -> None:
    hostile = acl("/**/a" * 40 + "/**/b", "/*/**/**/**/**/**/x", "/**/*/*/*/*/*/y")
    assert not hostile.allows("GET", "/a" * 2000)


segments = st.lists(st.sampled_from(["a", "b", "*", "**"]), max_size=6)
words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=8)


@given(segments, words)
def test_patterns_mean_what_they_say(pattern: list[str], path: list[str]) -> None:
    found = acl("/" + "/".join(pattern)).allows("GET", "/" + "/".join(path))
    assert found is plainly(pattern, path)


def plainly(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    first, *rest = pattern
    if first == "**":
        return any(plainly(rest, path[taken:]) for taken in range(len(path) + 1))
    return bool(path) and first in ("*", path[0]) and plainly(rest, path[1:])
