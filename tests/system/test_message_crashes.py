"""Messages to a carrier in another process, while the hub is killed and the carrier is cut off.

None is lost, each ends in one final status, and one is handed over twice only where nobody could
know. `TERTULIA_FULL=1 pytest -s tests/system/test_message_crashes.py` shows it at length.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.system.conftest import Plant
from tests.system.post import (
    Book,
    Carrier,
    account,
    books,
    by_number,
    left,
    smsc,
    table,
    until,
    write,
    write_plan,
)
from tests.system.sipp_party import free_port
from tests.system.smsc import Tally
from tests.system.tree import Tree

from tertulia.devkit import DevDocument
from tertulia.model.sending import Sending, SendingStatus

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
MESSAGES, ACCIDENTS, PARKED = (40_000, 24, 20_000) if FULL else (1_600, 4, 2_000)
"""Accidents are kills and cuts by turns."""
WRITERS = 8
WINDOW = 20
SEED = 6
ENDED_WITHIN = 900.0 if FULL else 120.0


class Scene:
    def __init__(self, tree: Tree, document: DevDocument, port: int) -> None:
        self.tree = tree
        self.document = document
        self.port = port
        self.book = Book()
        self.chance = random.Random(SEED)

    async def write(self, messages: int) -> None:
        await write(self.document, self.book, messages, WRITERS)

    async def kill(self, times: int = 1) -> None:
        """The hub; once more while it is starting."""
        for _ in range(times):
            await asyncio.to_thread(self.tree.kill_part, "hub")
            await until(lambda: self.tree.has("hub"), self.tree.told)

    async def accidents(self, carrier: Carrier) -> None:
        """At moments of which only is certain that something is under way."""
        moments = sorted(self.chance.sample(range(50, MESSAGES * 9 // 10), ACCIDENTS))
        for number, moment in enumerate(moments):
            await until(lambda: len(self.book.accepted) >= moment, self.tree.told, ENDED_WITHIN)  # noqa: B023
            if number % 2:
                await carrier.ask("cut")
            else:
                await self.kill(self.chance.choice((1, 1, 2)))

    async def over(self, carrier: Carrier) -> Tally:
        """When nothing is left to be done."""
        await asyncio.to_thread(self.tree.ready)
        data = self.tree.data
        await until(lambda: not left(data), lambda: (left(data), self.tree.told()), ENDED_WITHIN)
        tally = await carrier.ask()
        for _ in range(int(ENDED_WITHIN * 10)):
            if not tally.unheard:
                break
            await asyncio.sleep(0.1)
            tally = await carrier.ask()
        assert tally.unheard == 0, "receipts are lost"
        return tally


@asynccontextmanager
async def scene(plant: Plant, folder: Path, *, resends: bool) -> AsyncIterator[Scene]:
    port = free_port()
    plan = write_plan(folder, account("north", port, window=WINDOW, resends=resends))
    tree = plant(**plan)
    yield Scene(tree, await asyncio.to_thread(tree.start), port)


@pytest.mark.parametrize("resends", [True, False])
def test_killed_hubs_and_carriers_cut_off(plant: Plant, tmp_path: Path, resends: bool) -> None:
    async def scenario() -> None:
        async with scene(plant, tmp_path, resends=resends) as here, smsc(here.port) as carrier:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(here.write(MESSAGES))
                tasks.create_task(here.accidents(carrier))
            tally = await here.over(carrier)
            kept = await books(here.tree.data)
        times = Counter(tally.taken).values()
        undeliverable = check(here.book, tally, kept)
        in_doubt = WINDOW * ACCIDENTS * 2  # a kill may be two
        assert sum(times) - len(times) <= (in_doubt if resends else 0)
        assert undeliverable <= (0 if resends else in_doubt)

    asyncio.run(scenario())


def check(book: Book, tally: Tally, kept: dict[str, Sending]) -> int:
    """What is known to be delivered was, and nothing is lost; how many are undeliverable."""
    times = Counter(tally.taken)
    repeats = sum(times.values()) - len(times)
    stati = Counter(each.status.value for each in kept.values())
    print(
        f"\n{len(book.accepted)} acknowledged, {book.dropped} requests dropped, "
        f"{len(kept)} kept: {dict(stati)}; the SMSC took {len(times)}, {repeats} twice, and its "
        f"{len(tally.taken)} receipts were heard, {tally.refused} of them not the first time"
    )
    assert book.accepted.keys() <= kept.keys()
    assert set(stati) <= {SendingStatus.DELIVERED, SendingStatus.UNDELIVERABLE}
    said = {id_: (each.order.to, each.order.content.text) for id_, each in kept.items()}
    delivered = {said[each.id] for each in kept.values() if each.status is SendingStatus.DELIVERED}
    assert delivered <= times.keys() <= set(said.values())
    return stati[SendingStatus.UNDELIVERABLE]


@pytest.mark.parametrize("resends", [True, False])
def test_a_dead_carrier_gets_all_when_it_comes(
    plant: Plant, tmp_path: Path, resends: bool
) -> None:  # fmt: skip
    """In the order of acceptance to each number; whatever has become of the hub meanwhile. Nothing
    of it was in doubt."""

    async def scenario() -> None:
        async with scene(plant, tmp_path, resends=resends) as here:
            await here.write(PARKED)
            assert {each.status for each in table(here.tree.data).values()} == {"accepted"}
            await here.kill()
            await asyncio.to_thread(here.tree.ready)
            async with smsc(here.port) as carrier:
                tally = await here.over(carrier)
            kept = await books(here.tree.data)
        assert check(here.book, tally, kept) == 0
        assert len(tally.taken) == PARKED
        assert by_number(tally.taken) == here.book.by_number()

    asyncio.run(scenario())
