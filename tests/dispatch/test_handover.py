"""Webhooks of an application that moves between nodes, whatever becomes of them."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.dispatch.cluster import LEASE, Inbox, made, move, node, receiver, story
from tests.dispatch.fakes import APP
from tests.postgres import PostgresServer, running

from tertulia.dispatch.postgres_tables import PostgresTables
from tertulia.dispatch.reading import JournalReader
from tertulia.model.ids import Position
from tertulia.model.instant import Instant

ROOT = Path(__file__).parents[2]
EVENTS = 800
Process = asyncio.subprocess.Process


@asynccontextmanager
async def process(name: str, url: str, port: int) -> AsyncIterator[Process]:
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.dispatch.cluster", name, url, str(port), str(EVENTS), cwd=ROOT
    )
    try:
        yield made
    finally:
        if made.returncode is None:
            made.kill()
            await made.wait()


def test_a_home_that_moves_takes_its_webhooks_along(postgres: PostgresServer) -> None:
    url, log = made(postgres, {APP: "a"}), story(EVENTS)

    async def scenario() -> None:
        inbox = Inbox()
        async with node("a", url, log, inbox.sender("a")), node("b", url, log, inbox.sender("b")):
            for home in ("a", "b", "a", "b"):
                move(postgres, url, APP, home)
                so_far = len(inbox.of(home))
                await inbox.has(lambda: len(inbox.of(home)) > so_far + 50)  # noqa: B023
            await inbox.has_all(log)
        inbox.check(log)
        # in good order nothing is sent twice
        assert sum(one.ok for one in inbox.arrivals) == EVENTS

    asyncio.run(scenario())


@pytest.mark.parametrize("minutes", [-7.0, 7.0])
def test_clocks_that_disagree_by_minutes(postgres: PostgresServer, minutes: float) -> None:
    url, log = made(postgres, {APP: "a"}), story(EVENTS)

    async def scenario() -> None:
        inbox = Inbox(refused=0.3)
        async with (
            node("a", url, log, inbox.sender("a"), minutes=minutes),
            node("b", url, log, inbox.sender("b")),
        ):
            await inbox.has(lambda: len(inbox.of("a")) > 100)
            move(postgres, url, APP, "b")
            await inbox.has_all(log)
        inbox.check(log)

    asyncio.run(scenario())


def test_a_node_that_is_killed(postgres: PostgresServer) -> None:
    url, log = made(postgres, {APP: "a"}), story(EVENTS)

    async def scenario() -> None:
        inbox = Inbox()
        async with receiver(inbox) as port, process("a", url, port) as first:
            async with process("b", url, port):
                await inbox.has(lambda: len(inbox.of("a")) > 100)
                first.kill()
                move(postgres, url, APP, "b")
                await inbox.has_all(log)
        inbox.check(log)
        assert inbox.of("a")
        assert inbox.of("b")

    asyncio.run(scenario())


def test_a_node_that_is_stopped_and_wakes_too_late(postgres: PostgresServer) -> None:
    url, log = made(postgres, {APP: "a"}), story(EVENTS)

    async def scenario() -> None:
        inbox = Inbox()
        async with receiver(inbox) as port, process("a", url, port) as first:
            async with process("b", url, port):
                await inbox.has(lambda: len(inbox.of("a")) > 100)
                first.send_signal(signal.SIGSTOP)
                move(postgres, url, APP, "b")
                await inbox.has(lambda: len(inbox.of("b")) > 50)
                sent = sum(one.node == "a" for one in inbox.arrivals)
                first.send_signal(signal.SIGCONT)
                so_far = len(inbox.of("b"))
                await inbox.has(lambda: len(inbox.of("b")) > so_far + 100)
                assert sum(one.node == "a" for one in inbox.arrivals) == sent
                move(postgres, url, APP, "a")
                await inbox.has_all(log)
        inbox.check(log)

    asyncio.run(scenario())


def test_a_node_that_was_stopped_for_less_goes_on(postgres: PostgresServer) -> None:
    url, log = made(postgres, {APP: "a"}), story(EVENTS)

    async def scenario() -> None:
        inbox = Inbox()
        async with receiver(inbox) as port, process("a", url, port) as only:
            await inbox.has(lambda: len(inbox.of("a")) > 100)
            only.send_signal(signal.SIGSTOP)
            await asyncio.sleep(LEASE * 1.5)  # it runs out, and nobody else wants it
            only.send_signal(signal.SIGCONT)
            await inbox.has_all(log)
        inbox.check(log)

    asyncio.run(scenario())


def test_postgresql_killed_and_started_again() -> None:
    with running() as server:
        url, log = made(server, {APP: "a"}), story(EVENTS)

        async def scenario() -> None:
            inbox = Inbox()
            async with (
                node("a", url, log, inbox.sender("a")),
                node("b", url, log, inbox.sender("b")),
            ):
                await inbox.has(lambda: len(inbox.of("a")) > 100)
                await asyncio.to_thread(server.stop, "immediate")
                await asyncio.sleep(LEASE)
                silent = len(inbox.arrivals)
                await asyncio.sleep(0.3)
                assert len(inbox.arrivals) == silent  # nobody can know whose they are
                await asyncio.to_thread(server.start)
                await inbox.has(lambda: len(inbox.arrivals) > silent + 100)
                move(server, url, APP, "b")
                await inbox.has(lambda: len(inbox.of("b")) > 50)
                server.execute(
                    url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'tertulia %'",
                )
                await inbox.has_all(log)
            inbox.check(log)

        asyncio.run(scenario())


def test_a_replay_is_found_by_the_node_that_has_the_work(postgres: PostgresServer) -> None:
    url, log = made(postgres, {APP: "b"}), story(20)

    async def scenario() -> None:
        inbox = Inbox(refused=0)
        reader = JournalReader(PostgresTables(url, "desk"))
        async with node("a", url, log, inbox.sender("a")), node("b", url, log, inbox.sender("b")):
            await inbox.has_all(log)
            inbox.arrivals.clear()
            await reader.request_replay(APP, now=Instant(0), first=Position(3), last=Position(8))
            await inbox.has(lambda: len(inbox.arrivals) == 6)
        await reader.close()
        assert [(one.node, one.position) for one in inbox.arrivals] == [
            ("b", position) for position in range(3, 9)
        ]

    asyncio.run(scenario())


def test_who_ends_in_good_order_leaves_at_once(postgres: PostgresServer) -> None:
    url, log = made(postgres, {APP: "a"}), story(20)

    async def scenario() -> None:
        inbox = Inbox(refused=0)
        async with node("a", url, log, inbox.sender("a")):
            await inbox.has_all(log)
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT count(*) FROM tertulia.webhook_leases") == 0
        await connection.close()

    asyncio.run(scenario())
