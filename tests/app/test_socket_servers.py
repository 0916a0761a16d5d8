"""Which websocket servers a media worker is led to."""

import asyncio

import pytest

from tertulia.app.socket_servers import servers
from tertulia.dispatch.target import TargetGuard
from tertulia.media.sockets import NoPlace, Place


async def resolve(host: str, port: int) -> list[str]:
    return {"bot.example": ["93.184.215.14", "10.0.0.1"], "lan.example": ["10.0.0.1"]}[host]


def found(url: str, *networks: str) -> Place:
    async def ask() -> Place:
        return await servers(TargetGuard(networks, resolve))(url)

    return asyncio.run(ask())


def test_only_permitted_addresses_are_told() -> None:
    assert found("wss://Bot.Example/a?b=c") == Place(
        ["93.184.215.14"], "bot.example", 443, "bot.example", "/a?b=c", True
    )
    assert found("ws://bot.example:81") == Place(
        ["93.184.215.14"], "bot.example", 81, "bot.example:81", "/", False
    )
    assert found("ws://lan.example/", "10.0.0.0/8").addresses == ["10.0.0.1"]


@pytest.mark.parametrize(
    "url",
    [
        "ws://lan.example/", "http://bot.example/", "https://bot.example/", "", "bot.example",
        "wss:bot.example", "ws://user:password@bot.example/", "ws://bot.example:0/",
        "ws://bot.example/a b", "ws://bot.example/\r\nX: y", "ws:///", "wsx://bot.example/",
    ],
)  # fmt: skip
def test_what_leads_nowhere(url: str) -> None:
    with pytest.raises(NoPlace):
        found(url)
