"""A store that is copied to another kind of database, and back."""

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.contracts.builders import (
    APP,
    NOW,
    append,
    application,
    birth,
    deleted,
    event,
    leg,
    member,
    member_id,
    profile,
    user,
)
from tests.contracts.message_records import inbound, keep, sending
from tests.postgres import PostgresServer

from tertulia.app.copying import run_copy
from tertulia.model.event import Blank, Receipt
from tertulia.model.ids import EventId, Position
from tertulia.model.instant import Instant
from tertulia.model.sending import handed
from tertulia.model.state import Profile
from tertulia.ports import Append, CallFilter, ConversationFilter, EventQuery, Page, Records
from tertulia.postgres.connections import connect
from tertulia.store.copying import TABLES, CopyFailed
from tertulia.store.migrations import migrate
from tertulia.store.postgres import PostgresStore
from tertulia.store.queries import read_sql
from tertulia.store.sqlite import SqliteStore
from tertulia.store.stored import Stored

OTHERS = {"meta", "head", "writers"}
"""Tables that a kind of database keeps for itself."""


async def filled(store: Stored) -> list[Profile]:
    """One of everything, and conversations with a past."""
    alice, bob = user("alice"), user("bob")
    await store.put_application(application())
    for each in (alice, bob):
        await store.put_user(each)
    rooms = [profile(sort_key="k", ttl=60), profile(name="two"), profile(name="gone")]
    for room in rooms:
        await store.append(birth(room, member(room, alice)))
        await store.append(append(room, 0, member(room, bob), events=3))
    about = replace(event(rooms[0], 4), body=b'{"event_id":2,"text":"\\u0000"}')
    await store.append(Append(APP, rooms[0].id, EventId(3), (about,)))
    await store.append(append(rooms[0], 4, Blank(EventId(1), NOW)))
    await store.append(append(rooms[0], 5, Receipt(EventId(2), "seen_by", member_id(), NOW)))
    await store.append(append(rooms[2], 3, deleted(rooms[2])))
    call = replace(leg(alice), is_call=True)
    await store.append(Append(APP, None, EventId(0), (), (call, leg(bob))))
    sent = handed(replace(sending(), carrier="post"), ("a\0b",), NOW, Instant(NOW + 5))
    await keep(store, sent, sending(), inbound("a"), inbound("b", is_waiting=True))
    await store.put_bookmark("mine", Position(3), APP)
    return rooms


async def seen(store: Stored, rooms: list[Profile]) -> list[object]:
    """What the ports show of it."""
    about = EventQuery(about=(EventId(2),))
    return [
        store.epoch,
        await store.head(),
        await store.follow(Position(0)),
        [await store.conversation(room.id) for room in rooms],
        [await store.events(room.id, about) for room in rooms],
        await store.conversations(ConversationFilter(APP, by_sort_key=True), Page()),
        await store.users(APP, Page()),
        await store.applications(),
        await store.open_legs(),
        await store.calls(CallFilter(APP), Records()),
        [each.sending for each in await store.unsent()],
        await store.sending_of("post", "a\0b"),
        await store.overdue(Instant(NOW + 9)),
        await store.undecided(),
        await store.bookmark("mine"),
        await store.next_expiry(),
    ]


def test_there_and_back_everything_is_as_it_was(tmp_path: Path, postgres: PostgresServer) -> None:
    here, back, url = tmp_path / "here", tmp_path / "back", postgres.new_database()
    here.mkdir()

    async def before() -> tuple[list[Profile], list[object]]:
        store = await SqliteStore.open(here / "tertulia.db")
        rooms = await filled(store)
        shown = await seen(store, rooms)
        await store.close()
        return rooms, shown

    async def after(store: Stored) -> None:
        assert await seen(store, rooms) == shown
        head = await store.head()
        late = user("late")
        await store.put_user(late)
        assert await store.append(append(rooms[1], 3, member(rooms[1], late))) == head + 1
        assert (await store.users(APP, Page()))[-1].user == late
        assert [each.user.name for each in await store.members(rooms[1].id, Page())][-1] == "late"
        await store.close()

    rooms, shown = asyncio.run(before())
    told: list[str] = []
    assert run_copy(f"sqlite:{here}", url, told.append) == 0
    assert "found equal" in told[-1]
    assert run_copy(url, f"sqlite:{back}", told.append) == 0

    async def both() -> None:
        await after(await PostgresStore.open(url))
        await after(await SqliteStore.open(back / "tertulia.db"))

    asyncio.run(both())


def test_nothing_is_written_over(tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.new_database()

    async def fill(*stores: Stored) -> None:
        for store in stores:
            await filled(store)
            await store.close()

    async def both() -> None:
        await fill(await SqliteStore.open(tmp_path / "tertulia.db"), await PostgresStore.open(url))

    asyncio.run(both())
    for source, target in ((f"sqlite:{tmp_path}", url), (url, f"sqlite:{tmp_path}")):
        with pytest.raises(CopyFailed):
            run_copy(source, target, print)
    with pytest.raises(CopyFailed, match="no store"):
        run_copy(postgres.new_database(), f"sqlite:{tmp_path / 'new'}", print)


def test_every_column_of_both_kinds_is_copied(postgres: PostgresServer) -> None:
    wanted = {table.name: set(table.all_columns) for table in TABLES}
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    columns = {
        name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        for (name,) in found
    }
    connection.close()
    assert {name: each for name, each in columns.items() if name not in OTHERS} == wanted

    async def of_postgres() -> dict[str, set[str]]:
        url = postgres.new_database()
        await (await PostgresStore.open(url)).close()
        there = await connect(url, "test", seconds=10, settings={})
        found = await there.fetch(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'tertulia'"
        )
        await there.close()
        tables: dict[str, set[str]] = {}
        for name, column in found:
            tables.setdefault(name, set()).add(column)
        return tables

    tables = asyncio.run(of_postgres())
    tables["log"].remove("about")  # these two follow from the others
    tables["conversations"].remove("since")
    others = (
        OTHERS
        | {"log_0"}
        | set(re.findall(r"CREATE TABLE (\w+)", read_sql("postgres_cluster.sql")))
    )
    assert {name: each for name, each in tables.items() if name not in others} == wanted
