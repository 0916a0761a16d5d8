"""The stream for back ends against a real server: cut again and again, it loses nothing."""

import asyncio
import random

import pytest
from tests.system.caller import Caller
from tests.system.conftest import Plant
from tests.system.stream_reader import PATH, Reader

from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

WRITERS, MESSAGES = 4, 150
CUTS = 40
SEED = 11


def test_nothing_is_missed_or_repeated_however_often_it_is_cut(plant: Plant) -> None:
    async def scenario() -> None:
        document = await asyncio.to_thread(plant().start)
        async with Caller(document) as caller:
            made = await caller.post("/v1/conversations", {"name": "stream"})
            now = (await caller.get(PATH))["position"]
        whole = Reader(document, f"after={now}")
        of_room = Reader(document, f"after={now}&conversation_id={made['id']}")
        writing = [asyncio.create_task(_write(document, made["id"])) for _ in range(WRITERS)]
        total = WRITERS * MESSAGES
        await asyncio.gather(_follow(whole, total), _follow(of_room, total), *writing)
        assert whole.events == of_room.events
        positions = [position for position, _ in whole.events]
        assert positions == sorted(set(positions))
        assert [event["id"] for _, event in whole.events] == list(range(1, total + 1))
        async with Caller(document) as caller:
            page = await caller.get(f"{PATH}?after={positions[0] - 1}&limit=500")
            rest = await caller.get(f"{PATH}?after={page['position']}&limit=500")
            history = await _history(caller, made["id"])
        assert page["events"] + rest["events"] == [event for _, event in whole.events]
        assert history == [(event["id"], event["body"]["text"]) for _, event in whole.events]

    asyncio.run(asyncio.wait_for(scenario(), 120))


async def _follow(reader: Reader, total: int) -> None:
    chance = random.Random(SEED)
    for _ in range(CUTS):
        await reader.read(chance.randrange(1, 9000), until=total)
    await reader.read(1 << 40, until=total)


async def _write(document: DevDocument, conversation: str) -> None:
    async with Caller(document) as caller:
        for number in range(MESSAGES):
            body = {"message_type": "text", "text": f"{number} " + "x" * (number % 50)}
            draft = {"type": "message", "body": body}
            await caller.post(f"/v1/conversations/{conversation}/events", draft)


async def _history(caller: Caller, conversation: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    while True:
        after = found[-1][0] + 1 if found else 1
        page = await caller.get(
            f"/v1/conversations/{conversation}/events?page_size=100&start_id={after}"
        )
        events = page["_embedded"]
        if not events:
            return found
        found += [(event["id"], event["body"]["text"]) for event in events]


def test_the_end_of_the_server_ends_streams_in_time(plant: Plant) -> None:
    async def scenario() -> None:
        tree = plant()
        document = await asyncio.to_thread(tree.start)
        reader = Reader(document)
        reading = asyncio.create_task(reader.read(1 << 40, until=1))
        async with Caller(document) as caller:
            waiting = asyncio.create_task(caller.get(f"{PATH}?wait=60"))
            while not reader.last_id:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert await asyncio.to_thread(tree.terminate) == 0
            assert (await waiting)["events"] == []
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reading

    asyncio.run(asyncio.wait_for(scenario(), 60))
