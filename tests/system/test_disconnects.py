"""Connections that are cut at random, and a storm of reconnects: 0 lost, 0 wrongly repeated.

300 disconnects; with TERTULIA_FULL=1 in the environment 10,000. To show it with its figures:
`TERTULIA_FULL=1 pytest -s tests/system/test_disconnects.py`.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack

import pytest
from tests.system.caller import Caller
from tests.system.conftest import Plant
from tests.system.listener import Listener, Room, listening, make_room, make_users
from tests.system.proxy import Cut, Direction, How
from tests.system.stage import OLDER, TYPED, Stage, cancel, numbers, stage

from tertulia.client.session import Session

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
                await cancel(work)
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
    # else nothing was proved of repeats: most acknowledgements are known to have been given
    assert 2 * sum(len(link.acknowledged()) for link in links) > different


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
