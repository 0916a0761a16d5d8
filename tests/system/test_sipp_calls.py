"""sipp calls in: by UDP and TCP, as a trunk and as a softphone, in order and out of order."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.system.office import NUMBER, OWN, TRUNK, UNKNOWN, Office, Premises, Session, premises
from tests.system.office import play as play_at
from tests.system.scenario import (
    ack,
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
    offer,
    respond,
    ringing,
    send,
    speak,
    until_told,
    wait,
    SPEAKING,
)
from tests.system.sipp_party import HERTZ, needs_sipp, sipp
from tests.system.speakers import needs_speech

pytestmark = [pytest.mark.system, needs_sipp]

Play = Callable[[Session], None]
MENU = {"action": "input", "type": ["dtmf"], "dtmf": {"timeOut": 10}}
"""Keeps a call up."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    with premises(tmp_path_factory.mktemp("office")) as running:
        yield running


@pytest.fixture
def play(house: Premises, tmp_path: Path) -> Play:
    return partial(play_at, house=house, folder=tmp_path)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_its_own_scenario(play: Play, transport: str) -> None:
    async def session(here: Office) -> None:
        here.says(MENU)
        options = ("-d", "300")
        running = sipp(here.folder, "uac", *options, to=here.sip, transport=transport)
        async with running as phone:
            await phone.ends()
        leg = await here.leg()
        await here.told(leg, "started", "ringing", "answered", "completed")
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
        await here.told(leg, "started", "ringing", "answered", "completed")
        done = await here.program.has_told("/event", uuid=leg, status="completed")
        assert (done["disconnected_by"], done["sip_code"]) == ("platform", 200)

    play(session)


def test_what_it_plays_is_recorded(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says({"action": "record", "format": "wav", "endOnKey": "#", "timeOut": 3})
        async with here.sipp(invite(SPEAKING), answered(), speak(), hung_up()) as phone:
            await phone.ends()
        

    play(session)
