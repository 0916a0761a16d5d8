"""A running server with users and live sessions: what the tests of sessions begin with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.system.caller import Caller, fresh_token
from tests.system.conftest import Plant
from tests.system.tree import Tree

from tertulia.client.login import Login
from tertulia.client.session import Arrival, Kind, Session
from tertulia.devkit import DevDocument

SETTINGS = {
    "TERTULIA_LIMITS__REQUESTS_PER_SECOND": "0",
    "TERTULIA_WEBHOOKS__FIRST_RETRY_S": "60",
}
TYPED = Kind(sdk_name="@vonage/client-sdk", sdk_version="2.3.1")
OLDER = Kind(generation=3)
ARRIVES_WITHIN = 20.0
"""Seconds; generous, since the machine may be busy with other tests."""


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


async def cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """End tasks that go on for ever; what went wrong in one fails the test."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [each for each in results if isinstance(each, Exception)]
    assert broken == []
