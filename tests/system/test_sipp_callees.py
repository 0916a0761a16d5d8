"""sipp is called by trunks of a number plan, and answers as it likes; and who never answers."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.office import (
    CALLEES,
    MUSIC,
    US,
    Office,
    Premises,
    Session,
    premises,
)
from tests.system.office import play as play_at
from tests.system.scenario import (
    SPEAKING,
    ack,
    answer,
    ask,
    bye,
    come,
    get,
    hung_up,
    invite,
    invited,
    linger,
    offer,
    respond,
    ringing,
    shows,
    speak,
    until_told,
    wait,
)
from tests.system.sipp_party import HERTZ, needs_sipp

pytestmark = [pytest.mark.system, needs_sipp]

Play = Callable[[Session], None]
CALLEE, BY_TCP = "17770001", "17780001"
UP = ("started", "ringing", "answered", "completed")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    with premises(tmp_path_factory.mktemp("office")) as running:
        yield running


@pytest.fixture
def play(house: Premises, tmp_path: Path) -> Play:
    return partial(play_at, house=house, folder=tmp_path)


def connect(number: str = CALLEE, **members: Any) -> dict[str, Any]:
    return {"action": "connect", "endpoint": [{"type": "phone", "number": number}], **members}


PICKS_UP = (invited(), answer(180), answer(200, offer()), come("ACK"))


def test_its_own_scenario(play: Play) -> None:
    async def session(here: Office) -> None:
        async with here.callee("uas") as phone:
            leg = await here.call(CALLEE, here.music)
            await here.leg("answered")
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, *UP)

    play(session)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_answers_hears_and_hangs_up(play: Play, transport: str) -> None:
    number = {"udp": CALLEE, "tcp": BY_TCP}[transport]

    async def session(here: Office) -> None:
        steps = (*PICKS_UP, wait(1500), ask("BYE"), get(200))
        async with here.callee(*steps, transport=transport) as phone:
            leg = await here.call(number, here.music)
            await here.ear.hears(MUSIC)
            await phone.ends()
        await here.told(leg, *UP)
        done = await here.program.has_told("/event", uuid=leg, status="completed")
        assert (done["disconnected_by"], done["sip_code"]) == ("user", 200)

    play(session)


@pytest.mark.parametrize(
    ("code", "status"),
    [(486, "busy"), (600, "busy"), (603, "rejected"), (403, "rejected"), (404, "failed"),
     (480, "unanswered"), (408, "unanswered"), (488, "failed"), (500, "failed")],
)  # fmt: skip
def test_it_declines(play: Play, code: int, status: str) -> None:
    async def session(here: Office) -> None:
        async with here.callee(invited(), answer(180), answer(code), come("ACK")) as phone:
            leg = await here.call(CALLEE, here.music)
            await phone.ends()
        await here.told(leg, "started", "ringing", status)
        done = await here.program.has_told("/event", uuid=leg, status=status)
        assert (done["disconnected_by"], done["sip_code"]) == ("user", code)

    play(session)


def test_it_sends_us_on(play: Play) -> None:
    async def session(here: Office) -> None:
        elsewhere = f"Contact: <sip:17779999@{CALLEES}:[local_port]>;q=0.7"
        steps = (invited(), answer(302, "", elsewhere), come("ACK"), *PICKS_UP, hung_up())
        async with here.callee(*steps) as phone:
            leg = await here.call(CALLEE, here.music)
            await here.ear.hears(MUSIC)
            await here.hang_up(leg)
            await phone.ends()
        assert "INVITE sip:17779999@" in phone.messages()
        await here.told(leg, *UP)

    play(session)


CHALLENGE = 'Authenticate: Digest realm="far", nonce="abc", algorithm=MD5'


def test_we_show_who_we_are(play: Play) -> None:
    async def session(here: Office) -> None:
        steps = (invited(), answer(401, "", f"WWW-{CHALLENGE}"), come("ACK"), shows(*US))
        async with here.callee(*steps, *PICKS_UP[1:], hung_up()) as phone:
            leg = await here.call(CALLEE, here.music)
            await here.ear.hears(MUSIC)
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, *UP)

    play(session)


def test_we_show_a_proxy_who_we_are_and_give_up_when_it_does_not_believe_us(play: Play) -> None:
    async def session(here: Office) -> None:
        refuses = (invited(), answer(407, "", f"Proxy-{CHALLENGE}"), come("ACK"))
        async with here.callee(*refuses, *refuses) as phone:
            leg = await here.call(CALLEE, here.music)
            await phone.ends()
        assert 'Proxy-Authorization: Digest username="us", realm="far"' in phone.messages()
        await here.told(leg, "started", "rejected")

    play(session)


def test_it_is_heard_before_it_answers(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(connect())
        callee = (
            invited(), answer(183, SPEAKING), speak(), until_told(), answer(200, SPEAKING),
            come("ACK"), hung_up(),
        )  # fmt: skip
        caller = (invite(), ringing(180), get(183), get(200), ack(), until_told(), bye())
        async with here.callee(*callee) as phone, here.sipp(*caller) as other:
            leg = await here.leg("ringing", nth=1)
            await here.ear.hears(HERTZ)
            assert "answered" not in here.statuses(leg)
            phone.tell()
            await here.leg("answered", nth=1)
            await here.ear.hears(HERTZ)
            other.tell()
            await other.ends()
            await phone.ends()
        for nth in range(2):
            await here.told(await here.leg(nth=nth), *UP)

    play(session)


def test_it_rings_for_too_long(play: Play) -> None:
    async def session(here: Office) -> None:
        steps = (invited(), answer(180), come("CANCEL"), respond(200), answer(487), come("ACK"))
        async with here.callee(*steps) as phone:
            leg = await here.call(CALLEE, here.music, ringing_timer=1)
            await phone.ends()
        await here.told(leg, "started", "ringing", "timeout")

    play(session)


def test_it_answers_while_we_give_up(play: Play) -> None:
    async def session(here: Office) -> None:
        steps = (
            invited(), answer(180), come("CANCEL"), respond(200), answer(200, offer()),
            come("ACK"), hung_up(),
        )  # fmt: skip
        async with here.callee(*steps) as phone:
            leg = await here.call(CALLEE, here.music)
            await here.leg("ringing")
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, "started", "ringing", "cancelled")

    play(session)


def test_it_holds_us_and_moves(play: Play) -> None:
    async def session(here: Office) -> None:
        steps = (
            *PICKS_UP, until_told(), ask("INVITE", 1, offer(direction="sendonly")),
            get(100, optional=True), get(200), ask("ACK", 1), until_told(),
            ask("INVITE", 2, offer()), get(100, optional=True), get(200), ask("ACK", 2), hung_up(),
        )  # fmt: skip
        async with here.callee(*steps) as phone:
            leg = await here.call(CALLEE, here.music)
            await here.ear.hears(MUSIC)
            phone.tell()
            await here.ear.hears_nothing()
            phone.tell()
            await here.ear.hears(MUSIC)
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, *UP)

    play(session)


@pytest.mark.skipif(not os.environ.get("TERTULIA_FULL"), reason="takes long: TERTULIA_FULL=1")
def test_packets_are_lost(play: Play) -> None:
    """One in five, each way: a goodbye may come before its acknowledgement, and nobody needs to
    hear it ring."""
    picks_up = (invited(), answer(200, offer()), come("ACK", optional=True))

    async def session(here: Office) -> None:
        lossy = ("-lost", "20")
        async with here.callee(*picks_up, hung_up(), linger(), options=lossy, calls=3) as phone:
            legs = [await here.call(CALLEE, here.music) for _ in range(3)]
            await here.leg("answered", nth=2)
            for leg in legs:
                await here.hang_up(leg)
            await phone.ends()
        for leg in legs:
            await here.told(leg, "started", "answered", "completed")

    play(session)


def test_who_does_not_answer_a_message_is_given_up(play: Play) -> None:
    """All at once, since each takes half a minute (RFC 3261 17.1.1.2)."""

    async def never_acknowledges(here: Office) -> None:
        steps = (invite(), ringing(), get(200), come("BYE"), respond(200))
        async with here.sipp(*steps, caller="447700900011", patience=60) as phone:
            await phone.ends(60)
        leg = here.leg_of(caller="447700900011")
        await here.told(leg, *UP)
        done = await here.program.has_told("/event", uuid=leg, status="completed")
        assert (done["disconnected_by"], done["sip_code"]) == ("user", 408)

    async def acknowledges_late(here: Office) -> None:
        steps = (invite(), ringing(), get(200), wait(2_500), ack(), wait(500), bye())
        async with here.sipp(*steps, caller="447700900012") as phone:
            await phone.ends()
        await here.told(here.leg_of(caller="447700900012"), *UP)

    async def never_says_goodbye(here: Office) -> None:
        steps = (invite(), ringing(), get(200), ack(), come("BYE"))
        async with here.sipp(*steps, caller="447700900013") as phone:
            await here.leg("answered")
            leg = here.leg_of(caller="447700900013")
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, *UP)

    async def never_answers(here: Office) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind((CALLEES, here.house.callees))
            leg = await here.call(CALLEE, here.music)
            await here.told(leg, "started", "unanswered", within=50)
        done = await here.program.has_told("/event", uuid=leg, status="unanswered")
        assert done["sip_code"] == 408

    async def session(here: Office) -> None:
        here.says(here.music)
        await asyncio.gather(
            *(each(here) for each in (
                never_acknowledges, acknowledges_late, never_says_goodbye, never_answers,
            ))
        )  # fmt: skip
        await here.forgotten()

    play(session)
