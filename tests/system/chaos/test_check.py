"""The checker finds what it is to find: good histories pass, each bad one breaks its rule alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.system.chaos import check
from tests.system.chaos.history import (
    Answered,
    Asked,
    Fault,
    Healed,
    Heard,
    History,
    Hooked,
    Kept,
    Lost,
    Opened,
    Quiet,
    Read,
    Seen,
)
from tests.system.chaos.rules import compare, violations
from tests.system.chaos.story import tell

ROOM = "CON-1"
SAID = 6
"""Messages 2 to 7 of the conversation; 1 is the joining of alice."""


def good() -> list[Any]:
    """Alice joins, six messages are said and told, one is deleted, a node dies meanwhile."""
    records: list[Any] = [
        Opened(0.1, "alice", "app", "S1"),
        Heard(0.2, "S1", ROOM, "member:joined", 1, 11),
        Hooked(0.2, "app", ROOM, 11, "e", 1, "accept", True, "member:joined", 1),
        Kept(99, "app", ROOM, 1, "member:joined", user="alice"),
        Fault(1.5, 1, "kill", "n1"), Healed(3.5, 1),
    ]  # fmt: skip
    for number in range(2, 2 + SAID):
        at = float(number)
        text = f"text {number}"
        records += [
            Asked(at, number, "app", ROOM, "message", text),
            Answered(at + 0.1, number, 201, id=number, text=text),
            Read(at + 0.3, "n2", ROOM, number, at + 0.2, 200, text),
            Heard(at + 0.2, "S1", ROOM, "message", number, 10 + number, text),
            Hooked(at + 0.2, "app", ROOM, 10 + number, "e", 1, "accept", True, "message",
                   number, text),
            Kept(99, "app", ROOM, number, "message", text),
        ]  # fmt: skip
    return [*records, Quiet(90)]


def found(records: list[Any]) -> set[str]:
    return set(violations(tell(records)))


def one(records: list[Any], kind: type, **wanted: Any) -> Any:
    return next(
        each for each in records
        if type(each) is kind
        and all(getattr(each, name) == value for name, value in wanted.items())
    )  # fmt: skip


def without(records: list[Any], kind: type, **wanted: Any) -> list[Any]:
    gone = one(records, kind, **wanted)
    return [each for each in records if each is not gone]


def changed(records: list[Any], kind: type, changes: dict[str, Any], **wanted: Any) -> list[Any]:
    old = one(records, kind, **wanted)
    new = msgspec.structs.replace(old, **changes)
    return [new if each is old else each for each in records]


def swapped(records: list[Any], kind: type, first: int, second: int) -> list[Any]:
    """Two of the same kind arrive in the other order."""
    one_, other = one(records, kind, id=first), one(records, kind, id=second)
    exchange = {id(one_): other, id(other): one_}
    return [exchange.get(id(each), each) for each in records]


def test_a_good_history_breaks_no_rule() -> None:
    assert found(good()) == set()


ALLOWED: dict[str, Callable[[list[Any]], list[Any]]] = {
    "a session is told again": lambda all_: [*all_, one(all_, Heard, id=3)],
    "a webhook is told again": lambda all_: [*all_, one(all_, Hooked, id=3)],
    "a webhook is not taken, and told again": lambda all_: [
        new for each in all_
        for new in (
            [msgspec.structs.replace(each, is_taken=False), each]
            if isinstance(each, Hooked) and each.id == 4 else [each]
        )
    ],
    "an unknown outcome that was stored": lambda all_: changed(
        all_, Answered, {"status": 0, "code": "timeout"}, request=4
    ),
    "an unknown outcome that was not stored": lambda all_: [
        *all_, Asked(9, 90, "app", ROOM, "message", "nobody knows"),
        Answered(9, 90, 503, "system:error:outcome-unknown"),
    ],
    "a denied one that was not stored": lambda all_: [
        *all_, Asked(9, 90, "app", ROOM, "message", "no"),
        Answered(9, 90, 503, "system:error:unavailable"),
    ],
    "a read before the acknowledgement": lambda all_: changed(
        all_, Read, {"asked": 4.05, "status": 404}, id=4
    ),
    "a leave of who may have left": lambda all_: [
        *all_, Asked(8, 80, "app", ROOM, "leave"), Answered(8, 80, 0),
        Asked(9, 90, "app", ROOM, "leave"), Answered(9, 90, 404),
    ],
    "a membership that is seen, or not answered": lambda all_: [
        *all_, Seen(9, "n2", ROOM, 9, 200, "LEFT", "LEFT"), Seen(9, "n2", ROOM, 9, 0, "LEFT"),
    ],
    "a read that is not answered": lambda all_: changed(all_, Read, {"status": 503}, id=4),
    "a connection drops": lambda all_: [*all_, Lost(5, "alice", "dropped", session="S1")],
    "a session of somebody who is not in it": lambda all_: [
        *all_, Opened(0.1, "bob", "app", "S2")
    ],
    "a deletion": lambda all_: [
        *changed(all_, Kept, {"is_deleted": True, "text": None}, id=4),
        Asked(9, 90, "app", ROOM, "delete", target=4), Answered(9, 90, 204),
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_is_allowed_breaks_no_rule(change: Callable[[list[Any]], list[Any]]) -> None:
    assert found(change(good())) == set()


LOST = "nothing is lost"
TWICE = "nothing is stored twice"
SESSIONS = "sessions are told in order"
HOOKS = "webhooks are told in order"
SAME = "all tell the same"
GAP = "numbers have no gap"
POSITIONS = "positions rise"
BAD: dict[str, tuple[Callable[[list[Any]], list[Any]], set[str]]] = {
    "an acknowledged event is gone": (
        lambda all_: without(all_, Kept, id=7), {LOST, SAME, SESSIONS, HOOKS},
    ),
    "an acknowledged event has another text": (
        lambda all_: changed(all_, Kept, {"text": "text 90"}, id=7), {LOST, TWICE, SAME},
    ),
    "an event is deleted by nobody": (
        lambda all_: changed(all_, Kept, {"is_deleted": True, "text": None}, id=7), {LOST},
    ),
    "an event is stored twice": (
        lambda all_: [
            *all_, Kept(99, "app", ROOM, 8, "message", "text 7"),
            Heard(80, "S1", ROOM, "message", 8, 18, "text 7"),
            Hooked(80, "app", ROOM, 18, "e", 1, "accept", True, "message", 8, "text 7"),
        ],
        {TWICE},
    ),
    "an unknown outcome was stored twice": (
        lambda all_: [
            *changed(all_, Answered, {"status": 0, "id": None}, request=7),
            Kept(99, "app", ROOM, 8, "message", "text 7"),
            Heard(80, "S1", ROOM, "message", 8, 18, "text 7"),
            Hooked(80, "app", ROOM, 18, "e", 1, "accept", True, "message", 8, "text 7"),
        ],
        {TWICE},
    ),
    "a denied one was stored": (
        lambda all_: changed(
            all_, Answered, {"status": 503, "code": "system:error:unavailable", "id": None},
            request=7,
        ),
        {"what is denied is not stored"},
    ),
    "a bug": (
        lambda all_: [*all_, Asked(9, 90, "app", ROOM, "join"), Answered(9, 90, 500)],
        {"nothing good is refused"},
    ),
    "a message is refused": (
        lambda all_: [*all_, Asked(9, 90, "app", ROOM, "message", "x"), Answered(9, 90, 404)],
        {"nothing good is refused"},
    ),
    "who has joined cannot leave": (
        lambda all_: [
            *all_, Asked(8, 80, "app", ROOM, "join"), Answered(8, 80, 201),
            Asked(9, 90, "app", ROOM, "leave"), Answered(9, 90, 404),
        ],
        {"nothing good is refused"},
    ),
    "a membership of before": (
        lambda all_: [*all_, Seen(9, "n2", ROOM, 9, 200, "LEFT", "JOINED")],
        {"an acknowledged write is seen"},
    ),
    "a deletion is forgotten": (
        lambda all_: [
            *all_, Asked(9, 90, "app", ROOM, "delete", target=4), Answered(9, 90, 204),
        ],
        {"deletions are kept"},
    ),
    "a number is left out": (
        lambda all_: [
            *all_, Kept(99, "app", ROOM, 9, "message"),
            Heard(80, "S1", ROOM, "message", 9, 19),
            Hooked(80, "app", ROOM, 19, "e", 1, "accept", True, "message", 9),
        ],
        {GAP},
    ),
    "a session misses one": (lambda all_: without(all_, Heard, id=4), {SESSIONS}),
    "a session misses the last": (lambda all_: without(all_, Heard, id=7), {SESSIONS}),
    "a session misses the first": (lambda all_: [
        each for each in all_ if not (isinstance(each, Heard) and each.id in (1, 2))
    ], {SESSIONS}),
    "a session is told in another order": (lambda all_: swapped(all_, Heard, 4, 5), {SESSIONS}),
    "a session hears what is not for it": (
        lambda all_: [
            *all_, Opened(0.1, "bob", "app", "S2"),
            Heard(80, "S2", ROOM, "message", 7, 17, "text 7"),
        ],
        {SESSIONS},
    ),
    "a session is told another text": (
        lambda all_: changed(all_, Heard, {"text": "text 90"}, id=4), {SAME},
    ),
    "a session is told what is not there": (
        lambda all_: [*all_, Heard(80, "S1", ROOM, "message", 8, 18, "text 8")],
        {SAME, SESSIONS},
    ),
    "a session is not resumed": (
        lambda all_: [*all_, Opened(80, "alice", "app", "S2", "S1")], {"sessions are resumed"},
    ),
    "a session is ended": (
        lambda all_: [*all_, Lost(80, "alice", "ended")], {"sessions are resumed"},
    ),
    "a webhook misses one": (lambda all_: without(all_, Hooked, id=4), {HOOKS}),
    "a webhook misses the last": (lambda all_: without(all_, Hooked, id=7), {HOOKS}),
    "a webhook is told in another order": (lambda all_: swapped(all_, Hooked, 4, 5), {HOOKS}),
    "a webhook is told the next before the last is taken": (
        lambda all_: [
            *changed(all_, Hooked, {"is_taken": False}, id=7),
            Kept(99, "app", ROOM, 8, "message"), Heard(80, "S1", ROOM, "message", 8, 18),
            Hooked(80, "app", ROOM, 18, "e", 1, "refuse", False, "message", 8),
            Hooked(81, "app", ROOM, 17, "e", 2, "accept", True, "message", 7),
            Hooked(82, "app", ROOM, 18, "e", 2, "accept", True, "message", 8),
        ],
        {HOOKS},
    ),
    "a position names two events": (
        lambda all_: changed(all_, Hooked, {"position": 13}, id=4), {POSITIONS},
    ),
    "positions fall": (
        lambda all_: changed(
            changed(all_, Hooked, {"position": 9}, id=4), Heard, {"position": 9}, id=4
        ),
        {POSITIONS},
    ),
    "another epoch": (lambda all_: changed(all_, Hooked, {"epoch": "f"}, id=4), {POSITIONS}),
    "an acknowledged event is not seen": (
        lambda all_: changed(all_, Read, {"status": 404}, id=4), {"an acknowledged write is seen"},
    ),
    "a fault is not healed": (
        lambda all_: without(all_, Healed, number=1), {"everything is healed"},
    ),
    "there is no end": (lambda all_: without(all_, Quiet), {"everything is healed"}),
}  # fmt: skip


@pytest.mark.parametrize(("change", "rules"), BAD.values(), ids=BAD.keys())
def test_each_rule_finds_what_is_against_it(
    change: Callable[[list[Any]], list[Any]], rules: set[str]
) -> None:
    assert found(change(good())) == rules


@pytest.mark.parametrize(
    ("told", "owed", "fault"),
    [
        ([], [], ""),
        ([1, 2, 3], [1, 2, 3], ""),
        ([1, 2, 1, 2, 3], [1, 2, 3], ""),
        ([1, 3], [1, 2, 3], "a gap: 3 came where 2 was due"),
        ([1, 3, 2], [1, 2, 3], "out of order: 3 came where 2 was due"),
        ([1, 4], [1, 2, 3], "4 came, which is not for it"),
        ([1, 2, 3, 4], [1, 2, 3], "4 came, which is not for it"),
        ([1], [1, 2, 3], "2 never came, the first 2"),
    ],
)
def test_an_order_of_arrival(told: list[int], owed: list[int], fault: str) -> None:
    assert compare(told, owed, whole=True) == fault


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    records = good()
    with History(tmp_path / "history.jsonl") as history:
        for record in records:
            history.note(record)
    story, found = check.checked(history.path)
    assert (story, found) == (tell(records), {})
    text = check.report(story, {"a rule": ["a reason"]})
    assert "violations: 1" in text
    assert "a reason" in text
