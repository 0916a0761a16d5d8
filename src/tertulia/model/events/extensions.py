"""Extensions: events of this server's own, which clients that do not know them take for custom.

What they add to a message is folded in threads.py; who may send them is decided in extending.py.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from msgspec.structs import force_setattr

from tertulia.model.events.registry import EVERYWHERE, Creator, event
from tertulia.model.events.values import EventNumber, EventReference
from tertulia.model.ids import EventId
from tertulia.model.validation import NO_CONTROLS

_APPLICATION = Creator.REST | Creator.CLIENT

Reaction = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_CONTROLS)]


class ReactionAction(StrEnum):
    ADD = "add"
    REMOVE = "remove"


@event("custom:tertulia:edit", creators=_APPLICATION, reaches=EVERYWHERE)
class CustomTertuliaEdit(EventReference, frozen=True):
    """Extension: the words of a text or text message were changed by their author."""

    text: str


@event("custom:tertulia:reply", creators=_APPLICATION, reaches=EVERYWHERE)
class CustomTertuliaReply(EventReference, frozen=True):
    """Extension: a message was marked by its author as the answer to an earlier one."""

    reply_to: EventNumber

    def __post_init__(self) -> None:
        super().__post_init__()
        force_setattr(self, "reply_to", int(self.reply_to))

    @property
    def targets(self) -> tuple[EventId, ...]:
        return (self.target, EventId(int(self.reply_to)))


@event("custom:tertulia:reaction", creators=_APPLICATION, reaches=EVERYWHERE)
class CustomTertuliaReaction(EventReference, frozen=True):
    """Extension: a member reacted to a message, or took the reaction back."""

    reaction: Reaction
    action: ReactionAction
