"""The figures of a run as a table."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tests.system.chaos.history import Asked, Fault
from tests.system.chaos.story import Outcome, Story

OUTCOMES = tuple(Outcome)
Row = tuple[object, ...]


def summary(story: Story) -> str:
    return "\n".join([
        f"seed {story.began.seed}, {story.began.seconds:.0f} s of load, "
        f"{sum(map(len, story.kept.values()))} events in {len(story.kept)} conversations",
        "", *_table(("request", *OUTCOMES), _deeds(story)),
        "", *_table(("told", "times", "different", "repeats"), _told(story)),
        "", *_table(("fault", "times", "longest, s", "till the last is answered, s"),
                    _faults(story)),
        "", *_longest(story),
    ])  # fmt: skip


def _table(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    widths = [max(11, len(str(name)) + 2) for name in head[1:]]
    for row in (head, *rows):
        first, *others = (f"{each:.2f}" if isinstance(each, float) else str(each) for each in row)
        cells = (f"{each:>{width}}" for each, width in zip(others, widths, strict=True))
        yield f"{first:<24}" + "".join(cells)


def _deeds(story: Story) -> Iterator[Row]:
    counts: dict[str, Counter[Outcome]] = defaultdict(Counter)
    for request, asked in story.asked.items():
        counts[asked.deed][story.outcome(request)] += 1
    for deed, outcomes in sorted(counts.items()):
        yield deed, *(outcomes[each] for each in OUTCOMES)
    stored = {event.text for events in story.kept.values() for event in events if event.text}
    open_ = [asked for request, asked in story.asked.items()
             if asked.deed == "message" and story.outcome(request) is Outcome.OPEN]  # fmt: skip
    was_stored = sum(asked.text in stored for asked in open_)
    yield "  of these stored", *(was_stored if each is Outcome.OPEN else "" for each in OUTCOMES)


def _told(story: Story) -> Iterator[Row]:
    heard = [
        (session, each.conversation, each.id)
        for session, all_ in story.heard.items() for each in all_ if each.id is not None
    ]  # fmt: skip
    yield "sessions", len(heard), len(set(heard)), len(heard) - len(set(heard))
    ephemeral = [
        (session, each.text) for session, all_ in story.heard.items()
        for each in all_ if each.id is None and each.type == "ephemeral"
    ]  # fmt: skip
    yield ("  what is not kept", len(ephemeral), len(set(ephemeral)),
           len(ephemeral) - len(set(ephemeral)))  # fmt: skip
    hooked = [
        (each.conversation, each.position)
        for all_ in story.hooked.values() for each in all_ if each.is_taken
    ]  # fmt: skip
    yield "webhooks taken", len(hooked), len(set(hooked)), len(hooked) - len(set(hooked))
    refused = sum(not each.is_taken for all_ in story.hooked.values() for each in all_)
    yield "webhooks not taken", refused, "", ""
    reads = [*(each.status for each in story.reads), *(each.status for each in story.seen)]
    yield "reads, of these answered", len(reads), reads.count(200), ""
    resumed = sum(each.wanted == each.session for each in story.opened)
    yield "sessions resumed", resumed, len(story.sessions()), ""


def _faults(story: Story) -> Iterator[Row]:
    """How long until every application has had something stored that was asked for after it."""
    kinds: dict[str, list[Fault]] = defaultdict(list)
    for fault in story.faults.values():
        kinds[fault.kind].append(fault)
    answered = _answered(story)
    for kind, faults in sorted(kinds.items()):
        lasting = [story.healed[each.number].at - each.at for each in faults
                   if each.number in story.healed]  # fmt: skip
        yield (
            kind,
            len(faults),
            max(lasting, default=0.0),
            max((_until_all(answered, fault.at) for fault in faults), default=0.0),
        )


def _answered(story: Story) -> dict[str, list[tuple[float, float]]]:
    """By application: when what was stored was asked for and answered, in order."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for request, answer in story.answers.items():
        asked: Asked = story.asked[request]
        if asked.deed == "message" and story.outcome(request) is Outcome.DONE:
            found[asked.application].append((asked.at, answer.at))
    return {application: sorted(times) for application, times in found.items()}


def _until_all(answered: dict[str, list[tuple[float, float]]], at: float) -> float:
    firsts = [min((end for began, end in times if began >= at), default=at)
              for times in answered.values()]  # fmt: skip
    return max(firsts, default=at) - at


def _longest(story: Story) -> Iterator[str]:
    waits = [(answer.at - story.asked[request].at, request)
             for request, answer in story.answers.items()]  # fmt: skip
    longest, request = max(waits, default=(0.0, 0))
    at = story.asked[request].at if request else 0.0
    yield f"longest request {longest:.2f} s, asked at {at:.2f} s"
    silences = [
        (after - before, before, application)
        for application, times in _answered(story).items()
        for before, after in pairwise(sorted(end for _, end in times))
    ]
    silence, before, _ = max(silences, default=(0.0, 0.0, ""))
    yield f"longest silence of an application's posts {silence:.2f} s, from {before:.2f} s"
    codes = Counter(
        f"{answer.status or ''} {answer.code or ''}".strip()
        for answer in story.answers.values() if answer.code
    )  # fmt: skip
    yield f"answers but good ones: {dict(codes.most_common())}"
    ways = Counter(each.how for each in story.lost)
    yield f"connections of sessions: {len(story.opened)} opened, lost {dict(ways)}"
