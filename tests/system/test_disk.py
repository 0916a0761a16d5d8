"""A disk without room: writing is 503 until there is room again, and nothing is lost or skipped.

The quota is RLIMIT_FSIZE of the hub: no file of its grows beyond it, and raising it again is the
room that an operator makes. It needs no root.
"""

import asyncio
import resource

import psutil
import pytest
from tests.system.accounting import check_everything, until_delivered, until_recorded
from tests.system.books import SECRET
from tests.system.caller import Answer, Caller
from tests.system.conftest import Plant
from tests.system.load import Acknowledged
from tests.system.receiver import Receiver

from tertulia.devkit import DevDocument

pytestmark = pytest.mark.system

ROOM = 32 * 1024
"""Octets that the write-ahead log may still grow: it is in the middle of a batch that it fails."""
NOTHING = 4096
"""Less than any file here has already."""
WRITERS = 8
_, HARD_LIMIT = resource.getrlimit(resource.RLIMIT_FSIZE)
SETTINGS = {
    "TERTULIA_ACCOUNT__SIGNATURE_SECRET": SECRET,
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
}


def _limit(process: psutil.Process, octets: int = HARD_LIMIT) -> None:
    process.rlimit(psutil.RLIMIT_FSIZE, (octets, HARD_LIMIT))


class Story:
    """Some writers in one conversation, with what they were told."""

    def __init__(self, document: DevDocument, conversation: str) -> None:
        self.told = Acknowledged()
        self.refused: list[Answer] = []
        self._document = document
        self._path = f"/v1/conversations/{conversation}/events"
        self._conversation = conversation
        self._texts = 0

    async def write(self, events: int) -> None:
        """Each writer so many, as fast as it can."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(self._write(events))

    async def until_refused(self) -> None:
        while not self.refused:
            await self.write(5)

    async def _write(self, events: int) -> None:
        async with Caller(self._document) as caller:
            for _ in range(events):
                self._texts += 1
                body = {"message_type": "text", "text": f"{self._texts} " + "x" * 1000}
                answer = await caller.call("POST", self._path, {"type": "message", "body": body})
                if answer.status == 201:
                    self.told.event(self._conversation, answer.json)
                else:
                    self.refused.append(answer)


def test_a_full_disk_refuses_and_recovers(plant: Plant) -> None:
    async def scenario() -> None:
        receiver = Receiver()
        async with receiver.listening() as url:
            tree = plant("--event-url", url, **SETTINGS)
            document = await asyncio.to_thread(tree.start)
            hub = tree.part("hub")
            async with Caller(document) as caller:
                made = await caller.post("/v1/conversations", {"name": "full"})
                story = Story(document, made["id"])
                await story.write(10)
                for _ in range(2):
                    written = (tree.data / "tertulia.db-wal").stat().st_size
                    _limit(hub, written + ROOM)
                    await story.until_refused()
                    _limit(hub, NOTHING)
                    await _check_refusals(caller, story)
                    _limit(hub)
                    before = len(story.told.events)
                    await story.write(5)
                    assert story.refused == [], "there is room again"
                    assert len(story.told.events) == before + 5 * WRITERS
                ids = sorted(number for _, number in story.told.events)
                assert ids == list(range(1, len(ids) + 1)), "no id is lost and none is skipped"
            await until_delivered(tree.data, receiver, within=30)
            assert tree.part("hub") == hub, "without a restart"
            assert await asyncio.to_thread(tree.terminate) == 0
        await check_everything(tree.data, story.told, receiver)

    asyncio.run(scenario())


async def _check_refusals(caller: Caller, story: Story) -> None:
    """While the disk is full: every kind of write says so, and reading goes on."""
    for path, body in (
        ("/v1/users", {"name": "nobody"}),
        ("/v1/conversations", {"name": "nowhere"}),
    ):
        story.refused.append(await caller.call("POST", path, body))
    for answer in story.refused:
        assert answer.status == 503, answer
        assert answer.headers["retry-after"] == "1"
        problem = answer.json
        assert problem["code"] == "system:error:unavailable"
        assert {"title", "type", "detail", "instance"} <= problem.keys()
    assert (await caller.get("/healthz"))["status"] == "up"
    await caller.get("/v1/users")
    story.refused.clear()


def test_a_disk_that_is_full_for_the_journal_keeps_webhooks_waiting(plant: Plant) -> None:
    """The dispatcher's own file cannot be written: webhooks may repeat, none is lost."""

    async def scenario() -> None:
        receiver = Receiver()
        async with receiver.listening() as url:
            tree = plant("--event-url", url, **SETTINGS)
            document = await asyncio.to_thread(tree.start)
            dispatcher = tree.part("dispatcher")
            _limit(dispatcher, NOTHING)
            async with Caller(document) as caller:
                made = await caller.post("/v1/conversations", {"name": "full"})
            story = Story(document, made["id"])
            await story.write(20)
            assert story.refused == [], "the log has room"
            await until_delivered(tree.data, receiver, within=30)
            _limit(dispatcher)
            await story.write(5)
            await until_delivered(tree.data, receiver, within=30)
            async with Caller(document) as caller:
                await until_recorded(caller, 25 * WRITERS + 1)
            assert tree.part("dispatcher") == dispatcher
        await asyncio.to_thread(tree.terminate)
        await check_everything(tree.data, story.told, receiver)

    asyncio.run(scenario())
