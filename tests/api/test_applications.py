"""Applications over REST, by the account; and that nothing crosses between them."""

from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace
from tests.api.cast import (
    ACCOUNT,
    ORIGIN,
    Stranger,
    blamed,
    conversation,
    entrance,
    history,
    joined,
    refusal,
    say,
    stranger,
    text,
    user,
)
from tests.api.conftest import SETTINGS, Play

from tertulia.protocols.jwt import load_private_key, load_public_key
from tertulia.settings import Account
from tertulia.testing.world import Answer, World

PATH = "/v2/applications"
UNKNOWN = (404, "application:error:not-found")
NO_ENTRY = (401, "system:error:invalid-token")
FULL: dict[str, Any] = {
    "voice": {
        "webhooks": {
            "answer_url": {"address": "https://h/answer", "http_method": "GET",
                           "connect_timeout": 500, "socket_timeout": 3000},
            "event_url": {"address": "https://h/event", "http_method": "POST"},
        },
        "signed_callbacks": True, "conversations_ttl": 12, "leg_persistence_time": 7,
        "region": "eu-west",
    },
    "rtc": {"webhooks": {"event_url": {"address": "https://h/rtc", "http_method": "POST"}}},
    "messages": {"version": "v1", "webhooks": {"inbound_url": {"address": "http://h/in"}}},
    "vbc": {},
}  # fmt: skip


async def ask(world: World, method: str, target: str = "", body: Any = None) -> Answer:
    return await world.call(method, PATH + target, body, headers=ACCOUNT)


def basic(credentials: bytes) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(credentials).decode()}"}


def test_an_application_is_created_shown_changed_and_deleted(play: Play) -> None:
    async def scenario(world: World) -> None:
        made = await ask(world, "POST", "", {"name": "second", "capabilities": FULL,
                                             "privacy": {"improve_ai": True}})  # fmt: skip
        assert made.status == 201
        keys = made.json.pop("keys")
        assert made.json == {
            "id": "application-2", "name": "second", "capabilities": FULL,
            "privacy": {"improve_ai": True},
            "_links": {"self": {"href": f"{ORIGIN}{PATH}/application-2"}},
        }  # fmt: skip
        pair = load_private_key(keys["private_key"]).public_key().public_numbers()
        assert load_public_key(keys["public_key"]).public_numbers() == pair
        shown = {**made.json, "keys": {"public_key": keys["public_key"]}}  # never the private one
        assert (await ask(world, "GET", "/application-2")).json == shown

        renamed = await ask(world, "PUT", "/application-2", {"name": "renamed"})
        assert (renamed.status, renamed.json) == (200, {**shown, "name": "renamed"})
        less = {"name": "renamed", "capabilities": {"rtc": FULL["rtc"]}, "privacy": None}
        changed = await ask(world, "PUT", "/application-2", less)
        assert changed.json["capabilities"] == {"rtc": FULL["rtc"]}
        assert "privacy" not in changed.json
        cleared = await ask(world, "PUT", "/application-2", {"name": "x", "capabilities": None})
        assert cleared.json["capabilities"] == {}

        gone = await ask(world, "DELETE", "/application-2")
        assert (gone.status, gone.raw) == (204, b"")
        for method in ("GET", "DELETE", "PUT"):
            body = {"name": "x"} if method == "PUT" else None
            assert refusal(await ask(world, method, "/application-2", body)) == UNKNOWN

    play(scenario)


def test_an_application_brings_a_key_of_its_own(play: Play, keys: tuple[str, str]) -> None:
    async def scenario(world: World) -> None:
        body = {"name": "own", "keys": {"public_key": keys[1]}}
        made = await ask(world, "POST", "", body)
        assert (made.status, made.json["keys"]) == (201, {"public_key": keys[1]})
        token = world.token(application_id=made.json["id"])
        assert (await world.call("GET", "/v1/users", token=token)).status == 200
        # another key, and the tokens of the first are worth nothing
        made = await ask(world, "POST", "", {"name": "donor"})
        other = {"name": "own", "keys": {"public_key": made.json["keys"]["public_key"]}}
        changed = await ask(world, "PUT", "/application-2", other)
        assert changed.json["keys"] == other["keys"]
        assert refusal(await world.call("GET", "/v1/users", token=token)) == NO_ENTRY

    play(scenario)


def test_a_key_has_to_be_one_that_can_verify(play: Play, keys: tuple[str, str]) -> None:
    ed25519 = Ed25519PrivateKey.generate().public_key()
    pem = ed25519.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    async def scenario(world: World) -> None:
        for key in ("x", pem, keys[0], keys[1][:200], "\ud7ff"):
            body = {"name": "n", "keys": {"public_key": key}}
            for method, target in (("POST", ""), ("PUT", "/application-1")):
                assert blamed(await ask(world, method, target, body)) == "keys.public_key"
        assert (await ask(world, "GET")).json["total_items"] == 1
        assert (await world.call("GET", "/v1/users")).status == 200

    play(scenario)


@pytest.mark.parametrize("body, name", [
    (b"{", "body"), ({}, "name"), ({"name": ""}, "name"), ({"name": "x" * 256}, "name"),
    ({"name": "n", "capabilities": []}, "capabilities"),
    ({"name": "n", "keys": {"public_key": 8193 * "x"}}, "keys.public_key"),
    ({"name": "n", "capabilities": {"rtc": {"webhooks": {"event_url": {}}}}}, None),
    ({"name": "n", "capabilities": {"rtc": {"webhooks": {"event_url": {"address": "ftp://h"}}}}},
     "capabilities.rtc.webhooks.event_url.address"),
    ({"name": "n", "capabilities": {"rtc": {"webhooks": {"event_url": {
        "address": "https://h", "http_method": "PUT"}}}}},
     "capabilities.rtc.webhooks.event_url.http_method"),
])  # fmt: skip
def test_bad_bodies_are_named(play: Play, body: Any, name: str | None) -> None:
    async def scenario(world: World) -> None:
        for method, target in (("POST", ""), ("PUT", "/application-1")):
            found = blamed(await ask(world, method, target, body))
            assert found == name if name else found.endswith("address")
        listed = (await ask(world, "GET")).json["_embedded"]["applications"]
        assert [item["name"] for item in listed] == ["test"]

    play(scenario)


def test_pages_are_counted(play: Play, keys: tuple[str, str]) -> None:
    async def scenario(world: World) -> None:
        for number in range(4):
            body = {"name": f"n{number}", "keys": {"public_key": keys[1]}}
            await ask(world, "POST", "", body)
        seen: list[str] = []
        for page, relations in ((1, {"next"}), (2, {"next", "prev"}), (3, {"prev"})):
            answer = await ask(world, "GET", f"?page={page}&page_size=2")
            told = {key: answer.json[key] for key in
                    ("page", "page_size", "total_items", "total_pages")}  # fmt: skip
            assert told == {"page": page, "page_size": 2, "total_items": 5, "total_pages": 3}
            assert set(answer.json["_links"]) == {"first", "self"} | relations
            own = f"{ORIGIN}{PATH}?page_size=2&page={page}"
            assert answer.json["_links"]["self"] == {"href": own}
            seen += [item["name"] for item in answer.json["_embedded"]["applications"]]
            assert "private_key" not in answer.raw.decode()
        assert seen == ["test", "n0", "n1", "n2", "n3"]
        beyond = await ask(world, "GET", "?page=4&page_size=2")
        assert (beyond.status, beyond.json["_embedded"]["applications"]) == (200, [])
        for query in ("page=0", "page_size=0", "page_size=101", "page=x"):
            assert blamed(await ask(world, "GET", f"?{query}")) == query.partition("=")[0]

    play(scenario)


def test_only_the_account_gets_at_applications(play: Play) -> None:
    async def scenario(world: World) -> None:
        wrong = (
            {"authorization": ""}, basic(b"key:wrong"), basic(b"wrong:secret"), basic(b"key:"),
            basic(b":secret"), basic(b"key"), basic(b"key:secret:more"), basic(b"key:secre\xff"),
            {"authorization": "Basic !!"}, {"authorization": "Basic"},
            {"authorization": f"Bearer {world.token()}"},
            {"authorization": ACCOUNT["authorization"].replace("Basic", "Bearer")},
        )  # fmt: skip
        for headers in wrong:
            for method, target in (
                ("GET", PATH), ("POST", PATH), ("GET", f"{PATH}/application-1"),
                ("PUT", f"{PATH}/application-1"), ("DELETE", f"{PATH}/application-1"),
            ):  # fmt: skip
                answer = await world.call(method, target, headers=headers)
                assert refusal(answer) == NO_ENTRY, (headers, method)
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
        scheme = {"authorization": ACCOUNT["authorization"].replace("Basic", "basic")}
        assert (await world.call("GET", PATH, headers=scheme)).status == 200
        # and the account is no application
        assert refusal(await world.call("GET", "/v1/users", headers=ACCOUNT)) == NO_ENTRY

    play(scenario)


def test_an_account_without_a_secret_lets_nobody_in(play: Play) -> None:
    async def scenario(world: World) -> None:
        for credentials in (b"key:", b":", b"key:secret"):
            answer = await world.call("GET", PATH, headers=basic(credentials))
            assert refusal(answer) == NO_ENTRY

    play(scenario, replace(SETTINGS, account=Account(api_key="key", api_secret="")))


def test_with_an_application_its_tokens_end_at_once(play: Play) -> None:
    async def scenario(world: World) -> None:
        other = await stranger(world)
        await user(world, "alice")
        tokens = [other.token(), other.token(sub="zoe"), world.token(), world.token("alice")]
        made = await world.call("POST", "/v1/users", {"name": "zoe"}, token=other.token())
        assert made.status == 201
        for token in tokens:
            assert (await world.call("GET", "/v1/users", token=token)).status == 200
        await ask(world, "DELETE", f"/{other.id}")
        answers = [await world.call("GET", "/v1/users", token=token) for token in tokens]
        assert [answer.status for answer in answers] == [401, 401, 200, 200]
        fresh = await world.call("GET", "/v1/users", token=other.token())
        assert refusal(fresh) == NO_ENTRY

    play(scenario)


async def _everything(world: World) -> list[tuple[str, str, Any]]:
    """All ways to ask for what belongs to the first application."""
    await conversation(world, name="secret")
    await joined(world, "CON-1", "alice")
    await say(world, "CON-1", "MEM-1", "secret")
    one, me = "/conversations/CON-1", "/users/USR-1"
    asked: list[tuple[str, str, Any]] = [
        ("GET", one, None), ("PUT", one, {}), ("PATCH", one, {}), ("DELETE", one, None),
        ("GET", f"{one}/members", None), ("POST", f"{one}/members", entrance("zoe")),
        ("POST", f"{one}/members", entrance("zoe", "invited")),
        ("GET", f"{one}/members/me", None), ("GET", f"{one}/members/MEM-1", None),
        ("PATCH", f"{one}/members/MEM-1", {"state": "left"}),
        ("PUT", f"{one}/members/MEM-1", {"state": "left"}),
        ("DELETE", f"{one}/members/MEM-1", None), ("GET", f"{one}/events", None),
        ("POST", f"{one}/events", text("Hi", "MEM-1")), ("POST", f"{one}/events", text("Hi")),
        ("GET", f"{one}/events/2", None), ("DELETE", f"{one}/events/2", None),
        ("GET", me, None), ("PATCH", me, {}), ("PUT", me, {}), ("DELETE", me, None),
        ("GET", f"{me}/conversations", None), ("GET", f"{me}/sessions", None),
        ("GET", "/users/alice", None),
    ]  # fmt: skip
    return [(m, f"/{edition}{path}", body) for edition in ("v1", "v0.3") for m, path, body in asked]


def test_what_is_another_applications_is_not_there(play: Play) -> None:
    async def scenario(world: World) -> None:
        asked = await _everything(world)
        before = await history(world, "CON-1")
        other = await stranger(world)
        await world.call("POST", "/v1/users", {"name": "zoe"}, token=other.token())
        for method, target, body in asked:
            for claims in ({}, {"sub": "zoe"}):
                answer = await world.call(method, target, body, token=other.token(**claims))
                assert answer.status == 404, (method, target, claims, answer.json)
                assert b"secret" not in answer.raw
        await _lists_are_apart(world, other)
        assert await history(world, "CON-1") == before
        assert (await world.call("GET", "/v1/users/alice")).status == 200

    play(scenario)


async def _lists_are_apart(world: World, other: Stranger) -> None:
    own = await world.call("POST", "/v1/conversations", {"name": "secret"}, token=other.token())
    assert own.status == 201  # names are each application's own
    for name, expected in (("users", ["USR-2"]), ("conversations", [own.json["id"]])):
        listed = await world.call("GET", f"/v1/{name}", token=other.token())
        assert [item["id"] for item in listed.json["_embedded"][name]] == expected
    # foreign users and members are not known inside one's own conversation either
    target = f"/v1/conversations/{own.json['id']}"
    for path, body in (
        ("members", entrance("zoe", user={"id": "USR-1"})), ("members", entrance("alice")),
        ("members", entrance("zoe", "invited", member_id_inviting="MEM-1")),
        ("events", text("Hi", "MEM-1")),
    ):  # fmt: skip
        answer = await world.call("POST", f"{target}/{path}", body, token=other.token())
        assert answer.status == 404, body
