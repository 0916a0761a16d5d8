"""The verdict finds what is missing, what differs, and what should not be there."""

from typing import Any

import msgspec
import pytest
from tests.model.events.founding import FOUNDING
from tests.system.diary import Entry
from tests.system.proof.causes import CAUSES
from tests.system.proof.places import Name, Sight
from tests.system.proof.verdict import Row, Seen, rows, summary, table

from tertulia.model.event import Event
from tertulia.model.events.registry import Reach, all_types
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
        since={ROOM: 3}, notices=[], fleeting={Reach.WEBHOOK: [], Reach.SESSION: []},
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


def test_what_is_deleted_shows_nothing_of_it_afterwards() -> None:
    deletion = Entry(entry("event:delete", number=8).event, {"event_id": 7})
    at = "1970-01-01T00:00:00.000Z"
    gone = {NAME: Sight(MUTED, 7, {"timestamp": {"deleted": at}})}
    assert seen(MUTED, log=[entry(MUTED), deletion], history=gone).faults == []
    assert seen(MUTED, log=[entry(MUTED), deletion]).faults
    assert seen(MUTED, history=gone).faults


def fleeting(*webhook: dict[str, Any], session: list[dict[str, Any]]) -> list[str]:
    told = {Reach.WEBHOOK: webhook, Reach.SESSION: session}
    sights = {at: [Sight("ephemeral", None, each) for each in bodies]
              for at, bodies in told.items()}  # fmt: skip
    return seen("ephemeral", log=[], webhook={}, history={}, sessions=[], fleeting=sights).faults


def test_what_is_not_kept_is_the_same_for_all_and_then_nowhere() -> None:
    assert fleeting(BODY, session=[BODY, BODY]) == []
    assert fleeting(session=[BODY]) and fleeting(BODY, session=[])
    assert fleeting(BODY, session=[{"other": 1}]) == ["other at session"]
    sights = [Sight("ephemeral", None, BODY)]
    both = {Reach.WEBHOOK: sights, Reach.SESSION: sights}
    kept = seen("ephemeral", log=[], webhook={}, sessions=[], fleeting=both)
    assert kept.faults == ["at history, where it does not go"]


def test_a_notice_is_seen_by_its_members_where_it_has_an_address() -> None:
    type_ = "custom:tertulia:message"
    told = Entry(entry(type_).event, {"url": "https://h", "members": {"status": "delivered"}})
    silent = Entry(entry(type_).event, {"message_uuid": "x"})
    nowhere: dict[str, Any] = {"webhook": {}, "sessions": [], "history": {}}
    found = seen(type_, log=[told, silent], notices=[{"status": "delivered"}], **nowhere)
    assert (found.faults, found.counts) == ([], {Reach.WEBHOOK: 1})
    assert seen(type_, log=[told], notices=[{"status": "sent"}], **nowhere).faults
    assert seen(type_, log=[silent], **nowhere).faults


def test_names_that_applications_give_are_of_one_type() -> None:
    sight = Sight("custom:proof", 7, BODY)
    found = {"log": [entry("custom:proof")], "webhook": {7: sight}, "history": {NAME: sight},
             "sessions": [(NAME, sight)]}  # fmt: skip
    assert seen("custom:*", **found).faults == []


def test_every_type_has_a_cause_and_a_row() -> None:
    none: dict[Reach, list[Sight]] = {Reach.WEBHOOK: [], Reach.SESSION: []}
    order = [row.type for row in rows(Seen([], {}, [], {}, {}, [], none))]
    assert order[:47] == FOUNDING and len(FOUNDING) == 47
    assert {*order} == {each.name for each in all_types()} == {*CAUSES}


def test_the_sum_fails_with_one_that_lacks() -> None:
    whole = [Row(name, 1, {}, []) for name in CAUSES]
    more = len(CAUSES) - 47
    assert summary(whole).startswith(f"47 of 47 types of the founding page, and {more} of {more}")
    without = [row for row in whole if row.type != "message"]
    assert summary(without).startswith("46 of 47")
    failed = [row._replace(faults=["never"] * (row.type == "message")) for row in whole]
    assert summary(failed).startswith("46 of 47")


def test_a_table_has_a_line_for_each() -> None:
    lines = table([seen(MUTED), seen(PLAYED, log=[])]).splitlines()
    assert len(lines) == 4 and len({*map(len, lines)}) == 1
    assert CAUSES[MUTED] in lines[2]
    assert "FAILED: never happened" in lines[3] and "–" in lines[3]
