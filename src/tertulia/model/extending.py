"""Who may add an extension to which message: edits, replies, reactions."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tertulia.model.errors import EventNotFound, Forbidden, ValidationFailed
from tertulia.model.event import Event, Fact
from tertulia.model.state import Conversation

EDIT = "custom:tertulia:edit"
REPLY = "custom:tertulia:reply"
REACTION = "custom:tertulia:reaction"
EXTENSIONS = (EDIT, REPLY, REACTION)

MESSAGES = ("message", "text", "image")
"""Messages in each of their generations: what extensions are about."""

EDITS = (EDIT, "text:update")
"""Types that hold other words for a message; what becomes of it becomes of them."""


class _Kind(Struct, frozen=True):
    message_type: str = ""


_KIND = msgspec.json.Decoder(_Kind)


def check_extension(
    conversation: Conversation, fact: Fact, targets: Sequence[Event | None]
) -> None:
    """Raises Rejected unless these targets may be extended so. They are in the body's order."""
    for target in targets:
        if target is None or target.deleted_at is not None or target.type not in MESSAGES:
            raise EventNotFound()
    about, *others = [target for target in targets if target is not None]
    if fact.type == EDIT and not _has_words(about):
        raise ValidationFailed.of("body.event_id", "must be the id of a text")
    if fact.type in (EDIT, REPLY) and not _is_author(conversation, fact, about):
        raise Forbidden("Only its sender may change a message.")
    if any((other.id or 0) >= (about.id or 0) for other in others):
        raise ValidationFailed.of("body.reply_to", "must be the id of an earlier message")


def _has_words(message: Event) -> bool:
    if message.type != "message":
        return message.type == "text"
    return _KIND.decode(message.body).message_type == "text"


def _is_author(conversation: Conversation, fact: Fact, message: Event) -> bool:
    """Whether the same user sends both: who has left and come back is another member."""
    author = conversation.members.get(message.sender) if message.sender else None
    sender = conversation.members.get(fact.sender) if fact.sender else None
    return author is not None and sender is not None and author.user_id == sender.user_id
