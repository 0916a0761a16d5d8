"""A history put in order: who was told what, and what became of every request."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum, auto
from typing import Any

from msgspec import Struct, field
from tests.system.chaos.history import (
    UNKNOWN,
    Answered,
    Asked,
    Began,
    Fault,
    Healed,
    Heard,
    Hooked,
    Kept,
    Lost,
    Opened,
    Quiet,
    Read,
    Seen,
)

from tertulia.model.events.registry import Reach, find

NOT_KNOWN = "system:error:outcome-unknown"
Name = tuple[str, int]
"""Of an event: its conversation and its number."""
Person = tuple[str, str]
"""A user of an application."""


class Outcome(StrEnum):
    DONE = auto()
    REFUSED = auto()
    """For a reason of the domain: 4xx."""
    DENIED = auto()
    """By 503 that says that nothing was changed."""
    OPEN = auto()
    """Whether it was carried out is not known."""
    BROKEN = auto()
    """By 500."""


class Story(Struct):
    began: Began = Began(0, 0, 0)
    asked: dict[int, Asked] = field(default_factory=dict)
    answers: dict[int, Answered] = field(default_factory=dict)
    opened: list[Opened] = field(default_factory=list)
    heard: dict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))
    """By session."""
    lost: list[Lost] = field(default_factory=list)
    hooked: dict[str, list[Hooked]] = field(default_factory=lambda: defaultdict(list))
    """By conversation; each has one endpoint."""
    reads: list[Read] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    healed: dict[int, Healed] = field(default_factory=dict)
    quiet: Quiet | None = None
    kept: dict[str, list[Kept]] = field(default_factory=lambda: defaultdict(list))
    """By conversation, in the order in which REST lists them."""

    def outcome(self, request: int) -> Outcome:
        answer = self.answers.get(request)
        if answer is None or answer.status == UNKNOWN:
            return Outcome.OPEN
        if answer.status < 300:
            return Outcome.DONE
        if answer.status < 500:
            return Outcome.REFUSED
        if answer.status == 503:
            return Outcome.OPEN if answer.code == NOT_KNOWN else Outcome.DENIED
        return Outcome.BROKEN

    def history(self) -> dict[Name, Kept]:
        return {(event.conversation, event.id): event
                for events in self.kept.values() for event in events}  # fmt: skip

    def sessions(self) -> dict[str, Opened]:
        """Each as it was opened first."""
        found: dict[str, Opened] = {}
        for each in self.opened:
            found.setdefault(each.session, each)
        return found

    def last_sessions(self) -> dict[Person, str]:
        return {(each.application, each.user): each.session for each in self.opened}

    def owed(self, conversation: str, user: str) -> list[int]:
        """Numbers of the events that sessions of a user are told, in the end: from joining to
        leaving, both of them too."""
        found: list[int] = []
        is_in = False
        for event in self.kept[conversation]:
            is_own = event.user == user and event.type in ("member:joined", "member:left")
            if is_own:
                is_in = event.type == "member:joined"
            if (is_in or is_own) and reaches(event.type, Reach.SESSION):
                found.append(event.id)
        return found


def reaches(type_: str, reach: Reach) -> bool:
    row = find(type_)
    return row is not None and bool(row.reaches & reach)


def tell(records: Iterable[Any]) -> Story:
    """Of records in the order in which they were made."""
    found: dict[type, list[Any]] = defaultdict(list)
    for record in records:
        found[type(record)].append(record)
    story = Story(
        asked={each.request: each for each in found[Asked]},
        answers={each.request: each for each in found[Answered]},
        opened=found[Opened], lost=found[Lost], reads=found[Read],
        seen=found[Seen],
        faults={each.number: each for each in found[Fault]},
        healed={each.number: each for each in found[Healed]},
        quiet=next(iter(found[Quiet]), None), began=next(iter(found[Began]), Began(0, 0, 0)),
    )  # fmt: skip
    for heard in found[Heard]:
        story.heard[heard.session].append(heard)
    for hooked in found[Hooked]:
        story.hooked[hooked.conversation].append(hooked)
    for kept in found[Kept]:
        story.kept[kept.conversation].append(kept)
    return story
