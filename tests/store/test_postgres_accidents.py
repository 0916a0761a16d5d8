"""PostgreSQL that dies, refuses or is cut off: nothing is lost, and nothing comes twice."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contracts.builders import (
    APP,
    NOW,
    OTHER_APP,
    append,
    application_event,
    birth,
    event,
    profile,
    user,
)
from tests.postgres import PostgresServer, running
from tests.store.cutter import Cut, Cutter

from tertulia.model.errors import Unavailable
from tertulia.model.event import Receipt
from tertulia.model.ids import EventId, Position
from tertulia.model.state import Profile
from tertulia.ports import Append, Conflict, EventQuery
from tertulia.postgres.connections import connect
from tertulia.store import postgres_session
from tertulia.store.migrations import Migration, UnknownSchema
from tertulia.store.postgres import PostgresStore
from tertulia.store.postgres_migrations import MIGRATIONS, migrate

PUT_ALONE, PUT = b"Hello, w", b"COMMIT"
"""What is said when a batch of events is stored in one statement, and when it is in several."""


def play(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(scenario())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(url)
    try:
        yield store
    finally:
        await store.close()


async def numbers(store: PostgresStore, room: Profile) -> list[int | None]:
    return [each.id for each in await store.events(room.id, EventQuery(limit=5000))]


@asynccontextmanager
async def cut_off(url: str, server: PostgresServer) -> AsyncIterator[tuple[Cutter, str]]:
    """A cutter, and the address behind it."""
    with tempfile.TemporaryDirectory(prefix="tertulia-cut-") as folder:
        cutter = Cutter()
        async with cutter.between(Path(folder), server.socket_folder):
            yield cutter, url.replace(str(server.socket_folder), folder)


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.parametrize("word", [PUT_ALONE, PUT])
def test_a_connection_that_breaks_in_the_commit(
    postgres: PostgresServer, word: bytes, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()
    patience = {"idle_in_transaction_session_timeout": "300"}
    monkeypatch.setattr(postgres_session, "SERVER_SETTINGS", patience)

    async def scenario() -> None:
        room, alice = profile(), user()
        async with cut_off(url, postgres) as (cutter, through), opened(through) as store:
            await store.append(birth(room))
            await store.append(append(room, 0))
            cutter.arm(word, cut)
            if word is PUT:
                await store.put_user(alice)
            position = await store.append(append(room, 1))
            assert cutter.cuts == 1
            assert await store.append(append(room, 2)) == position + 1
            cutter.release()
            await asyncio.sleep(0.05)
            assert await numbers(store, room) == [1, 2, 3]
            assert await store.append(append(room, 3)) == position + 2
            assert store.tail(position) == await store.follow(position)
            found = await store.follow(Position(0))
            assert [each.position for each in found] == [1, 2, 3, 4, 5]
            if word is PUT:
                assert await store.user(alice.id) == alice

    play(scenario)


def test_a_commit_is_in_doubt_until_the_server_is_back(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        room = profile()
        async with cut_off(url, postgres) as (cutter, through), opened(through) as store:
            await store.append(birth(room))
            await store.append(append(room, 0))
            cutter.arm(PUT_ALONE, Cut.AFTER)
            cutter.is_closed = True
            waiting = asyncio.ensure_future(store.append(append(room, 1)))
            later = store.append(append(room, 2))
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            cutter.is_closed = False
            assert await later == await waiting + 1
            assert await numbers(store, room) == [1, 2, 3]
            await store.append(append(room, 3))
            cutter.arm(PUT_ALONE, Cut.AFTER)
            cutter.is_closed = True
            monkeypatch.setattr(postgres_session, "DOUBT_SECONDS", 0.1)
            with pytest.raises(Unavailable, match="not known"):
                await store.append(append(room, 4))
            cutter.is_closed = False
            with pytest.raises(Conflict):
                await store.append(append(room, 4))
            assert await numbers(store, room) == [1, 2, 3, 4, 5]
            assert store.tail(Position(5)) is None, "the tail has a hole"
            await store.append(append(room, 5))
            assert len(await store.follow(Position(5))) == 2

    play(scenario)


async def until_more(told: list[str], count: int) -> None:
    wanted = len(told) + count
    while len(told) < wanted:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def _write(store: PostgresStore, room: Profile, told: list[str], over: asyncio.Event) -> None:
    """Say one thing after the other, each as often as it takes to be acknowledged."""
    said = 0
    while not over.is_set():
        text = f"{room.id} {said}"
        try:
            found = await store.profile(room.id)
            assert found is not None
            new = event(room, found.sequence + 1, text)
            await store.append(Append(room.application_id, room.id, found.sequence, (new,)))
        except (Unavailable, Conflict):
            await asyncio.sleep(0.01)
            continue
        told.append(text)
        said += 1


def test_a_server_that_dies_under_load_again_and_again() -> None:
    async def scenario(server: PostgresServer) -> None:
        rooms, told, over = [profile() for _ in range(10)], list[str](), asyncio.Event()
        async with opened(server.new_database()) as store:
            for room in rooms:
                await store.append(birth(room))
            async with asyncio.TaskGroup() as group:
                for room in rooms:
                    group.create_task(_write(store, room, told, over))
                for how in ("immediate", "fast", "immediate"):
                    await until_more(told, 100)
                    await asyncio.to_thread(server.stop, how)
                    await asyncio.to_thread(server.start)
                over.set()
            stored = [each for each in await store.follow(Position(0), limit=100_000)]
            bodies = [each.body.decode().split('"')[3] for each in stored if each.id is not None]
            assert len(set(bodies)) == len(bodies), "an event was stored twice"
            assert set(told) == set(bodies)
            for room in rooms:
                count = len(await numbers(store, room))
                assert await numbers(store, room) == list(range(1, count + 1))

    with running() as server:
        play(lambda: scenario(server))


def test_an_idle_connection_that_was_ended_is_not_noticed(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    end = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name LIKE 'tertulia %' AND datname = current_database()"
    )

    async def scenario() -> None:
        room = profile()
        async with opened(url) as store:
            await store.append(birth(room))
            for number in range(4):
                postgres.execute(url, end)
                await asyncio.sleep(0.02 * (number % 2))
                await store.append(append(room, number))
                postgres.execute(url, end)
                await asyncio.sleep(0.02 * (number % 2))
                assert len(await numbers(store, room)) == number + 1

    play(scenario)


def test_a_server_that_only_lets_read(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    name = url.partition("@/")[2].partition("?")[0]
    end = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'tertulia writer' AND datname = current_database()"
    )

    async def scenario() -> None:
        room = profile()
        async with opened(url) as store:
            await store.append(birth(room))
            for setting, is_read_only in (("on", True), ("off", False)):
                command = f"ALTER DATABASE {name} SET default_transaction_read_only = {setting}"
                postgres.execute(postgres.url("postgres"), command)
                if is_read_only:
                    postgres.execute(url, end)
                    await asyncio.sleep(0.05)
                if is_read_only:
                    for _ in range(2):
                        with pytest.raises(Unavailable):
                            await store.append(append(room, 0))
                    assert await numbers(store, room) == []
            await store.append(append(room, 0))
            assert await numbers(store, room) == [1]

    play(scenario)


def test_two_writers_take_turns(postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        rooms, told, over = [profile() for _ in range(4)], list[str](), asyncio.Event()
        async with opened(url) as one, opened(url) as other:
            for room in rooms:
                await one.append(birth(room))
            with pytest.raises(Conflict):
                await other.append(append(rooms[0], 5))
            seen: list[Position] = []
            async with asyncio.TaskGroup() as group:
                for room in rooms * 2:
                    group.create_task(_write(one, room, told, over))
                for room in rooms:
                    group.create_task(_write(other, room, told, over))
                while len(seen) < 400:
                    after = seen[-1] if seen else Position(0)
                    tail = one.tail(after)
                    assert not tail or tail[0].position == after + 1
                    seen += [each.position for each in await other.follow(after, limit=50)]
                    await asyncio.sleep(0)
                over.set()
            assert seen == list(range(1, len(seen) + 1)), "a reader missed one"
            for room in rooms:
                count = len(await numbers(one, room))
                assert await numbers(other, room) == list(range(1, count + 1))
            assert sum([len(await numbers(one, room)) for room in rooms]) == len(told)

    play(scenario)


def test_another_process_reads_what_is_written(postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        with pytest.raises(Unavailable):
            await PostgresStore.open_reader(url)
        room = profile()
        async with opened(url) as writer:
            reader = await PostgresStore.open_reader(url)
            assert reader.epoch == writer.epoch
            await writer.append(birth(room))
            assert await reader.follow(Position(0)) == await writer.follow(Position(0))
            with pytest.raises(Unavailable):
                reader.append(append(room, 0))
            with pytest.raises(Unavailable):
                await reader.put_user(user())
            await reader.close()

    play(scenario)


def test_a_value_that_cannot_be_stored_spares_the_others(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        room = profile()
        async with opened(url) as store:
            await store.append(birth(room))
            strange = Receipt(EventId(1), "seen_by", object(), NOW)  # type: ignore[arg-type]
            first = store.append(append(room, 0))
            waiting = [append(room, 1), append(room, 2, strange), append(room, 2), append(room, 3)]
            results = await asyncio.gather(*map(store.append, waiting), return_exceptions=True)
            assert [type(result) for result in results] == [int, Unavailable, int, int]
            await first

    play(scenario)
    assert "store_broken" in {getattr(each, "action", "") for each in caplog.records}


def test_a_full_queue_refuses_at_once(postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        room = profile()
        store = await PostgresStore.open(url, waiting_max=3)
        await store.append(birth(room))
        waiting = [store.append(append(room, expected)) for expected in range(3)]
        with pytest.raises(Unavailable, match="too many"):
            store.append(append(room, 3))
        await asyncio.gather(*waiting)
        await store.append(append(room, 3))
        await store.close()
        with pytest.raises(Unavailable, match="closed"):
            store.append(append(room, 4))

    play(scenario)


def test_what_a_text_of_postgresql_cannot_hold_is_found_all_the_same(
    postgres: PostgresServer,
) -> None:
    url = postgres.new_database()

    async def scenario() -> None:
        room, named = profile(), user("a\0b")
        async with opened(url) as store:
            await store.put_user(user("\\u0000"))
            await store.put_user(named)
            assert await store.user_named(named.application_id, "a\0b") == named
            await store.append(birth(room))
            said = event(room, 1, "\\\\u0000 \\u0000")
            await store.append(Append(room.application_id, room.id, EventId(0), (said,)))
            assert (await store.events(room.id, EventQuery(about=(EventId(7),)))) == []
            found = await store.event(room.id, EventId(1))
            assert found is not None and found.body == said.body

    play(scenario)


def test_who_cannot_be_reached_is_named_without_the_password() -> None:
    async def scenario() -> None:
        url = "postgres://me:secret@127.0.0.1:1/tertulia"
        for opening in (PostgresStore.open, PostgresStore.open_reader):
            with pytest.raises(Unavailable) as failure:
                await opening(url)
            assert "127.0.0.1:1/tertulia" in str(failure.value)
            assert "secret" not in str(failure.value)

    play(scenario)


def test_what_is_new_to_the_writer_goes_beside_the_log(postgres: PostgresServer) -> None:
    """The first event of an application makes its row, though the append changes none."""
    url = postgres.new_database()

    async def scenario() -> None:
        async with opened(url) as store:
            for application_id in (APP, OTHER_APP, APP):
                knock = application_event(application_id)
                await store.append(Append(application_id, None, EventId(0), (knock,)))
            found = await store.follow(Position(0))
            assert [each.application_id for each in found] == [APP, OTHER_APP, APP]
            assert await store.follow(Position(0), application_id=OTHER_APP) == found[1:2]

    play(scenario)


def test_a_newer_schema_is_refused(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    newer = Migration(MIGRATIONS[-1].version + 1, "ALTER TABLE users ADD COLUMN mood text")

    async def scenario() -> None:
        connection = await connect(url, "test", seconds=10, settings={})
        for _ in range(2):
            await migrate(connection, (*MIGRATIONS, newer))
        await connection.execute("SELECT mood FROM users")
        await connection.close()
        for opening in (PostgresStore.open, PostgresStore.open_reader):
            with pytest.raises(UnknownSchema, match="schema version"):
                await opening(url)

    play(scenario)


def test_the_epoch_is_the_stores_own(postgres: PostgresServer) -> None:
    async def epoch(url: str) -> str:
        async with opened(url) as store:
            return store.epoch

    mine, other = postgres.new_database(), postgres.new_database()
    assert asyncio.run(epoch(mine)) == asyncio.run(epoch(mine)) != asyncio.run(epoch(other))
