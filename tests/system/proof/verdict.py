"""The verdict: for each type what caused it, how often, and whether it came wherever the catalogue
says that it goes, with the number and the body that it has in the log.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from tests.model.events.founding import FOUNDING
from tests.system.diary import Entry
from tests.system.proof.places import Name, Sight, at_webhook, in_log, name_of

from tertulia.model.events.heard import HEARD
from tertulia.model.events.registry import Reach, all_types, find
from tertulia.model.hearing import DIRECTED

AWAITED = {
    "member:message:status", "message", "message:rejected", "message:submitted",
    "message:undeliverable", "message:delivered", "message:seen", "conversation:updated",
    "custom:*", "ephemeral", "event:delete",
}  # fmt: skip
"""Of the founding page, what this proof does not cause yet."""
GROUPS = {"leg", "audio", "rtc", "sip", "member", "knocking"}
"""Whose types are all caused by calls, if they are caused at all."""
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


class Row(NamedTuple):
    type: str
    events: int
    counts: dict[Reach, int]
    """How many were seen there; without the places that it does not go to."""
    faults: list[str]


def wanted() -> list[str]:
    """The types that have to come, in the order of the catalogue."""
    names = {*FOUNDING} - AWAITED | HEARD.keys()
    return [each.name for each in all_types() if each.name in names]


def caused(types: Collection[str]) -> set[str]:
    """Those of them that calls could cause."""
    rows = {row.name for row in all_types() if row.group in GROUPS}
    return {*types} & (rows | {"conversation:created"})


def rows(seen: Seen) -> list[Row]:
    """One for each type that has to come."""
    return [_row(name, seen) for name in wanted()]


def _row(name: str, seen: Seen) -> Row:
    entries = [each for each in seen.log if each.event.type == name]
    faults = [] if entries else ["never happened"]
    counts: dict[Reach, int] = {}
    kind = find(name)
    assert kind is not None
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
    return _compared(
        entries, entries, at_webhook, lambda entry: _listed(seen.webhook.get(entry.event.position))
    )


def _history(entries: list[Entry], seen: Seen) -> _Look:
    """What is in no conversation has none."""
    numbered = [each for each in entries if name_of(each) is not None]
    return _compared(
        numbered, numbered, in_log, lambda entry: _listed(seen.history.get(_name(entry)))
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
    cause = HEARD.get(row.type, "") if not row.faults else f"FAILED: {row.faults[0]}"[:70]
    return row.type, cause, str(row.events), *places
