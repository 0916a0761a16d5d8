"""What every adapter of Carrier promises."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, TypeVar

import uvloop

from tertulia.model.ids import ApplicationId
from tertulia.model.state import Endpoint
from tertulia.model.telephone import (
    Accepted,
    AnySignal,
    Called,
    Declined,
    Dial,
    HungUp,
    Keyed,
    Rang,
    Referred,
    Reoffered,
    Signal,
    Stepped,
)
from tertulia.ports.phones import Carrier

HERE = ApplicationId("application-1")
OURS, THEIRS = "15550199", "15550100"
"""Numbers: of the application, and of somebody at the far end."""
PATIENCE = 20.0
"""Seconds; generous, since the machine may be busy with other tests."""

Kind = TypeVar("Kind", bound=Signal)


def sdp(port: int) -> str:
    """A session description that can be told from others."""
    lines = (
        "v=0", f"o=- {port} 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "",
    )  # fmt: skip
    return "\r\n".join(lines)


OFFER, ANSWER, EARLY, OTHER = (sdp(port) for port in (4000, 4002, 4004, 4006))


class FarCall(NamedTuple):
    """A call as the far end knows it."""

    name: str
    number: str
    """That was called."""
    caller: str
    """Number, or empty."""
    sdp: str
    headers: dict[str, str]


class Far(Protocol):
    """The other ends of calls."""

    async def dialled(self) -> FarCall:
        """The next call that comes in there."""

    async def call(self, sdp: str, headers: dict[str, str]) -> str:
        """Call OURS from THEIRS; the name of the call there."""

    async def told(self, name: str, verb: str) -> tuple[str, int]:
        """When what the carrier's method of that name does has come: description and code."""

    def rings(self, name: str, sdp: str = "") -> None: ...
    def answers(self, name: str, sdp: str, headers: dict[str, str] | None = None) -> None:
        """The call, or what was offered."""

    def declines(self, name: str, code: int) -> None:
        """The call, or what was offered."""

    def hangs_up(self, name: str) -> None: ...
    def reoffers(self, name: str, sdp: str) -> None: ...
    def keys(self, name: str, digit: str, milliseconds: int) -> None: ...
    def refers(self, name: str, number: str) -> None: ...


class Rig(NamedTuple):
    carrier: Carrier
    far: Far


class Signals:
    """What a carrier has reported."""

    def __init__(self) -> None:
        self.all: list[AnySignal] = []
        """But for single messages."""
        self.steps: list[Stepped] = []
        self._came = asyncio.Event()

    def __call__(self, signal: AnySignal) -> None:
        if isinstance(signal, Stepped):
            self.steps.append(signal)
        else:
            self.all.append(signal)
        self._came.set()

    def kinds(self, leg: str) -> list[str]:
        return [type(each).__name__ for each in self.all if each.leg == leg]

    async def next(self, kind: type[Kind], leg: str | None = None, count: int = 1) -> Kind:
        """The newest of a kind, of one leg or any, when there have been so many."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [
                    each for each in self.all
                    if isinstance(each, kind) and leg in (None, each.leg)
                ]  # fmt: skip
                if len(found) >= count:
                    return found[-1]
                self._came.clear()
                await self._came.wait()


Scenario = Callable[[Rig, Signals], Awaitable[None]]


def to_number(leg: str = "leg", number: str = THEIRS, caller: str = OURS) -> Dial:
    return Dial(leg, HERE, Endpoint(type="phone", number=number), OFFER, caller)


async def up(rig: Rig, signals: Signals, leg: str = "leg") -> str:
    """A call that was made and answered; its name at the far end."""
    rig.carrier.dial(to_number(leg))
    call = await rig.far.dialled()
    rig.far.answers(call.name, ANSWER)
    await signals.next(Accepted, leg)
    return call.name


async def taken(rig: Rig, signals: Signals) -> tuple[str, str]:
    """A call that came and was answered: the leg, and its name at the far end."""
    name = await rig.far.call(OFFER, {})
    leg = (await signals.next(Called)).leg
    rig.carrier.answer(leg, ANSWER)
    await rig.far.told(name, "answer")
    return leg, name


class CarrierContract(ABC):
    @abstractmethod
    def rig(self) -> AbstractAsyncContextManager[Rig]: ...

    def play(self, scenario: Scenario) -> None:
        async def run() -> None:
            async with self.rig() as rig:
                signals = Signals()
                rig.carrier.on_signal(signals)
                await scenario(rig, signals)

        uvloop.run(run())

    def test_a_call_that_is_made_rings_is_answered_and_ends(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            rig.carrier.dial(to_number())
            call = await rig.far.dialled()
            assert (call.number, call.caller, call.sdp) == (THEIRS, OURS, OFFER)
            rig.far.rings(call.name)
            assert (await signals.next(Rang)).sdp == ""
            rig.far.answers(call.name, ANSWER, {"X-Where": "there"})
            accepted = await signals.next(Accepted)
            assert (accepted.leg, accepted.sdp) == ("leg", ANSWER)
            assert accepted.headers == {"X-Where": "there"}
            rig.carrier.hang_up("leg")
            await rig.far.told(call.name, "hang_up")
            assert signals.kinds("leg") == ["Rang", "Accepted"]

        self.play(scenario)

    def test_what_an_application_says_of_its_call_arrives(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            rig.carrier.dial(
                Dial(
                    "leg", HERE, Endpoint(type="phone", number=THEIRS), OFFER, OURS, "Ms. Ö",
                    {"X-Order": "1, 2; 3", "X-Line": "a\r\nX-Evil: b", "Evil": "c"},
                    "55;encoding=hex",
                )
            )  # fmt: skip
            call = await rig.far.dialled()
            assert call.headers["X-Order"] == "1, 2; 3"
            assert call.headers["User-to-User"] == "55;encoding=hex"
            assert not {"X-Evil", "Evil"} & call.headers.keys()

        self.play(scenario)

    def test_a_caller_can_be_withheld(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            rig.carrier.dial(to_number(caller=""))
            assert (await rig.far.dialled()).caller == ""

        self.play(scenario)

    def test_the_other_end_can_be_heard_before_it_answers(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            rig.carrier.dial(to_number())
            call = await rig.far.dialled()
            rig.far.rings(call.name, EARLY)
            assert (await signals.next(Rang)).sdp == EARLY
            rig.far.answers(call.name, ANSWER)
            assert (await signals.next(Accepted)).sdp == ANSWER

        self.play(scenario)

    def test_a_call_that_is_declined_says_how_and_is_over(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            for index, code in enumerate((486, 603, 404, 480)):
                leg = f"leg-{index}"
                rig.carrier.dial(to_number(leg))
                call = await rig.far.dialled()
                rig.far.declines(call.name, code)
                assert (await signals.next(Declined, leg)).code == code
                rig.carrier.hang_up(leg)
                rig.carrier.offer(leg, OFFER)
                assert signals.kinds(leg) == ["Declined"]

        self.play(scenario)

    def test_a_call_can_be_given_up_before_it_is_answered(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            rig.carrier.dial(to_number())
            call = await rig.far.dialled()
            rig.far.rings(call.name)
            await signals.next(Rang)
            rig.carrier.hang_up("leg")
            await rig.far.told(call.name, "hang_up")
            assert signals.kinds("leg") == ["Rang"]

        self.play(scenario)

    def test_a_call_can_be_given_up_at_once(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            rig.carrier.dial(to_number("first"))
            rig.carrier.hang_up("first")
            await up(rig, signals, "second")
            assert signals.kinds("first") == []

        self.play(scenario)

    def test_the_other_end_hangs_up_once(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await up(rig, signals)
            rig.far.hangs_up(name)
            assert (await signals.next(HungUp)).code == 200
            rig.carrier.hang_up("leg")
            rig.far.hangs_up(name)
            await up(rig, signals, "another")
            assert signals.kinds("leg") == ["Accepted", "HungUp"]

        self.play(scenario)

    def test_a_call_comes_in_and_is_answered(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await rig.far.call(OFFER, {"X-Shop": "7", "User-to-User": "55"})
            called = await signals.next(Called)
            assert called.application_id == HERE
            assert called.to == Endpoint(type="phone", number=OURS)
            assert called.from_ == Endpoint(type="phone", number=THEIRS)
            assert called.sdp == OFFER
            assert called.headers == {"X-Shop": "7", "User-to-User": "55"}
            assert (called.user_id, bool(called.trunk), called.replaces) == (None, True, None)
            rig.carrier.ring(called.leg)
            await rig.far.told(name, "ring")
            rig.carrier.progress(called.leg, EARLY)
            assert (await rig.far.told(name, "progress"))[0] == EARLY
            rig.carrier.answer(called.leg, ANSWER)
            assert (await rig.far.told(name, "answer"))[0] == ANSWER
            rig.far.hangs_up(name)
            assert (await signals.next(HungUp)).leg == called.leg
            assert signals.kinds(called.leg) == ["Called", "HungUp"]

        self.play(scenario)

    def test_a_call_that_came_is_ended_from_here(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            leg, name = await taken(rig, signals)
            rig.carrier.hang_up(leg)
            await rig.far.told(name, "hang_up")
            assert signals.kinds(leg) == ["Called"]

        self.play(scenario)

    def test_a_call_can_be_refused(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await rig.far.call(OFFER, {})
            called = await signals.next(Called)
            rig.carrier.refuse(called.leg, 486, "Busy")
            assert (await rig.far.told(name, "refuse"))[1] == 486
            rig.carrier.answer(called.leg, ANSWER)
            assert signals.kinds(called.leg) == ["Called"]

        self.play(scenario)

    def test_a_caller_gives_up(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await rig.far.call(OFFER, {})
            called = await signals.next(Called)
            rig.carrier.ring(called.leg)
            await rig.far.told(name, "ring")
            rig.far.hangs_up(name)
            assert (await signals.next(HungUp)).leg == called.leg
            rig.carrier.answer(called.leg, ANSWER)
            assert signals.kinds(called.leg) == ["Called", "HungUp"]

        self.play(scenario)

    def test_a_caller_without_an_offer_gets_ours(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await rig.far.call("", {})
            called = await signals.next(Called)
            assert called.sdp == ""
            rig.carrier.answer(called.leg, OFFER)
            assert (await rig.far.told(name, "answer"))[0] == OFFER
            rig.far.answers(name, ANSWER)
            assert (await signals.next(Accepted)).sdp == ANSWER

        self.play(scenario)

    def test_another_media_path_is_offered(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await up(rig, signals)
            rig.carrier.offer("leg", OTHER)
            assert (await rig.far.told(name, "offer"))[0] == OTHER
            rig.far.answers(name, EARLY)
            assert (await signals.next(Accepted, count=2)).sdp == EARLY

        self.play(scenario)

    def test_an_offer_that_is_refused_changes_nothing(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await up(rig, signals)
            rig.carrier.offer("leg", OTHER)
            await rig.far.told(name, "offer")
            rig.far.declines(name, 488)
            rig.far.keys(name, "5", 100)
            await signals.next(Keyed)
            assert signals.kinds("leg") == ["Accepted", "Keyed"]

        self.play(scenario)

    def test_the_other_end_offers_another_media_path(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            leg, name = await taken(rig, signals)
            rig.far.reoffers(name, OTHER)
            assert (await signals.next(Reoffered)).sdp == OTHER
            rig.carrier.answer(leg, EARLY)
            assert (await rig.far.told(name, "answer"))[0] == EARLY
            rig.far.reoffers(name, OFFER)
            await signals.next(Reoffered, count=2)
            rig.carrier.refuse(leg, 488)
            assert (await rig.far.told(name, "refuse"))[1] == 488
            rig.far.hangs_up(name)
            await signals.next(HungUp)

        self.play(scenario)

    def test_keys_are_told(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            name = await up(rig, signals)
            for index, digit in enumerate("5*#A"):
                rig.far.keys(name, digit, 160)
                keyed = await signals.next(Keyed, count=index + 1)
                assert (keyed.leg, keyed.digit, keyed.milliseconds) == ("leg", digit, 160)

        self.play(scenario)

    def test_a_transfer_is_asked_for_and_told_of(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            leg, name = await taken(rig, signals)
            rig.far.refers(name, "15550123")
            referred = await signals.next(Referred)
            assert (referred.leg, referred.replaces) == (leg, None)
            assert referred.to == Endpoint(type="phone", number="15550123")
            rig.carrier.referred(leg, 200)
            assert (await rig.far.told(name, "referred"))[1] == 200

        self.play(scenario)

    def test_what_is_told_of_no_call_does_nothing(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            carrier = rig.carrier
            carrier.ring("nobody")
            carrier.progress("nobody", EARLY)
            carrier.answer("nobody", ANSWER)
            carrier.refuse("nobody", 486)
            carrier.offer("nobody", OFFER)
            carrier.referred("nobody", 200)
            carrier.hang_up("nobody")
            await up(rig, signals)
            assert [each.leg for each in signals.all if each.leg != "leg"] == []

        self.play(scenario)

    def test_many_calls_do_not_mix(self) -> None:
        async def scenario(rig: Rig, signals: Signals) -> None:
            for index in range(30):
                rig.carrier.dial(to_number(f"leg-{index}", caller=f"1555{index:03}"))
            calls = [await rig.far.dialled() for _ in range(30)]
            for call in reversed(calls):
                rig.far.answers(call.name, sdp(5000 + int(call.caller[-3:])))
            for index in range(30):
                accepted = await signals.next(Accepted, f"leg-{index}")
                assert accepted.sdp == sdp(5000 + index)
            for call in calls:
                rig.far.hangs_up(call.name)
            for index in range(30):
                await signals.next(HungUp, f"leg-{index}")

        self.play(scenario)
