"""sipp calls in: by UDP and TCP, as a trunk and as a softphone, in order and out of order."""

import asyncio
import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.system.office import (
    MUSIC,
    NUMBER,
    OWN,
    TRUNK,
    UNKNOWN,
    Office,
    Premises,
    Session,
    premises,
    soon,
)
from tests.system.office import play as play_at
from tests.system.phone_ear import PhoneEar
from tests.system.scenario import (
    SPEAKING,
    acknowledge_ringing,
    again,
    answered,
    bye,
    challenged,
    come,
    declined,
    get,
    give_up,
    hung_up,
    invite,
    notified,
    offer,
    send,
    speak,
    until_told,
)
from tests.system.sipp_party import HERTZ, needs_sipp, sipp
from tests.system.speakers import needs_speech
from tests.system.tones import RATE, Samples, level

pytestmark = [pytest.mark.system, needs_sipp]

Play = Callable[[Session], None]
UP = ("started", "ringing", "answered", "completed")
ECHO, NOBODY = "15550105", "15550103"
"""Simulated phones."""
ALICE = ("alice", "wonder land")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    with premises(tmp_path_factory.mktemp("office"), TERTULIA_SIP__DIGESTS="MD5") as running:
        yield running


@pytest.fixture
def play(house: Premises, tmp_path: Path) -> Play:
    return partial(play_at, house=house, folder=tmp_path)


def known_as(name: str, password: str) -> dict[str, Any]:
    """Credentials to answer challenges with."""
    return {"options": ("-au", name, "-ap", password), "host": UNKNOWN, "number": NUMBER}


def connect(number: str, **members: Any) -> dict[str, Any]:
    return {"action": "connect", "endpoint": [{"type": "phone", "number": number}], **members}


async def recorded(here: Office, path: str = "/recorded") -> Samples:
    """The channels of a recording, at 16 kHz."""
    await soon(lambda: bool(here.program.of(path)), "no recording")
    raw = await here.hall.download(here.program.of(path)[0]["recording_url"])
    sound, rate = soundfile.read(io.BytesIO(raw), dtype="int16", always_2d=True)
    assert rate == RATE
    return np.asarray(sound.T)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_its_own_scenario(play: Play, transport: str) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        running = sipp(here.folder, "uac", ("-d", "300"), to=here.sip, transport=transport)
        async with running as phone:
            await phone.ends()
        await here.told(await here.leg(), *UP)
        assert here.program.of("/answer")[0]["to"] == OWN

    play(session)


@needs_speech
def test_a_text_is_heard_and_the_script_hangs_up(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says({"action": "talk", "text": "Hello, and goodbye."})
        async with here.sipp(invite(), answered(), hung_up()) as phone:
            await here.ear.hears_something()
            await phone.ends()
        leg = await here.leg()
        await here.told(leg, *UP)
        done = await here.program.has_told("/event", uuid=leg, status="completed")
        assert (done["disconnected_by"], done["sip_code"]) == ("platform", 200)
        asked = here.program.of("/answer")[0]
        assert asked["SipHeader_X-Test"] == "of mine"
        assert (asked["from"], asked["endpoint_type"]) == ("447700900001", "phone")

    play(session)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_it_plays_comes_back_and_is_recorded(play: Play, transport: str) -> None:
    """To an echo, so that it is what the phone is sent as well."""

    async def session(here: Office) -> None:
        record = {
            "action": "record", "format": "wav", "split": "conversation", "channels": 2,
            "eventUrl": [here.url("/recorded")],
        }  # fmt: skip
        here.says(record, connect(ECHO))
        running = here.sipp(invite(SPEAKING), answered(), speak(), hung_up(), transport=transport)
        async with running as phone:
            echo = await here.leg("answered", nth=1)
            await asyncio.sleep(1)  # of sound
            await here.hang_up(echo)
            await phone.ends()
        await here.told(echo, *UP)
        await here.told(await here.leg(), *UP)
        for channel in await recorded(here):
            assert level(channel[-RATE // 2 :], HERTZ) > 0.1

    play(session)


def test_it_is_heard_in_a_conversation(play: Play) -> None:
    async def session(here: Office) -> None:
        anne = await here.hall.phone(f"anne-{here.folder.name}")
        room = await here.hall.another()
        await anne.enter(room)
        name = (await here.caller.get(f"/v1/conversations/{room}"))["name"]
        here.says({"action": "conversation", "name": name})
        async with here.sipp(invite(SPEAKING), answered(), speak(), until_told(), bye()) as phone:
            await anne.hears(HERTZ)
            phone.tell()
            await phone.ends()
            await anne.hears_silence()
        async with here.sipp(invite(), answered(), until_told(), bye()) as phone:
            anne.tone(MUSIC)
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        for nth in range(2):
            await here.told(await here.leg(nth=nth), *UP)
        await anne.must("PUT", f"/legs/{anne.leg}", {"action": "hangup"})

    play(session)


def test_a_trunk_shows_who_it_is(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        running = here.sipp(
            challenged(), answered(2), until_told(), bye(3), **known_as(*TRUNK)
        )  # fmt: skip
        async with running as phone:
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        await here.told(await here.leg(), *UP)
        assert here.program.of("/answer")[0]["to"] == NUMBER

    play(session)


@pytest.mark.parametrize(
    "credentials", [("trunk", "not this"), ("nobody", "open sesame"), ("alice", "not this")]
)
def test_who_cannot_show_that_gets_nowhere(play: Play, credentials: tuple[str, str]) -> None:
    async def session(here: Office) -> None:
        await here.user(*ALICE)
        here.says(here.music)
        steps = (challenged(), declined(401, number=2))
        async with here.sipp(*steps, caller="alice", **known_as(*credentials)) as phone:
            await phone.ends()
        async with here.sipp(invite(), declined(401), host=UNKNOWN, number=NUMBER) as phone:
            await phone.ends()
        assert here.program.told == []

    play(session)


def test_a_softphone_calls_by_the_password_of_its_user(play: Play) -> None:
    async def session(here: Office) -> None:
        await here.user(*ALICE)
        here.says(here.music)
        steps = (challenged(), answered(2), until_told(), bye(3))
        async with here.sipp(*steps, caller="alice", **known_as(*ALICE)) as phone:
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        await here.told(await here.leg(), *UP)
        asked = here.program.of("/answer")[0]
        assert (asked["from"], asked["endpoint_type"]) == (f"sip:alice@{UNKNOWN}", "sip")

    play(session)


def test_the_caller_gives_up_while_its_application_thinks(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        here.program.slow = 30
        async with here.sipp(invite(), get(100, optional=True), get(180), give_up()) as phone:
            await phone.ends()
        leg = await here.leg()
        await here.told(leg, "started", "ringing", "cancelled")
        done = await here.program.has_told("/event", uuid=leg, status="cancelled")
        assert (done["disconnected_by"], done["sip_code"]) == ("user", 487)

    play(session)


def test_the_caller_gives_up_while_somebody_is_called(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(connect(NOBODY))
        steps = (invite(), get(100, optional=True), get(180), until_told(), give_up())
        async with here.sipp(*steps) as phone:
            callee = await here.leg("ringing", nth=1)
            phone.tell()
            await phone.ends()
        for leg in (await here.leg(), callee):
            await here.told(leg, "started", "ringing", "cancelled")

    play(session)


def test_the_application_hangs_up(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        async with here.sipp(invite(), answered(), hung_up()) as phone:
            await here.ear.hears(MUSIC)
            leg = await here.leg()
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, *UP)

    play(session)


def test_both_hang_up_at_once(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        async with here.sipp(
            invite(),
            answered(),
            come("BYE"),
            send("BYE", 2),
            get(200),
        ) as phone:
            leg = await here.leg("answered")
            await here.hang_up(leg)
            await phone.ends()
        await here.told(leg, *UP)

    play(session)


@pytest.mark.parametrize(
    "held", [offer(direction="sendonly"), offer(direction="inactive"),
             offer().replace("[media_ip]", "0.0.0.0")],
    ids=["sendonly", "inactive", "old"],
)  # fmt: skip
def test_a_call_is_held_and_resumed(play: Play, held: str) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        steps = (
            invite(), answered(), until_told(), again(held, 2), answered(2), until_told(),
            again(offer(), 3), answered(3), until_told(), bye(4),
        )  # fmt: skip
        async with here.sipp(*steps) as phone:
            await here.ear.hears(MUSIC)
            phone.tell()
            await here.ear.hears_nothing()
            phone.tell()
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        await here.told(await here.leg(), *UP)

    play(session)


def test_media_moves_with_an_update(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        async with PhoneEar.listening() as other:
            steps = (
                invite(), answered(), until_told(), send("UPDATE", 2), get(200),
                send("UPDATE", 3, offer(str(other.port))), get(200), until_told(), bye(4),
            )  # fmt: skip
            async with here.sipp(*steps) as phone:
                await here.ear.hears(MUSIC)
                phone.tell()
                await other.hears(MUSIC)
                await here.ear.hears_nothing()
                phone.tell()
                await phone.ends()
        await here.told(await here.leg(), *UP)

    play(session)


def test_the_server_offers(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        steps = (invite(""), answered(body=offer()), until_told(), bye())
        async with here.sipp(*steps) as phone:
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        await here.told(await here.leg(), *UP)

    play(session)


def test_ringing_is_acknowledged(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        steps = (
            invite(None, "Require: 100rel"), get(100, optional=True), acknowledge_ringing(),
            answered(), until_told(), bye(3),
        )  # fmt: skip
        async with here.sipp(*steps) as phone:
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        await here.told(await here.leg(), *UP)

    play(session)


def test_questions_in_a_call_and_outside(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        outside = send("OPTIONS", 1, uri="sip:[remote_ip]:[remote_port]", is_first=True)
        async with here.sipp(outside, get(200)) as phone:
            await phone.ends()
        steps = (
            invite(), answered(), send("OPTIONS", 2), get(200), send("SUBSCRIBE", 3), get(405),
            bye(4),
        )  # fmt: skip
        async with here.sipp(*steps) as phone:
            await phone.ends()
        await here.told(await here.leg(), *UP)

    play(session)


def test_keys_come_by_info(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(
            {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 3},
             "eventUrl": [here.url("/keys")]},
        )  # fmt: skip
        here.says(here.music, at="/keys")
        kind = "Content-Type: application/dtmf-relay"
        keys = [
            send("INFO", 2 + n, f"Signal={key}\nDuration=160\n", kind) + get(200)
            for n, key in enumerate("12#")
        ]
        steps = (invite(), answered(), until_told(), *keys, until_told(), bye(5))
        async with here.sipp(*steps) as phone:
            await here.leg("answered")
            phone.tell()
            await here.ear.hears(MUSIC)
            phone.tell()
            await phone.ends()
        (told,) = here.program.of("/keys")
        assert told["dtmf"] == {"digits": "12#", "timed_out": False}

    play(session)


def test_a_stranger_by_a_trunk_has_nobody_called(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        steps = (
            invite(), answered(), send("REFER", 2, "", f"Refer-To: <sip:{ECHO}@[remote_ip]>"),
            get(202), notified(100, 603), bye(3),
        )  # fmt: skip
        async with here.sipp(*steps, caller="mallory") as phone:
            await phone.ends()
        leg = await here.leg()
        await here.told(leg, *UP)
        assert set(here.with_status("started")) == {leg}

    play(session)


@pytest.mark.parametrize(
    "offered", [offer(types="18"), "v=0\n", offer().replace("m=audio", "m=video")]
)
def test_what_cannot_be_heard_is_refused(play: Play, offered: str) -> None:
    async def session(here: Office) -> None:
        here.says(here.music)
        async with here.sipp(invite(offered), declined(488)) as phone:
            await phone.ends()
        assert here.program.told == []

    play(session)
