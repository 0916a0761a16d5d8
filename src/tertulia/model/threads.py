"""What was added to messages after they were sent: edits, reactions, and what they answer."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tertulia.model.event import Event
from tertulia.model.events.deletion import EventDelete
from tertulia.model.events.extensions import (
    CustomTertuliaEdit,
    CustomTertuliaReaction,
    CustomTertuliaReply,
    ReactionAction,
)
from tertulia.model.events.legacy import TextUpdate
from tertulia.model.extending import EDIT, EXTENSIONS, MESSAGES, REACTION, REPLY
from tertulia.model.ids import EventId, MemberId
from tertulia.model.instant import Instant

ADDITIONS = (*EXTENSIONS, "text:update")
"""Types that add to a message."""

_DECODERS = {
    kind: msgspec.json.Decoder(body)
    for kind, body in (
        (EDIT, CustomTertuliaEdit), (REPLY, CustomTertuliaReply),
        (REACTION, CustomTertuliaReaction), ("text:update", TextUpdate),
        ("event:delete", EventDelete),
    )
}  # fmt: skip


class Edited(Struct, frozen=True):
    """The newest words of a message."""

    text: str
    at: Instant


class Thread(Struct):
    """What was added to one message."""

    edited: Edited | None = None
    reactions: dict[str, list[MemberId]] = {}
    """Members in the order in which they reacted; no reaction is without a member."""
    reply_to: EventId | None = None


def threads(events: Iterable[Event]) -> dict[EventId, Thread]:
    """Fold events of one conversation, in their order, messages among them.

    Messages to which nothing was added, or which are deleted, are not in it.
    """
    folded = _Threads()
    for event in events:
        folded.take(event)
    return folded.threads


class _Threads:
    def __init__(self) -> None:
        self.threads: dict[EventId, Thread] = {}
        self._authors: dict[EventId, MemberId | None] = {}
        """Of the messages that are there."""

    def take(self, event: Event) -> None:
        if event.deleted_at is not None or event.id is None:
            return
        if event.type in MESSAGES:
            self._authors[event.id] = event.sender
        elif event.type in _DECODERS:
            self._add(_DECODERS[event.type].decode(event.body), event)

    def _add(self, body: object, event: Event) -> None:
        match body:
            case EventDelete():
                self._authors.pop(body.target, None)
                self.threads.pop(body.target, None)
            case TextUpdate():
                # anybody may send one: it counts when it is the author's
                target = EventId(int(body.original_event_id))
                if event.sender is not None and self._authors.get(target) == event.sender:
                    self._thread(target).edited = Edited(body.text, event.timestamp)
            case CustomTertuliaEdit() if body.target in self._authors:
                self._thread(body.target).edited = Edited(body.text, event.timestamp)
            case CustomTertuliaReply() if body.target in self._authors:
                self._thread(body.target).reply_to = EventId(int(body.reply_to))
            case CustomTertuliaReaction() if body.target in self._authors and event.sender:
                _react(self._thread(body.target).reactions, body, event.sender)

    def _thread(self, event_id: EventId) -> Thread:
        return self.threads.setdefault(event_id, Thread())


def _react(
    reactions: dict[str, list[MemberId]], body: CustomTertuliaReaction, member_id: MemberId
) -> None:
    members = reactions.setdefault(body.reaction, [])
    if member_id in members:
        members.remove(member_id)
    if body.action is ReactionAction.ADD:
        members.append(member_id)
    if not members:
        del reactions[body.reaction]
