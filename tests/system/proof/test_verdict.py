"""The verdict finds what is missing, what differs, and what should not be there."""

from typing import Any

import msgspec
import pytest
from tests.model.events.founding import FOUNDING
from tests.system.diary import Entry
from tests.system.proof.places import Name, Sight
from tests.system.proof.verdict import AWAITED, Row, Seen, rows, table, wanted

from tertulia.model.event import Event
from tertulia.model.events.heard import HEARD
from tertulia.model.events.registry import Reach
from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, Position
from tertulia.model.instant import Instant

ROOM = "CON-1"
NAME: Name = (ROOM, 7)
MUTED, PLAYED = "audio:mute:on", "audio:play"
"""One that sessions are told of, and one that they are not."""
BODY = {"rtc_id": "LEG"}


def entry(type_: str, *, number: int = 7, sender: str = "MEM-1") -> Entry:
    event = Event(
        ApplicationId("APP"), ConversationId(ROOM), EventId(number), type_, Instant(0),
        msgspec.json.encode(BODY), sender=MemberId(sender), position=Position(number),
    )  # fmt: skip
    return Entry(event, BODY)


def seen(type_: str, **changed: Any) -> Row:
    """The verdict on an event that was seen as it should be, but for what is changed."""
    sight = Sight(type_, 7, BODY)
    told = Seen(
        log=[entry(type_)], webhook={7: sight}, sessions=[(NAME, sight)], history={NAME: sight},
        since={ROOM: 3},
    )  # fmt: skip
    return next(row for row in rows(told._replace(**changed)) if row.type == type_)


def test_what_is_everywhere_is_proved() -> None:
    row = seen(MUTED)
    assert (row.events, row.faults) == (1, [])
    assert row.counts == {Reach.WEBHOOK: 1, Reach.SESSION: 1, Reach.HISTORY: 1}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"log": []}, "never happened"),
        ({"webhook": {}}, "never at webhook"),
        ({"sessions": []}, "never at session"),
        ({"history": {}}, "never at history"),
        ({"webhook": {7: Sight(MUTED, 7, {"rtc_id": "other"})}}, "other at webhook"),
        ({"webhook": {7: Sight(MUTED, 8, BODY)}}, "other at webhook"),
        ({"history": {NAME: Sight(PLAYED, 7, BODY)}}, "other at history"),
        ({"sessions": [(NAME, Sight(MUTED, 7, {}))]}, "other at session"),
        ({"log": [entry(MUTED), entry(MUTED, number=8)]}, "not at session"),
    ],
)
def test_what_is_wrong_is_told(changed: dict[str, Any], fault: str) -> None:
    assert any(each.startswith(fault) for each in seen(MUTED, **changed).faults)


def test_one_of_two_sights_may_not_differ() -> None:
    sights = [(NAME, Sight(MUTED, 7, BODY)), (NAME, Sight(MUTED, 7, {}))]
    assert seen(MUTED, sessions=sights).faults


def test_sessions_are_not_to_get_what_does_not_go_there() -> None:
    assert seen(PLAYED, sessions=[]).faults == []
    assert seen(PLAYED).faults == ["at session, where it does not go"]


def test_before_somebody_watched_sessions_owe_nothing_but_one() -> None:
    early = entry(MUTED, number=2)
    told = {"log": [early, entry(MUTED)], "webhook": {n: Sight(MUTED, n, BODY) for n in (2, 7)},
            "history": {(ROOM, n): Sight(MUTED, n, BODY) for n in (2, 7)}}  # fmt: skip
    assert seen(MUTED, **told).faults == []


def test_what_is_wanted_is_all_of_the_founding_page_that_calls_cause() -> None:
    heads = ("leg:", "audio:", "rtc:", "sip:", "member:")
    named = {name for name in FOUNDING if name.startswith(heads)} - {"member:message:status"}
    assert named <= {*wanted()} == {*HEARD}
    assert {*FOUNDING} - named == AWAITED


def test_a_table_has_a_line_for_each() -> None:
    lines = table([seen(MUTED), seen(PLAYED, log=[])]).splitlines()
    assert len(lines) == 4 and len({*map(len, lines)}) == 1
    assert HEARD[MUTED] in lines[2]
    assert "FAILED: never happened" in lines[3] and "–" in lines[3]
