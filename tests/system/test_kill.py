"""kill -9, of everything and of each part: what was acknowledged stays, and is delivered.

5 rounds; with TERTULIA_FULL=1 in the environment 100. To show it with its figures:
`TERTULIA_FULL=1 pytest -s tests/system/test_kill.py -k whole`.
"""

import asyncio
import os
import random
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from tests.system.accounting import check_everything, until_delivered, until_recorded
from tests.system.books import SECRET
from tests.system.caller import Caller
from tests.system.conftest import Kept, Plant
from tests.system.load import Load
from tests.system.receiver import Mood, Receiver, moody, willing
from tests.system.tree import STOPPED_WITHIN, Tree, is_over, until

from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
ROUNDS, CONVERSATIONS = (100, 20) if FULL else (5, 8)
WRITERS = 8
LONGEST_LOAD = 0.5
"""Seconds from the first request to the kill, at most."""
STARTING = 0.2
"""Share of the rounds that are killed while still starting."""
LONGEST_START = 0.8
SEED = 11
DELIVERED_WITHIN = 300.0 if FULL else 60.0
SETTINGS = {
    "TERTULIA_ACCOUNT__SIGNATURE_SECRET": SECRET,
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
    "TERTULIA_WEBHOOKS__FIRST_RETRY_S": "0.01",
    "TERTULIA_WEBHOOKS__MAX_RETRY_S": "0.2",
    "TERTULIA_WEBHOOKS__CONNECT_TIMEOUT_S": "0.5",
    "TERTULIA_WEBHOOKS__TOTAL_TIMEOUT_S": "0.5",
}


SAYING = {"type": "custom:said"}
PATIENT = {
    "TERTULIA_WEBHOOKS__FIRST_RETRY_S": "2",
    "TERTULIA_WEBHOOKS__MAX_RETRY_S": "2",
    "TERTULIA_WEBHOOKS__TOTAL_TIMEOUT_S": "10",
}


def test_the_whole_tree_is_killed_again_and_again(plant: Plant, kept: Kept) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)
        receiver = Receiver(moody(chance, 0.05, slow=0.002))
        load = Load(chance, writers=WRITERS, conversations=CONVERSATIONS)
        async with receiver.listening() as url:
            tree = plant("--event-url", url, **SETTINGS, **kept.settings)
            await load.settle(await asyncio.to_thread(tree.start))
            loaded = 0
            for number in range(ROUNDS):
                if number:
                    tree.spawn()
                loaded += await _load_and_kill(tree, load, chance)
            await asyncio.to_thread(tree.start)
            await until_delivered(kept.place(tree), receiver, within=DELIVERED_WITHIN)
            assert await asyncio.to_thread(tree.terminate) == 0
        stored = await check_everything(kept.place(tree), load.told, receiver)
        told = load.told
        print(
            f"\n{ROUNDS} kills, {loaded} of them under load; {len(told.events)} events "
            f"acknowledged, {told.dropped} requests without an answer, {stored} events stored\n"
            f"{receiver.books}"
        )
        assert loaded >= ROUNDS // 2
        assert len(told.events) > loaded * 10

    asyncio.run(scenario())


async def _load_and_kill(tree: Tree, load: Load, chance: random.Random) -> bool:
    """Whether it was under load when it was killed."""
    if chance.random() < STARTING:
        await asyncio.sleep(chance.uniform(0, LONGEST_START))
        await asyncio.to_thread(tree.kill, chance)
        return False
    document = await _listening(tree)
    writing = asyncio.create_task(load.write(document))
    await asyncio.sleep(chance.uniform(0, LONGEST_LOAD))
    await asyncio.to_thread(tree.kill, chance)
    await writing
    return True


async def _listening(tree: Tree) -> DevDocument:
    """As soon as it takes connections; it need not be ready."""

    def listens() -> bool:
        assert tree.supervisor.poll() is None, tree.told()
        with suppress(FileNotFoundError):
            document = tree.document()
            return document.pid == tree.supervisor.pid and _accepts(document)
        return False

    await asyncio.to_thread(until, "listening", listens)
    return tree.document()


def _accepts(document: DevDocument) -> bool:
    address = urlsplit(document.api_url)
    try:
        socket.create_connection((address.hostname, address.port or 0), 1).close()
    except OSError:
        return False
    return True


def test_a_killed_dispatcher_costs_nothing_but_repeats(plant: Plant) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)
        receiver = Receiver(moody(chance, 0.05, slow=0.002))
        load = Load(chance, writers=WRITERS, conversations=CONVERSATIONS)
        async with receiver.listening() as url:
            tree = plant("--event-url", url, **SETTINGS)
            document = await asyncio.to_thread(tree.start)
            await load.settle(document)
            writing = asyncio.create_task(load.write(document))
            for _ in range(3):
                await _until_requests(receiver, receiver.books.requests + 200)
                victim = await asyncio.to_thread(tree.kill_part, "dispatcher")
                await asyncio.to_thread(until, "a new one", lambda: tree.has("dispatcher"))
                assert tree.part("dispatcher") != victim
            assert not writing.done(), load.told.faults
            assert load.told.dropped == 0
            await asyncio.to_thread(tree.kill)
            await writing
            await asyncio.to_thread(tree.start)
            await until_delivered(tree.data, receiver, within=DELIVERED_WITHIN)
        await check_everything(tree.data, load.told, receiver)

    asyncio.run(scenario())


@pytest.mark.parametrize("mood", [Mood.IGNORE, Mood.REFUSE])
def test_what_was_under_way_at_the_kill_is_sent_again(plant: Plant, mood: Mood) -> None:
    """Waiting for its answer, or for its next try; the cursor that is written stands before it."""

    async def scenario() -> None:
        receiver = Receiver()
        async with receiver.listening() as url:
            tree = plant("--event-url", url, **SETTINGS | PATIENT)
            document = await asyncio.to_thread(tree.start)
            async with Caller(document) as caller:
                made = [
                    await caller.post("/v1/conversations", {"name": name}) for name in ("a", "b")
                ]
                await _until_requests(receiver, 2)
                receiver.mood = lambda: mood
                await caller.post(f"/v1/conversations/{made[0]['id']}/events", SAYING)
                await _until_requests(receiver, 3)
                receiver.mood = willing
                await caller.post(f"/v1/conversations/{made[1]['id']}/events", SAYING)
                await until_recorded(caller, 3)
            assert (receiver.books.requests, receiver.books.failed) == (4, 1)
            await asyncio.to_thread(tree.kill_part, "dispatcher")
            await until_delivered(tree.data, receiver, within=DELIVERED_WITHIN)
        assert receiver.books.faults == []

    asyncio.run(scenario())


async def _until_requests(receiver: Receiver, wanted: int) -> None:
    await asyncio.to_thread(until, "requests", lambda: receiver.books.requests >= wanted)


def test_a_killed_hub_comes_back_where_it_was(plant: Plant, kept: Kept) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)
        receiver = Receiver()
        load = Load(chance, writers=WRITERS, conversations=CONVERSATIONS)
        async with receiver.listening() as url:
            tree = plant("--event-url", url, **SETTINGS, **kept.settings)
            document = await asyncio.to_thread(tree.start)
            await load.settle(document)
            dispatcher = tree.part("dispatcher")
            for _ in range(2):
                writing = asyncio.create_task(load.write(document))
                await _until_requests(receiver, receiver.books.requests + 50)
                await asyncio.to_thread(tree.kill_part, "hub")
                await writing
                await asyncio.to_thread(tree.ready)
                assert tree.document() == document, "addresses and identity stay"
            assert tree.part("dispatcher") == dispatcher, "the other part is not touched"
            async with Caller(document) as caller:
                await caller.post("/v1/conversations", {"name": "afterwards"})
            await until_delivered(kept.place(tree), receiver, within=DELIVERED_WITHIN)
            assert await asyncio.to_thread(tree.terminate) == 0
        await check_everything(kept.place(tree), load.told, receiver)

    asyncio.run(scenario())


def test_without_their_supervisor_the_parts_end(plant: Plant) -> None:
    tree = plant()
    document = tree.start()
    parts = [tree.part(name) for name in ("hub", "dispatcher", "media")]
    tree.supervisor.kill()
    tree.supervisor.wait()
    until("their end", lambda: all(map(is_over, parts)), within=STOPPED_WITHIN)
    for url in (document.api_url, document.api_url_tls):
        address = urlsplit(url)
        assert address.hostname and address.port
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind((address.hostname, address.port))


def test_parts_that_have_just_been_started_end_too(plant: Plant) -> None:
    """Also a dispatcher that still waits for the hub to make the store."""
    tree = plant()
    tree.spawn()
    until("parts", lambda: tree.has("hub") and tree.has("dispatcher"))
    dispatcher = tree.part("dispatcher")
    tree.part("hub").kill()
    tree.supervisor.kill()
    tree.supervisor.wait()
    until("its end", lambda: is_over(dispatcher), within=STOPPED_WITHIN)


def test_a_directory_is_taken_over_from_a_killed_supervisor(plant: Plant) -> None:
    """The old parts may still be ending when the new ones start: writers never meet."""
    tree = plant()
    document = tree.start()
    tree.supervisor.kill()
    tree.supervisor.wait()
    assert tree.start().application_id == document.application_id
    assert tree.terminate() == 0
