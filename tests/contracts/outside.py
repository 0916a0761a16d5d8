"""What every Clock, Ids and Announcer promises."""

import re
from abc import ABC, abstractmethod

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId
from tertulia.model.instant import Instant
from tertulia.ports import Announcer, Clock, Ids


class ClockContract(ABC):
    @abstractmethod
    def clock(self) -> Clock: ...

    def test_it_never_goes_back(self) -> None:
        clock = self.clock()
        readings = [clock.now() for _ in range(1000)]
        assert readings == sorted(readings)

    def test_it_counts_milliseconds_of_our_time(self) -> None:
        year_2026, year_2126 = 1_767_225_600_000, 4_922_899_200_000
        assert year_2026 < self.clock().now() < year_2126


class IdsContract(ABC):
    tail = r".+"
    """What follows the prefix."""

    @abstractmethod
    def ids(self) -> Ids: ...

    def test_they_are_spelled_as_on_the_wire(self) -> None:
        ids = self.ids()
        for made, prefix in (
            (ids.conversation(), "CON-"), (ids.member(), "MEM-"), (ids.user(), "USR-"),
            (ids.application(), ""), (ids.bare(), ""), (ids.session(), "SES-"),
        ):  # fmt: skip
            assert re.fullmatch(prefix + self.tail, made)

    def test_none_comes_twice(self) -> None:
        ids = self.ids()
        made = [make() for make in (ids.conversation, ids.member, ids.user) for _ in range(500)]
        assert len(set(made)) == len(made)


class AnnouncerContract(ABC):
    @abstractmethod
    def announcer(self) -> Announcer: ...

    @abstractmethod
    def heard(self) -> list[Event]:
        """What a live follower of the announcer has heard so far."""

    def test_a_live_follower_hears_the_event_whole_and_in_order(self) -> None:
        announcer = self.announcer()
        told = [
            Event(
                application_id=ApplicationId("application-1"), id=None, type="ephemeral",
                conversation_id=ConversationId("CON-1"), timestamp=Instant(number),
                body=b'{"n":%d}' % number, embedded=b"{}",
            )
            for number in range(3)
        ]  # fmt: skip
        for event in told:
            announcer.announce(event)
        assert self.heard() == told
