"""Webhook, session, stream and history tell the same of the same 10,000 events.

To show it with its figures: `pytest -s tests/system/test_four_transcripts.py`.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.system.authors import Author, samples
from tests.system.books import SECRET
from tests.system.caller import Caller, fresh_token
from tests.system.conftest import Plant
from tests.system.listener import Name, Room, make_room, make_users
from tests.system.receiver import Mood, Receiver
from tests.system.stream_reader import Reader

from tertulia.client.login import Login
from tertulia.client.session import Arrival, Session
from tertulia.devkit import DevDocument
from tertulia.model.events.registry import Reach, find

pytestmark = pytest.mark.system

EVENTS = 10_000
AUTHORS, ROOMS = 8, 24
SEED = 5
ARRIVES_WITHIN = 60.0
SETTINGS = {
    "TERTULIA_ACCOUNT__SIGNATURE_SECRET": SECRET,
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
}


class Told(NamedTuple):
    """What a transcript says of an event."""

    id: int
    type: str
    timestamp: str
    sender: str | None
    recipient: str | None
    body: Any
    embedded: Any


Transcript = dict[str, list[Told]]
"""By conversation, in the order of arrival."""


def told(event: dict[str, Any], type_: str) -> Told:
    return Told(
        event["id"], type_, event["timestamp"], event.get("from"), event.get("to"),
        event["body"], event.get("_embedded"),
    )  # fmt: skip


# --- who hears of it ---


class Recorder(Receiver):
    """A willing receiver of webhooks that keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def take(self, headers: dict[str, str], body: bytes) -> Mood:
        self.bodies.append(body)
        return super().take(headers, body)


async def listen(session: Session, heard: list[Arrival]) -> None:
    async for arrival in session.events():
        heard.append(arrival)


def of_envelopes(events: Iterable[dict[str, Any]]) -> Transcript:
    found: Transcript = defaultdict(list)
    for event in events:
        if "id" in event:  # the birth of a conversation is not in it
            found[event["conversation_id"]].append(told(event, event["type"]))
    return dict(found)


def of_arrivals(arrivals: Iterable[Arrival]) -> Transcript:
    found: Transcript = defaultdict(list)
    for arrival in arrivals:
        found[arrival.payload["cid"]].append(told(arrival.payload, arrival.type))
    return dict(found)


async def of_history(caller: Caller, rooms: list[Room]) -> Transcript:
    found: Transcript = {}
    for room in rooms:
        path = f"/v0.3/conversations/{room.id}/events?page_size=100&order=asc"
        found[room.id] = []
        while page := (await caller.get(f"{path}&start_id={len(found[room.id]) + 1}"))["_embedded"][
            "events"
        ]:
            found[room.id] += [told(event, event["type"]) for event in page]
    return found


# --- the comparison ---


def settled(transcript: Transcript, made: dict[Name, Any], deleted: set[Name]) -> Transcript:
    """What was deleted may have been told before or after: either is right, and they are equal."""
    return {
        room: [_settled(event, made.get((room, event.id)), (room, event.id) in deleted)
               for event in events]
        for room, events in transcript.items()
    }  # fmt: skip


def _settled(event: Told, made: Any, is_deleted: bool) -> Told:
    if is_deleted and list(event.body) == ["timestamp"]:
        return event._replace(body=made)
    if made is not None:
        assert event.body == made, event
    return event


def for_sessions(transcript: Transcript) -> Transcript:
    def reaches(event: Told) -> bool:
        row = find(event.type)
        return row is not None and bool(row.reaches & Reach.SESSION)

    return {room: [each for each in events if reaches(each)] for room, events in transcript.items()}


def verbatim(envelopes: Iterable[bytes], deleted: set[Name]) -> dict[str, list[bytes]]:
    """Octets by conversation, but those of what was deleted."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for raw in envelopes:
        event = msgspec.json.decode(raw)
        name = (event.get("conversation_id", ""), event.get("id", 0))
        if name not in deleted and name[1]:
            found[name[0]].append(raw)
    return dict(found)


class Ears:
    """The three that listen while it happens."""

    def __init__(self, receiver: Recorder, stream: Reader, heard: list[Arrival]) -> None:
        self.receiver = receiver
        self.stream = stream
        self.heard = heard

    def has_all(self, ends: dict[str, int], reaching: int) -> bool:
        """`reaching` is how many events sessions are told."""
        return (
            self.receiver.books.newest == ends
            and len(self.stream.raw) >= len(self.receiver.bodies)
            and len(self.heard) >= reaching
        )

    async def until(self, ends: dict[str, int], reaching: int) -> None:
        deadline = time.monotonic() + ARRIVES_WITHIN
        while not self.has_all(ends, reaching):
            assert time.monotonic() < deadline, (
                f"{len(self.receiver.bodies)} by webhook, {len(self.stream.raw)} by the stream, "
                f"{len(self.heard)} of {reaching} by the session, {sum(ends.values())} in all"
            )
            await asyncio.sleep(0.02)


def test_the_four_tell_the_same(plant: Plant) -> None:
    asyncio.run(_scenario(plant))


async def _scenario(plant: Plant) -> None:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as listening:
        receiver = Recorder()
        url = await stack.enter_async_context(receiver.listening())
        document = await asyncio.to_thread(plant("--event-url", url, **SETTINGS).start)
        caller = await stack.enter_async_context(Caller(document))
        user, *others = await make_users(caller, AUTHORS + 1)
        ears = Ears(receiver, Reader(document, "after=0"), [])
        session = await stack.enter_async_context(
            await Session.open(Login(document.api_url, fresh_token(document, user)))
        )
        work = [
            listening.create_task(ears.stream.read(1 << 60, until=1 << 60)),
            listening.create_task(listen(session, ears.heard)),
        ]
        began = time.monotonic()
        rooms = [await make_room(caller, [user, *others]) for _ in range(ROOMS)]
        authors = await _write(document, others, rooms)
        written = time.monotonic()
        history = await of_history(caller, rooms)
        ends = {room: len(events) for room, events in history.items()}
        await ears.until(ends, sum(map(len, for_sessions(history).values())))
        took = time.monotonic() - began
        for task in work:
            task.cancel()
    print(
        f"\n{sum(ends.values())} events written in {written - began:.1f} s, "
        f"read in four ways after {took:.1f} s"
    )
    _compare(ears, history, authors)


async def _write(document: DevDocument, users: list[str], rooms: list[Room]) -> list[Author]:
    chance = random.Random(SEED)
    known = samples()
    async with AsyncExitStack() as stack:
        authors = [
            Author(await stack.enter_async_context(Caller(document)), user, rooms, chance)
            for user in users
        ]
        async with asyncio.TaskGroup() as writing:
            for author in authors:
                writing.create_task(author.act(EVENTS // AUTHORS, known))
    assert set().union(*(author.types for author in authors)) == {each.type for each in known}
    return authors


def _compare(ears: Ears, history: Transcript, authors: list[Author]) -> None:
    made = {name: body for author in authors for name, body in author.made.items()}
    deleted = set[Name]().union(*(author.deleted for author in authors))
    assert len(deleted) > 10
    assert ears.receiver.books.faults == []
    for events in history.values():
        assert [event.id for event in events] == list(range(1, len(events) + 1))
    webhook = of_envelopes(msgspec.json.decode(body) for body in ears.receiver.bodies)
    stream = of_envelopes(event for _, event in ears.stream.events)
    session = of_arrivals(ears.heard)
    expected = settled(history, made, deleted)
    assert settled(webhook, made, deleted) == expected
    assert settled(stream, made, deleted) == expected
    assert settled(session, made, deleted) == for_sessions(expected)
    assert verbatim(ears.receiver.bodies, deleted) == verbatim(ears.stream.raw, deleted)
