"""Stores of several nodes on one database: each has the tail of what all of them commit."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.contracts.builders import APP, OTHER_APP, append, birth, event, member, profile, user
from tests.contracts.bus import until
from tests.nats import NatsServer, running
from tests.postgres import PostgresServer
from tests.postgres import running as postgres_running

from tertulia.bus.local import Exchange, LocalBus
from tertulia.bus.nats import NatsBus
from tertulia.bus.notify import NotifyBus
from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import EventId, Position
from tertulia.model.state import Profile
from tertulia.ports import Append
from tertulia.ports.cluster import Bus
from tertulia.store import log_words, sharing
from tertulia.store.postgres import PostgresStore

Opens = Callable[[], Awaitable[Bus]]


@asynccontextmanager
async def node(url: str, bus: Bus) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(url, bus=bus)
    try:
        yield store
    finally:
        await store.close()
        await bus.close()


class Pair:
    """Two nodes, of which the other attends APP."""

    def __init__(self, one: PostgresStore, other: PostgresStore, buses: Sequence[Bus]) -> None:
        self.one, self.other, self.buses = one, other, buses
        self.rooms = [profile(), profile(application_id=OTHER_APP)]

    async def begin(self) -> None:
        for room in self.rooms:
            await self.one.append(birth(room))
        await self.reached(self.other)
        self.since = await self.other.attend(APP)

    async def reached(self, store: PostgresStore) -> None:
        head = await store.head()

        def is_reached() -> bool:
            found = store.attended(head)
            return found is not None and found.through >= head

        await until(is_reached)

    async def write(self, store: PostgresStore, room: Profile, after: int, count: int) -> int:
        for number in range(after, after + count):
            await store.append(append(room, number))
        return after + count


def play(url: str, opens: Opens, scene: Callable[[Pair], Awaitable[None]]) -> None:
    async def run() -> None:
        buses = [await opens(), await opens()]
        async with (
            asyncio.timeout(60),
            node(url, buses[0]) as one,
            node(url, buses[1]) as other,
        ):
            pair = Pair(one, other, buses)
            await pair.begin()
            await scene(pair)

    asyncio.run(run())


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    with running() as server:
        yield server


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture(params=["local", "nats", "notify"])
def opens(request: pytest.FixtureRequest, url: str) -> Opens:
    exchange = Exchange()

    async def local() -> Bus:
        return exchange.bus()

    async def over_notify() -> Bus:
        return await NotifyBus.open(url)

    async def over_nats() -> Bus:
        return await NatsBus.open(request.getfixturevalue("nats").url)

    return {"local": local, "nats": over_nats, "notify": over_notify}[request.param]


def test_all_that_is_attended_comes_as_it_was_appended(url: str, opens: Opens) -> None:
    async def scene(pair: Pair) -> None:
        (room, foreign), alice = pair.rooms, user()
        await pair.one.put_user(alice)
        joined = member(room, alice)
        events = [
            event(room, 1, "Zoë \\u0000"), event(room, 2, type="member:joined", became=joined),
            event(room, 3, type="conversation:updated", became=room),
        ]  # fmt: skip
        woken = asyncio.Event()
        pair.other.on_append(woken.set)
        await pair.one.append(Append(APP, room.id, EventId(0), events, (joined,)))
        await pair.write(pair.one, foreign, 0, 3)
        await pair.write(pair.one, room, 3, 2)
        await pair.reached(pair.other)
        assert woken.is_set()
        stored = await pair.one.follow(pair.since, application_id=APP)
        assert len(stored) == 5 and stored[1].became == joined
        assert pair.other.tail(pair.since, APP) == stored
        assert pair.one.tail(pair.since) == await pair.one.follow(pair.since)

    play(url, opens, scene)


def test_nodes_that_write_at_once_have_one_order(url: str, opens: Opens) -> None:
    async def scene(pair: Pair) -> None:
        (room, foreign) = pair.rooms
        third = profile()
        await pair.other.append(birth(third))
        await pair.one.attend(APP)
        start = await pair.one.head()
        await pair.reached(pair.one)
        async with asyncio.TaskGroup() as group:
            group.create_task(pair.write(pair.one, room, 0, 100))
            group.create_task(pair.write(pair.one, foreign, 0, 50))
            group.create_task(pair.write(pair.other, third, 0, 100))
        await pair.reached(pair.one)
        await pair.reached(pair.other)
        stored = await pair.one.follow(start, application_id=APP, limit=1_000)
        assert len(stored) == 200
        assert pair.one.tail(start, APP) == stored
        assert pair.other.tail(start, APP) == stored

    play(url, opens, scene)


def test_a_node_that_attends_nothing_gets_only_what_tells_of_batches(url: str) -> None:
    exchange = Exchange()
    got: dict[str, int] = {}

    class Counting(LocalBus):
        async def subscribe(self, subject: str, hear: Callable[[bytes], None]):  # type: ignore[no-untyped-def]
            def count(word: bytes) -> None:
                got[subject] = got.get(subject, 0) + len(word)
                hear(word)

            return await super().subscribe(subject, count)

    async def run() -> None:
        counting = Counting(exchange)
        async with node(url, exchange.bus()) as one, node(url, counting) as other:
            pair = Pair(one, other, ())
            for room in pair.rooms:
                await one.append(birth(room))
            await pair.reached(other)
            got.clear()
            large = [event(pair.rooms[0], number + 1, "x" * 500) for number in range(100)]
            since = await one.head()
            await one.append(Append(APP, pair.rooms[0].id, EventId(0), large))
            await pair.reached(other)
            assert got.keys() == {log_words.LOG}
            assert got[log_words.LOG] < 150, "of 50 000 octets"
            assert other.tail(since) is None and other.tail(since, APP) is None
            assert other.attended(since) == ([], since + 100)
            await other.attend(APP)
            await pair.write(one, pair.rooms[0], 100, 1)
            await pair.reached(other)
            assert log_words.subject_of(APP) in got
            assert [each.id for each in other.tail(Position(since + 100), APP) or ()] == [101]

    asyncio.run(run())


def test_a_word_too_large_for_the_bus_is_read_instead(url: str) -> None:
    exchange = Exchange()

    async def opens() -> Bus:
        bus = exchange.bus()
        bus.word_max = 5_000
        return bus

    async def scene(pair: Pair) -> None:
        room = pair.rooms[0]
        large = [event(room, number + 1, "x" * 500) for number in range(20)]
        await pair.one.append(Append(APP, room.id, EventId(0), large))
        await pair.reached(pair.other)
        assert pair.other.tail(pair.since, APP) == await pair.one.follow(pair.since)

    play(url, opens, scene)


def test_without_a_bus_it_takes_less_than_a_second(url: str, opens: Opens) -> None:
    """And nothing is lost or comes out of order when the bus is back."""

    async def scene(pair: Pair) -> None:
        await _stopped(pair.buses)
        room, slowest = pair.rooms[0], 0.0
        for number in range(4):
            await pair.write(pair.one, room, number, 1)
            begin = time.monotonic()
            await pair.reached(pair.other)
            slowest = max(slowest, time.monotonic() - begin)
        assert slowest < 1
        assert pair.other.tail(pair.since, APP) == await pair.one.follow(pair.since)

    play(url, opens, scene)


async def _stopped(buses: Sequence[Bus]) -> None:
    for bus in buses:
        if isinstance(bus, LocalBus):
            bus.cut()
        else:
            await bus.close()
        assert not bus.is_up


def test_nothing_is_lost_when_the_bus_is_cut_again_and_again(url: str) -> None:
    exchange = Exchange()

    async def opens() -> Bus:
        return exchange.bus()

    async def scene(pair: Pair) -> None:
        room, seen = pair.rooms[0], list[Event]()

        async def follow() -> None:
            cursor = pair.since
            while len(seen) < 400:
                found = pair.other.attended(cursor)
                assert found is not None
                seen.extend(each for each in found.events if each.application_id == APP)
                cursor = max(cursor, found.through)
                await asyncio.sleep(0.001)

        async def cut() -> None:
            bus = pair.buses[1]
            assert isinstance(bus, LocalBus)
            while True:
                await asyncio.sleep(0.02)
                bus.cut()
                await asyncio.sleep(0.02)
                bus.heal()

        cutting = asyncio.create_task(cut())
        await asyncio.gather(follow(), pair.write(pair.one, room, 0, 400))
        cutting.cancel()
        assert [each.id for each in seen] == list(range(1, 401))
        stored = await pair.one.follow(pair.since, application_id=APP)
        assert [each.position for each in seen] == [each.position for each in stored]

    play(url, opens, scene)


def test_what_strangers_say_on_our_subjects_is_not_believed(url: str) -> None:
    exchange = Exchange()

    async def opens() -> Bus:
        return exchange.bus()

    async def scene(pair: Pair) -> None:
        stranger, room = exchange.bus(), pair.rooms[0]
        head, epoch = await pair.one.head(), pair.one.epoch.encode()
        words = [
            b"", b"\xff" * 100, b"x 1 2\n[]", epoch, epoch + b" 1\n[]", epoch + b" 0 1\n[]",
            epoch + b" 5 4\n[]", epoch + b" 1 99999999999\n[]", epoch + b" -1 5\n[]",
            b"other %d %d\n[]" % (head + 1, head + 1),
            b"%s %d %d\n{}" % (epoch, head + 1, head + 1),
            b"%s %d %d\n[[1]]" % (epoch, head + 1, head + 1),
            b"%s %s 5\n[]" % (epoch, b"1" * 5_000),
        ]  # fmt: skip
        for word in words:
            for subject in (log_words.LOG, log_words.subject_of(APP)):
                stranger.publish(subject, word)
        await pair.write(pair.one, room, 0, 3)
        await pair.reached(pair.other)
        assert pair.other.tail(pair.since, APP) == await pair.one.follow(pair.since)

    play(url, opens, scene)


def test_attending_while_others_write_leaves_nothing_out(url: str, opens: Opens) -> None:
    async def scene(pair: Pair) -> None:
        foreign = pair.rooms[1]
        writing = asyncio.create_task(pair.write(pair.one, foreign, 0, 150))
        await asyncio.sleep(0.03)
        since = await pair.other.attend(OTHER_APP)
        await writing
        await pair.reached(pair.other)
        stored = await pair.one.follow(since, application_id=OTHER_APP)
        assert pair.other.tail(since, OTHER_APP) == stored
        assert pair.other.tail(Position(0), OTHER_APP) is None

    play(url, opens, scene)


def test_a_nats_server_that_stands_still_holds_nothing_up(url: str) -> None:
    """Paused, it is not known to be down; then it is killed, and comes back."""
    with running() as server:

        async def opens() -> Bus:
            return await NatsBus.open(server.url)

        async def scene(pair: Pair) -> None:
            room, at, slowest = pair.rooms[0], 0, 0.0
            for harm in (server.pause, lambda: None, server.go_on, server.stop, server.start):
                harm()
                for _ in range(3):
                    at = await pair.write(pair.one, room, at, 5)
                    begin = time.monotonic()
                    await pair.reached(pair.other)
                    slowest = max(slowest, time.monotonic() - begin)
            assert slowest < 1.5
            assert pair.other.tail(pair.since, APP) == await pair.one.follow(pair.since)
            await until(lambda: all(bus.is_up for bus in pair.buses))
            await pair.write(pair.one, room, at, 5)
            await pair.reached(pair.other)

        play(url, opens, scene)


def test_a_database_that_dies_and_comes_back_leaves_no_gap() -> None:
    exchange = Exchange()

    async def opens() -> Bus:
        return exchange.bus()

    with postgres_running() as server:

        async def scene(pair: Pair) -> None:
            room = pair.rooms[0]
            at = await pair.write(pair.one, room, 0, 5)
            server.stop("immediate")
            for bus in pair.buses:
                bus.cut()  # type: ignore[attr-defined]
            with pytest.raises(Unavailable):
                await pair.one.append(append(room, at))
            server.start()
            await pair.write(pair.one, room, at, 5)
            for bus in pair.buses:
                bus.heal()  # type: ignore[attr-defined]
            await pair.reached(pair.other)
            assert pair.other.tail(pair.since, APP) == await pair.one.follow(pair.since)

        play(server.new_database(), opens, scene)


def test_it_is_looked_at_the_store_more_often_without_a_bus() -> None:
    assert sharing.LOOK_SECONDS_DOWN + 2 * sharing.PATIENCE < sharing.LOOK_SECONDS
