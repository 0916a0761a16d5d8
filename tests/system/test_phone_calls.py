"""Simulated phones and the application talk by keys, and over a line that is bad."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.diary import Entry
from tests.system.office import OWN, Office, Premises, Session, premises
from tests.system.office import play as play_at
from tests.system.simulated import (
    BAD_LINE,
    ECHO,
    KEYPAD,
    MENU,
    OLD_KEYPAD,
    PRESSED,
    are_of,
    calling,
    wait_for_phones,
    with_keypads,
)

pytestmark = pytest.mark.system

Play = Callable[[Session], None]
ATTEMPTS = 3


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    folder = tmp_path_factory.mktemp("office")
    with premises(folder, TERTULIA_SIP__PHONES=with_keypads(folder / "phones")) as running:
        wait_for_phones(running.tree.data)
        yield running


@pytest.fixture
def play(house: Premises, tmp_path: Path) -> Play:
    return partial(play_at, house=house, folder=tmp_path)


def test_each_key_is_told_once_however_it_is_pressed(play: Play) -> None:
    async def session(here: Office) -> None:
        keys = await _keys_of_call(here, KEYPAD)
        assert _digits(keys) == PRESSED
        numbers = [each.body["dtmf_seq"] for each in keys]
        assert numbers == sorted(set(numbers))

    play(session)


def test_keys_are_told_that_can_only_be_heard(play: Play) -> None:
    """When the machine is busy some may be lost on the way; none is told twice."""

    async def session(here: Office) -> None:
        for _ in range(ATTEMPTS):
            keys = await _keys_of_call(here, OLD_KEYPAD)
            assert are_of(_digits(keys), PRESSED), _digits(keys)
            if _digits(keys) == PRESSED:
                return
        raise AssertionError(f"not in any of {ATTEMPTS} calls: {_digits(keys)}")

    play(session)


def test_a_menu_hears_the_keys_of_the_application(play: Play) -> None:
    async def session(here: Office) -> None:
        leg = await _call(here, MENU)
        await here.diary.see("sip:answered", leg=leg)
        answer = await here.caller.call("PUT", f"/v1/calls/{leg}/dtmf", {"digits": "1p9"})
        assert answer.status == 200, answer
        done = await here.program.has_told("/event", uuid=leg, status="completed")
        assert done["disconnected_by"] == "user"

    play(session)


def test_a_bad_line_is_told_as_one(play: Play) -> None:
    async def session(here: Office) -> None:
        legs = [await _call(here, number) for number in (BAD_LINE, ECHO)]
        for leg in legs:
            await here.diary.see("sip:answered", leg=leg)
        await asyncio.sleep(6)  # of sound: 300 packets
        for leg in legs:
            await here.hang_up(leg)
        bad, good = [await quality(here, leg) for leg in legs]
        assert 1 < bad["packet_loss_perc"] < 12
        assert bad["flaw_total"] >= 3
        assert 2 < bad["jitter_max_var"] < 60
        assert bad["jitter_min_var"] <= bad["jitter_max_var"]
        assert 2 < bad["mos_score"] < 4.3 and 30 < bad["quality_percentage"] < 95
        assert good["packet_loss_perc"] == 0

    play(session)


async def _call(here: Office, number: str) -> str:
    """Into a conversation of its own; the leg."""
    return await here.call(number, {"action": "conversation", "name": f"with {number}"})


async def quality(here: Office, leg: str) -> dict[str, Any]:
    found: dict[str, Any] = (await here.diary.see("sip:hangup", leg=leg)).body["quality"]
    return found


async def _keys_of_call(here: Office, number: str) -> list[Entry]:
    """What was told of the keys of a phone that calls in."""
    here.says({"action": "conversation", "name": "keys"})
    since = await here.diary.read()
    async with calling(here.house.tree.data, number, OWN) as phone:
        await phone.until("ended 200")
    await here.settled()
    await here.diary.read()
    keys = list(here.diary.told("audio:dtmf", since=since))
    for each in keys:
        assert each.body["method"] == "in"
        assert 40 <= each.body["duration"] <= 250, each.body
    return keys


def _digits(keys: list[Entry]) -> str:
    return "".join(each.body["digit"] for each in keys)
