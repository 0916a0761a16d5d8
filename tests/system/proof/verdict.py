"""The verdict: for each type what caused it, how often, and whether it came wherever the catalogue
says that it goes, with the number and the body that it has in the log.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from tests.model.events.founding import FOUNDING
from tests.system.diary import Entry
from tests.system.proof.causes import CAUSES
from tests.system.proof.places import Name, Sight, at_webhook, in_log, name_of

from tertulia.model.events.registry import EventType, Keep, Reach, all_types, find
from tertulia.model.hearing import DIRECTED
from tertulia.model.instant import iso

NOTICES = {"custom:tertulia:call", "custom:tertulia:message"}
"""Of these the webhook of their capability gets the members, and no webhook the event."""
_HEADINGS = ("TYPE", "CAUSE", "EVENTS", "WEBHOOK", "SESSION", "HISTORY")


class Seen(NamedTuple):
    """All that was seen."""

    log: list[Entry]
    webhook: Mapping[int, Sight]
    """By position."""
    sessions: list[tuple[Name, Sight]]
    history: Mapping[Name, Sight]
    since: Mapping[str, int]
    """By conversation the number of the event behind which a session is to see everything."""
    notices: list[dict[str, Any]]
    """What other webhooks than that of events were told."""
    fleeting: Mapping[Reach, list[Sight]]
    """Of what is not kept."""

    @property
    def erased(self) -> dict[Name, str]:
        """Events that were deleted, and when."""
        return {
            (str(each.event.conversation_id), int(each.body["event_id"])): iso(each.event.timestamp)
            for each in self.log
            if each.event.type == "event:delete"
        }


class Row(NamedTuple):
    type: str
    events: int
    counts: dict[Reach, int]
    """How many were seen there; without the places that it does not go to."""
    faults: list[str]


def rows(seen: Seen) -> list[Row]:
    """One for each type: first those of the founding page, in its order."""
    kinds = {each.name: each for each in all_types()}
    order = [*FOUNDING, *(name for name in kinds if name not in FOUNDING)]
    logged: dict[str, list[Entry]] = {}
    for entry in seen.log:
        kind = find(entry.event.type)
        assert kind is not None, entry
        logged.setdefault(kind.name, []).append(entry)
    return [
        _fleeting(name, seen) if kinds[name].keep is Keep.NEVER
        else _row(kinds[name], logged.get(name, []), seen)
        for name in order
    ]  # fmt: skip


def _fleeting(name: str, seen: Seen) -> Row:
    """Of what is not kept: everybody is shown the same, and it is nowhere afterwards."""
    found = {place: [each for each in sights if each.type == name]
             for place, sights in seen.fleeting.items()}  # fmt: skip
    faults = [f"never at {_word(place)}" for place, sights in found.items() if not sights]
    bodies = {place: {msgspec.json.encode(each.body) for each in sights}
              for place, sights in found.items()}  # fmt: skip
    faults += [
        f"other at {_word(place)}" for place in bodies
        if bodies[place] != bodies[Reach.WEBHOOK]
    ]  # fmt: skip
    kept = any(each.type == name for each in (*seen.history.values(), *seen.webhook.values()))
    faults += ["at history, where it does not go"] * kept
    return Row(name, len(bodies[Reach.WEBHOOK]), {at: len(found[at]) for at in found}, faults)


def _row(kind: EventType, entries: list[Entry], seen: Seen) -> Row:
    name = kind.name
    faults = [] if entries else ["never happened"]
    counts: dict[Reach, int] = {}
    for place, look in _LOOKS.items():
        found, missing, wrong = look(entries, seen)
        if place in kind.reaches:
            counts[place] = found
            if entries and not found:
                faults.append(f"never at {_word(place)}")
            faults += [f"not at {_word(place)}: {each}" for each in missing]
        elif found:
            faults.append(f"at {_word(place)}, where it does not go")
        faults += [f"other at {_word(place)}: {each}" for each in wrong]
    return Row(name, len(entries), counts, faults)


_Look = tuple[int, list[str], list[str]]
"""How many were found; those that are missing, and those that differ."""


def _webhook(entries: list[Entry], seen: Seen) -> _Look:
    if entries and entries[0].event.type in NOTICES:
        return _noticed(entries, seen)
    return _compared(
        entries, entries, at_webhook, lambda entry: _listed(seen.webhook.get(entry.event.position))
    )


def _noticed(entries: list[Entry], seen: Seen) -> _Look:
    """Those without an address are for nobody."""
    due = [each for each in entries if each.body.get("url")]
    missing = [_told(each) for each in due if each.body["members"] not in seen.notices]
    return len(due) - len(missing), missing, []


def _history(entries: list[Entry], seen: Seen) -> _Look:
    """What is in no conversation has none."""
    numbered = [each for each in entries if name_of(each) is not None]
    erased = seen.erased

    def meant(entry: Entry) -> Sight:
        at = erased.get(_name(entry))
        shown = in_log(entry)
        return shown if at is None else shown._replace(body={"timestamp": {"deleted": at}})

    return _compared(
        numbered, numbered, meant, lambda entry: _listed(seen.history.get(_name(entry)))
    )


def _session(entries: list[Entry], seen: Seen) -> _Look:
    """Who is told of signalling, and of what happened before somebody was there, is left open."""
    numbered = [each for each in entries if name_of(each) is not None]
    due = [
        each for each in numbered
        if each.event.type not in DIRECTED and each.event.recipient is None
        and _name(each)[1] > seen.since.get(_name(each)[0], 1 << 62)
    ]  # fmt: skip
    told: dict[Name, list[Sight]] = {}
    for name, sight in seen.sessions:
        told.setdefault(name, []).append(sight)
    return _compared(numbered, due, in_log, lambda entry: told.get(_name(entry), []))


_LOOKS: dict[Reach, Callable[[list[Entry], Seen], _Look]] = {
    Reach.WEBHOOK: _webhook, Reach.SESSION: _session, Reach.HISTORY: _history,
}  # fmt: skip


def _compared(
    entries: list[Entry],
    due: list[Entry],
    meant: Callable[[Entry], Sight],
    found: Callable[[Entry], list[Sight]],
) -> _Look:
    there = [each for each in entries if found(each)]
    missing = [_told(each) for each in due if not found(each)]
    wrong = [_told(each) for each in there if any(one != meant(each) for one in found(each))]
    return len(there), missing, wrong


def _listed(sight: Sight | None) -> list[Sight]:
    return [] if sight is None else [sight]


def _name(entry: Entry) -> Name:
    name = name_of(entry)
    assert name is not None
    return name


def _told(entry: Entry) -> str:
    return f"{entry.event.conversation_id} {entry.event.id} {entry.body}"[:200]


def _word(place: Reach) -> str:
    return str(place.name).lower()


def summary(found: Iterable[Row]) -> str:
    """How many types are proved."""
    proved = {row.type: not row.faults for row in found}
    founding = [proved.get(name, False) for name in FOUNDING]
    others = [is_proved for name, is_proved in proved.items() if name not in FOUNDING]
    return (
        f"{sum(founding)} of {len(founding)} types of the founding page, and {sum(others)} of "
        f"{len(others)} further types of the catalogue, were caused and seen wherever they go."
    )


def table(found: Iterable[Row]) -> str:
    """In Markdown. A dash: it does not go there."""
    lines = [_HEADINGS, *(_cells(row) for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(at) for cell, at in zip(line, widths, strict=True))} |"
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    places = (str(row.counts.get(place, "–")) for place in _LOOKS)
    cause = CAUSES.get(row.type, "") if not row.faults else f"FAILED: {row.faults[0]}"[:70]
    return row.type, cause, str(row.events), *places
