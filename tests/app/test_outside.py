"""The adapters of Clock, Ids and Announcer against their contracts."""

import asyncio

from tests.contracts.outside import AnnouncerContract, ClockContract, IdsContract

from tertulia.app.chance import RandomIds, SystemClock
from tertulia.app.link import ALIVE, Link, pair
from tertulia.model.event import Event
from tertulia.ports import Announcer, Clock, Ids
from tertulia.services.announcements import Announcements as Everybody
from tertulia.testing.world import Announcements, CountedIds, StillClock


class TestSystemClock(ClockContract):
    def clock(self) -> Clock:
        return SystemClock()


class TestStillClock(ClockContract):
    def clock(self) -> Clock:
        return StillClock()


class TestRandomIds(IdsContract):
    tail = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

    def ids(self) -> Ids:
        return RandomIds()


class TestCountedIds(IdsContract):
    def ids(self) -> Ids:
        return CountedIds()


class TestAnnouncements(AnnouncerContract):
    def setup_method(self) -> None:
        self.announcements = Announcements()

    def announcer(self) -> Announcer:
        return self.announcements

    def heard(self) -> list[Event]:
        return list(self.announcements)


class TestEverybody(AnnouncerContract):
    def setup_method(self) -> None:
        self.first, self.second = Announcements(), Announcements()
        self.everybody = Everybody(self.first.announce)
        self.everybody.add(self.second.announce)

    def announcer(self) -> Announcer:
        return self.everybody

    def heard(self) -> list[Event]:
        assert self.first == self.second
        return list(self.second)


class TestLink(AnnouncerContract):
    def setup_method(self) -> None:
        self.link, self.other = (Link(end.detach()) for end in pair())

    def teardown_method(self) -> None:
        self.link.close()
        self.other.close()

    def announcer(self) -> Announcer:
        return self.link

    def heard(self) -> list[Event]:
        return asyncio.run(self._listen())

    async def _listen(self) -> list[Event]:
        found: list[Event] = []
        done = asyncio.Event()
        self.other.listen(on_event=found.append, on_wake=done.set)
        self.link.wake()
        await done.wait()
        return found

    def test_a_slow_other_end_loses_datagrams_and_blocks_nobody(self) -> None:
        for _ in range(100_000):
            self.link.wake()
        assert asyncio.run(self._listen()) == []

    def test_signs_of_life_go_the_other_way(self) -> None:
        async def run() -> None:
            alive = asyncio.Event()
            self.link.listen(on_alive=alive.set)
            self.other.send(ALIVE)
            await alive.wait()

        asyncio.run(run())
