"""baresip registers as a user, calls and is called, holds and transfers; tones go both ways."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.baresip_party import Baresip, needs_baresip
from tests.system.office import MUSIC, OWN, Office, Premises, Session, premises
from tests.system.office import play as play_at
from tests.system.scenario import SPEAKING, answered, bye, hung_up, invite, speak, until_told
from tests.system.sipp_party import HERTZ, needs_sipp

pytestmark = [pytest.mark.system, needs_baresip]

Play = Callable[[Session], None]
ALICES, ANNES = 500, 1_100
"""Hertz of their tones."""
PASSWORD = "wonder-land"
ECHO = "15550105"
UP = ("started", "ringing", "answered", "completed")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    with premises(tmp_path_factory.mktemp("office")) as running:
        yield running


@pytest.fixture
def play(house: Premises, tmp_path: Path) -> Play:
    return partial(play_at, house=house, folder=tmp_path)


async def alice(
    here: Office, transport: str = "udp", *, answers: str = "manual", more: str = ""
) -> AbstractAsyncContextManager[Baresip]:
    await here.user("alice", PASSWORD)
    document = here.house.document
    server = document.sip_tls if transport == "tls" else document.sip
    account = (
        f"<sip:alice@{server};transport={transport}>;auth_user=alice;auth_pass={PASSWORD}"
        f";regint=120;answermode={answers}{more}"
    )
    return Baresip.of(here.folder / "alice", account, hertz=ALICES, authority=document.ca_file)


async def registered(here: Office, phone: Baresip) -> None:
    await phone.registered()
    assert (await here.figures())["sip_registered_contacts"] == 1


def address(here: Office, user: str) -> str:
    return f"sip:{user}@{here.sip}"


def to_alice(here: Office, **members: Any) -> dict[str, Any]:
    endpoint = {"type": "sip", "uri": address(here, "alice")}
    return {"action": "connect", "endpoint": [endpoint], **members}


@pytest.mark.parametrize(
    ("transport", "more"),
    [("udp", ""), ("tcp", ";audio_codecs=PCMA/8000/1"), ("tls", ";mediaenc=srtp-mand")],
)
def test_it_calls_a_user_in_an_app(play: Play, transport: str, more: str) -> None:
    async def session(here: Office) -> None:
        here.says_nothing()
        anne = await here.hall.phone(f"anne-{transport}")
        async with await alice(here, transport, more=more) as phone:
            await registered(here, phone)
            server = here.house.document.sip_tls if transport == "tls" else here.sip
            phone.do("dial", f"sip:{anne.user}@{server}")
            await anne.pick_up()
            anne.tone(ANNES)
            await phone.hears(ANNES)
            await anne.hears(ALICES)
            phone.do("hangup")
            await anne.event("member:left")
            await here.told(await here.leg(), *UP)

    play(session)


@needs_sipp
def test_it_is_called_by_a_number(play: Play) -> None:
    """By a phone that calls the application, whose script connects it to her."""

    async def session(here: Office) -> None:
        here.says(to_alice(here))
        steps = (invite(SPEAKING), answered(), speak(), hung_up())
        async with await alice(here, answers="auto") as phone:
            await registered(here, phone)
            async with here.sipp(*steps) as caller:
                await phone.hears(HERTZ)
                phone.do("hangup")
                await caller.ends()
            for nth in range(2):
                await here.told(await here.leg(nth=nth), *UP)
            async with here.sipp(invite(), answered(), until_told(), bye()) as caller:
                await here.ear.hears(ALICES)
                caller.tell()
                await caller.ends()
            for nth in range(2, 4):
                await here.told(await here.leg(nth=nth), *UP)

    play(session)


def test_it_is_called_by_its_address(play: Play) -> None:
    async def session(here: Office) -> None:
        to = {"type": "sip", "uri": address(here, "alice")}
        leg = await here.call_end(to, here.music)
        await here.told(leg, "started", "unanswered")
        async with await alice(here) as phone:
            await registered(here, phone)
            leg = await here.call_end(to, here.music)
            await phone.event("CALL_INCOMING")
            await here.leg("ringing")
            phone.do("accept")
            await phone.hears(MUSIC)
            await here.hang_up(leg)
            await phone.event("CALL_CLOSED")
            await here.told(leg, *UP)
            known = len(phone.told)
            leg = await here.call_end(to, here.music)
            await phone.event("CALL_INCOMING", after=known)
            phone.do("hangup")
            await here.told(leg, "started", "ringing", "busy")

    play(session)


def test_it_holds_and_resumes(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says_nothing()
        anne = await here.hall.phone("anne-held")
        async with await alice(here) as phone:
            await registered(here, phone)
            phone.do("dial", address(here, anne.user))
            await anne.pick_up()
            anne.tone(ANNES)
            await phone.hears(ANNES)
            await anne.hears(ALICES)
            phone.do("hold")
            await anne.hears_silence()
            phone.do("resume")
            await anne.hears(ALICES)
            await phone.hears(ANNES)
            phone.do("hangup")
            await here.told(await here.leg(), *UP)

    play(session)


def test_its_keys_are_told(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(
            {"action": "input", "type": ["dtmf"], "dtmf": {"maxDigits": 3},
             "eventUrl": [here.url("/keys")]},
        )  # fmt: skip
        here.says(here.music, at="/keys")
        async with await alice(here) as phone:
            await registered(here, phone)
            phone.do("dial", address(here, OWN))
            await phone.event("CALL_ESTABLISHED")
            for key in "12#":
                phone.do("sndcode", key)
            await phone.hears(MUSIC)
            phone.do("hangup")
            (told,) = here.program.of("/keys")
            assert told["dtmf"] == {"digits": "12#", "timed_out": False}
            await here.told(await here.leg(), *UP)

    play(session)


def test_it_transfers_whom_it_talks_to(play: Play) -> None:
    """To an echo: whoever was transferred hears herself."""

    async def session(here: Office) -> None:
        here.says_nothing()
        anne = await here.hall.phone("anne-transferred")
        async with await alice(here) as phone:
            await registered(here, phone)
            phone.do("dial", address(here, anne.user))
            await anne.pick_up()
            anne.tone(ANNES)
            await phone.hears(ANNES)
            phone.do("transfer", address(here, ECHO))
            await phone.event("CALL_CLOSED")
            await anne.hears(ANNES)
            first, _, echo = [await here.leg(nth=nth) for nth in range(3)]
            await here.told(first, *UP)
            await here.hang_up(echo)
            await here.told(echo, *UP)
            await anne.event("member:left")

    play(session)
