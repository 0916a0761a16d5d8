"""Phones of one node that call an application at home with another."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tests.system import cluster
from tests.system.cluster import Cluster, ClusterNode
from tests.system.simulated import PERSON, calling
from tests.system.test_cluster_homes import Caller
from tests.system.tree import until

pytestmark = pytest.mark.system

NUMBER = "15550199"
SOON = 5.0
"""Seconds for a call to end whose node has died, and for somebody to hear of it."""


@pytest.fixture
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    with cluster.running(tmp_path, count=2, has_bus=request.param == "nats") as made:
        yield made


on_nats = pytest.mark.parametrize("town", ["nats"], indirect=True)
on_postgres = pytest.mark.parametrize("town", ["postgres"], indirect=True)


def sides(town: Cluster) -> tuple[ClusterNode, ClusterNode]:
    """The home of the application, and another node."""
    home = town.node_of(Caller(town.dev_json).application_id)
    assert home is not None
    (other,) = (node for node in town.nodes if node is not home)
    return home, other


def ended_calls(town: Cluster) -> int:
    """Of the log's facts, so that it does not matter who is asked."""
    return town.database.run(_count(town.url)) or 0


async def _count(url: str) -> int | None:
    connection = await asyncpg.connect(url)
    try:
        found: int | None = await connection.fetchval(
            "SELECT count(*) FROM tertulia.legs WHERE is_over AND call_status IS NOT NULL"
        )
        return found
    finally:
        await connection.close()


@on_nats
def test_a_call_at_another_node_is_answered_and_ends_with_its_home(town: Cluster) -> None:
    async def scenario() -> None:
        home, other = sides(town)
        async with calling(other.data, PERSON, NUMBER) as first:
            await first.until("answered")
            killed = time.monotonic()
            home.kill()
            async with asyncio.timeout(SOON):
                await asyncio.to_thread(until, "facts", lambda: ended_calls(town) == 1, within=SOON)
                print(f"the facts came {time.monotonic() - killed:.1f} s after the node had died")
                await first.until("ended")
        async with calling(other.data, PERSON, NUMBER) as again:
            await again.until("answered")

    asyncio.run(scenario())


@on_postgres
def test_a_call_whose_phone_was_with_a_node_that_died_has_ended(town: Cluster) -> None:
    caller = Caller(town.dev_json)

    def statuses() -> set[str]:
        told = caller.call("GET", "/v1/calls")
        assert told.status == 200, told
        return {each["status"] for each in told.members["_embedded"]["calls"]}

    def become(status: str) -> None:
        until(status, lambda: statuses() == {status}, within=SOON)

    async def scenario() -> None:
        _, other = sides(town)
        async with calling(other.data, PERSON, NUMBER) as phone:
            await phone.until("answered")
            await asyncio.to_thread(become, "answered")
            other.kill()
            await asyncio.to_thread(become, "completed")

    asyncio.run(scenario())
