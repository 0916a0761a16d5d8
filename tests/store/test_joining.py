"""Joining, whatever is lost, repeated and reordered: one run, whole and in order."""

from bisect import bisect_right
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.instant import Instant
from tertulia.store import joining
from tertulia.store.joining import Joining, Run, Span

NAMES = [ApplicationId(name) for name in "abc"]


def event(position: int, name: ApplicationId) -> Event:
    return Event(
        application_id=name, conversation_id=None, id=None, type="t", timestamp=Instant(1),
        body=b"{}", position=Position(position),
    )  # fmt: skip


class Batch(NamedTuple):
    span: Span
    events: list[Event]
    is_own: bool

    def of(self, name: ApplicationId) -> list[Event]:
        return [each for each in self.events if each.application_id == name]

    @property
    def names(self) -> set[ApplicationId]:
        return {each.application_id for each in self.events}


@st.composite
def logs(draw: st.DrawFn) -> list[Batch]:
    found: list[Batch] = []
    at = draw(st.integers(0, 5))
    for _ in range(draw(st.integers(1, 8))):
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
        events = [event(at + 1 + number, name) for number, name in enumerate(names)]
        span = Span(Position(at + 1), Position(at + len(names)))
        found.append(Batch(span, events, draw(st.integers(0, 3)) == 0))
        at += len(names)
    return found


class Rig:
    """Plays one node: what it was given, and what it has to have."""

    def __init__(self, log: list[Batch]) -> None:
        self.log = log
        self.events = [each for batch in log for each in batch.events]
        self.start = Position(log[0].span.first - 1)
        self.joining = Joining(self.start)
        self.attended: dict[ApplicationId, Position] = {}
        self.runs: list[Run] = []

    def play(self, choice: int) -> None:
        batch = self.log[choice % len(self.log)]
        name = NAMES[choice // 7 % len(NAMES)]
        match choice // 11 % 6:
            case 0:
                self.joining.batch(batch.span, batch.names)
            case 1 | 2:
                if name in batch.names:
                    self.joining.part(batch.span, name, batch.of(name))
            case 3:
                if batch.is_own:
                    self.joining.own(batch.span, batch.events)
                else:
                    self.joining.reach(batch.span.last)
            case 4:
                self.read(choice // 3 % 5 + 1)
            case 5:
                self.joining.attend(name)
                self.attended.setdefault(name, self.joining.through)
        self.take()

    def read(self, limit: int, *, after: Position | None = None) -> None:
        at = self.joining.through if after is None else after
        first = bisect_right([each.position for each in self.events], at)
        page = self.events[first : first + limit]
        if page:
            self.joining.read(at, page[-1].position, page)

    def take(self) -> None:
        run = self.joining.take()
        if run is not None:
            self.runs.append(run)

    def end(self) -> None:
        """Whatever is still missing can be read."""
        self.joining.reach(self.log[-1].span.last)
        while self.joining.is_missing:
            self.read(3)
            self.take()

    def check(self) -> None:
        before = self.start
        for run in self.runs:
            positions = [each.position for each in run.events]
            assert positions == sorted(set(positions))
            assert all(before < position <= run.through for position in positions)
            assert before < run.through
            if run.is_whole:
                assert positions == list(range(before + 1, run.through + 1))
            before = run.through
        given = {each.position: each for run in self.runs for each in run.events}
        assert all(given[each.position] == each for each in self.events if each.position in given)
        for name, since in self.attended.items():
            wanted = [each.position for each in self.events if each.application_id == name]
            assert all(at in given for at in wanted if since < at <= before)


@given(logs(), st.lists(st.integers(0, 10_000), max_size=60))
def test_whatever_comes_in_whatever_order(log: list[Batch], choices: list[int]) -> None:
    rig = Rig(log)
    for choice in choices:
        rig.play(choice)
    rig.check()
    rig.end()
    rig.check()
    assert rig.runs[-1].through == log[-1].span.last
    assert not rig.joining._waiting and rig.joining._events == 0


@given(logs(), st.randoms(use_true_random=False))
def test_nothing_need_be_read_when_all_words_come(log: list[Batch], random: object) -> None:
    rig = Rig(log)
    rig.joining.attend(NAMES[0])
    rig.attended[NAMES[0]] = rig.start
    words = [(batch, name) for batch in log for name in [None, *batch.names & {NAMES[0]}]]
    random.shuffle(words)  # type: ignore[attr-defined]
    for batch, name in words:
        if batch.is_own:
            rig.joining.own(batch.span, batch.events)
        elif name is None:
            rig.joining.batch(batch.span, batch.names)
        else:
            rig.joining.part(batch.span, name, batch.of(name))
        rig.take()
    assert not rig.joining.is_missing
    rig.check()


@given(logs(), st.integers(0, 40), st.lists(st.integers(0, 10_000), max_size=30))
def test_what_was_read_from_further_back_does_no_harm(
    log: list[Batch], back: int, choices: list[int]
) -> None:
    rig = Rig(log)
    for choice in choices:
        rig.play(choice)
        rig.read(4, after=Position(max(rig.start, rig.joining.through - back)))
        rig.read(4, after=Position(rig.joining.through + 1))
        rig.take()
    rig.end()
    rig.check()


def test_what_waits_is_bounded() -> None:
    kept = Joining(Position(0))
    for first in range(2, 3 * joining.WAITING_MAX):
        kept.batch(Span(Position(first), Position(first)), [NAMES[0]])
    assert len(kept._waiting) == joining.WAITING_MAX
    kept.batch(Span(Position(1), Position(1)), [NAMES[0]])
    run = kept.take()
    assert run == Run([], Position(joining.WAITING_MAX + 1), False)
    assert kept.is_missing, "the rest is known to be there"


def test_spans_that_contradict_each_other_end_nothing() -> None:
    kept = Joining(Position(0))
    kept.batch(Span(Position(1), Position(5)), [])
    kept.batch(Span(Position(3), Position(9)), [])
    kept.batch(Span(Position(6), Position(6)), [])
    kept.part(Span(Position(7), Position(20)), NAMES[0], [])
    kept.batch(Span(Position(7), Position(8)), [])
    kept.read(Position(6), Position(8), [event(7, NAMES[0]), event(8, NAMES[1])])
    run = kept.take()
    assert run is not None and run.through >= 8
