"""Nothing is missed: sessions that lose their connection, their server, or their token.

300 random disconnects; with TERTULIA_FULL=1 in the environment 10,000. To show it with its figures:
`TERTULIA_FULL=1 pytest -s tests/system/test_resume.py -k disconnects`.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.system.caller import Caller, fresh_token
from tests.system.conftest import Plant
from tests.system.listener import Listener, Room, listening, make_room, make_users
from tests.system.proxy import Cut, Direction, How
from tests.system.tree import Tree

from tertulia.client.login import Login
from tertulia.client.session import Arrival, Kind, Session, SessionEnded, SessionRefused
from tertulia.devkit import DevDocument
from tertulia.protocols.jwt import load_private_key, mint

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
DISCONNECTS = 10_000 if FULL else 300
CLIENTS, ROOMS, ROOMS_OF_ONE, WRITERS = 24, 6, 2, 4
SEED = 3
UP_MAX, DOWN_MAX = 2_500, 30_000
"""Bytes after which a connection is cut, at most: from within the handshake on."""
PAUSE_S = 0.02
"""Of a writer between two messages, at most."""
ARRIVES_WITHIN = 20.0
STORM_S, STORM_CLIENTS = 3.0, 16
STORM_RATE_MIN = 50
"""A second: far below what any machine does, so that there was a storm at all."""
STORM_GROWTH_MAX = 4 << 20
"""Bytes by which the hub may grow in the second half of the storm."""
SETTINGS = {
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
    "TERTULIA_WEBHOOKS__FIRST_RETRY_S": "60",
}
TYPED = Kind(sdk_name="@vonage/client-sdk", sdk_version="2.3.1")
OLDER = Kind(generation=3)
KINDS = (Kind(), TYPED, OLDER)


class Stage:
    """A running server, its application as a caller, and some users."""

    def __init__(self, tree: Tree, document: DevDocument, caller: Caller) -> None:
        self.tree = tree
        self.document = document
        self.caller = caller

    def login(self, user: str) -> Login:
        return Login(self.document.api_url, fresh_token(self.document, user))


@asynccontextmanager
async def stage(plant: Plant, **settings: str) -> AsyncIterator[Stage]:
    tree = plant(**SETTINGS, **settings)
    document = await asyncio.to_thread(tree.start)
    async with Caller(document) as caller:
        yield Stage(tree, document, caller)


async def taken(session: Session, count: int) -> list[Arrival]:
    """The next events that come live or were pending."""
    arrivals: list[Arrival] = []
    async with asyncio.timeout(ARRIVES_WITHIN):
        async for arrival in session.events():
            arrivals.append(arrival)
            if len(arrivals) == count:
                return arrivals
    raise AssertionError("a session goes on until it ends")


def numbers(arrivals: Sequence[Arrival]) -> list[int]:
    return [arrival.payload["id"] for arrival in arrivals]


# --- away and back ---


@pytest.mark.parametrize("kind", [Kind(), OLDER, TYPED], ids=["current", "older", "typed"])
def test_what_is_sent_while_a_client_is_away_comes_when_it_is_back(
    plant: Plant, kind: Kind
) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            room = await make_room(here.caller, [alice, bob])
            session = await Session.open(here.login(bob), kind=kind)
            sent = [await room.say(here.caller, alice) for _ in range(3)]
            assert numbers(await taken(session, 3)) == sent
            await session.close()

            missed = [await room.say(here.caller, alice) for _ in range(1500)]
            back = await Session.open(here.login(bob), kind=kind, session_id=session.id)
            assert (back.id, back.is_resumed) == (session.id, True)
            assert numbers(back.pending) == missed[: len(back.pending)] != []
            assert {arrival.type for arrival in back.pending} == {"message"}
            live = await room.say(here.caller, alice)
            assert numbers(await taken(back, 1501)) == [*missed, live]
            await back.close()

            again = await Session.open(here.login(bob), kind=kind, session_id=session.id)
            assert again.pending == []
            assert await again.logout()

    asyncio.run(scenario())


def test_only_what_was_not_acknowledged_comes_again(plant: Plant) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            room = await make_room(here.caller, [alice, bob])
            first = await Session.open(here.login(bob), acknowledge=False)
            first.acknowledge(first.login_ack or 0)
            sent = [await room.say(here.caller, alice) for _ in range(5)]
            arrivals = await taken(first, 5)
            for arrival in (arrivals[0], arrivals[1], arrivals[3]):
                first.acknowledge(arrival.ack or 0)
            await first.close()

            second = await Session.open(here.login(bob), session_id=first.id, acknowledge=False)
            # an acknowledgement is a cursor: it stands before the first that is missing
            assert numbers(second.pending) == sent[2:]
            second.abort()
            third = await Session.open(here.login(bob), session_id=first.id)
            assert numbers(third.pending) == sent[2:]
            await third.close()
            fourth = await Session.open(here.login(bob), session_id=first.id)
            assert fourth.pending == []
            await fourth.close()

    asyncio.run(scenario())


def test_a_session_that_was_ended_is_not_resumed(plant: Plant) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            first = await Session.open(here.login(bob))
            assert await first.logout()
            second = await Session.open(here.login(bob), session_id=first.id)
            assert second.id != first.id
            with pytest.raises(SessionRefused) as caught:
                await Session.open(here.login(alice), session_id=second.id)
            assert caught.value.type == "session:error:invalid"
            await second.close()

    asyncio.run(scenario())


# --- the typed client ---


SAID: list[tuple[str, dict[str, Any]]] = [
    ("message", {"message_type": "text", "text": "for all"}),
    ("text", {"text": "for the older"}),
    ("custom:order", {"n": 1}),
    ("message:seen", {"event_id": 0}),
    ("text:seen", {"event_id": 1}),
    ("text:typing:on", {"activity": 1}),
    ("ephemeral", {"n": 1}),
    ("message", {"message_type": "text", "text": "the last"}),
]
KNOWN = ["message", "custom:order", "message:seen", "ephemeral", "message"]
"""Of these, what the typed client can parse (wire-clients 5.4)."""


async def say_everything(here: Stage, room: Room, user: str) -> None:
    made: list[int] = []
    for type_, body in SAID:
        target = body.get("event_id")
        body = body | ({"event_id": made[target]} if isinstance(target, int) else {})
        made.append(await room.post(here.caller, user, type_, body))


@pytest.mark.parametrize(
    "kind, known", [(TYPED, KNOWN), (Kind(), [type_ for type_, _ in SAID])], ids=["typed", "open"]
)
def test_each_kind_of_client_gets_what_it_can_parse(
    plant: Plant, kind: Kind, known: list[str]
) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob = await make_users(here.caller, 2)
            room = await make_room(here.caller, [alice, bob])
            session = await Session.open(here.login(bob), kind=kind)
            await say_everything(here, room, alice)
            live = await taken(session, len(known))
            assert [arrival.type for arrival in live] == known
            await session.close()

            await say_everything(here, room, alice)
            # the reconnection does not say again what kind of client it is
            back = await Session.open(here.login(bob), session_id=session.id)
            kept = [type_ for type_ in known if type_ not in ("text:typing:on", "ephemeral")]
            assert [arrival.type for arrival in back.pending] == kept
            assert [arrival.payload["type"] for arrival in back.pending] == kept
            await back.close()

    asyncio.run(scenario())


# --- the server goes ---


def test_a_killed_server_costs_nothing(plant: Plant) -> None:
    """What was acknowledged does not come again, what was not does, live goes on."""

    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob, carol = await make_users(here.caller, 3)
            room = await make_room(here.caller, [alice, bob, carol])
            there = await Session.open(here.login(bob))
            away = await Session.open(here.login(carol), kind=TYPED)
            first = [await room.say(here.caller, alice) for _ in range(10)]
            assert numbers(await taken(there, 10)) == numbers(await taken(away, 10)) == first
            await away.close()
            missed = [await room.say(here.caller, alice) for _ in range(10)]
            assert numbers(await taken(there, 10)) == missed
            await settled(here, there)
            await asyncio.to_thread(here.tree.kill)
            there.abort()
            here.document = await asyncio.to_thread(here.tree.start)

            back = await Session.open(here.login(bob), session_id=there.id)
            assert (back.is_resumed, back.pending) == (True, [])
            late = await Session.open(here.login(carol), session_id=away.id)
            assert (late.is_resumed, numbers(late.pending)) == (True, missed)
            async with Caller(here.document) as caller:
                number = await room.say(caller, alice)
                await room.post(caller, alice, "text", {"text": "not for the typed"})
            assert numbers(await taken(back, 2)) == [number, number + 1]
            assert numbers(await taken(late, 11)) == [*missed, number]
            await late.close()
            again = await Session.open(here.login(carol), session_id=away.id)
            assert again.pending == []
            await again.close()
            await back.close()

    asyncio.run(scenario())


async def settled(here: Stage, session: Session) -> None:
    """Until the server has read what the session acknowledged: it answers behind that."""
    session.emit("session:update-token", {"tid": "1", "body": {"token": "none"}})
    while (await taken(session, 1))[0].payload.get("rid") != "1":
        pass


def test_a_server_killed_under_load_loses_nothing_for_its_sessions(
    plant: Plant, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with stage(plant) as here, AsyncExitStack() as stack:
            users = await make_users(here.caller, 6)
            room = await make_room(here.caller, users)
            listeners = [
                await stack.enter_async_context(listening(here.tree.document, user))
                for user in users
            ]
            sessions = [await listener.open() for listener in listeners]
            work = [
                asyncio.create_task(listener.listen(session))
                for listener, session in zip(listeners, sessions, strict=True)
            ]
            try:
                for _ in range(3):
                    writing = [
                        asyncio.create_task(_write_until_killed(here.document, room, user))
                        for user in users
                    ]
                    await asyncio.sleep(0.4)
                    await asyncio.to_thread(here.tree.kill)
                    await asyncio.gather(*writing)
                    here.document = await asyncio.to_thread(here.tree.start)
                stored = await _history(here.document, room)
                assert set(room.posted) <= stored
                wanted = {(room.id, number) for number in stored}
                for listener in listeners:
                    assert await listener.has(wanted, within=ARRIVES_WITHIN), listener.user
            finally:
                await _cancel(work)
            for listener in listeners:
                assert (listener.faults, listener.disorder()) == ([], [])
                assert {each.name for each in listener.got} == wanted

    asyncio.run(scenario())


async def _write_until_killed(document: DevDocument, room: Room, user: str) -> None:
    async with Caller(document) as caller:
        try:
            while True:
                await room.say(caller, user)
        except ConnectionError:
            return


async def _history(document: DevDocument, room: Room) -> set[int]:
    """Numbers of all messages."""
    found: set[int] = set()
    path = f"/v0.3/conversations/{room.id}/events?page_size=100&order=asc&event_type=message"
    async with Caller(document) as caller:
        first = 1
        while events := (await caller.get(f"{path}&start_id={first}"))["_embedded"]["events"]:
            found |= {event["id"] for event in events}
            first = events[-1]["id"] + 1
    return found


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [each for each in results if isinstance(each, Exception)]
    assert broken == []


# --- connections are cut ---


class Cutter:
    """Draws where connections are cut, until that was done often enough."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.is_on = False

    def plan(self) -> Cut | None:
        if not self.is_on:
            return None
        (how,) = self._chance.choices(tuple(How), (45, 45, 10))
        direction = self._chance.choice(tuple(Direction))
        most = UP_MAX if direction is Direction.UP else DOWN_MAX
        return Cut(how, direction, self._chance.randint(1, most))


def test_random_disconnects_under_load(plant: Plant) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)
        cutter = Cutter(chance)
        async with stage(plant) as here, AsyncExitStack() as stack:
            users = await make_users(here.caller, CLIENTS)
            places = [users[:1] for _ in range(ROOMS)]
            for user in users[1:]:
                for place in chance.sample(places, ROOMS_OF_ONE):
                    place.append(user)
            rooms = [await make_room(here.caller, place) for place in places]
            listeners = [
                await stack.enter_async_context(
                    listening(
                        lambda: here.document,
                        user,
                        cutter.plan,
                        chance.choice((None, TYPED, OLDER)),
                    )
                )
                for user in users
            ]
            work = [
                asyncio.create_task(listener.listen(await listener.open()))
                for listener in listeners
            ]
            try:
                await _load(here, rooms, listeners, cutter, chance)
                for listener in listeners:
                    wanted = _meant_for(listener, rooms)
                    assert await listener.has(wanted, within=ARRIVES_WITHIN), (
                        f"{listener.user} misses "
                        f"{sorted(wanted - {each.name for each in listener.got})[:5]}"
                    )
            finally:
                await _cancel(work)
            _check(listeners, rooms)

    asyncio.run(scenario())


async def _load(
    here: Stage, rooms: list[Room], listeners: list[Listener], cutter: Cutter,
    chance: random.Random,
) -> None:  # fmt: skip
    """Messages and cuts, until there were enough of these. The first connections are cut too."""
    cutter.is_on = True
    for listener in listeners:
        listener.proxy.links[-1].arm(cutter.plan())
    enough = asyncio.Event()
    writing = [asyncio.create_task(_write(here, rooms, chance, enough)) for _ in range(WRITERS)]
    while sum(listener.proxy.cuts for listener in listeners) < DISCONNECTS:
        await asyncio.sleep(0.01)
        for task in writing:
            if task.done():
                task.result()
    cutter.is_on = False
    for listener in listeners:
        listener.proxy.links[-1].arm(None)
    enough.set()
    await asyncio.gather(*writing)


async def _write(
    here: Stage, rooms: list[Room], chance: random.Random, enough: asyncio.Event
) -> None:
    async with Caller(here.document) as caller:
        while not enough.is_set():
            room = chance.choice(rooms)
            await room.say(caller, chance.choice(list(room.members)))
            await asyncio.sleep(chance.uniform(0, PAUSE_S))


def _meant_for(listener: Listener, rooms: list[Room]) -> set[tuple[str, int]]:
    return {
        (room.id, number)
        for room in rooms
        if listener.user in room.members
        for number in room.posted
    }


def _check(listeners: list[Listener], rooms: list[Room]) -> None:
    faults: list[str] = []
    for listener in listeners:
        faults += [*listener.faults, *listener.repeats(), *listener.disorder()]
        foreign = {each.name for each in listener.got} - _meant_for(listener, rooms)
        faults += [f"{listener.user} got {name}, which nobody sent it" for name in foreign]
    links = [link for listener in listeners for link in listener.proxy.links]
    cuts = {how.name: sum(link.was_cut and link.how is how for link in links) for how in How}
    logins = sum(listener.logins for listener in listeners)
    got = sum(len(listener.got) for listener in listeners)
    different = sum(len({each.name for each in listener.got}) for listener in listeners)
    print(
        f"\n{sum(cuts.values())} disconnects {cuts}, {logins} logins; "
        f"{sum(len(room.posted) for room in rooms)} messages, {different} deliveries, "
        f"{got - different} repeated whose acknowledgement was lost, {len(faults)} faults"
    )
    assert faults == []


# --- tokens expire ---


def short_token(document: DevDocument, user: str, seconds: int) -> str:
    now = int(time.time())
    claims = {
        "application_id": document.application_id, "sub": user, "iat": now, "exp": now + seconds,
        "jti": str(uuid4()),
    }  # fmt: skip
    return mint(load_private_key(Path(document.private_key_file).read_text()), claims)


def test_a_token_expires_in_the_middle_of_a_session(plant: Plant) -> None:
    async def scenario() -> None:
        async with stage(plant) as here:
            alice, bob, carol = await make_users(here.caller, 3)
            room = await make_room(here.caller, [alice, bob, carol])
            logins = [
                Login(here.document.api_url, short_token(here.document, user, 2))
                for user in (bob, carol)
            ]
            expiring, renewed = [await Session.open(login) for login in logins]
            async with Caller(here.document, fresh_token(here.document, carol)) as own:
                answer = await own.call("PUT", f"/v0.2/sessions/{renewed.id}")
            assert answer.status == 200

            with pytest.raises(SessionEnded):
                await taken(expiring, 1)
            with pytest.raises(SessionRefused) as caught:
                await Session.open(logins[0], session_id=expiring.id)
            assert caught.value.type == "system:error:expired-token"
            number = await room.say(here.caller, alice)
            back = await Session.open(here.login(bob), session_id=expiring.id)
            assert (back.is_resumed, numbers(back.pending)) == (True, [number])
            assert numbers(await taken(renewed, 1)) == [number]
            await back.close()
            await renewed.close()

    asyncio.run(scenario())


# --- storm ---


def test_a_storm_of_reconnects(plant: Plant) -> None:
    """As many as this machine can, while messages come: nothing is lost, memory stays flat."""

    async def scenario() -> None:
        async with stage(plant) as here:
            alice, *users = await make_users(here.caller, STORM_CLIENTS + 1)
            room = await make_room(here.caller, [alice, *users])
            first = [await Session.open(here.login(user)) for user in users]
            storm = [asyncio.create_task(_reconnect(here, session)) for session in first]
            enough = asyncio.Event()
            writing = asyncio.create_task(_write(here, [room], random.Random(SEED), enough))
            sizes = []
            for _ in range(3):
                await asyncio.sleep(STORM_S / 3)
                sizes.append(here.tree.part("hub").memory_info().rss)
            enough.set()
            await writing
            for task in storm:
                task.cancel()
            ends = await asyncio.gather(*storm)
            rate = sum(count for count, _ in ends) / STORM_S
            print(
                f"\n{rate:.0f} reconnects/s, {len(room.posted)} messages; "
                f"the hub: {', '.join(f'{size >> 20} MiB' for size in sizes)}"
            )
            assert [got for _, got in ends] == [set(room.posted)] * len(users)
            assert sizes[-1] - sizes[1] < STORM_GROWTH_MAX
            assert rate > STORM_RATE_MIN

    asyncio.run(scenario())


async def _reconnect(here: Stage, session: Session) -> tuple[int, set[int]]:
    """Come back again and again until cancelled, then once more: how often, and what was got.

    What comes live is not read, and so is pending at the next return.
    """
    login, got, count = here.login(session.name), set[int](), 0
    try:
        while True:
            await session.close()
            session = await Session.open(login, session_id=session.id)
            count += 1
            assert session.is_resumed
            got.update(numbers(session.pending))
    except asyncio.CancelledError:
        last = await Session.open(login, session_id=session.id)
        got.update(numbers(last.pending))
        await last.close()
        return count, got
