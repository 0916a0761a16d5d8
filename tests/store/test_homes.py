"""Homes on PostgreSQL: who has them, who takes over, and that nobody writes without one."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from tests.contracts.builders import (
    APP,
    OTHER_APP,
    append,
    application,
    birth,
    profile,
)
from tests.contracts.homes import HomesContract
from tests.postgres import PostgresServer

from tertulia.app.homes import LeasedHomes
from tertulia.app.stores import Stores
from tertulia.bus.local import Exchange
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, EventId, Position
from tertulia.ports.cluster import Alone, Elsewhere, Homes, NoHome, NotAtHome
from tertulia.settings import Data, Settings, SettingsError
from tertulia.settings import Store as StoreSettings
from tertulia.store.owner import Owner
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_homes import PostgresHomes

LEASE = 0.4

Play = Callable[["Cluster"], Awaitable[None]]


class Member:
    """A node: its homes, and its store."""

    def __init__(self, homes: LeasedHomes, store: PostgresStore, table: PostgresHomes) -> None:
        self.homes, self.store, self.table = homes, store, table
        self.running = asyncio.create_task(homes.run())
        self.lost: list[str] = []

    def stop(self) -> None:
        """It gives no sign of life any more."""
        self.running.cancel()

    def resume(self) -> None:
        self.running = asyncio.create_task(self.homes.run())


class Cluster:
    def __init__(self, url: str) -> None:
        self.url, self.exchange = url, Exchange()
        self.members: list[Member] = []
        self._incarnations = count(1)

    async def join(self, name: str, *, address: str = "", runs: bool = True) -> Member:
        owner = Owner(name, f"{name}-{next(self._incarnations)}")
        lost: list[str] = []
        store = await PostgresStore.open(self.url, owner=owner)
        table = PostgresHomes(self.url, owner, address or f"http://{name}:8080", lease_s=LEASE)
        homes = LeasedHomes(table, owner, bus=self.exchange.bus(), lease_s=LEASE, lost=lost.append)
        try:
            await homes.start()
        except BaseException:
            await asyncio.gather(store.close(), table.close())
            raise
        member = Member(homes, store, table)
        member.lost = lost
        if not runs:
            member.stop()
        self.members.append(member)
        return member

    async def add(self, *names: ApplicationId) -> None:
        store = await PostgresStore.open(self.url)
        for name in names:
            await store.put_application(application(name))
        await store.close()

    async def close(self) -> None:
        for member in self.members:
            member.stop()
            await asyncio.gather(member.running, return_exceptions=True)
            await member.store.close()
            await member.table.close()


@asynccontextmanager
async def cluster(server: PostgresServer, *names: ApplicationId) -> AsyncIterator[Cluster]:
    made = Cluster(server.new_database())
    await made.add(*names)
    try:
        yield made
    finally:
        await made.close()


async def until(so: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class TestAlone(HomesContract):
    def play(self, scenario: Callable[[Homes], Awaitable[None]]) -> None:
        async def run() -> None:
            await scenario(Alone())

        asyncio.run(run())


class TestLeasedHomes(HomesContract):
    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer) -> None:
        self.server = postgres

    def play(self, scenario: Callable[[Homes], Awaitable[None]]) -> None:
        async def run() -> None:
            async with cluster(self.server, APP) as made:
                await scenario((await made.join("n1")).homes)

        asyncio.run(run())


def test_an_application_is_at_home_at_one_node(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first, second = await made.join("n1"), await made.join("n2")
            found = await asyncio.gather(first.homes.find(APP), second.homes.find(APP))
            assert [each is None for each in found].count(True) == 1
            owner, other = (first, second) if found[0] is None else (second, first)
            node = await other.homes.find(APP)
            assert node is not None and node.url == f"http://{owner.homes.name}:8080"
            with pytest.raises(Elsewhere):
                await other.homes.require(APP)

    asyncio.run(scenario())


def test_only_the_home_writes_events(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP, OTHER_APP) as made:
            first, second = await made.join("n1", runs=False), await made.join("n2", runs=False)
            await first.homes.require(APP)
            room = profile()
            await first.store.append(birth(room))
            assert await first.store.append(append(room, 0)) == 2
            with pytest.raises(NotAtHome):
                await second.store.append(append(room, 1))
            assert await first.store.append(append(room, 1)) == 3
            assert await second.store.head() == 3

    asyncio.run(scenario())


def test_a_home_is_taken_over_and_who_wakes_late_writes_nothing(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first = await made.join("n1")
            await first.homes.require(APP)
            room = profile()
            await first.store.append(birth(room))
            for number in range(12):
                await first.store.append(append(room, number))
            first.stop()
            second = await made.join("n2")
            arrived: list[ApplicationId] = []

            async def take_up(of: Collection[ApplicationId]) -> None:
                assert not second.homes.has(APP), "nothing is asked of it yet"
                arrived.extend(of)

            second.homes.on_arrival(take_up)
            await until(lambda: second.homes.has(APP), 3.0)
            assert arrived == [APP]
            late = first.store.append(append(room, 12))
            with pytest.raises(NotAtHome):
                await late
            assert await second.store.append(append(room, 12)) == 14
            assert not first.lost
            first.resume()
            await until(lambda: bool(first.lost))

    asyncio.run(scenario())


def test_batches_of_two_homes_have_positions_in_one_order(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP, OTHER_APP) as made:
            members = [await made.join("n1", runs=False), await made.join("n2", runs=False)]
            rooms = [profile(), profile(application_id=OTHER_APP)]
            await members[0].homes.require(APP)
            await members[0].table.claim()
            assert await members[0].table.give(OTHER_APP, "n2")
            for member, room in zip(members, rooms, strict=True):
                await member.store.append(birth(room))

            async def say(number: int) -> list[Position]:
                store, room = members[number].store, rooms[number]
                return [await store.append(append(room, each)) for each in range(60)]

            told = await asyncio.gather(say(0), say(1))
            assert sorted([*told[0], *told[1]]) == list(range(3, 123))
            found = await members[0].store.follow(Position(0))
            assert [each.position for each in found] == list(range(1, 123))
            counts = Counter(each.conversation_id for each in found if each.id)
            assert counts == {room.id: 60 for room in rooms}
            # A conversation and an application that the other has never heard of.
            third = profile()
            await members[0].store.append(birth(third))
            await members[1].store.append(append(rooms[1], 60))
            assert await members[0].store.append(append(third, 0)) == 125
            assert await members[0].store.event(third.id, EventId(1)) is not None

    asyncio.run(scenario())


def test_a_home_that_was_away_in_between_is_read_anew(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            one, two = await made.join("n1", runs=False), await made.join("n2", runs=False)
            await one.homes.require(APP)
            room = profile()
            await one.store.append(birth(room))
            await one.store.append(append(room, 0))
            assert await one.table.give(APP, "n2")
            assert await two.store.append(append(room, 1)) == 3
            assert await two.table.give(APP, "n1")
            assert await one.store.append(append(room, 2)) == 4

    asyncio.run(scenario())


def test_homes_are_shared_out_and_given_away(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        names = [ApplicationId(f"{number:08d}-8f6c-4f2e-9b1d-0a8b5c7d9e01") for number in range(9)]
        async with cluster(postgres, *names) as made:
            first = await made.join("n1")
            await until(lambda: len(first.homes.own) == 9)
            first.homes.is_idle = lambda each: each != names[0]
            second, third = await made.join("n2"), await made.join("n3")

            def shares() -> list[int]:
                return [len(each.homes.own) for each in made.members]

            await until(lambda: shares() == [3, 3, 3])
            assert first.homes.has(names[0]), "what is busy stays"
            assert not first.lost
            first.homes.is_idle = lambda _: True
            await first.homes.drain(2.0)
            await first.homes.leave()
            first.stop()
            await until(lambda: sum(shares()[1:]) == 9)
            assert not second.lost and not third.lost

    asyncio.run(scenario())


def test_a_node_that_starts_again_has_its_homes_at_once(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first = await made.join("n1")
            await first.homes.require(APP)
            again = await made.join("n1")
            assert again.homes.has(APP)
            await until(lambda: bool(first.lost))
            room = profile()
            with pytest.raises(NotAtHome):
                await first.store.append(birth(room))
            await again.store.append(birth(room))

    asyncio.run(scenario())


def test_two_machines_of_one_name_are_refused(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first = await made.join("n1")
            with pytest.raises(Exception, match="there is a node n1 already"):
                await made.join("n1", address="http://elsewhere:8080")
            assert not first.lost

    asyncio.run(scenario())


def test_a_server_that_is_no_node_leaves_the_store_of_nodes_alone(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            await made.join("n1")
            settings = Settings(data=Data(str(tmp_path)), store=StoreSettings(made.url))
            with pytest.raises(SettingsError, match="the store of the nodes n1"):
                await Stores.open(settings)

    asyncio.run(scenario())


def test_a_store_that_is_away_costs_no_homes(postgres: PostgresServer) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first, second = await made.join("n1"), await made.join("n2")
            await first.homes.require(APP)
            await asyncio.to_thread(postgres.stop, "immediate")
            await asyncio.sleep(2 * LEASE)
            await asyncio.to_thread(postgres.start)
            room = profile()

            async def writes() -> bool:
                for member in (first, second):
                    try:
                        await member.homes.require(APP)
                        await member.store.append(birth(room))
                    except Exception:
                        continue
                    return True
                return False

            async with asyncio.timeout(10):
                while not await writes():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    asyncio.run(scenario())


def test_after_the_store_was_away_nobody_is_taken_for_dead_at_once(
    postgres: PostgresServer,
) -> None:
    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first, second = await made.join("n1", runs=False), await made.join("n2", runs=False)
            await first.homes.require(APP)
            await second.table.beat()
            await asyncio.to_thread(postgres.stop, "fast")
            await asyncio.sleep(2 * LEASE)
            await asyncio.to_thread(postgres.start)
            async with asyncio.timeout(10):
                while not await gives_a_sign(second):
                    pass
            assert await second.table.claim() == 0, "n1 is to have the time to give a sign"
            async with asyncio.timeout(10):
                while not await second.table.claim():
                    await asyncio.sleep(LEASE / 8)
                    await second.table.beat()

    async def gives_a_sign(member: Member) -> bool:
        try:
            await member.table.beat()
        except Unavailable:  # the connection of before
            return False
        return True

    asyncio.run(scenario())


def test_who_was_silent_for_too_long_answers_for_nobody(postgres: PostgresServer) -> None:
    """Its memory may be old: another node may have written since."""

    async def scenario() -> None:
        async with cluster(postgres, APP) as made:
            first = await made.join("n1", runs=False)
            await first.homes.require(APP)
            await asyncio.sleep(1.1 * LEASE)
            with pytest.raises(NoHome):
                await first.homes.require(APP)
            first.resume()
            await until(lambda: first.homes.silent_s < LEASE)
            await first.homes.require(APP)
            await asyncio.to_thread(postgres.stop, "fast")
            try:
                await until(lambda: first.homes.silent_s > LEASE)
                with pytest.raises(Unavailable) as told:
                    await first.homes.require(APP)
                assert not isinstance(told.value, NoHome), "nobody waits for a store that is away"
            finally:
                await asyncio.to_thread(postgres.start)

    asyncio.run(scenario())
