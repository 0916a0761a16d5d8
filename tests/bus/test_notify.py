"""The bus over PostgreSQL, on a real server, and what befalls that."""

import time
from urllib.parse import urlsplit

import pytest
from tests.contracts.bus import BusContract, until
from tests.postgres import PostgresServer

from tertulia.bus.notify import NotifyBus, channel_of
from tertulia.ports.cluster import Bus

ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%bus%'"


class TestNotifyBus(BusContract):
    knows_who_serves = False

    @pytest.fixture(autouse=True)
    def _database(self, postgres: PostgresServer) -> None:
        self.postgres = postgres
        self.url = postgres.new_database()
        self.name = urlsplit(self.url).path.lstrip("/")

    async def open(self) -> NotifyBus:
        bus = await NotifyBus.open(self.url)
        assert bus.is_up
        return bus

    async def cut(self, bus: Bus) -> None:
        self._allow("false")
        await until(lambda: not bus.is_up)

    async def heal(self, bus: Bus) -> None:
        self._allow("true")

    def _allow(self, allowed: str) -> None:
        sql = f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS {allowed}; {ENDED}"
        self.postgres.execute(self.postgres.url("postgres"), sql)

    def test_it_starts_while_the_server_is_down(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            self._allow("false")
            begin = time.monotonic()
            late = await NotifyBus.open(self.url)
            try:
                assert not late.is_up
                assert time.monotonic() - begin < 3
                heard: list[bytes] = []
                await late.subscribe("log", heard.append)
                self._allow("true")
                await until(lambda: one.is_up and late.is_up)
                one.publish("log", b"found")
                await until(lambda: heard == [b"found"])
            finally:
                await late.close()

        self.play(scene)

    def test_what_strangers_tell_on_our_channels_breaks_nothing(self) -> None:
        async def scene(one: Bus, other: Bus) -> None:
            heard: list[bytes] = []
            await other.subscribe("log", heard.append)
            for text in ("", "x", "a|b|1|0|9|log||x", "a|b|1|x|1|log||x", "||||||||||"):
                self.postgres.execute(self.url, f"SELECT pg_notify('tertulia.log', '{text}')")
            one.publish("log", b"end")
            await until(lambda: heard == [b"end"])

        self.play(scene)


def test_channels_are_as_long_as_postgresql_takes() -> None:
    names = [channel_of(subject) for subject in ("log", f"log.{'a' * 60}", f"log.{'b' * 60}")]
    assert names[0] == "tertulia.log"
    assert len(set(names)) == 3 and max(map(len, names)) <= 63
    assert channel_of("inbox.abc.*") == channel_of("inbox.abc.17") == "tertulia.inbox.abc"
