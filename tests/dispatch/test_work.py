"""Leases of webhook work: one node at a time, by the clock of PostgreSQL."""

import asyncio
import time

import asyncpg
import pytest
from tests.contracts.webhook_work import APP, Scenario, WebhookWorkContract
from tests.dispatch.cluster import LEASE, made, move, work
from tests.postgres import PostgresServer

from tertulia.dispatch.leased_work import LeasedWork, awake
from tertulia.dispatch.work import AllWork
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId


class TestAllWork(WebhookWorkContract):
    def play(self, scenario: Scenario) -> None:
        async def whole() -> None:
            await scenario(AllWork())

        asyncio.run(whole())


class TestLeasedWork(WebhookWorkContract):
    @pytest.fixture(autouse=True)
    def _place(self, postgres: PostgresServer) -> None:
        self.url = made(postgres, {APP: "a"})

    def play(self, scenario: Scenario) -> None:
        async def whole() -> None:
            async with work(self.url, "a") as ours:
                await scenario(ours)

        asyncio.run(whole())


async def taken(ours: LeasedWork, seconds: float = 5.0) -> float:
    """When it was: it asks as often as it is told to."""
    async with asyncio.timeout(seconds):
        while True:
            pause = await ours.renew(())
            if ours.token(APP) is not None:
                return awake()
            await asyncio.sleep(pause)


def test_of_two_that_ask_at_once_one_gets_it(postgres: PostgresServer) -> None:
    names = [ApplicationId(f"app-{number}") for number in range(40)]
    url = made(postgres)

    async def scenario() -> None:
        async with work(url, "a") as one, work(url, "a") as other:
            for name in names:
                move(postgres, url, name, "a")
                await asyncio.gather(one.renew(names), other.renew(names))
            for name in names:
                assert (one.token(name) is None) != (other.token(name) is None)
            # all of them expire, and both ask again
            await asyncio.sleep(LEASE + 0.1)
            async with work(url, "a") as third, work(url, "a") as fourth:
                await asyncio.gather(third.renew(names), fourth.renew(names))
                for name in names:
                    assert (third.token(name) is None) != (fourth.token(name) is None)
                await asyncio.gather(one.renew(names), other.renew(names))
                assert not any(each.token(name) for each in (one, other) for name in names)

    asyncio.run(scenario())


def test_only_the_home_takes_it(postgres: PostgresServer) -> None:
    url = made(postgres, {APP: "a"})

    async def scenario() -> None:
        async with work(url, "b") as ours:
            assert await ours.renew(()) > 0.2
            assert ours.token(APP) is None
            assert not ours.may_send(APP)

    asyncio.run(scenario())


def test_what_leaves_stays_ours_until_it_is_given_back(postgres: PostgresServer) -> None:
    url = made(postgres, {APP: "a"})

    async def scenario() -> None:
        async with work(url, "a") as ours, work(url, "b") as theirs:
            await ours.renew(())
            move(postgres, url, APP, "b")
            for _ in range(3):
                await ours.renew({APP})
                assert ours.is_leaving(APP)
                assert ours.may_send(APP)
                assert await theirs.renew(()) == 0.1
                assert theirs.token(APP) is None
            await ours.give_back(APP)
            assert not ours.may_send(APP)
            await theirs.renew(())
            assert theirs.may_send(APP)

    asyncio.run(scenario())


def test_what_leaves_and_is_not_worked_on_is_given_back(postgres: PostgresServer) -> None:
    url = made(postgres, {APP: "a"})

    async def scenario() -> None:
        async with work(url, "a") as ours, work(url, "b") as theirs:
            await ours.renew(())
            move(postgres, url, APP, "b")
            await ours.renew(())
            await theirs.renew(())
            assert theirs.token(APP) is not None

    asyncio.run(scenario())


def test_nobody_relies_on_a_lease_that_another_can_have(postgres: PostgresServer) -> None:
    url = made(postgres, {APP: "a"})

    async def scenario() -> None:
        async with work(url, "a") as ours, work(url, "b") as theirs:
            await ours.renew(())
            ended = asyncio.create_task(end_of(ours))
            move(postgres, url, APP, "b")
            assert await ended < await taken(theirs)
            await ours.renew(())
            assert ours.token(APP) is None
            await theirs.renew({APP})
            assert theirs.may_send(APP)

    asyncio.run(scenario())


async def end_of(ours: LeasedWork) -> float:
    while True:
        if not ours.may_send(APP):
            return awake()
        await asyncio.sleep(0.005)


def test_who_sleeps_over_its_lease_knows_it_on_waking(postgres: PostgresServer) -> None:
    url = made(postgres, {APP: "a"})
    slept = 0.0

    async def scenario() -> None:
        nonlocal slept
        async with work(url, "a", now=lambda: time.monotonic() + slept) as ours:
            await ours.renew(())
            assert ours.may_send(APP)
            slept = LEASE
            assert not ours.may_send(APP)
            await ours.renew({APP})  # nobody else wanted it
            assert ours.may_send(APP)

    asyncio.run(scenario())


def test_a_write_under_way_keeps_a_lease_from_being_taken_and_not_from_being_renewed(
    postgres: PostgresServer,
) -> None:
    url = made(postgres, {APP: "a"})

    async def scenario() -> None:
        async with work(url, "a") as ours, work(url, "b") as theirs:
            await ours.renew(())
            writer = await asyncpg.connect(url)
            writing = writer.transaction()
            await writing.start()
            await writer.execute("SELECT FROM tertulia.webhook_leases FOR KEY SHARE")
            await ours.renew({APP})
            assert ours.token(APP) is not None
            move(postgres, url, APP, "b")
            await asyncio.sleep(LEASE + 0.1)
            await theirs.renew(())
            assert theirs.token(APP) is None
            await writing.commit()
            await theirs.renew(())
            assert theirs.token(APP) is not None
            await writer.close()

    asyncio.run(scenario())


def test_who_cannot_ask_says_so_and_goes_on(postgres: PostgresServer) -> None:
    url = made(postgres, {APP: "a"})

    async def scenario() -> None:
        async with work(url, "a") as ours:
            await ours.renew(())
            token = ours.token(APP)
            lock = await asyncpg.connect(url)
            async with lock.transaction():
                await lock.execute("LOCK TABLE tertulia.webhook_leases")
                with pytest.raises(Unavailable):
                    await ours.renew({APP})
            assert not ours.may_send(APP)
            await ours.renew({APP})
            assert ours.may_send(APP)
            assert ours.token(APP) == token
            await lock.close()

    asyncio.run(scenario())
