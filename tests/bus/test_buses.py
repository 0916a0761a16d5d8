"""Which bus the settings choose."""

import asyncio
import sys

import pytest
from msgspec.structs import replace
from tests.contracts.bus import until
from tests.nats import running
from tests.postgres import PostgresServer

from tertulia.app.buses import open_bus
from tertulia.settings import Bus, Cluster, Settings, SettingsError, Store

NODE = Cluster(node="a", url="http://127.0.0.1:1", secret="s" * 16)


def test_nodes_of_one_secret_hear_each_other_over_nats() -> None:
    async def run(url: str) -> None:
        told = Settings(bus=Bus(url), cluster=NODE)
        ours = [await open_bus(told), await open_bus(told)]
        other = await open_bus(replace(told, cluster=replace(NODE, secret="t" * 16)))
        heard: list[bytes] = []
        try:
            await other.subscribe("log", heard.append)
            await ours[1].subscribe("log", heard.append)
            other.publish("log", b"1")
            await until(lambda: heard == [b"1"])
            ours[0].publish("log", b"2")
            await until(lambda: heard == [b"1", b"2"])
        finally:
            for bus in (*ours, other):
                await bus.close()

    with running() as server:
        asyncio.run(run(server.url))


def test_without_a_url_the_store_carries_words(postgres: PostgresServer) -> None:
    async def run() -> None:
        bus = await open_bus(Settings(store=Store(postgres.new_database()), cluster=NODE))
        heard: list[bytes] = []
        try:
            await bus.subscribe("log", heard.append)
            bus.publish("log", b"1")
            await until(lambda: heard == [b"1"])
        finally:
            await bus.close()

    asyncio.run(run())


def test_what_cannot_be_is_told_by_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"store\.url"):
        asyncio.run(open_bus(Settings()))
    with pytest.raises(SettingsError, match=r"bus\.url"):
        asyncio.run(open_bus(Settings(bus=Bus("nats://a:b"))))
    monkeypatch.setitem(sys.modules, "nats", None)
    monkeypatch.delitem(sys.modules, "tertulia.bus.nats", raising=False)
    with pytest.raises(SettingsError, match=r"tertulia\[nats\]"):
        asyncio.run(open_bus(Settings(bus=Bus("nats://a:1"))))
