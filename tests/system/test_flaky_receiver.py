"""A webhook receiver that fails at random: nothing is lost, nothing out of order.

3,000 events in 60 conversations; with TERTULIA_FULL=1 in the environment 100,000 in 1,000. To show
it with its figures: `TERTULIA_FULL=1 pytest -s tests/system/test_flaky_receiver.py`.
"""

import asyncio
import os
import random
import time

import pytest
from tests.system.books import SECRET
from tests.system.caller import Caller
from tests.system.conftest import Plant
from tests.system.receiver import Mood, Receiver, moody
from tests.system.tree import Tree

from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
CONVERSATIONS, EVENTS = (1000, 100_000) if FULL else (60, 3000)
TOLD = EVENTS + CONVERSATIONS
"""The birth of a conversation is told, too."""
WRITERS = 16
FAILING = 0.3
SEED = 7
WITHIN = 900.0 if FULL else 60.0
"""Seconds for everything to be delivered."""
SETTINGS = {
    "TERTULIA_ACCOUNT__SIGNATURE_SECRET": SECRET,
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
    "TERTULIA_WEBHOOKS__FIRST_RETRY_S": "0.05",
    "TERTULIA_WEBHOOKS__MAX_RETRY_S": "1",
    "TERTULIA_WEBHOOKS__CONNECT_TIMEOUT_S": "1",
    "TERTULIA_WEBHOOKS__TOTAL_TIMEOUT_S": "1",
}


def test_a_receiver_that_fails_gets_everything_in_order(plant: Plant) -> None:
    asyncio.run(_deliver_everything(plant))


async def _deliver_everything(plant: Plant) -> None:
    receiver = Receiver(moody(random.Random(SEED), FAILING, slow=0.005))
    books = receiver.books
    async with receiver.listening() as url:
        tree = plant("--event-url", url, **SETTINGS)
        document = await asyncio.to_thread(tree.start)
        began = time.monotonic()
        expected = await _write(document)
        written = time.monotonic()
        await _until_delivered(receiver, expected, tree)
        print(
            f"\n{EVENTS} events in {CONVERSATIONS} conversations, written in "
            f"{written - began:.1f} s, all delivered {time.monotonic() - began:.1f} s after the "
            f"first\n{books}\n{ {mood.name: times for mood, times in receiver.moods.items()} }"
        )
        assert await asyncio.to_thread(tree.terminate) == 0
    assert books.faults == []
    assert books.newest == expected
    assert len(books.positions) == TOLD
    assert (books.rewound, books.changed) == (0, set())
    assert books.repeats >= receiver.moods[Mood.FORGET] > 0
    assert books.requests * (FAILING - 0.03) < books.requests - receiver.moods[Mood.ACCEPT]


async def _write(document: DevDocument) -> dict[str, int]:
    """Events from many writers, all conversations at once; how many each conversation has."""
    names = []
    async with Caller(document) as caller:
        for number in range(CONVERSATIONS):
            made = await caller.post("/v1/conversations", {"name": f"conversation {number}"})
            names.append(made["id"])
    async with asyncio.TaskGroup() as writers:
        for first in range(WRITERS):
            writers.create_task(_writer(document, names[first::WRITERS]))
    return dict.fromkeys(names, EVENTS // CONVERSATIONS)


async def _writer(document: DevDocument, names: list[str]) -> None:
    async with Caller(document) as caller:
        for number in range(EVENTS // CONVERSATIONS):
            for name in names:
                text = f"{number} of {name}"
                event = {"type": "message", "body": {"message_type": "text", "text": text}}
                made = await caller.post(f"/v1/conversations/{name}/events", event)
                assert made["id"] == number + 1


async def _until_delivered(receiver: Receiver, expected: dict[str, int], tree: Tree) -> None:
    deadline = time.monotonic() + WITHIN
    while len(receiver.books.positions) < TOLD or receiver.books.newest != expected:
        if time.monotonic() > deadline or receiver.books.faults:
            pytest.fail(f"{receiver.books}\n{receiver.books.faults}\n{tree.told()}")
        await asyncio.sleep(0.05)
