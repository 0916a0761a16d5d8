"""Carriers that fail in every way: each message ends in one final status, and is handed over twice
only where it is unknown whether it was taken. `TERTULIA_FULL=1` plays 100 000 messages."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from tests.api.conftest import Play

from tertulia.model.sending import (
    CHANNELS,
    FINAL,
    Content,
    Order,
    Problem,
    Sending,
    SendingStatus,
)
from tertulia.ports.messaging import Congested, Declined, OutOfReach, Terms
from tertulia.services import courier
from tertulia.testing import world as testing_world
from tertulia.testing.post import Post
from tertulia.testing.world import NUMBER, World

MESSAGES = 100_000 if os.environ.get("TERTULIA_FULL") else 1_000
AT_ONCE = 200
PATIENCE = 600.0
TEXT = Content("text", {"text": "Hi"})


class Moody(Post):
    """Fails as chance has it, and remembers what it has really taken."""

    def __init__(self, name: str, terms: Terms, chance: Random) -> None:
        super().__init__(name, terms)
        self.chance = chance
        self.handed: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self.open: list[str] = []
        """Of what will be heard more: its name."""

    async def submit(self, sending: Sending) -> Sequence[str]:
        mood = self.chance.random()
        if mood < 0.05:
            raise Declined(Problem("1210", "no"))
        if mood < 0.15:
            raise Congested("later", 0.0)
        if mood < 0.20:
            raise OutOfReach("down")
        if mood < 0.30:
            self.doubtful.add(sending.id)
            if mood < 0.25:
                self.handed[sending.id] += 1
            raise OutOfReach("cut", in_doubt=True)
        self.handed[sending.id] += 1
        refs = [f"{self.name}-{next(self._count)}" for _ in range(self.chance.choice((1, 1, 2)))]
        self.open += refs
        return refs

    async def talk(self) -> None:
        """Tell of what it has taken: once, twice, wrongly, or never."""
        told, self.open = self.open, []
        self.chance.shuffle(told)
        for ref in told:
            mood = self.chance.random()
            if mood < 0.1:
                continue
            status = SendingStatus.DELIVERED if mood < 0.8 else SendingStatus.UNDELIVERABLE
            for each in (status, *([status] if mood < 0.3 else []), SendingStatus.SUBMITTED):
                await self.tells(ref, each, Problem("1260"))
            if mood < 0.2:
                await self.tells(ref, SendingStatus.REJECTED, Problem("1210"))


@pytest.mark.parametrize("resends", [True, False])
def test_every_message_ends_once(
    play: Play, resends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "LOOK_SECONDS", 0.001)
    chance = Random(6)
    terms = Terms(CHANNELS, window=20, resends=resends, patience=PATIENCE)
    posts: list[Moody] = []

    def hire(name: str = "post") -> Moody:
        posts.append(Moody(name, terms, chance))
        return posts[-1]

    monkeypatch.setattr(testing_world, "Post", hire)

    async def scenario(world: World) -> None:
        sent: list[str] = []
        for _ in range(MESSAGES // AT_ONCE):
            sent += [await send(world, chance) for _ in range(AT_ONCE)]
            await calm(world, posts)
        world.clock.advance(2 * PATIENCE)
        while await world.store.overdue(world.clock.time, limit=1):
            await world.hub.services.couriers.sweep()
            await world.settle()
        await check(world, sent, posts, resends=resends)

    play(scenario)


async def send(world: World, chance: Random) -> str:
    order = Order("sms", f"4477{chance.randrange(10**6):06}", NUMBER, TEXT)
    made = await world.hub.services.sendings.send([order], world.application.id)
    return made.id


async def calm(world: World, posts: Sequence[Moody]) -> None:
    """Until nobody has anything to do."""
    while True:
        await asyncio.sleep(0.001)  # timers are due
        await world.settle()
        for post in posts:
            await post.talk()
        world.clock.advance(60.0)
        report = world.hub.services.couriers.report()
        if not any(each.waiting or each.under_way for each in report):
            return


async def check(
    world: World, sent: Sequence[str], posts: Sequence[Moody], *, resends: bool
) -> None:
    endings: Counter[str] = Counter()
    position = 0
    while events := await world.store.follow(position, limit=5_000):  # type: ignore[arg-type]
        position = events[-1].position
        endings.update(
            each.became.id
            for each in events
            if isinstance(each.became, Sending) and each.became.status in FINAL
        )
    assert endings == Counter(sent)
    handed = sum((post.handed for post in posts), Counter[str]())
    twice = {name for name, times in handed.items() if times > 1}
    assert twice <= set().union(*(post.doubtful for post in posts))
    assert bool(twice) is resends
