"""The inspector's files, and who gets the keys of development mode."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files

import msgspec
import pytest
from msgspec.structs import replace
from tests.api.conftest import SETTINGS, Play

from tertulia.protocols.http1 import Request, Response
from tertulia.settings import Inspector
from tertulia.testing.world import World
from tertulia.web.rest.inspector import DevelopmentKeys, inspector_files, inspector_routes, is_local
from tertulia.web.routing import Call, Router

HOST = "127.0.0.1:8080"
KEYS = DevelopmentKeys("application-1", "key", "secret", "-----BEGIN PRIVATE KEY-----")
LOCAL = {"host": HOST, "sec-fetch-site": "same-origin"}
MODULE_LINES = 350
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
ADDRESS = re.compile(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}")
HARMLESS = ("http://www.w3.org", "https://example.org")
"""A name of XML's, and what the forms suggest to write."""

Ask = Callable[..., Response]


def request(path: str, peer: str = "127.0.0.1", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", path, path, "", named, peer=peer)


@pytest.fixture
def ask() -> Ask:
    """The page's own routes, in development mode."""
    router = Router(inspector_routes(KEYS, lambda: {"15550105": "An echo"}))

    def ask(path: str, **given: str) -> Response:
        asked = request(path, **{"host": HOST, **given})
        route, params = router.match("GET", path)
        assert route.handler is not None
        answer: Awaitable[Response] = route.handler(Call(asked, f"http://{HOST}", params))

        async def whole() -> Response:
            return await answer

        return asyncio.run(whole())

    return ask


def test_everything_the_page_names_is_served(ask: Ask) -> None:
    page = ask("/inspect")
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    named = set(re.findall(rb'(?:href|src)="(/inspect/[^"]+)"', page.body))
    assert len(named) == 8
    for path in named:
        assert ask(path.decode()).status == 200
    for name, file in inspector_files().items():
        for wanted in re.findall(rb"from '\./([^']+)'", file.content):
            assert wanted.decode() in inspector_files(), name


def test_all_files_of_the_folder_are_served() -> None:
    folder = files("tertulia.web").joinpath("inspector")
    assert {each.name for each in folder.iterdir()} == set(inspector_files())


def test_the_page_may_load_from_and_talk_to_its_server_alone(ask: Ask) -> None:
    for path in ("/inspect", "/inspect/app.js"):
        headers = dict(ask(path).headers)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; ")
        assert f"connect-src 'self' ws://{HOST} wss://{HOST};" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("host", ["", "a.b; script-src *", "a b", "x/y", "[::1"])
def test_a_policy_holds_no_host_that_is_none(ask: Ask, host: str) -> None:
    policy = dict(ask("/inspect", host=host).headers)["Content-Security-Policy"]
    assert "connect-src 'self'; " in policy


def test_a_file_that_is_known_is_not_sent_again(ask: Ask) -> None:
    first = ask("/inspect/app.js")
    headers = dict(first.headers)
    assert headers["Cache-Control"] == "no-cache"
    for known in (headers["ETag"], f'"other", W/{headers["ETag"]}', "*"):
        again = ask("/inspect/app.js", if_none_match=known)
        assert (again.status, again.body) == (304, b"")
        assert dict(again.headers)["ETag"] == headers["ETag"]
    assert ask("/inspect/app.js", if_none_match='"other"').body == first.body


@pytest.mark.parametrize("name", sorted(inspector_files()))
def test_files_are_short_and_safe(name: str) -> None:
    text = inspector_files()[name].content.decode()
    assert len(text.splitlines()) <= MODULE_LINES
    assert MARKUP.findall(text) == []
    assert [found for found in ADDRESS.findall(text) if not found.startswith(HARMLESS)] == []


def test_the_page_is_in_no_description_and_can_be_switched_off(play: Play) -> None:
    async def served(world: World) -> None:
        assert (await world.hub.api.answer(request("/inspect", host=HOST), "http")).status == 200
        described = await world.hub.api.answer(request("/openapi.json", host=HOST), "http")
        assert b"/inspect" not in described.body

    async def hidden(world: World) -> None:
        for path in ("/inspect", "/inspect/app.js"):
            assert (await world.hub.api.answer(request(path, host=HOST), "http")).status == 404

    play(served)
    play(hidden, replace(SETTINGS, inspector=Inspector(enabled=False)))


def test_outside_of_development_mode_no_keys_are_given(play: Play) -> None:
    async def scenario(world: World) -> None:
        asked = request("/inspect/development.json", **{"host": HOST})
        assert (await world.hub.api.answer(asked, "http")).status == 404

    play(scenario)


def test_the_keys_are_given_to_this_machine_and_to_no_other_origin(ask: Ask) -> None:
    answer = ask("/inspect/development.json")
    assert msgspec.json.decode(answer.body, type=DevelopmentKeys) == KEYS
    headers = dict(answer.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_the_simulated_phones_are_listed(ask: Ask, play: Play) -> None:
    answer = ask("/inspect/phones.json")
    assert msgspec.json.decode(answer.body) == {
        "phones": [{"number": "15550105", "about": "An echo"}]
    }
    assert "Access-Control-Allow-Origin" not in dict(answer.headers)

    async def none(world: World) -> None:
        asked = request("/inspect/phones.json", host=HOST)
        assert (await world.hub.api.answer(asked, "http")).body == b'{"phones":[]}'

    play(none)


@pytest.mark.parametrize(
    "given",
    [
        {"host": "localhost:8080"},
        {"host": "LOCALHOST"},
        {"host": "[::1]:8443", "peer": "::1"},
        {"host": "127.0.0.1", "peer": "::ffff:127.0.0.1"},
        {"host": HOST, "origin": f"http://{HOST}", "sec_fetch_site": "same-origin"},
        {"host": HOST, "sec_fetch_site": "none"},
    ],
)
def test_who_is_local(given: dict[str, str]) -> None:
    assert is_local(request("/", **given))


def test_a_proxy_of_few_words_is_not_local() -> None:
    assert not is_local(replace(request("/", host=HOST), version="1.0", keep_alive=False))


@pytest.mark.parametrize(
    "given",
    [
        {"host": HOST, "peer": "192.0.2.7"},
        {"host": HOST, "peer": ""},
        {"host": HOST, "peer": "::ffff:192.0.2.7"},
        {"host": "rebound.example:8080"},
        {"host": "127.0.0.1.rebound.example"},
        {"host": "localhost@rebound.example"},
        {"host": "0.0.0.0:8080"},
        {"host": ""},
        {},
        {"host": HOST, "origin": "https://other.example"},
        {"host": HOST, "origin": "null"},
        {"host": HOST, "origin": "http://127.0.0.1:9999"},
        {"host": HOST, "sec_fetch_site": "cross-site"},
        {"host": HOST, "sec_fetch_site": "same-site"},
        {"host": HOST, "x_forwarded_for": "192.0.2.7"},
        {"host": HOST, "x_forwarded_proto": "https"},
        {"host": HOST, "x_real_ip": "192.0.2.7"},
        {"host": HOST, "via": "1.1 proxy"},
        {"host": HOST, "forwarded": "for=192.0.2.7"},
    ],
)
def test_who_is_not_local(given: dict[str, str]) -> None:
    assert not is_local(request("/", **given))
