"""The tail of the log: what it has in memory is what was appended, and it says when it has not."""

import pytest

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.instant import Instant
from tertulia.store import tail
from tertulia.store.tail import Tail


def event(size: int = 2) -> Event:
    return Event(
        application_id=ApplicationId("a"), conversation_id=None, id=None, type="t",
        timestamp=Instant(1), body=b"x" * size,
    )  # fmt: skip


def positions(found: list[Event] | None) -> list[int] | None:
    return None if found is None else [each.position for each in found]


def test_it_answers_from_its_floor_on() -> None:
    kept = Tail(Position(10))
    assert positions(kept.after(Position(10))) == []
    assert kept.after(Position(9)) is None
    kept.add([event(), event()], Position(12))
    kept.add([event()], Position(13))
    assert positions(kept.after(Position(10))) == [11, 12, 13]
    assert positions(kept.after(Position(12))) == [13]
    assert positions(kept.after(Position(13))) == []
    assert positions(kept.after(Position(99))) == []


@pytest.mark.parametrize(("number", "size"), [(tail.EVENTS_MAX, 2), (64, tail.BYTES_MAX // 64)])
def test_it_forgets_the_oldest(number: int, size: int) -> None:
    kept = Tail(Position(0))
    for position in range(1, number + 2):
        kept.add([event(size)], Position(position))
    assert kept.after(Position(0)) is None
    newest = positions(kept.after(Position(number - 10)))
    assert newest == list(range(number - 9, number + 2))


def test_gaps_between_positions_do_no_harm() -> None:
    kept = Tail(Position(0))
    kept.add([event()], Position(5))
    kept.add([event()], Position(9))
    assert positions(kept.after(Position(0))) == [5, 9]
    assert positions(kept.after(Position(6))) == [9]
