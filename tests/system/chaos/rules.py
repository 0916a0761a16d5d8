"""What must hold of every history: each rule tells what is against it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from tests.system.chaos.history import Asked, Heard, Hooked, Kept, Opened, Read
from tests.system.chaos.story import Name, Outcome, Story, reaches

from tertulia.model.events.registry import Reach

Rule = Callable[[Story], Iterator[str]]
SHOWN_MAX = 10
"""Of violations of one rule."""


# --- what was said is stored ---


def nothing_is_lost(story: Story) -> Iterator[str]:
    """What was acknowledged is in the history, with its number and text."""
    history = story.history()
    may_be_deleted = {(each.conversation, each.target)
                      for each in story.asked.values() if each.deed == "delete"}  # fmt: skip
    for request, asked in story.asked.items():
        if asked.deed != "message" or story.outcome(request) is not Outcome.DONE:
            continue
        answer = story.answers[request]
        event = history.get((asked.conversation, answer.id or 0))
        if event is None:
            yield f"{_at(answer.at)}: {asked.text!r} is not there as {_name(asked, answer.id)}"
        elif event.is_deleted:
            if (event.conversation, event.id) not in may_be_deleted:
                yield f"{_name(event, event.id)} is deleted, which nobody asked for"
        elif event.text != asked.text:
            yield f"{_name(event, event.id)} is {event.text!r} instead of {asked.text!r}"


def nothing_is_stored_twice(story: Story) -> Iterator[str]:
    said = {each.text for each in story.asked.values() if each.deed == "message"}
    texts = Counter(
        event.text for events in story.kept.values() for event in events if event.type == "message"
    )
    for text, count in texts.items():
        if text is not None and count > 1:
            yield f"{text!r} is there {count} times"
        if text is not None and text not in said:
            yield f"{text!r} was never said"


def what_is_denied_is_not_stored(story: Story) -> Iterator[str]:
    """After an answer that says that nothing was changed."""
    kept = {event.text: event for events in story.kept.values() for event in events if event.text}
    for request, asked in story.asked.items():
        if asked.deed == "message" and story.outcome(request) is Outcome.DENIED:
            event = kept.get(asked.text or "")
            if event is not None:
                at = _at(story.answers[request].at)
                yield f"{at}: {asked.text!r} is there as {_name(event, event.id)}"


def nothing_good_is_refused(story: Story) -> Iterator[str]:
    """A member's message; the leave of who has joined, the join of who has left. Nobody meets a
    bug."""
    before: dict[str, int] = {}
    for request, asked in story.asked.items():
        outcome = story.outcome(request)
        is_wrong = outcome is Outcome.REFUSED and asked.deed in ("message", "ephemeral")
        if asked.deed in ("join", "leave"):
            last = before.get(asked.conversation)
            is_known = last is None or story.outcome(last) is Outcome.DONE
            is_wrong = outcome is Outcome.REFUSED and is_known
            before[asked.conversation] = request
        if is_wrong or outcome is Outcome.BROKEN:
            answer = story.answers[request]
            yield f"{_at(answer.at)}: {asked.deed} got {answer.status} {answer.code}"


def deletions_are_kept(story: Story) -> Iterator[str]:
    history = story.history()
    for request, asked in story.asked.items():
        if asked.deed == "delete" and story.outcome(request) is Outcome.DONE:
            event = history.get((asked.conversation, asked.target or 0))
            if event is not None and not event.is_deleted:
                yield f"{_name(event, event.id)} is there again"


def numbers_have_no_gap(story: Story) -> Iterator[str]:
    for conversation, events in story.kept.items():
        for number, event in enumerate(events, 1):
            if event.id != number:
                yield f"{conversation}: {event.id} where {number} should be"
                break


def all_tell_the_same(story: Story) -> Iterator[str]:
    """The text of an event, wherever it was told."""
    history = story.history()
    told: list[tuple[str, Heard | Hooked]] = [
        *(("session", each) for heard in story.heard.values() for each in heard),
        *(("webhook", each) for hooked in story.hooked.values() for each in hooked),
    ]
    for where, each in told:
        if each.id is None:
            continue
        event = history.get((each.conversation, each.id))
        if event is None:
            yield f"{where} was told {_name(each, each.id)}, which is not there"
        elif event.type != each.type:
            yield f"{where} was told {each.type} for {_name(each, each.id)}, a {event.type}"
        elif None not in (each.text, event.text) and each.text != event.text:
            yield f"{where} was told {each.text!r} for {_name(each, each.id)}, {event.text!r}"


def an_acknowledged_write_is_seen(story: Story) -> Iterator[str]:
    """At every node, from the acknowledgement on. A node may not answer."""
    since: dict[Name, float] = {}
    for request, answer in story.answers.items():
        asked = story.asked[request]
        if asked.deed == "message" and answer.id and story.outcome(request) is Outcome.DONE:
            since[asked.conversation, answer.id] = answer.at
    for read in story.reads:
        if read.asked < since.get((read.conversation, read.id), float("inf")):
            continue
        if read.status != 200 and 0 < read.status < 500:
            yield f"{_at(read.asked)}: {read.node} has {read.status} for {_name(read, read.id)}"
    for seen in story.seen:
        if 0 < seen.status < 500 and seen.got != seen.wanted:
            yield f"{_at(seen.asked)}: {seen.node} has {seen.got} for who has {seen.wanted}"


# --- who is told ---


def sessions_are_told_in_order(story: Story) -> Iterator[str]:
    """Each event that a user may hear of arrives at its session, the first time in order. To the
    session that a user has in the end, everything."""
    last = set(story.last_sessions().values())
    asked_at = _asked_at(story)
    for session, opened in story.sessions().items():
        heard: dict[str, list[int]] = defaultdict(list)
        for each in story.heard[session]:
            if each.id is not None:
                heard[each.conversation].append(each.id)
        for conversation in story.kept:
            owed = _owed_from(story, opened, conversation, heard[conversation], asked_at)
            is_last = session in last and story.quiet is not None
            fault = compare(heard[conversation], owed, whole=is_last)
            if fault:
                yield f"{opened.user} in {session}, {conversation}: {fault}"


def _asked_at(story: Story) -> dict[Name, float]:
    """When what is stored was asked for, of what is known to be stored."""
    found: dict[Name, float] = {}
    for request, answer in story.answers.items():
        asked = story.asked[request]
        if asked.deed == "message" and answer.id and story.outcome(request) is Outcome.DONE:
            found[asked.conversation, answer.id] = asked.at
    return found


def _owed_from(
    story: Story, opened: Opened, conversation: str, heard: Sequence[int],
    asked_at: dict[Name, float],
) -> list[int]:  # fmt: skip
    """What a session is owed: from the first that came, or that was asked for with it there."""
    if story.kept[conversation][0].application != opened.application:
        return []
    owed = story.owed(conversation, opened.user)
    surely = (each for each in owed if asked_at.get((conversation, each), 0) > opened.at)
    first = min([*heard[:1], *list(surely)[:1]], default=None)
    return [each for each in owed if first is not None and each >= first]


def compare(told: Sequence[int], owed: Sequence[int], *, whole: bool) -> str:
    """What is wrong with an order of arrival, in which what came before may come again."""
    firsts = list(dict.fromkeys(told))
    for got, wanted in zip(firsts, owed, strict=False):
        if got != wanted:
            if got not in owed:
                return f"{got} came, which is not for it"
            what = "a gap" if wanted not in firsts else "out of order"
            return f"{what}: {got} came where {wanted} was due"
    if len(firsts) > len(owed):
        return f"{firsts[len(owed)]} came, which is not for it"
    if whole and len(firsts) < len(owed):
        return f"{len(owed) - len(firsts)} never came, the first {owed[len(firsts)]}"
    return ""


def sessions_are_resumed(story: Story) -> Iterator[str]:
    """A session is not lost, whatever node it comes back to; none is ended or refused."""
    for opened in story.opened:
        if opened.wanted not in (None, opened.session):
            at = _at(opened.at)
            yield f"{at}: {opened.user} wanted {opened.wanted} and got {opened.session}"
    for lost in story.lost:
        if lost.how != "dropped":
            yield f"{_at(lost.at)}: {lost.user} was {lost.how}: {lost.why}"


def webhooks_are_told_in_order(story: Story) -> Iterator[str]:
    """One event after the other is tried until it is taken; in the end all are."""
    for conversation, events in story.kept.items():
        owed = [event.id for event in events if reaches(event.type, Reach.WEBHOOK)]
        requests = [each for each in story.hooked[conversation] if each.id is not None]
        taken = [each.id for each in requests if each.is_taken and each.id is not None]
        fault = compare(taken, owed, whole=story.quiet is not None)
        if fault:
            yield f"{conversation}: {fault}"
        yield from _untimely(requests, owed)


def _untimely(requests: Sequence[Hooked], owed: Sequence[int]) -> Iterator[str]:
    """What was tried while an earlier one had not been taken."""
    place = {number: index for index, number in enumerate(owed)}
    next_ = 0
    for each in requests:
        index = place.get(each.id or 0, -1)
        if index > next_:
            yield f"{_at(each.at)}: {_name(each, each.id)} came when {owed[next_]} was due"
            return
        next_ += index == next_ and each.is_taken


def positions_rise(story: Story) -> Iterator[str]:
    """One position an event, the same for all; rising with the numbers of a conversation."""
    names: dict[int, Name] = {}
    places: dict[Name, int] = {}
    told = [each for each in _placed(story) if each.id is not None and each.position is not None]
    for each in told:
        name, position = (each.conversation, each.id or 0), each.position or 0
        if names.setdefault(position, name) != name:
            yield f"position {position} is {_name(each, each.id)} and {names[position]}"
        if places.setdefault(name, position) != position:
            yield f"{_name(each, each.id)} is at {places[name]} and at {position}"
    for (before, was), (after, is_) in pairwise(sorted(places.items())):
        if before[0] == after[0] and was >= is_:
            yield f"{before} is at {was}, {after} at {is_}"
    epochs = {each.epoch for hooked in story.hooked.values() for each in hooked}
    if len(epochs) > 1:
        yield f"there are {len(epochs)} epochs"


def _placed(story: Story) -> Iterator[Heard | Hooked]:
    for hooked in story.hooked.values():
        yield from hooked
    for heard in story.heard.values():
        yield from heard


def everything_is_healed(story: Story) -> Iterator[str]:
    """Else the end of the run proves nothing."""
    if story.quiet is None:
        yield "the run has no end"
    for number, fault in story.faults.items():
        if number not in story.healed:
            yield f"{_at(fault.at)}: {fault.kind} {fault.node} was not healed"


RULES: tuple[Rule, ...] = (
    everything_is_healed, nothing_is_lost, nothing_is_stored_twice, what_is_denied_is_not_stored,
    nothing_good_is_refused, deletions_are_kept, numbers_have_no_gap, all_tell_the_same,
    an_acknowledged_write_is_seen, sessions_are_told_in_order, sessions_are_resumed,
    webhooks_are_told_in_order, positions_rise,
)  # fmt: skip


def violations(story: Story) -> dict[str, list[str]]:
    """By rule; of none there is nothing."""
    found = {rule.__name__.replace("_", " "): list(rule(story)) for rule in RULES}
    return {rule: texts for rule, texts in found.items() if texts}


def _name(of: Asked | Heard | Hooked | Read | Kept, number: int | None) -> str:
    return f"{of.conversation}#{number}"


def _at(seconds: float) -> str:
    return f"{seconds:.2f} s"
