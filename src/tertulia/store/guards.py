"""What a write is checked against before it is stored, the same for every adapter."""

from collections.abc import Sequence
from typing import NamedTuple

from tertulia.model.errors import InvalidCursor
from tertulia.model.event import Blank, Change, Receipt
from tertulia.model.ids import ApplicationId
from tertulia.model.sending import Sending, SendingStatus
from tertulia.model.state import Application, ConversationState, Profile, User
from tertulia.ports import Append, ConversationFilter, Page


class Removal(NamedTuple):
    """The deletion of an application."""

    application_id: ApplicationId


Row = Change | User | Application | Removal
"""Everything that is stored beside events."""


Named = type[Profile] | type[User]


class Claim(NamedTuple):
    """A conversation or user wants a name; None gives up the one it has."""

    kind: Named
    holder: str
    application_id: ApplicationId
    name: str | None


def claim_of(row: Profile | User) -> Claim:
    """The name that a conversation or user has once `row` is stored."""
    if isinstance(row, Profile):
        gone = row.state is ConversationState.DELETED
    else:
        gone = row.destroyed_at is not None
    return Claim(type(row), row.id, row.application_id, None if gone else row.name)


class Names:
    """Who holds which name: one conversation and one user a name, in each application."""

    def __init__(self) -> None:
        self._holders: dict[tuple[Named, ApplicationId, str], str] = {}
        self._held: dict[str, tuple[Named, ApplicationId, str]] = {}

    def take(self, claims: Sequence[Claim]) -> bool:
        """Grant all the claims, or none."""
        wanted: dict[tuple[Named, ApplicationId, str], str] = {}
        for kind, holder, application_id, name in claims:
            if name is not None:
                key = (kind, application_id, name)
                rivals = {wanted.setdefault(key, holder), self._holders.get(key, holder)}
                if rivals != {holder}:
                    return False
        for claim in claims:
            self.give(claim)
        return True

    def give(self, claim: Claim) -> None:
        """Let the holder have the name, which nobody else has."""
        kind, holder, application_id, name = claim
        if (former := self._held.pop(holder, None)) is not None:
            del self._holders[former]
        if name is not None:
            key = self._held[holder] = (kind, application_id, name)
            self._holders[key] = holder


def check_append(append: Append) -> None:
    """Raise ValueError for what no decision can mean: a bug of the caller, not a race.

    Numbered events follow `expected` one by one; receipts and blanks are of a conversation.
    """
    number: int = append.expected
    for event in append.events:
        if event.id is not None:
            number += 1
            if event.id != number or event.conversation_id != append.conversation_id:
                raise ValueError(f"event {event.conversation_id}/{event.id} is not number {number}")
    if append.changes and append.conversation_id is None:
        if any(isinstance(change, Receipt | Blank) for change in append.changes):
            raise ValueError("a receipt or blank without a conversation")


def sort_key(profile: Profile) -> str:
    """What a conversation is ordered by on request; those without a key come first."""
    properties = profile.properties
    return (properties.custom_sort_key if properties else None) or ""


def stage(sending: Sending) -> int:
    """0 waits for a carrier, 1 is with one, 2 is over."""
    if sending.is_over:
        return 2
    return 1 if sending.status is SendingStatus.SUBMITTED else 0


LOWEST = -(2**63)
HIGHEST = 2**63 - 1
_PLACE_BITS = 20


def place(created_at: int, number: int = 0) -> int:
    """A conversation's place among those of its application: its millisecond, then its number.

    Two would share a place only if a million were created within the millisecond.
    """
    shifted = (created_at << _PLACE_BITS) + (number & ((1 << _PLACE_BITS) - 1))
    return max(LOWEST, min(shifted, HIGHEST))


def places(where: ConversationFilter) -> tuple[int, int]:
    """The range of places of the filter's dates, both ends exclusive."""
    after, before = where.created_after, where.created_before
    low = LOWEST if after is None else max(place(after) - 1, LOWEST)
    return low, HIGHEST if before is None else place(before + 1)


Key = tuple[str | int, ...]


class Scan(NamedTuple):
    """A page as a range of keys, both ends exclusive, and the way to go through it."""

    low: Key | None
    high: Key | None
    descending: bool
    backward: bool
    """What is found has to be turned round."""


def scan_of(page: Page, *shape: type) -> Scan:
    """The range of a page of a list whose keys have this shape."""
    low, high = _checked(page.after, shape), _checked(page.before, shape)
    if page.descending:
        low, high = high, low
    backward = page.before is not None
    return Scan(low, high, page.descending != backward, backward)


def _checked(key: Key | None, shape: tuple[type, ...]) -> Key | None:
    if key is not None:
        out_of_range = any(isinstance(part, int) and not LOWEST <= part <= HIGHEST for part in key)
        if out_of_range or tuple(map(type, key)) != shape:
            raise InvalidCursor()
    return key
