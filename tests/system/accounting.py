"""What must hold of a store, and of a receiver's books, after whatever has happened."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.system.caller import Caller
from tests.system.load import Acknowledged
from tests.system.receiver import Receiver

from tertulia.model.event import Event
from tertulia.model.events.registry import Reach, find
from tertulia.model.ids import Position, UserId
from tertulia.model.state import Member
from tertulia.store.postgres import PostgresStore
from tertulia.store.sqlite import SqliteStore
from tertulia.store.stored import Stored
from tertulia.testing.replay import check_replay

PAGE = 1000


Place = Path | str
"""Of a store: the data directory, or the address of a database."""


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Stored]:
    store: Stored
    if isinstance(place, str):
        store = await PostgresStore.open_reader(place)
    else:
        store = await SqliteStore.open_reader(place / "tertulia.db")
    try:
        yield store
    finally:
        await store.close()


async def whole_log(store: Stored) -> list[Event]:
    events: list[Event] = []
    after = Position(0)
    while page := await store.follow(after, limit=PAGE):
        events += page
        after = page[-1].position
    return events


async def until_delivered(place: Place, receiver: Receiver, *, within: float) -> None:
    """Wait until the receiver has everything that is stored now and that webhooks are told."""
    async with opened(place) as store:
        wanted = {event.position for event in await whole_log(store) if _is_told(event)}
    deadline = time.monotonic() + within
    while not receiver.books.positions >= wanted:
        if time.monotonic() > deadline:
            missing = sorted(wanted - receiver.books.positions)
            pytest.fail(f"{len(missing)} not delivered, the first {missing[:5]}: {receiver.books}")
        await asyncio.sleep(0.05)


async def until_recorded(caller: Caller, attempts: int) -> None:
    """Wait until so many successes are in the journal, and the cursor with them."""
    deadline = time.monotonic() + 30
    while await _recorded(caller) < attempts:
        assert time.monotonic() < deadline, "what was delivered is not recorded"
        await asyncio.sleep(0.05)


async def _recorded(caller: Caller) -> float:
    figures = (await caller.call("GET", "/metrics")).raw.decode().splitlines()
    delivered = [line for line in figures if line.startswith("tertulia_webhook_delivered_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in delivered)


def _is_told(event: Event) -> bool:
    row = find(event.type)
    return row is None or Reach.WEBHOOK in row.reaches


async def check_everything(place: Place, told: Acknowledged, receiver: Receiver) -> int:
    """What was acknowledged is there, ids have no gaps, the state is the fold, the webhook's order
    was kept; returns how many events there are. To be called when nobody writes."""
    assert told.faults == []
    assert receiver.books.faults == []
    async with opened(place) as store:
        await check_replay(store)
        events = await whole_log(store)
        _check_events(events, told)
        _check_members(events, told)
        for user in told.users:
            assert await store.user(UserId(user)) is not None, user
    deleted = {(event.conversation_id, event.id) for event in events if event.deleted_at}
    assert receiver.books.changed <= deleted, "an event has other bytes and was not deleted"
    return len(events)


def _check_events(events: list[Event], told: Acknowledged) -> None:
    kept: dict[tuple[str, int], Event] = {
        (event.conversation_id, event.id): event
        for event in events
        if event.conversation_id is not None and event.id is not None
    }
    lost = [key for key in told.events if key not in kept]
    assert lost == [], f"{len(lost)} acknowledged events are lost"
    for key, (type_, body) in told.events.items():
        event = kept[key]
        assert event.type == type_, key
        if event.deleted_at is None:
            assert msgspec.json.decode(event.body) == body, key
    assert [key for key in told.deleted if kept[key].deleted_at is None] == []


def _check_members(events: list[Event], told: Acknowledged) -> None:
    states: dict[str, str] = {}
    for event in events:
        if isinstance(event.became, Member):
            states[event.became.id] = event.became.state.value
    wrong = {member: state for member, state in told.members.items() if states[member] != state}
    assert wrong == {}
