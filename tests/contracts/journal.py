"""What the journal of webhooks promises, whatever its tables are in."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import NamedTuple

import pytest

from tertulia.dispatch.journal import Journal
from tertulia.dispatch.reading import AttemptFilter, JournalReader
from tertulia.dispatch.records import (
    Attempt,
    Batch,
    Counts,
    DeadLetter,
    Held,
    LaneName,
    Letter,
    Progress,
    Purpose,
    Replay,
    ReplayState,
)
from tertulia.dispatch.tables import Tables
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.instant import Instant

APP, OTHER = ApplicationId("app-1"), ApplicationId("app-2")
FIRST, SECOND = ConversationId("CON-1"), ConversationId("CON-2")
LANE = LaneName(APP, FIRST, "rtc")
OWN = LaneName(APP, None, "rtc", SECOND)
KEPT = 20


def attempt(position: int, *, lane: LaneName = LANE, delivered: bool = True) -> Attempt:
    return Attempt(
        lane, Purpose.LOG, position, Position(position), "message", "http://h/", 1, Instant(5), 3,
        200 if delivered else None, None if delivered else "no answer", b"\x00ok", delivered,
    )  # fmt: skip


def held(lane: LaneName = LANE, since: int | None = 7) -> Held:
    return Held(
        lane, 4, Position(9), 2, None if since is None else Instant(since), Instant(8), "why"
    )


def dead(position: int, lane: LaneName = LANE) -> DeadLetter:
    return DeadLetter(
        lane, position, Position(position), "message", 3, Instant(1), Instant(2), "why"
    )


class Sides(NamedTuple):
    """The dispatcher's, and everybody else's."""

    journal: Journal
    reader: JournalReader


Scenario = Callable[[Sides], Awaitable[None]]


class JournalContract(ABC):
    @abstractmethod
    async def tables(self) -> Tables:
        """Those of this test, for one more user."""

    @abstractmethod
    def failing(self) -> AbstractContextManager[None]:
        """While it is entered, nothing can be written."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sides]:
        sides = Sides(
            Journal(await self.tables(), attempts_kept=KEPT), JournalReader(await self.tables())
        )
        try:
            yield sides
        finally:
            await sides.journal.close()
            await sides.reader.close()

    def play(self, scenario: Scenario) -> None:
        async def whole() -> None:
            async with self.open() as sides:
                await scenario(sides)

        asyncio.run(whole())

    def test_what_is_written_is_read(self) -> None:
        async def scenario(at: Sides) -> None:
            await at.journal.write(
                Batch(
                    attempts=[attempt(1), attempt(2, lane=LaneName(APP, None, "rtc"))],
                    held={LANE: held(), OWN: held(OWN, None)},
                    dead=[dead(3), dead(4)],
                    progress=[Progress(APP, Position(9), Instant(6))],
                )
            )
            assert await at.journal.cursor(APP) == 9
            assert await at.journal.cursor(OTHER) == 0
            found = await at.journal.held(APP)
            assert {one.lane: one for one in found} == {LANE: held(), OWN: held(OWN, None)}
            assert [one.attempt for one in await at.reader.list_attempts(AttemptFilter(APP))] == [
                attempt(2, lane=LaneName(APP, None, "rtc")),
                attempt(1),
            ]
            letters = await at.reader.list_dead_letters(APP)
            assert [one.letter for one in letters] == [dead(3), dead(4)]
            assert await at.reader.counts() == [Counts(APP, 2, 0, 2, 2, Position(9), Instant(6))]

        self.play(scenario)

    def test_the_newest_counts(self) -> None:
        async def scenario(at: Sides) -> None:
            for cursor in (3, 7, 5):  # a feed that is started again may be behind
                later = Held(LANE, cursor, Position(cursor), cursor, None, Instant(cursor), "x")
                progress = Progress(APP, Position(cursor), None)
                await at.journal.write(Batch(held={LANE: later}, progress=[progress]))
            assert await at.journal.cursor(APP) == 5
            assert await at.journal.held(APP) == [
                Held(LANE, 5, Position(5), 5, None, Instant(5), "x")
            ]

        self.play(scenario)

    def test_lanes_go_on_and_letters_revive(self) -> None:
        async def scenario(at: Sides) -> None:
            both: dict[LaneName, Held | None] = {LANE: held(), OWN: held(OWN)}
            await at.journal.write(Batch(held=both, dead=[dead(3), dead(4)]))
            revived = [Letter(APP, Position(3), "rtc")]
            await at.journal.write(Batch(held={LANE: None}, revived=revived))
            assert await at.journal.held(APP) == [held(OWN)]
            letters = await at.reader.list_dead_letters(APP)
            assert [one.letter.position for one in letters] == [4]

        self.play(scenario)

    def test_a_letter_is_dead_once(self) -> None:
        async def scenario(at: Sides) -> None:
            for _ in range(2):
                await at.journal.write(Batch(dead=[dead(3)]))
            assert len(await at.reader.list_dead_letters(APP)) == 1

        self.play(scenario)

    def test_filters_and_pages(self) -> None:
        other = LaneName(APP, SECOND, "callback")
        made = [attempt(n, lane=other if n % 2 else LANE, delivered=n != 3) for n in range(1, 9)]

        async def scenario(at: Sides) -> None:
            await at.journal.write(Batch(attempts=made, dead=[dead(n) for n in range(1, 6)]))
            await check_filters(at.reader)

        self.play(scenario)

    def test_only_the_newest_attempts_are_kept_but_all_are_counted(self) -> None:
        async def scenario(at: Sides) -> None:
            for start in range(1, 100, 7):
                made = [attempt(n) for n in range(start, start + 7)]
                await at.journal.write(Batch(attempts=made))
            await at.journal.write(Batch(progress=[Progress(APP, Position(1), None)]))
            listed = await at.reader.list_attempts(AttemptFilter(APP), limit=1000)
            assert [one.attempt.position for one in listed] == list(range(105, 85, -1))
            assert (await at.reader.counts())[0].delivered == 105

        self.play(scenario)

    def test_replays_are_requested_and_followed(self) -> None:
        async def scenario(at: Sides) -> None:
            ask = at.reader.request_replay
            first = await ask(APP, now=Instant(3), conversation_id=FIRST)
            second = await ask(OTHER, now=Instant(4), first=Position(2), last=Position(5))
            third = await ask(APP, now=Instant(5), target="rtc")
            waiting = at.journal.waiting_replays
            assert sorted(await waiting({APP, OTHER}), key=lambda one: one.id) == [
                first, second, third
            ]  # fmt: skip
            assert await waiting({APP}) == [first, third]
            assert await waiting(()) == []
            done = Replay(
                first.id, APP, Instant(3), FIRST, state=ReplayState.DONE, after=7, delivered=6,
                failed=1,
            )  # fmt: skip
            await at.journal.write(Batch(replays={first.id: done}))
            assert {one.id for one in await waiting({APP, OTHER})} == {second.id, third.id}
            assert await at.reader.replay(APP, first.id) == done
            assert await at.reader.replay(OTHER, first.id) is None
            assert await at.reader.replay(APP, 10**12) is None

        self.play(scenario)

    def test_a_batch_is_written_whole_or_not_at_all(self) -> None:
        wrong = Progress(APP, Position(2**70), None)  # larger than a column holds

        async def scenario(at: Sides) -> None:
            with pytest.raises(Exception, match=r"(?i)too large|out of range|too big|int"):
                await at.journal.write(Batch(attempts=[attempt(1)], progress=[wrong]))
            assert await at.reader.list_attempts(AttemptFilter(APP)) == []
            await at.journal.write(Batch(attempts=[attempt(1)]))
            assert len(await at.reader.list_attempts(AttemptFilter(APP))) == 1

        self.play(scenario)

    def test_what_cannot_be_written_now_can_be_later(self) -> None:
        batch = Batch(attempts=[attempt(1)], progress=[Progress(APP, Position(1), None)])

        async def scenario(at: Sides) -> None:
            await at.journal.cursor(APP)
            with self.failing(), pytest.raises(Unavailable):
                await at.journal.write(batch)
            assert await at.journal.cursor(APP) == 0
            await at.journal.write(batch)
            assert await at.journal.cursor(APP) == 1

        self.play(scenario)

    def test_an_epoch_ends_what_speaks_of_positions(self) -> None:
        async def scenario(at: Sides) -> None:
            await at.journal.begin_epoch("one")
            await at.journal.write(
                Batch(
                    attempts=[attempt(1)], held={LANE: held()}, dead=[dead(1)],
                    progress=[Progress(APP, Position(9), None)],
                )
            )  # fmt: skip
            await at.reader.request_replay(APP, now=Instant(3))
            await at.journal.begin_epoch("one")
            assert await at.journal.cursor(APP) == 9
            await at.journal.begin_epoch("two")
            assert await at.journal.cursor(APP) == 0
            assert await at.journal.held(APP) == []
            assert await at.journal.waiting_replays({APP}) == []
            assert await at.reader.list_dead_letters(APP) == []
            assert len(await at.reader.list_attempts(AttemptFilter(APP))) == 1

        self.play(scenario)

    def test_texts_of_others_do_no_harm(self) -> None:
        odd = ConversationId("a'; DROP TABLE held; -- \0 $1 ?1 webhook_x")

        async def scenario(at: Sides) -> None:
            made = await at.reader.request_replay(APP, now=Instant(3), conversation_id=odd)
            assert await at.reader.replay(APP, made.id) == made
            assert "webhook_x" in (made.conversation_id or "")
            assert await at.reader.list_attempts(AttemptFilter(APP, odd)) == []

        self.play(scenario)


async def check_filters(reader: JournalReader) -> None:
    async def positions(
        where: AttemptFilter, after: int | None = None, limit: int = 100
    ) -> list[int]:
        listed = await reader.list_attempts(where, after=after, limit=limit)
        return [one.attempt.position for one in listed]

    assert await positions(AttemptFilter(APP)) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert await positions(AttemptFilter(OTHER)) == []
    assert await positions(AttemptFilter(APP, conversation_id=SECOND)) == [7, 5, 3, 1]
    assert await positions(AttemptFilter(APP, delivered=False)) == [3]
    assert await positions(AttemptFilter(APP, position=Position(5))) == [5]
    newest = await reader.list_attempts(AttemptFilter(APP), limit=3)
    assert await positions(AttemptFilter(APP), after=newest[-1].number, limit=2) == [5, 4]
    first = await reader.list_dead_letters(APP, limit=2)
    rest = await reader.list_dead_letters(APP, after=first[-1].number)
    assert [one.letter.position for one in [*first, *rest]] == [1, 2, 3, 4, 5]
