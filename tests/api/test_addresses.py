"""Addresses that would run or read something are taken nowhere."""

from typing import Any

import pytest
from tests.api.cast import ACCOUNT, blamed, conversation, entrance, history, joined, user
from tests.api.conftest import Play

from tertulia.testing.world import World

UNSAFE = (
    "javascript:alert(1)", "JavaScript:alert(1)", " java\tscript:alert(1)", "data:text/html,x",
    "vbscript:x", "file:///etc/passwd", "//evil.example/x", "https://good.example@evil.example",
    "https:///x", "https://h\\@evil.example", "https://h/\u202ex",
)  # fmt: skip
EVENTS = "/v0.3/conversations/CON-1/events"


def message(kind: str, url: str, **more: Any) -> dict[str, Any]:
    return {"message_type": kind, kind: {"url": url}, **more}


IN_EVENTS = [
    *(("message", kind, f"body.{kind}.url")
      for kind in ("image", "audio", "video", "file", "vcard")),
    ("message", "picture", "body.image.url"), ("audio:play", "", "body.stream_url[0]"),
    ("image", "plain", "body.representations"), ("image", "deep", "body.representations"),
]  # fmt: skip


def body_of(name: str, kind: str, url: str) -> dict[str, Any]:
    if name == "audio:play":
        return {"stream_url": [url], "level": 0, "loop": 1}
    if name == "image":
        deep = {"original": {"id": "x", "url": url, "type": "image/png", "size": 1}}
        return {"representations": {"id": "x", "original": url} if kind == "plain" else deep}
    if kind == "picture":
        return message("vcard", "https://h/a", image={"url": url})
    return message(kind, url)


@pytest.mark.parametrize("name, kind, blame", IN_EVENTS)
def test_no_event_carries_one(play: Play, name: str, kind: str, blame: str) -> None:
    async def scenario(world: World) -> None:
        await conversation(world)
        await joined(world, "CON-1", "alice")
        for url in UNSAFE:
            draft = {"type": name, "from": "MEM-1", "body": body_of(name, kind, url)}
            found = blamed(await world.call("POST", EVENTS, draft))
            assert found.replace("[...]", "[0]") == blame, url
        assert len(await history(world, "CON-1")) == 1
        draft = {"type": name, "from": "MEM-1", "body": body_of(name, kind, "https://h/a")}
        assert (await world.call("POST", EVENTS, draft)).status == 201

    play(scenario)


@pytest.mark.parametrize("path", ["/v1/users", "/v1/conversations"])
def test_no_resource_shows_one(play: Play, path: str) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await conversation(world)
        existing = f"{path}/{'USR' if 'users' in path else 'CON'}-1"
        for url in UNSAFE:
            draft = {"name": "x", "image_url": url}
            assert blamed(await world.call("POST", path, draft)) == "image_url", url
            assert blamed(await world.call("PUT", existing, draft)) == "image_url", url
        for safe in ("https://h/a.png", "", None):
            answer = await world.call("PUT", existing, {"name": "x", "image_url": safe})
            assert answer.status == 200

    play(scenario)


@pytest.mark.parametrize("url", UNSAFE)
def test_what_is_called_later_is_on_the_web(play: Play, url: str) -> None:
    async def scenario(world: World) -> None:
        await user(world, "alice")
        await conversation(world)
        hook = {"rtc": {"webhooks": {"event_url": {"address": url}}}}
        end = {"channel": {"type": "websocket", "to": {"type": "websocket", "uri": url}}}
        for path, draft, blame in (
            ("/v1/conversations", {"callback": {"url": url}}, "callback.url"),
            ("/v1/conversations", {"callback": {"params": {"ncco_url": url}}}, "callback.params"),
            ("/v1/conversations", {"numbers": [{"type": "websocket", "uri": url}]}, "numbers"),
            ("/v1/users", {"name": "x", "channels": {"websocket": [{"uri": url}]}}, "channels"),
            ("/v1/conversations/CON-1/members", {**entrance("alice"), **end}, "channel.to.uri"),
        ):  # fmt: skip
            assert blamed(await world.call("POST", path, draft)) == blame, path
        draft = {"name": "x", "capabilities": hook}
        answer = await world.call("POST", "/v2/applications", draft, headers=ACCOUNT)
        assert blamed(answer) == "capabilities.rtc.webhooks.event_url.address"

    play(scenario)
