"""What a decision is: a pure function's answer to "may this happen, and what then?"."""

from collections.abc import Callable

from msgspec import Struct

from tertulia.model.event import Blank, Fact, Receipt
from tertulia.model.instant import Instant
from tertulia.model.state import Conversation


class Decision(Struct, frozen=True):
    """The facts that follow, in order, and what they do to earlier events. Empty: nothing to do."""

    facts: tuple[Fact, ...] = ()
    touches: tuple[Receipt | Blank, ...] = ()


Decide = Callable[[Conversation, Instant], Decision]
"""Decides on the state and the time given, or raises Rejected. May be asked more than once."""
