"""What every SessionLedger promises, and what one promises that nodes share."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import Any

import pytest
from msgspec.structs import replace

from tertulia.model.errors import InvalidCursor
from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import Dialect, LiveSession, SessionRecord, SessionsOf, Standing
from tertulia.ports import LedgerEntry, Page, SessionLedger

APP, OTHER_APP = ApplicationId("application-1"), ApplicationId("application-2")
ALICE, BOB = UserId("USR-1"), UserId("USR-2")
HERE = Standing("alice", Instant(100), is_connected=True)
AWAY = replace(HERE, is_connected=False)


def record(name: str = "1", user_id: UserId = ALICE, at: int = 5) -> SessionRecord:
    return SessionRecord(
        id=SessionId(f"SES-{name}"), application_id=APP, user_id=user_id, dialect=Dialect.TYPED,
        version="0.0.3", acknowledges=True, created_at=Instant(at),
    )  # fmt: skip


def play(test: Callable[[Any], Awaitable[None]]) -> Callable[[Any], None]:
    @wraps(test)
    def played(self: object) -> None:
        async def run() -> None:
            await test(self)

        asyncio.run(run())

    return played


class SessionLedgerContract(ABC):
    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[SessionLedger]:
        """An empty one."""

    @abstractmethod
    async def entries(self, ledger: SessionLedger) -> list[LedgerEntry]:
        """What is found when the ledger is opened the next time."""

    @play
    async def test_a_new_ledger_is_empty(self) -> None:
        async with self.opened() as ledger:
            assert await self.entries(ledger) == []

    @play
    async def test_what_was_entered_is_found_again(self) -> None:
        async with self.opened() as ledger:
            place = ledger.open(record(), Position(7))
            assert place > 0
            await ledger.settled(place)
            ledger.show(place, HERE)
            assert await self.entries(ledger) == [LedgerEntry(place, record(), Position(7))]

    @play
    async def test_the_newest_acknowledgement_counts(self) -> None:
        async with self.opened() as ledger:
            first = ledger.open(record(), Position(0))
            second = ledger.open(record("2"), Position(0))
            for position in range(1, 2**33, 2**31):
                ledger.acknowledge(first, Position(position))
            found = {entry.place: entry.acknowledged for entry in await self.entries(ledger)}
            assert found == {first: 1 + 3 * 2**31, second: 0}

    @play
    async def test_a_closed_session_is_forgotten(self) -> None:
        async with self.opened() as ledger:
            ledger.close(ledger.open(record(), Position(0)))
            settled = ledger.open(record("3"), Position(0))
            await ledger.settled(settled)
            ledger.acknowledge(settled, Position(1))
            ledger.close(settled)
            kept = ledger.open(record("2"), Position(3))
            assert await self.entries(ledger) == [LedgerEntry(kept, record("2"), Position(3))]

    @play
    async def test_thousands_fit(self) -> None:
        async with self.opened() as ledger:
            places = [ledger.open(record(str(number)), Position(number)) for number in range(3000)]
            assert len(set(places)) == 3000
            await asyncio.gather(*map(ledger.settled, places))
            found = {each.record.id: each.acknowledged for each in await self.entries(ledger)}
            assert found == {SessionId(f"SES-{number}"): number for number in range(3000)}


class TwoNodes(ABC):
    """What the suites below are played on."""

    lost: list[SessionId]

    @abstractmethod
    def nodes(self) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        """The ledgers of the nodes `one` and `two`."""

    @abstractmethod
    async def kill(self, ledger: Any) -> None:
        """The node dies, and it has been seen that it has."""

    @abstractmethod
    async def written(self, ledger: Any) -> None:
        """Wait until others know what is known here."""

    @asynccontextmanager
    async def two(self) -> AsyncIterator[tuple[Any, Any]]:
        """Two nodes; sessions that the first loses are in `lost`."""
        self.lost = []
        async with self.nodes() as (one, two):
            one.on_lost(self.lost.append)
            yield one, two

    async def enter(self, ledger: Any, *records: SessionRecord) -> list[int]:
        """Connected sessions that all nodes know of; their places."""
        places = [ledger.open(each, Position(7)) for each in records]
        for place in places:
            await ledger.settled(place)
            ledger.show(place, HERE)
        await self.written(ledger)
        return places


class SharedLedgerContract(TwoNodes):
    @play
    async def test_one_of_two_gets_it_and_the_other_is_told(self) -> None:
        async with self.two() as (one, two):
            (place,) = await self.enter(one, record())
            found = await two.find("SES-1")
            taken = await two.take(found, Position(8))
            assert (taken.record, taken.acknowledged) == (record(), 8)
            assert await two.take(found, Position(8)) is None
            if self.lost == []:
                one.acknowledge(place, Position(11))
                await self.written(one)
            assert self.lost == ["SES-1"]
            again = await one.find("SES-1")
            assert (again.node, again.acknowledged, again.turn > found.turn) == ("two", 8, True)
            two.acknowledge(taken.place, Position(12))
            await self.written(two)
            assert (await one.take(await one.find("SES-1"), Position(0))).acknowledged == 12

    @play
    async def test_several_at_once(self) -> None:
        async with self.two() as (one, two):
            await self.enter(one, record())
            found = await two.find("SES-1")
            got = await asyncio.gather(*(node.take(found, Position(0)) for node in (one, two) * 4))
            assert len([each for each in got if each is not None]) == 1

    @play
    async def test_what_was_released_is_still_written(self) -> None:
        async with self.two() as (one, two):
            (place,) = await self.enter(one, record())
            one.acknowledge(place, Position(20))
            one.release(place)
            await self.written(one)
            assert await two.count(ALICE) == 0
            assert (await two.take(await two.find("SES-1"), Position(0))).acknowledged == 20
            assert self.lost == []

    @play
    async def test_what_has_ended_is_found_by_nobody_after_a_flush(self) -> None:
        async with self.two() as (one, two):
            (place,) = await self.enter(one, record())
            found = await two.find("SES-1")
            one.close(place)
            await one.flush()
            assert await two.take(found, Position(0)) is None
            assert await two.find("SES-1") is None

    @play
    async def test_what_is_ended_elsewhere_is_lost(self) -> None:
        async with self.two() as (one, two):
            others = replace(record("4", BOB), application_id=OTHER_APP)
            await self.enter(one, record(), record("2", BOB), record("3", BOB), others)
            ended = []
            for which, gone in (
                (SessionsOf(session_id=SessionId("SES-3")), "SES-3"),
                (SessionsOf(user_id=ALICE), "SES-1"),
                (SessionsOf(application_id=APP), "SES-2"),
            ):
                await two.end(which)
                ended.append(gone)
                assert await one.find(gone) is None
            await self.written(one)
            assert sorted(self.lost) == sorted(ended)
            assert await two.find("SES-4") is not None


class AllSessionsContract(TwoNodes):
    @play
    async def test_others_find_what_one_has(self) -> None:
        async with self.two() as (one, two):
            place = one.open(record(), Position(7))
            await one.settled(place)
            found = await two.find("SES-1")
            assert (found.record, found.node, found.acknowledged) == (record(), "one", 7)
            one.acknowledge(place, Position(9))
            await self.written(one)
            assert (await two.find("SES-1")).acknowledged == 9

    @play
    async def test_what_is_no_id_is_not_found(self) -> None:
        async with self.two() as (one, _):
            for strange in ("", "SES-none", "\0", "x" * 100_000, "SES-\n", "é"):
                assert await one.find(strange) is None
                assert await one.one(SessionId(strange), APP) is None

    @play
    async def test_who_is_connected(self) -> None:
        async with self.two() as (one, two):
            (first, second) = await self.enter(one, record(), record("2", BOB))
            (third,) = await self.enter(two, record("3", at=4))
            page = Page()
            for node in (one, two):
                listed = await node.connected(APP, page, None)
                assert [each.session.record.id for each in listed] == ["SES-3", "SES-1", "SES-2"]
                of_alice = [each.session for each in await node.connected(APP, page, ALICE)]
                shown = [LiveSession(each, "alice", Instant(100)) for each in
                         (record("3", at=4), record())]  # fmt: skip
                assert of_alice == shown
                assert await node.connected(OTHER_APP, page, None) == []
                assert (await node.count(ALICE), await node.count(BOB)) == (2, 1)
            one.show(first, AWAY)
            two.show(third, replace(HERE, user_name="Zoë", expires_at=Instant(300)))
            for node in (one, two):
                await self.written(node)
            (only,) = await one.connected(APP, page, ALICE)
            assert only.session == LiveSession(record("3", at=4), "Zoë", Instant(300))
            assert await two.one(SessionId("SES-1"), APP) == LiveSession(
                record(), "alice", Instant(100)
            )
            assert await two.one(SessionId("SES-1"), OTHER_APP) is None
            await self.kill(one)
            assert await two.count(BOB) == 0
            assert [each.session.record.id for each in await two.connected(APP, page, None)] == [
                "SES-3"
            ]
            two.close(third)
            assert second > 0

    @play
    async def test_pages_go_both_ways(self) -> None:
        async with self.two() as (one, two):
            made = [record(str(number), at=number // 2) for number in range(6)]
            await self.enter(one, *made[::2])
            await self.enter(two, *made[1::2])
            for descending, wanted in ((False, made), (True, made[::-1])):
                page = Page(limit=4, descending=descending)
                first = await one.connected(APP, page, None)
                assert [each.session.record for each in first] == wanted[:4]
                page = replace(page, after=first[-1].key)
                rest = await one.connected(APP, page, None)
                assert [each.session.record for each in rest] == wanted[4:]
                page = Page(limit=3, descending=descending, before=rest[0].key)
                back = await one.connected(APP, page, None)
                assert [each.session.record for each in back] == wanted[1:4]

    @pytest.mark.parametrize("key", [(1,), ("1", 1), (1, 1), (1, "x", 1), ("x", "x")], ids=str)
    def test_a_cursor_that_is_none(self, key: tuple[str | int, ...]) -> None:
        async def scenario() -> None:
            async with self.two() as (one, _):
                for page in (Page(after=key), Page(before=key)):
                    with pytest.raises(InvalidCursor):
                        await one.connected(APP, page, None)

        asyncio.run(scenario())

    @play
    async def test_another_end_of_their_tokens(self) -> None:
        async with self.two() as (one, two):
            await self.enter(one, record(), record("2", BOB))
            await two.expire(SessionsOf(session_id=SessionId("SES-1")), Instant(200))
            assert (await one.one(SessionId("SES-1"), APP)).expires_at == 200
            assert (await one.one(SessionId("SES-2"), APP)).expires_at == 100
            await two.expire(SessionsOf(application_id=APP), Instant(0))
            assert (await one.one(SessionId("SES-1"), APP)).expires_at == 0

    @play
    async def test_who_is_away_for_too_long_is_forgotten(self) -> None:
        async with self.two() as (one, two):
            away, _ = await self.enter(one, record(), record("2"))
            await self.enter(two, record("3"))
            one.show(away, AWAY)
            await self.written(one)
            await asyncio.sleep(0.05)
            await two.sweep(60)
            assert await two.find("SES-1") is not None
            await asyncio.gather(two.sweep(0.05), one.sweep(0.05))
            assert await two.find("SES-1") is None
            await self.kill(one)
            await two.sweep(0.05)  # nobody knows when it was left: now
            assert await two.find("SES-2") is not None
            await asyncio.sleep(0.06)
            await two.sweep(0.05)
            assert await two.find("SES-2") is None
            assert await two.find("SES-3") is not None
