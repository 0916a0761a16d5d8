"""Sessions that go from one node to another: nothing is lost, and only one node has each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from msgspec.structs import replace
from tests.api.cast import ACCOUNT, say
from tests.live.conftest import SETTINGS
from tests.live.test_delivery import room
from tests.live.test_resume import pending
from tests.live.visitor import BASE, Client, Told, names
from tests.postgres import PostgresServer
from tests.store.test_shared_sessions import DEAD, execute, made, node

from tertulia.bus.local import Exchange, LocalBus
from tertulia.devkit import RsaSmith
from tertulia.live import neighbours
from tertulia.live.neighbours import Shared
from tertulia.live.room import Live, Surroundings
from tertulia.model.errors import Unavailable
from tertulia.ports.cluster import Alone, Node
from tertulia.ports.sessions import HeldSession
from tertulia.protocols import socketio
from tertulia.protocols.http1 import HttpError
from tertulia.store import postgres_ledger
from tertulia.store.shared_sessions import MemorySessions
from tertulia.testing.world import World


class Pair(NamedTuple):
    """The ledgers of two nodes."""

    one: Any
    two: Any
    written: Callable[[], Awaitable[None]]
    """Waits until each knows what the other does."""
    die: Callable[[], Awaitable[None]]
    """The first is dead to the other."""


class Two(Alone):
    """Homes of one of two nodes: all is at home at the first."""

    def __init__(self, name: str, other: str) -> None:
        self.name = name
        self.others = [Node(other, "")]

    def nodes(self) -> list[Node]:
        return self.others


Ledgers = Callable[[], AbstractAsyncContextManager[Pair]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[Pair]:
    shared = MemorySessions()
    one, two = shared.ledger("one"), shared.ledger("two")

    async def written() -> None:
        return

    async def die() -> None:
        one.die()

    yield Pair(one, two, written, die)


@pytest.fixture(params=["memory", "postgres"])
def ledgers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledgers]:
    if request.param == "memory":
        yield in_memory
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    url = postgres.new_database()
    monkeypatch.setattr(postgres_ledger, "WRITE_SECONDS", 0.02)

    @asynccontextmanager
    async def on_postgres() -> AsyncIterator[Pair]:
        await made(url)
        async with node(url, "one") as one, node(url, "two") as two:

            async def written() -> None:
                for each in (one, two):
                    each.check()
                    await each.written()

            async def die() -> None:
                await written()
                await execute(url, DEAD, "one")

            yield Pair(one, two, written, die)

    yield on_postgres


class Cluster:
    """Two nodes on one log; requests go to the first, where all is at home."""

    def __init__(self, world: World, ledgers: Pair, second: Live) -> None:
        self.world, self.ledgers, self.second = world, ledgers, second
        self.first = world.hub.live
        self.one, self.two = world, elsewhere(world, second)

    async def settle(self) -> None:
        """Let everything happen, in the database too."""
        for _ in range(3):
            await until_quiet()
            await self.ledgers.written()
        await until_quiet()

    async def enter(self, world: World, user: str) -> tuple[Client, str]:
        client = await Client(world).connect(user)
        await self.settle()
        (success,) = client.hear()
        assert success.name == "session:success"
        return client, success.payload["body"]["id"]

    async def resume(self, world: World, user: str, session_id: str) -> tuple[Client, list[Told]]:
        told = {name: "" for name in BASE if name not in ("EIO", "transport")}
        client = await Client(world).connect(user, query={**told, "session_id": session_id})
        await self.settle()
        return client, client.told()


def elsewhere(world: World, live: Live) -> World:
    """As clients see the other node."""
    return cast(World, SimpleNamespace(hub=SimpleNamespace(live=live), token=world.token))


async def until_quiet() -> None:
    for _ in range(10):
        await asyncio.sleep(0.002)
        for _ in range(30):
            await asyncio.sleep(0)


def second_room(world: World, shared: Shared, settings: Any) -> Live:
    services = world.hub.services
    around = Surroundings(
        log=world.store, directory=world.store, ledger=cast(Any, shared.ledger),
        clock=world.clock, ids=world.ids, monotonic=world.clock.monotonic,
        conversations=services.conversations, users=services.users,
        identify=world.hub._visitor, shared=shared,
    )  # fmt: skip
    return Live(around, settings)


@pytest.fixture
def play(keys: tuple[str, str], ledgers: Ledgers) -> Callable[..., None]:
    def play(scenario: Callable[[Cluster, LocalBus], Awaitable[None]], **sessions: float) -> None:
        settings = replace(SETTINGS, sessions=replace(SETTINGS.sessions, **sessions))

        async def run() -> None:
            exchange = Exchange()
            buses = exchange.bus(), exchange.bus()
            async with ledgers() as both:
                world = await World.open(
                    keys=keys, settings=settings, homes=Two("one", "two"), ledger=both.one,
                    shared=both.one, bus=buses[0],
                )  # fmt: skip
                shared = Shared(both.two, buses[1], Two("two", "one"))
                second = second_room(world, shared, settings)
                for live in (world.hub.live, second):
                    await live.start()
                try:
                    await scenario(Cluster(world, both, second), buses[0])
                    await world.check_replay()
                finally:
                    for live in (world.hub.live, second):
                        await live.close()
                    for bus in buses:
                        await bus.close()

        asyncio.run(run())

    return play


Play = Callable[..., None]


def texts(told: list[Told]) -> list[str]:
    return [each.payload["body"].get("text", each.name) for each in told]


async def missed(cluster: Cluster, cid: str, member: str, *words: str) -> None:
    for each in words:
        await say(cluster.world, cid, member, each)
    await cluster.settle()


def test_a_session_is_resumed_at_another_node(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        cid, (alice, _bob) = await room(cluster.world, "alice", "bob")
        bob, session_id = await cluster.enter(cluster.one, "bob")
        await missed(cluster, cid, alice, "heard")
        assert texts(bob.hear()) == ["heard"]
        bob.lose()
        await missed(cluster, cid, alice, "one", "two")
        for world in (cluster.two, cluster.one, cluster.two):
            again, (success, *rest) = await cluster.resume(world, "bob", session_id)
            assert (success.name, rest) == ("session:success", [])
            assert success.payload["body"]["id"] == session_id
            assert pending(success) == ["one", "two"]
            again.lose()
        again, (success,) = await cluster.resume(cluster.one, "bob", session_id)
        again.acknowledge(success)
        await missed(cluster, cid, alice, "three")
        assert texts(again.hear()) == ["three"]
        again.lose()
        _, (success,) = await cluster.resume(cluster.two, "bob", session_id)
        assert pending(success) == []
        assert (cluster.first.sessions.count, cluster.first.sessions.away) == (0, 0)
        assert (cluster.second.sessions.count, cluster.second.sessions.away) == (1, 0)

    play(scenario)


def test_what_was_acknowledged_just_now_is_not_repeated(play: Play) -> None:
    """The node that has the session says how far it is, and its connection ends."""

    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        cid, (alice, _bob) = await room(cluster.world, "alice", "bob")
        bob, session_id = await cluster.enter(cluster.one, "bob")
        await missed(cluster, cid, alice, "one", "two", "three")
        told = bob.told()
        bob.acknowledge(told[0], told[1])
        again = Client(cluster.two)
        await again.connect("bob", query={"session_id": session_id})
        await until_quiet()
        (success,) = again.told()
        assert pending(success) == ["three"]
        assert bob.wire.was_aborted
        again.acknowledge(success)
        await missed(cluster, cid, alice, "four")
        assert texts(again.hear()) == ["four"]
        assert bob.told() == []
        bob.lose()
        await missed(cluster, cid, alice, "five")
        assert texts(again.hear()) == ["five"]

    play(scenario)


@pytest.mark.parametrize("is_known_to_be_dead", [False, True])
def test_a_session_outlives_its_node(play: Play, is_known_to_be_dead: bool) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        cid, (alice, _bob) = await room(cluster.world, "alice", "bob")
        bob, session_id = await cluster.enter(cluster.one, "bob")
        await missed(cluster, cid, alice, "one", "two")
        told = bob.told()
        bob.acknowledge(told[0])
        await cluster.ledgers.die()
        bus.cut()
        if is_known_to_be_dead:
            cast(Any, cluster.second)._neighbours._homes.others.clear()
        await missed(cluster, cid, alice, "three")
        again, (success,) = await cluster.resume(cluster.two, "bob", session_id)
        assert success.payload["body"]["id"] == session_id
        assert pending(success) == ["two", "three"]
        again.acknowledge(success)
        # the first was only stopped, and goes on
        bob.acknowledge(told[1])
        await cluster.settle()
        assert bob.wire.was_aborted
        assert cluster.first.sessions.count == 0
        await missed(cluster, cid, alice, "four")
        assert texts(again.hear()) == ["four"]

    play(scenario)


def test_of_two_connections_at_once_one_has_the_session(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        cid, (alice, _bob) = await room(cluster.world, "alice", "bob")
        bob, session_id = await cluster.enter(cluster.one, "bob")
        bob.lose()
        await cluster.settle()
        query = {"session_id": session_id}
        clients = [Client(world) for world in (cluster.one, cluster.two) * 2]
        for each in clients:
            each.enter({"token": cluster.world.token("bob"), **query})
            each.text(b"40")
        await cluster.settle()
        await cluster.settle()
        first, second = cluster.first.sessions, cluster.second.sessions
        assert (first.count + second.count, first.away + second.away) == (1, 0)
        open_ones = [each for each in clients if each.wire.is_open]
        (has,) = [each for each in open_ones if "session:success" in names(each.hear())]
        await missed(cluster, cid, alice, "hello")
        assert texts(has.hear()) == ["hello"]
        for each in clients:
            assert each is has or "message" not in names(each.told())

    play(scenario)


def test_a_session_of_another_user_is_not_given_away(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        await room(cluster.world, "alice", "bob")
        bob, session_id = await cluster.enter(cluster.one, "bob")
        _, (refusal,) = await cluster.resume(cluster.two, "alice", session_id)
        assert refusal.name == "session:error:invalid"
        assert bob.wire.is_open
        for unknown in ("SES-none", "\0", "x" * 10_000):
            _, (success,) = await cluster.resume(cluster.two, "alice", unknown)
            assert success.name == "session:success"
            assert success.payload["body"]["id"] not in (unknown, session_id)

    play(scenario)


def test_a_session_is_kept_before_it_is_greeted(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob = await Client(cluster.one).connect("bob")
        told = bob.told()
        while not told:
            await asyncio.sleep(0.001)
            told = bob.told()
        found: HeldSession = await cluster.ledgers.two.find(told[0].payload["body"]["id"])
        assert found.node == "one"

    play(scenario)


def test_no_more_sessions_of_a_user_than_are_allowed_at_all_nodes(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        for world in (cluster.one, cluster.two, cluster.two):
            await cluster.enter(world, "bob")
        for world in (cluster.one, cluster.two):
            client = await Client(world).connect("bob")
            await cluster.settle()
            assert names(client.told()) == ["session:error:max-open-sessions"]
        await cluster.enter(cluster.one, "alice")

    play(scenario, per_user=3)


# --- REST


async def listed(cluster: Cluster, path: str = "/tertulia/v1/sessions") -> list[str]:
    await cluster.settle()
    answer = await cluster.world.call("GET", path)
    return [each["id"] for each in answer.json["_embedded"]["sessions"]]


def test_rest_sees_the_sessions_of_all_nodes(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        _, of_alice = await cluster.enter(cluster.one, "alice")
        bob, of_bob = await cluster.enter(cluster.two, "bob")
        assert await listed(cluster) == [of_alice, of_bob]
        assert await listed(cluster, "/v1/users/bob/sessions") == [of_bob]
        first = await cluster.world.call("GET", "/tertulia/v1/sessions?page_size=1")
        (shown,) = first.json["_embedded"]["sessions"]
        assert shown["_embedded"]["user"]["name"] == "alice"
        assert shown["properties"]["ttl"] > 0
        following = first.json["_links"]["next"]["href"].partition("tertulia.test")[2]
        second = await cluster.world.call("GET", following)
        assert [each["id"] for each in second.json["_embedded"]["sessions"]] == [of_bob]
        bob.lose()
        assert await listed(cluster) == [of_alice]

    play(scenario)


def test_rest_ends_a_session_at_another_node(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, session_id = await cluster.enter(cluster.two, "bob")
        path = f"/v0.3/sessions/{session_id}"
        assert (await cluster.world.call("DELETE", path, user="alice")).status in (401, 404)
        assert (await cluster.world.call("DELETE", path)).status == 204
        await cluster.settle()
        assert [type(each).__name__ for each in bob.packets()] == ["Emitted", "Disconnect"]
        assert not bob.wire.is_open
        assert (await cluster.world.call("DELETE", path)).status == 404
        _, (success,) = await cluster.resume(cluster.two, "bob", session_id)
        assert success.payload["body"]["id"] != session_id

    play(scenario)


def test_what_is_ended_while_the_bus_is_down_ends_all_the_same(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, session_id = await cluster.enter(cluster.two, "bob")
        bus.cut()
        path = f"/v0.3/sessions/{session_id}"
        assert (await cluster.world.call("DELETE", path)).status == 204
        await cluster.settle()
        assert bob.wire.was_aborted
        assert cluster.second.sessions.count == 0

    play(scenario)


def test_rest_renews_a_session_at_another_node(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, session_id = await cluster.enter(cluster.two, "bob")
        cluster.world.clock.advance(800)
        path = f"/v0.3/sessions/{session_id}"
        assert (await cluster.world.call("PUT", path, user="bob")).status == 200
        assert (await cluster.world.call("PUT", path)).status == 403
        await cluster.settle()
        cluster.world.clock.advance(200)
        cluster.second.doorway.sweep()
        bob.packets()
        assert bob.wire.is_open

    play(scenario)


def test_the_sessions_of_a_deleted_user_end_everywhere(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, _ = await cluster.enter(cluster.two, "bob")
        alice, _ = await cluster.enter(cluster.two, "alice")
        user_id = (await cluster.world.call("GET", "/v0.3/users?name=bob")).json["_embedded"]
        (found,) = user_id["users"]
        deleted = await cluster.world.call("DELETE", f"/v0.3/users/{found['id']}")
        assert deleted.status == 204
        await cluster.settle()
        assert "session:terminated" in names(bob.told())
        assert not bob.wire.is_open
        assert alice.wire.is_open

    play(scenario)


def test_with_another_key_tokens_are_worth_nothing_anywhere(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, _ = await cluster.enter(cluster.two, "bob")
        _, public_key = RsaSmith().new_pair()
        path = f"/v2/applications/{cluster.world.application.id}"
        draft = {"name": "renamed", "keys": {"public_key": public_key}}
        answer = await cluster.world.call("PUT", path, draft, headers=ACCOUNT)
        assert answer.status == 200
        await cluster.settle()
        cluster.second.doorway.sweep()
        assert bob.packets() == [socketio.Disconnect("/")]
        assert not bob.wire.is_open

    play(scenario)


def test_the_sessions_of_a_deleted_application_end_everywhere(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, session_id = await cluster.enter(cluster.two, "bob")
        path = f"/v2/applications/{cluster.world.application.id}"
        assert (await cluster.world.call("DELETE", path, headers=ACCOUNT)).status == 204
        await cluster.settle()
        assert "session:terminated" in names(bob.told())
        assert await cluster.ledgers.one.find(session_id) is None

    play(scenario)


def test_words_that_mean_nothing_change_nothing(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, _ = await cluster.enter(cluster.two, "bob")
        for word in (b"", b"\xc1", b"\x80", b"x" * 1000):
            bus.publish(neighbours.ALL, word)
            bus.publish(f"{neighbours.ALL}.two", word)
        await cluster.settle()
        assert bob.wire.is_open
        assert cluster.second.sessions.count == 1

    play(scenario)


# --- leaving


def test_a_node_that_drains_sends_its_clients_elsewhere(play: Play) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        cid, (alice, _bob) = await room(cluster.world, "alice", "bob")
        entered = [await cluster.enter(cluster.one, "bob") for _ in range(3)]
        began = asyncio.get_running_loop().time()
        await cluster.first.doorway.drain(per_second=20)
        assert asyncio.get_running_loop().time() - began >= 0.08
        with pytest.raises(HttpError):
            Client(cluster.one).enter({"token": cluster.world.token("bob")})
        await missed(cluster, cid, alice, "meanwhile")
        for client, session_id in entered:
            client.packets()
            assert len(client.closed) == 1
            client.lose()
            _, (success,) = await cluster.resume(cluster.two, "bob", session_id)
            assert success.payload["body"]["id"] == session_id
            assert pending(success) == ["meanwhile"]

    play(scenario)


def test_a_database_that_is_away_refuses_newcomers_and_keeps_who_is_there(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(cluster: Cluster, bus: LocalBus) -> None:
        bob, _ = await cluster.enter(cluster.two, "bob")

        async def broken(*_: object) -> None:
            raise Unavailable("the database is away")

        monkeypatch.setattr(cluster.ledgers.two, "settled", broken)
        late = await Client(cluster.two).connect("bob")
        await cluster.settle()
        assert late.told() == []
        assert not late.wire.is_open
        assert cluster.second.sessions.count == 1
        assert cluster.second.sessions.away == 0
        assert bob.wire.is_open

    play(scenario)
