"""The journal and its readers."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.dispatch.fakes import APP, OTHER, conversation
from tests.dispatch.virtual import InlineExecutor

from tertulia.dispatch.journal import Journal
from tertulia.dispatch.reading import AttemptFilter, JournalReader
from tertulia.dispatch.records import (
    Attempt,
    Batch,
    Counts,
    DeadLetter,
    Held,
    LaneName,
    Letter,
    Progress,
    Purpose,
    Replay,
    ReplayState,
)
from tertulia.model.ids import Position
from tertulia.model.instant import Instant

LANE = LaneName(APP, conversation(1), "rtc")
OWN = LaneName(APP, None, "rtc")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dispatch.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, attempts_kept=20, executor=InlineExecutor())
    yield opened
    opened.close()


@pytest.fixture
def reader(path: Path, journal: Journal) -> Iterator[JournalReader]:
    opened = JournalReader(path)
    yield opened
    opened.close()


def attempt(position: int, *, lane: LaneName = LANE, delivered: bool = True) -> Attempt:
    return Attempt(
        lane, Purpose.LOG, position, Position(position), "message", "http://h/", 1, Instant(5), 3,
        200 if delivered else None, None if delivered else "no answer", b"\x00ok", delivered,
    )  # fmt: skip


def held(lane: LaneName = LANE, since: int | None = 7) -> Held:
    return Held(
        lane, 4, Position(9), 2, None if since is None else Instant(since), Instant(8), "why"
    )


def dead(position: int, lane: LaneName = LANE) -> DeadLetter:
    return DeadLetter(
        lane, position, Position(position), "message", 3, Instant(1), Instant(2), "why"
    )


def write(journal: Journal, batch: Batch) -> None:
    asyncio.run(journal.write(batch))


def test_what_is_written_is_read(journal: Journal, reader: JournalReader) -> None:
    batch = Batch(
        attempts=[attempt(1), attempt(2, lane=OWN, delivered=False)],
        held={LANE: held(), OWN: held(OWN, None)},
        dead=[dead(3), dead(4)],
        progress=[Progress(APP, Position(9), Instant(6))],
    )
    write(journal, batch)
    assert asyncio.run(journal.cursor(APP)) == 9
    assert asyncio.run(journal.cursor(OTHER)) == 0
    assert sorted(asyncio.run(journal.held(APP)), key=lambda one: one.lane is LANE) == [
        held(OWN, None),
        held(),
    ]
    assert [one.attempt for one in reader.list_attempts(AttemptFilter(APP))] == [
        attempt(2, lane=OWN, delivered=False),
        attempt(1),
    ]
    assert [one.letter for one in reader.list_dead_letters(APP)] == [dead(3), dead(4)]
    assert reader.counts() == [Counts(APP, 1, 1, 2, 2, Position(9), Instant(6))]


def test_lanes_go_on_and_letters_revive(journal: Journal, reader: JournalReader) -> None:
    write(journal, Batch(held={LANE: held(), OWN: held(OWN)}, dead=[dead(3), dead(4)]))
    write(journal, Batch(held={LANE: None}, revived=[Letter(APP, Position(3), "rtc")]))
    assert asyncio.run(journal.held(APP)) == [held(OWN)]
    assert [one.letter.position for one in reader.list_dead_letters(APP)] == [4]


def test_a_letter_is_dead_once(journal: Journal, reader: JournalReader) -> None:
    for _ in range(2):
        write(journal, Batch(dead=[dead(3)]))
    assert len(reader.list_dead_letters(APP)) == 1


def test_filters_and_pages(journal: Journal, reader: JournalReader) -> None:
    other = LaneName(APP, conversation(2), "callback")
    made = [attempt(n, lane=other if n % 2 else LANE, delivered=n != 3) for n in range(1, 9)]
    write(journal, Batch(attempts=made, dead=[dead(n) for n in range(1, 6)]))

    def positions(where: AttemptFilter, after: int | None = None, limit: int = 100) -> list[int]:
        listed = reader.list_attempts(where, after=after, limit=limit)
        return [one.attempt.position for one in listed]

    assert positions(AttemptFilter(APP)) == [8, 7, 6, 5, 4, 3, 2, 1]
    assert positions(AttemptFilter(OTHER)) == []
    assert positions(AttemptFilter(APP, conversation_id=conversation(2))) == [7, 5, 3, 1]
    assert positions(AttemptFilter(APP, delivered=False)) == [3]
    assert positions(AttemptFilter(APP, position=Position(5))) == [5]
    newest = reader.list_attempts(AttemptFilter(APP), limit=3)
    assert positions(AttemptFilter(APP), after=newest[-1].number, limit=2) == [5, 4]
    first = reader.list_dead_letters(APP, limit=2)
    rest = reader.list_dead_letters(APP, after=first[-1].number)
    assert [one.letter.position for one in [*first, *rest]] == [1, 2, 3, 4, 5]


def test_only_the_newest_attempts_are_kept_but_all_are_counted(
    journal: Journal, reader: JournalReader
) -> None:
    for start in range(1, 100, 7):
        write(journal, Batch(attempts=[attempt(n) for n in range(start, start + 7)]))
    write(journal, Batch(progress=[Progress(APP, Position(1), None)]))
    listed = reader.list_attempts(AttemptFilter(APP), limit=1000)
    assert [one.attempt.position for one in listed] == list(range(105, 85, -1))
    assert reader.counts()[0].delivered == 105


def test_replays_are_requested_and_followed(journal: Journal, reader: JournalReader) -> None:
    first = reader.request_replay(APP, now=Instant(3), conversation_id=conversation(1))
    second = reader.request_replay(OTHER, now=Instant(4), first=Position(2), last=Position(5))
    assert asyncio.run(journal.waiting_replays()) == [first, second]
    done = Replay(
        first.id, APP, Instant(3), conversation(1),
        state=ReplayState.DONE, after=7, delivered=6, failed=1,
    )  # fmt: skip
    write(journal, Batch(replays={first.id: done}))
    assert asyncio.run(journal.waiting_replays()) == [second]
    assert reader.replay(APP, first.id) == done
    assert reader.replay(OTHER, first.id) is None


def test_a_batch_is_written_whole_or_not_at_all(journal: Journal, reader: JournalReader) -> None:
    wrong = Progress(APP, Position(2**70), None)  # larger than a column holds
    with pytest.raises(OverflowError):
        write(journal, Batch(attempts=[attempt(1)], progress=[wrong]))
    assert reader.list_attempts(AttemptFilter(APP)) == []
    write(journal, Batch(attempts=[attempt(1)]))
    assert len(reader.list_attempts(AttemptFilter(APP))) == 1


def test_an_epoch_ends_what_speaks_of_positions(journal: Journal, reader: JournalReader) -> None:
    asyncio.run(journal.begin_epoch("one"))
    batch = Batch(
        attempts=[attempt(1)], held={LANE: held()}, dead=[dead(1)],
        progress=[Progress(APP, Position(9), None)],
    )  # fmt: skip
    write(journal, batch)
    asyncio.run(journal.begin_epoch("one"))
    assert asyncio.run(journal.cursor(APP)) == 9
    asyncio.run(journal.begin_epoch("two"))
    assert asyncio.run(journal.cursor(APP)) == 0
    assert asyncio.run(journal.held(APP)) == []
    assert reader.list_dead_letters(APP) == []
    assert len(reader.list_attempts(AttemptFilter(APP))) == 1


def test_a_busy_file_is_waited_for_and_then_an_error(path: Path, journal: Journal) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal_connection = Journal(path, executor=InlineExecutor())
    try:
        journal_connection._connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError):
            write(journal_connection, Batch(attempts=[attempt(1)]))
        other.execute("COMMIT")
        write(journal_connection, Batch(attempts=[attempt(1)]))
    finally:
        journal_connection.close()
        other.close()
