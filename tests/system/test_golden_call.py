"""The golden call: a phone calls the application, which connects it to another. The log of it is
the one that tests/vectors/calls keeps, in order and with every member of every body.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.system.diary import Entry
from tests.system.office import OWN, Office, Premises, Session, premises
from tests.system.office import play as play_at
from tests.system.simulated import ECHO, PERSON, calling

from tertulia.model.events.voicehook import VOICE_WEBHOOK
from tertulia.model.instant import parse_date

pytestmark = pytest.mark.system

Play = Callable[[Session], None]
VECTORS = Path(__file__).parents[1] / "vectors" / "calls"
BRIEF = "15550177"
CALL_FILE = """
about = "Somebody in a hurry: answers, is silent for a while, hangs up"
[parts]
start = [{ ring = 0.3 }, { answer = true }, { pause = 2 }, { hang_up = true }]
"""
DOCUMENTED = [
    "member:joined", "sip:ringing", "sip:answered", "member:joined", "member:media",
    "sip:answered", "member:joined", "member:media",
]  # fmt: skip
"""Of a call that is answered (wire-api 2.7)."""
ENDED = ["sip:hangup", "sip:status", "member:left"]
"""Behind that, for each leg."""
BESIDE = {"leg:status:update", "conversation:created", VOICE_WEBHOOK}
NUMBERS, TEXTS = ("quality", "bandwidth"), ("price", "duration")
"""What is measured: objects of numbers, and numbers as text."""
TALKED_S = 1.5

_ID = re.compile(r"\b(MEM-|USR-|CON-|NAM-|)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    folder = tmp_path_factory.mktemp("office")
    phones = folder / "phones"
    phones.mkdir()
    (phones / f"{BRIEF}.toml").write_text(CALL_FILE)
    with premises(folder, TERTULIA_SIP__PHONES=str(phones)) as running:
        yield running


@pytest.fixture
def play(house: Premises, tmp_path: Path) -> Play:
    return partial(play_at, house=house, folder=tmp_path)


def test_the_caller_hangs_up(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(_connect(ECHO))
        async with calling(here.house.tree.data, PERSON, OWN) as phone:
            await phone.until("answered")
            await asyncio.sleep(TALKED_S)  # of sound
        entries = await _whole(here)
        check_order(entries)
        check_histories(entries)
        check_end(entries, rate=0.012)
        assert golden(entries) == _kept("caller-hangs-up")

    play(session)


def test_the_callee_hangs_up(play: Play) -> None:
    async def session(here: Office) -> None:
        here.says(_connect(BRIEF))
        async with calling(here.house.tree.data, PERSON, OWN) as phone:
            await phone.until("ended 200")
        entries = await _whole(here)
        check_order(entries)
        check_histories(entries)
        check_end(entries, rate=0)
        assert golden(entries) == _kept("callee-hangs-up")

    play(session)


@pytest.mark.parametrize("number", [PERSON, ECHO])
def test_whoever_is_called(play: Play, number: str) -> None:
    """The application ends it."""

    async def session(here: Office) -> None:
        here.says(_connect(number))
        async with calling(here.house.tree.data, PERSON, OWN) as phone:
            await phone.until("answered")
            await here.hang_up(await here.leg("answered", nth=1))
            await phone.until("ended 200")
        check_order(await _whole(here))

    play(session)


def check_order(entries: list[Entry]) -> None:
    types = [each.event.type for each in entries if each.event.type not in BESIDE]
    assert types == DOCUMENTED + ENDED * 2
    directions = [
        each.body["direction"] for each in entries
        if each.event.type in ("sip:ringing", "sip:answered")
    ]  # fmt: skip
    assert directions == ["outbound", "outbound", "inbound"]


def check_end(entries: list[Entry], *, rate: float) -> None:
    """What was measured of both legs; a minute to the callee costs `rate`."""
    told = [each.body for each in entries if each.event.type == "sip:hangup"]
    for hangup in told:
        quality, bandwidth = hangup["quality"], hangup["bandwidth"]
        assert quality["packet_cnt"] > TALKED_S * 50 * 0.3
        assert quality["packet_loss_perc"] < 2
        assert 4 < quality["mos_score"] <= 4.5
        assert 0 <= quality["jitter_min_var"] <= quality["jitter_max_var"] < 50
        assert bandwidth["bytes_in"] >= 172 * quality["packet_cnt"]
        assert bandwidth["bytes_out"] > 172 * TALKED_S * 50 * 0.3
    accounts = [each.body for each in entries if each.event.type == "sip:status"]
    for account in accounts:
        seconds = _seconds(account)
        assert account["duration"] == str(round(seconds))
        cost = rate * seconds / 60 if account["direction"] == "out" else 0
        assert float(account["price"]) == pytest.approx(cost, abs=1e-8)
        assert account["request_time"] < account["start_time"] < account["end_time"]


def _seconds(account: dict[str, Any]) -> float:
    start, end = parse_date(account["start_time"]), parse_date(account["end_time"])
    assert start is not None and end is not None
    return (end - start) / 1000


def check_histories(entries: list[Entry]) -> None:
    """Each update of a leg's status adds one step, and leaves the others as they were."""
    known: dict[str, list[Any]] = {}
    for update in (each.body for each in entries if each.event.type == "leg:status:update"):
        *before, step = update["statusHistory"]
        assert before == known.get(update["leg_id"], [])
        assert step["status"] == update["status"]
        assert not before or before[-1]["date"] <= step["date"]
        known[update["leg_id"]] = update["statusHistory"]
    steps = [[each["status"] for each in history] for history in known.values()]
    assert steps == [["started", "ringing", "answered", "completed"]] * 2


def golden(entries: list[Entry]) -> list[Any]:
    """Type, sender and body of each, with placeholders for what differs from call to call: ids by
    their first appearance, times, and what was measured."""
    told = [
        {"type": each.event.type, "from": each.event.sender, "body": _without_measures(each.body)}
        for each in entries if each.event.type != VOICE_WEBHOOK
    ]  # fmt: skip
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        kind = found[1].rstrip("-") or "LEG"
        nth = sum(each.startswith(kind) for each in names.values()) + 1
        return names.setdefault(found[0], f"{kind} {nth}")

    shown: list[Any] = json.loads(_TIME.sub("TIME", _ID.sub(name, json.dumps(told))))
    return shown


def _without_measures(body: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: dict.fromkeys(body[name], "NUMBER") for name in NUMBERS if name in body}
    texts = {name: name.upper() for name in TEXTS if isinstance(body.get(name), str)}
    return body | numbers | texts


def _connect(number: str) -> dict[str, Any]:
    return {"action": "connect", "endpoint": [{"type": "phone", "number": number}]}


async def _whole(here: Office) -> list[Entry]:
    """The log of the call, once it has ended."""
    await here.settled()
    await here.diary.read()
    hall, *entries = here.diary.entries
    assert hall.event.type == "conversation:created"
    return entries


def _kept(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())
