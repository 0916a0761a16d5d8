"""What every adapter of MessageCarrier and of CarrierDoor promises."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from typing import Any, NamedTuple, Protocol

import msgspec
import pytest

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.sending import Arrival, Content, Order, Outcome, Sending, SendingStatus
from tertulia.ports.messaging import (
    CarrierDoor,
    Congested,
    Declined,
    Knock,
    MessageCarrier,
    OutOfReach,
    Unsupported,
)

OURS, THEIRS = "15550199", "447700900123"
PATIENCE = 20.0
"""Seconds; generous, since the machine may be busy with other tests."""
FAILED = (SendingStatus.REJECTED, SendingStatus.UNDELIVERABLE)


class FarMessage(NamedTuple):
    """A message as the carrier's far end knows it."""

    ref: str
    from_: str
    to: str
    text: str


class Mood(Enum):
    """What the far end does with the next message."""

    DECLINES = auto()
    CONGESTED = auto()
    VANISHES = auto()
    """It takes it and is gone before it has said so."""
    TELLS_FIRST = auto()
    """It tells that it is delivered before it says that it has taken it."""


class Far(Protocol):
    """The other end of a carrier."""

    def meets(self, mood: Mood) -> None:
        """The next message, with that."""

    async def taken(self) -> FarMessage:
        """The next message that came."""

    async def tells(self, message: FarMessage, status: SendingStatus | None) -> bool:
        """None: it was read. Whether we have heard it."""

    async def brings(self, message: FarMessage) -> bool:
        """A message for us. Whether we have it."""

    async def goes(self) -> None:
        """From now on nobody is there."""


class Rig(NamedTuple):
    carrier: MessageCarrier
    far: Far


class Ears:
    """Keeps what it is told, unless it `is_deaf`."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.arrivals: list[Arrival] = []
        self.is_deaf = False
        self._came = asyncio.Event()

    async def heard(self, outcome: Outcome) -> None:
        self._keep(self.outcomes, outcome)

    async def arrived(self, arrival: Arrival) -> None:
        self._keep(self.arrivals, arrival)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done():
                self._came.clear()
                await self._came.wait()

    def _keep(self, kept: list[Any], told: object) -> None:
        if self.is_deaf:
            raise Unavailable("the disk is full")
        kept.append(told)
        self._came.set()


def sending(channel: str, text: str = "Hi, ñandú", number: int = 1, to: str = THEIRS) -> Sending:
    order = Order(channel, to, OURS, Content("text", {"text": text}))
    here = ApplicationId("application-1")
    return Sending(MessageId(f"{number:08}"), here, order, Instant(0), Instant(0))


Scenario = Callable[[Rig, Ears], Awaitable[None]]


class MessageCarrierContract(ABC):
    channel = "sms"
    tells_reads = True
    tells_failures = True

    @abstractmethod
    def rig(self) -> AbstractAsyncContextManager[Rig]:
        """Not started; closed in the end."""

    def play(self, scenario: Scenario) -> None:
        async def run() -> None:
            async with self.rig() as rig:
                ears = Ears()
                await rig.carrier.start(ears)
                await scenario(rig, ears)

        asyncio.run(run())

    async def submitted(self, rig: Rig, number: int = 1) -> FarMessage:
        await rig.carrier.submit(sending(self.channel, number=number))
        return await rig.far.taken()

    def test_it_says_what_it_is(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            assert rig.carrier.name
            assert rig.carrier.kind in ("smpp", "whatsapp", "messenger", "viber", "http")
            assert self.channel in rig.carrier.terms.channels
            await self.submitted(rig)
            assert rig.carrier.health.state == "up"

        self.play(scenario)

    def test_a_message_is_taken_and_gets_a_name(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            refs = await rig.carrier.submit(sending(self.channel))
            message = await rig.far.taken()
            assert list(refs) == [message.ref]
            assert (message.to, message.text) == (THEIRS, "Hi, ñandú")

        self.play(scenario)

    def test_many_go_at_once(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            async with asyncio.timeout(PATIENCE):
                submits = (
                    rig.carrier.submit(sending(self.channel, f"text {each}", each))
                    for each in range(10)
                )
                refs = [ref for taken in await asyncio.gather(*submits) for ref in taken]
            arrived = {(await rig.far.taken()).text for _ in range(10)}
            assert len(set(refs)) == 10
            assert arrived == {f"text {each}" for each in range(10)}

        self.play(scenario)

    @pytest.mark.parametrize("status", [SendingStatus.DELIVERED, SendingStatus.UNDELIVERABLE])
    def test_it_is_told_what_became_of_it(self, status: SendingStatus) -> None:
        if status in FAILED and not self.tells_failures:
            pytest.skip("such a carrier does not tell of failures")

        async def scenario(rig: Rig, ears: Ears) -> None:
            message = await self.submitted(rig)
            assert await rig.far.tells(message, status)
            await ears.until(lambda: any(each.status is status for each in ears.outcomes))
            told = next(each for each in ears.outcomes if each.status is status)
            assert (told.carrier, told.ref) == (rig.carrier.name, message.ref)
            assert (told.problem is not None) is (status in FAILED)
            assert told.problem is None or told.problem.reason

        self.play(scenario)

    def test_it_is_told_that_it_was_read(self) -> None:
        if not self.tells_reads:
            pytest.skip("such a carrier does not know")

        async def scenario(rig: Rig, ears: Ears) -> None:
            message = await self.submitted(rig)
            assert await rig.far.tells(message, None)
            await ears.until(lambda: any(each.is_read for each in ears.outcomes))
            assert ears.outcomes == [Outcome(rig.carrier.name, message.ref, None, is_read=True)]

        self.play(scenario)

    def test_what_is_told_may_come_before_the_answer(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            rig.far.meets(Mood.TELLS_FIRST)
            refs = await rig.carrier.submit(sending(self.channel))
            delivered = SendingStatus.DELIVERED
            await ears.until(lambda: any(each.status is delivered for each in ears.outcomes))
            assert [each.ref for each in ears.outcomes] == list(refs)

        self.play(scenario)

    def test_a_message_is_declined_and_the_next_is_taken(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            rig.far.meets(Mood.DECLINES)
            with pytest.raises(Declined) as declined:
                await rig.carrier.submit(sending(self.channel))
            assert declined.value.problem.code.isdecimal()
            assert declined.value.problem.reason
            await self.submitted(rig)
            assert rig.carrier.health.state == "up"

        self.play(scenario)

    def test_it_asks_for_patience_and_then_takes_it(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            rig.far.meets(Mood.CONGESTED)
            with pytest.raises(Congested):
                await rig.carrier.submit(sending(self.channel))
            assert (await self.submitted(rig)).text == "Hi, ñandú"

        self.play(scenario)

    def test_when_it_vanishes_before_it_has_answered_it_may_have_the_message(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            await self.submitted(rig)
            rig.far.meets(Mood.VANISHES)
            with pytest.raises(OutOfReach) as lost:
                await rig.carrier.submit(sending(self.channel, number=2))
            assert lost.value.in_doubt
            await rig.far.taken()

        self.play(scenario)

    def test_when_nobody_is_there_nobody_has_it(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            await rig.far.goes()
            with pytest.raises(OutOfReach) as lost:
                await rig.carrier.submit(sending(self.channel))
            assert not lost.value.in_doubt
            assert rig.carrier.health.state != "up"
            assert rig.carrier.health.detail

        self.play(scenario)

    def test_it_brings_messages_and_the_same_one_by_the_same_name(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            message = FarMessage("7001", THEIRS, OURS, "Halló 😀")
            for count in (1, 2):
                assert await rig.far.brings(message)
                await ears.until(lambda count=count: len(ears.arrivals) == count)  # type: ignore[misc]
            first, second = ears.arrivals
            assert first == second
            assert (first.carrier, first.channel) == (rig.carrier.name, self.channel)
            assert first.from_ == THEIRS
            assert first.content == Content("text", {"text": "Halló 😀"})

        self.play(scenario)

    def test_what_cannot_be_kept_is_not_said_to_be_heard(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            message = await self.submitted(rig)
            ears.is_deaf = True
            assert not await rig.far.tells(message, SendingStatus.DELIVERED)
            assert not await rig.far.brings(FarMessage("7002", THEIRS, OURS, "Hi"))
            ears.is_deaf = False
            assert await rig.far.brings(FarMessage("7002", THEIRS, OURS, "Hi"))
            await ears.until(lambda: bool(ears.arrivals))

        self.play(scenario)

    def test_reading_and_taking_back_work_or_are_unsupported(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            taken = sending(self.channel)
            refs = await rig.carrier.submit(taken)
            arrival = Arrival(rig.carrier.name, "7003", self.channel, THEIRS, OURS, Content("text"))
            for asked in (
                rig.carrier.revoke(msgspec.structs.replace(taken, refs=tuple(refs))),
                rig.carrier.mark_read(arrival, typing=True),
            ):
                try:
                    await asked
                except Unsupported as unsupported:
                    assert str(unsupported)

        self.play(scenario)

    def test_it_can_be_closed_twice(self) -> None:
        async def scenario(rig: Rig, ears: Ears) -> None:
            await rig.carrier.close()
            await rig.carrier.close()

        self.play(scenario)


class CarrierDoorContract(ABC):
    """Of a door that has been made and not opened."""

    @abstractmethod
    def door(self) -> CarrierDoor: ...

    @abstractmethod
    async def open(self, door: CarrierDoor, ears: Ears) -> None: ...

    @abstractmethod
    def signed(self, body: bytes) -> Knock:
        """As the carrier would send it."""

    @abstractmethod
    def delivered(self, ref: str) -> Any:
        """What it tells of a message."""

    @abstractmethod
    def message(self, ref: str, text: str) -> Any:
        """What it tells of a message for us."""

    def knock(self, *knocks: Knock, is_deaf: bool = False) -> tuple[list[int], Ears]:
        async def run() -> tuple[list[int], Ears]:
            door, ears = self.door(), Ears()
            await self.open(door, ears)
            ears.is_deaf = is_deaf
            return [(await door.knock(knock)).status for knock in knocks], ears

        return asyncio.run(run())

    def knock_of(self, told: object) -> Knock:
        return self.signed(msgspec.json.encode(told))

    def test_what_is_told_is_heard(self) -> None:
        first, second = self.delivered("71"), self.message("72", "Hi")
        statuses, ears = self.knock(self.knock_of(first), self.knock_of(second))
        assert statuses == [200, 200]
        assert [(each.ref, each.status) for each in ears.outcomes] == [("71", "delivered")]
        assert [(each.ref, each.content.text) for each in ears.arrivals] == [("72", "Hi")]

    def test_nobody_is_heard_before_the_start(self) -> None:
        async def run() -> int:
            return (await self.door().knock(self.knock_of(self.delivered("71")))).status

        assert asyncio.run(run()) == 503

    def test_what_is_forged_is_not_heard(self) -> None:
        good = self.knock_of(self.message("72", "Hi"))
        forged = [
            msgspec.structs.replace(good, headers={}, query={}),
            *(
                msgspec.structs.replace(good, headers={**good.headers, name: value})
                for name in good.headers
                if name != "content-type"
                for value in ("", "sha256=", "é" * 64, "0" * 64, good.headers[name][:-1])
            ),
        ]
        statuses, ears = self.knock(*forged)
        assert set(statuses) == {401}
        assert not ears.arrivals

    @pytest.mark.parametrize(
        "body",
        [b"", b"\x00", b"nonsense", b"[", b'"text"', b"7", b"[" * 5000, b'{"a":' * 200 + b"1",
         b"\xff\xfe", b'{"a": "\\ud800"}'],
    )  # fmt: skip
    def test_what_is_nothing_is_refused_or_ignored(self, body: bytes) -> None:
        statuses, ears = self.knock(self.signed(body))
        assert statuses in ([200], [400])
        assert not ears.outcomes
        assert not ears.arrivals

    def test_what_cannot_be_kept_comes_again(self) -> None:
        told = [self.knock_of(self.delivered("71")), self.knock_of(self.message("72", "Hi"))]
        statuses, _ = self.knock(*told, is_deaf=True)
        assert statuses == [503, 503]

    def test_another_method_is_none(self) -> None:
        good = self.knock_of(self.delivered("71"))
        bare = msgspec.structs.replace(good, method="GET", body=b"", headers={}, query={})
        statuses, ears = self.knock(bare)
        assert statuses[0] in (400, 401, 403)
        assert not ears.outcomes
