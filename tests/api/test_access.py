"""Who is let in, how often, and the rules of HTTP that hold for every address."""

import asyncio
import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from tests.api.cast import (
    ACCOUNT,
    INVALID,
    NOBODY,
    NOT_GRANTED,
    blamed,
    conversation,
    history,
    joined,
    pages,
    refusal,
    stranger,
    text,
    user,
)
from tests.api.conftest import SETTINGS, Play

from tertulia.protocols.http1 import HttpError
from tertulia.testing.world import EPOCH, Answer, World, with_limits
from tertulia.web.problems import internal_error, protocol_problem

NOW = EPOCH // 1000
DAY = 24 * 3600
NO_ENTRY = (401, "system:error:invalid-token")
EXPIRED = (401, "system:error:expired-token")
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, Tertulia-Epoch",
}


def encoded(part: dict[str, Any]) -> bytes:
    return urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=")


def forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token that is not signed with RS256: with HMAC and this secret, or not at all."""
    signed = encoded(header) + b"." + encoded(claims)
    digest = hmac.digest(secret, signed, hashlib.sha256) if secret is not None else b""
    return (signed + b"." + urlsafe_b64encode(digest).rstrip(b"=")).decode()


async def users(world: World, token: str) -> Answer:
    return await world.call("GET", "/v1/users", token=token)


# Tokens.


@pytest.mark.parametrize("header", [
    "", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Bearer a.b.c.d", "Basic a2V5OnNlY3JldA==",
    "Token {token}", "{token}", "Bearer {token}x", "Bearer {token}.", "Bearer " + 9000 * "x",
])  # fmt: skip
def test_without_a_good_token_nobody_comes_in(play: Play, header: str) -> None:
    async def scenario(world: World) -> None:
        headers = {"authorization": header.format(token=world.token())}
        for method, target in (("GET", "/v1/users"), ("POST", "/v0.3/conversations")):
            answer = await world.call(method, target, {}, headers=headers)
            assert refusal(answer) == NO_ENTRY
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers.items() >= CORS.items()
        assert await world.store.head() == 0

    play(scenario)


def test_the_scheme_is_read_in_any_case(play: Play) -> None:
    async def scenario(world: World) -> None:
        for scheme in ("bearer", "BEARER", "Bearer"):
            headers = {"authorization": f"{scheme} {world.token()}"}
            assert (await world.call("GET", "/v1/users", headers=headers)).status == 200

    play(scenario)


def test_a_token_cannot_choose_how_it_is_checked(play: Play, keys: tuple[str, str]) -> None:
    async def scenario(world: World) -> None:
        claims = {
            "application_id": world.application.id, "iat": NOW, "exp": NOW + 900, "jti": "j",
        }  # fmt: skip
        for algorithm, secret in (
            ("HS256", keys[1].encode()), ("HS256", keys[1].strip().encode()), ("HS256", b""),
            ("none", None), ("None", None), ("RS256", keys[1].encode()), ("RS512", None),
        ):  # fmt: skip
            token = forged({"alg": algorithm, "typ": "JWT"}, claims, secret)
            assert refusal(await users(world, token)) == NO_ENTRY, algorithm

    play(scenario)


@pytest.mark.parametrize("claims, expected", [
    ({"exp": NOW - 1}, EXPIRED), ({"exp": str(NOW - 1)}, EXPIRED),
    ({"iat": NOW - 901, "exp": None}, EXPIRED),
    ({"iat": NOW + 60, "exp": NOW + 900}, NO_ENTRY), ({"nbf": NOW + 60}, NO_ENTRY),
    ({"exp": NOW + DAY + 1}, NO_ENTRY), ({"iat": NOW - DAY, "exp": NOW + 1}, NO_ENTRY),
    ({"exp": "soon"}, NO_ENTRY), ({"exp": []}, NO_ENTRY), ({"iat": "now"}, NO_ENTRY),
    ({"iat": None}, NO_ENTRY), ({"jti": None}, NO_ENTRY), ({"jti": ""}, NO_ENTRY),
    ({"application_id": "other"}, NO_ENTRY), ({"application_id": None}, NO_ENTRY),
    ({"sub": "nobody"}, NO_ENTRY), ({"sub": ""}, NO_ENTRY), ({"sub": 5}, NO_ENTRY),
    ({"acl": []}, NO_ENTRY), ({"acl": {}}, NO_ENTRY), ({"acl": {"paths": []}}, NO_ENTRY),
    ({"acl": {"paths": {"users": {}}}}, NO_ENTRY), ({"acl": {"paths": {"/*": None}}}, NO_ENTRY),
    ({"acl": {"paths": {"/**": {"methods": "GET"}}}}, NO_ENTRY),
])  # fmt: skip
def test_bad_claims(play: Play, claims: dict[str, Any], expected: tuple[int, str]) -> None:
    async def scenario(world: World) -> None:
        for _ in range(2):  # the second time too, when the token may be remembered
            assert refusal(await users(world, world.token(**claims))) == expected

    play(scenario)


@pytest.mark.parametrize("claims", [
    {"exp": NOW + DAY}, {"exp": None}, {"exp": str(NOW + 60)}, {"exp": NOW + 60.5},
    {"iat": NOW + 20}, {"nbf": NOW - 5}, {"acl": None}, {"aud": "x", "anything": {"else": 1}},
])  # fmt: skip
def test_good_claims(play: Play, claims: dict[str, Any]) -> None:
    async def scenario(world: World) -> None:
        assert (await users(world, world.token(**claims))).status == 200

    play(scenario)


def test_a_token_is_good_until_it_expires(play: Play) -> None:
    async def scenario(world: World) -> None:
        token = world.token(exp=NOW + 10)
        assert (await users(world, token)).status == 200
        world.clock.advance(9.5)
        assert (await users(world, token)).status == 200
        world.clock.advance(0.5)
        for _ in range(2):
            assert refusal(await users(world, token)) == EXPIRED

    play(scenario)


def test_a_token_of_one_application_does_not_open_another(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        posing = other.token(application_id=world.application.id)
        assert refusal(await users(world, posing)) == NO_ENTRY
        assert (await users(world, other.token())).status == 200

    play(scenario)


@pytest.mark.parametrize("paths, method, target, granted", [
    ({"/*/users/**": {}}, "GET", "/v1/users", True),
    ({"/*/users/**": {}}, "GET", "/v0.3/users/USR-1/conversations", True),
    ({"/*/users/**": {}}, "GET", "/v1/conversations", False),
    ({"/*/users/*": {}}, "GET", "/v1/users", False),
    ({"/v1/users": {}}, "GET", "/v0.3/users", False),
    ({"/v1/users": {}}, "GET", "/v1/users/", True),
    ({"/*/users/**": {"methods": ["GET"]}}, "HEAD", "/v1/users", True),
    ({"/*/users/**": {"methods": ["get"]}}, "GET", "/v1/users", True),
    ({"/*/users/**": {"methods": ["GET"]}}, "POST", "/v1/users", False),
    ({"/*/users/**": {"methods": ["GET"]}, "/v1/users": {"methods": ["POST"]}}, "POST",
     "/v1/users", True),
    ({"/*/users/**": {"filters": {"x": 1}}}, "GET", "/v1/users", True),
    ({"/*/users/**": {"methods": []}}, "GET", "/v1/users", False),
    ({}, "GET", "/v1/users", False),
])  # fmt: skip
def test_the_acl_grants_paths_and_methods(
    play: Play, paths: dict[str, Any], method: str, target: str, granted: bool
) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        body: dict[str, Any] | None = {} if method == "POST" else None
        for name in (None, "alice"):
            token = world.token(name, acl={"paths": paths})
            answer = await world.call(method, target, body, token=token)
            is_users_post = (method, name) == ("POST", "alice")  # refused for another reason
            if granted and not is_users_post:
                assert answer.status in (200, 201), answer.json
            else:
                assert refusal(answer) == (403, NOT_GRANTED)

    play(scenario)


# Rates.


def test_who_asks_too_often_has_to_wait(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        answers = [await world.call("GET", "/v1/users") for _ in range(6)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429, 429]
        refused = answers[-1]
        assert refusal(refused) == (429, "http:error:too-many-requests")
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers.items() >= CORS.items()
        # neither others nor the account wait for it
        assert (await users(world, other.token())).status == 200
        assert (await world.call("GET", "/v2/applications", headers=ACCOUNT)).status == 200
        world.clock.advance(2)
        assert [(await world.call("GET", "/v1/users")).status for _ in range(3)] == [200, 200, 429]

    play(scenario, with_limits(SETTINGS, requests_per_second=1, burst=3))


def test_a_refused_request_has_no_effect_and_is_not_remembered(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        token = world.token()
        answer = await world.call("POST", "/v1/users", {"name": "a"}, token=token)
        assert answer.status == 429
        world.clock.advance(1)
        answer = await world.call("POST", "/v1/users", {"name": "a"}, token=token)
        assert answer.status == 201

    play(scenario, with_limits(SETTINGS, requests_per_second=1, burst=1))


def test_who_is_not_let_in_uses_up_nothing(play: Play) -> None:
    async def scenario(world: World) -> None:
        for _ in range(5):
            assert (await users(world, world.token(exp=NOW - 1))).status == 401
        assert (await world.call("GET", "/v1/users")).status == 200

    play(scenario, with_limits(SETTINGS, requests_per_second=1, burst=1))


# Requests that come again.


def test_a_post_that_comes_again_with_its_token_is_answered_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        token = world.token()
        first = await world.call("POST", "/v1/conversations", {"name": "a"}, token=token)
        again = await world.call("POST", "/v1/conversations", {"name": "a"}, token=token)
        assert (first.status, again.status) == (201, 201)
        assert again.raw == first.raw
        at_once = await asyncio.gather(*(
            world.call("POST", "/v1/users", {"name": "b"}, token=token) for _ in range(5)
        ))  # fmt: skip
        assert {answer.raw for answer in at_once} == {at_once[0].raw}
        assert at_once[0].status == 201
        world.clock.advance(60)
        late = await world.call("POST", "/v1/conversations", {"name": "a"}, token=token)
        assert refusal(late) == (409, "conversation:error:duplicate-name")

    play(scenario)


def test_what_differs_in_anything_is_another_request(play: Play) -> None:
    async def scenario(world: World) -> None:
        token = world.token()
        for target, body, by in (
            ("/v1/conversations", {}, token), ("/v0.3/conversations", {}, token),
            ("/v1/conversations?x=1", {}, token), ("/v1/conversations", b"{ }", token),
            ("/v1/conversations", {"display_name": "a"}, token),
            ("/v1/conversations", {}, world.token()),
        ):  # fmt: skip
            assert (await world.call("POST", target, body, token=by)).status == 201
        assert len((await pages(world, "/v1/conversations", "conversations"))[0]) == 6
        # what is no POST is carried out each time
        for _ in range(2):
            answer = await world.call("PUT", "/v1/conversations/CON-1", {"name": "n"}, token=token)
            assert answer.status == 200
            other = await world.call("PUT", "/v1/conversations/CON-1", {"name": "o"}, token=token)
            assert other.json["name"] == "o"
        assert (await history(world, "CON-1"))[-1]["id"] == 4

    play(scenario)


def test_a_refusal_is_decided_again(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world, name="a")
        token = world.token()
        twice = await world.call("POST", "/v1/conversations", {"name": "a"}, token=token)
        assert twice.status == 409
        await world.call("DELETE", "/v1/conversations/CON-1")
        now = await world.call("POST", "/v1/conversations", {"name": "a"}, token=token)
        assert now.status == 201

    play(scenario)


def test_a_person_may_say_the_same_twice(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        await joined(world, "CON-1", "alice")
        token = world.token("alice")
        target = "/v0.3/conversations/CON-1/events"
        for number in (2, 3):
            answer = await world.call("POST", target, text("ok", "MEM-1"), token=token)
            assert (answer.status, answer.json["id"]) == (201, number)

    play(scenario)


# What holds for every address.

PATHS = ("/v1/conversations", "/v0.3/users/USR-1", "/v2/applications", "/healthz", "/nowhere")


@pytest.mark.parametrize("path", PATHS)
def test_browsers_may_ask_from_anywhere(play: Play, path: str) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("OPTIONS", path, headers={
            **NOBODY, "origin": "https://app.example.org", "access-control-request-method": "PUT",
        })  # fmt: skip
        assert (answer.status, answer.raw) == (204, b"")
        assert answer.headers.items() >= CORS.items()
        methods = answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert set(methods) == {"GET", "POST", "PUT", "PATCH", "DELETE"}
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert set(allowed) == {"authorization", "content-type", "last-event-id"}

    play(scenario)


def test_every_answer_may_be_read_by_browsers(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        for method, target, body, status in (
            ("GET", "/v1/conversations/CON-1", None, 200), ("POST", "/v1/conversations", {}, 201),
            ("POST", "/v1/conversations/CON-1/events", {"type": "ephemeral"}, 201),
            ("GET", "/v1/conversations/CON-1/events", None, 200),
            ("DELETE", "/v1/conversations/CON-2", None, 204), ("GET", "/v1/users/x", None, 404),
            ("POST", "/v1/users", b"{", 400), ("GET", "/nowhere", None, 404),
            ("PATCH", "/v1/users", {}, 405), ("GET", "/healthz", None, 200),
        ):  # fmt: skip
            answer = await world.call(method, target, body)
            assert answer.status == status
            assert answer.headers.items() >= CORS.items(), target

    play(scenario)


def test_so_may_those_that_no_scenario_reaches() -> None:
    for response in (internal_error("x"), protocol_problem(HttpError(413, "."), "x")):
        assert dict(response.headers).items() >= CORS.items()


@pytest.mark.parametrize("path", [
    "/", "//", "/v1", "/v1/", "/v2/users", "/v0.3", "/v0.4/users", "/v1/user", "/v1//users",
    "/V1/users", "/v1/conversations/CON-1/legs", "/v1/conversations/CON-1/events/1/more",
    "/v1/conversations//members", "/v1/users//", "/openapi.yaml", "/v1/conversations/CON-1//",
])  # fmt: skip
def test_what_is_not_there_is_told_to_everybody(play: Play, path: str) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        for headers in (NOBODY, {}):
            answer = await world.call("GET", path, headers=headers)
            assert refusal(answer) == (404, "http:error:not-found")

    play(scenario)


def test_a_slash_at_the_end_does_no_harm(play: Play) -> None:
    async def scenario(world: World) -> None:
        assert (await world.call("POST", "/v1/conversations/", {})).status == 201
        for target in ("/v1/conversations/CON-1/", "/v1/conversations/CON-1/events/?page_size=1"):
            assert (await world.call("GET", target)).status == 200

    play(scenario)


@pytest.mark.parametrize("method, path, allowed", [
    ("PATCH", "/v1/conversations", {"GET", "HEAD", "OPTIONS", "POST"}),
    ("DELETE", "/v1/conversations/CON-1/members/me", {"GET", "HEAD", "OPTIONS", "PATCH"}),
    ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
    ("TRACE", "/v2/applications", {"GET", "HEAD", "OPTIONS", "POST"}),
    ("HEAD", "/tertulia/v1/webhooks/replay", {"OPTIONS", "POST"}),
])  # fmt: skip
def test_a_method_that_is_not_known_here(
    play: Play, method: str, path: str, allowed: set[str]
) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call(method, path, headers=NOBODY)
        assert refusal(answer) == (405, "http:error:method-not-allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed

    play(scenario)


def test_head_is_answered_as_get_is(play: Play) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        for target, status in (("/v1/conversations/CON-1", 200), ("/v1/conversations/CON-2", 404)):
            head, get = [await world.call(method, target) for method in ("HEAD", "GET")]
            assert head.status == get.status == status
            assert head.headers == get.headers

    play(scenario)


@pytest.mark.parametrize("accept, status", [
    ("", 200), ("*/*", 200), ("application/json", 200), ("application/*", 200),
    ("text/html, application/json;q=0.9", 200), ("application/hal+json", 200),
    ("text/html", 406), ("image/*", 406),
])  # fmt: skip
def test_answers_are_json(play: Play, accept: str, status: int) -> None:
    async def scenario(world: World) -> None:
        answer = await world.call("GET", "/v1/users", headers={"accept": accept})
        assert answer.status == status
        made = await world.call("POST", "/v1/users", {}, headers={"accept": accept})
        assert made.status == (201 if status == 200 else 406)
        if status == 406:
            assert refusal(made) == (406, "http:error:not-acceptable")

    play(scenario)


def test_who_reads_figures_wants_text(play: Play) -> None:
    async def scenario(world: World) -> None:
        for accept in ("text/plain", "text/plain;version=0.0.4", "text/html", ""):
            for path in ("/metrics", "/healthz", "/readyz"):
                answer = await world.call("GET", path, headers={**NOBODY, "accept": accept})
                assert answer.status == 200, (path, accept)

    play(scenario)


@pytest.mark.parametrize("content_type, status", [
    ("", 201), ("application/json", 201), ("application/json; charset=utf-8", 201),
    ("APPLICATION/JSON", 201), ("application/merge-patch+json", 201),
    ("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 415),
])  # fmt: skip
def test_bodies_are_json(play: Play, content_type: str, status: int) -> None:
    async def scenario(world: World) -> None:
        headers = {"content-type": content_type}
        answer = await world.call("POST", "/v1/users", {"name": "a"}, headers=headers)
        assert answer.status == status
        if status == 415:
            assert refusal(answer) == (415, "http:error:unsupported-media-type")
            empty = await world.call("POST", "/v1/users", b"", headers=headers)
            assert empty.status == 201  # without a body there is nothing to read

    play(scenario)


def test_queries_that_cannot_be_read(play: Play) -> None:
    async def scenario(world: World) -> None:
        assert blamed(await world.call("GET", "/v1/users?name=%ff")) == "query"
        many = "&".join(f"a{number}=1" for number in range(51))
        assert refusal(await world.call("GET", f"/v1/users?{many}")) == (400, INVALID)
        unknown = await world.call("GET", "/v1/users?unheard=of&page_size=5&empty")
        assert (unknown.status, unknown.json["page_size"]) == (200, 5)

    play(scenario)


def test_an_error_has_both_styles_and_a_name_of_its_own(play: Play) -> None:
    async def scenario(world: World) -> None:
        one, two = [await world.call("GET", "/v1/users/x") for _ in range(2)]
        assert set(one.json) == {
            "title", "type", "code", "detail", "description", "error", "instance",
        }  # fmt: skip
        assert one.json["instance"] != two.json["instance"]
        assert one.json["detail"] == one.json["description"] and one.json["error"] == {}
        bad = await world.call("POST", "/v1/users", {"name": 5})
        assert bad.json["invalid_parameters"] == [
            {"name": "name", "reason": '"name" must be a string'}
        ]

    play(scenario)
