"""What of an event can be searched for, and what an event does to what was said before."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tertulia.model.event import Event
from tertulia.model.extending import EDIT
from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, Position
from tertulia.model.state import ConversationState, Profile
from tertulia.model.words import plain


class Text(Struct, frozen=True, array_like=True):
    """The words of a message."""

    position: Position
    application_id: ApplicationId
    conversation_id: ConversationId
    event_id: EventId
    text: str
    author: MemberId | None = None


class NewText(Struct, frozen=True, array_like=True):
    """Other words for a message. With an author, only if the message is this member's."""

    conversation_id: ConversationId
    event_id: EventId
    text: str
    author: MemberId | None = None


Place = tuple[ConversationId, EventId]


class TextChanges(Struct, frozen=True):
    """What a stretch of the log does, in this order. Nothing is said where something was removed,
    so the order within the stretch is kept."""

    said: list[Text]
    changed: list[NewText]
    removed: list[Place]
    closed: list[ConversationId]
    """Conversations that are deleted."""


class _Captioned(Struct, frozen=True):
    caption: str | None = None


class _Named(Struct, frozen=True):
    name: str | None = None
    address: str | None = None


class _Words(Struct, frozen=True):
    """The members of all bodies in which words may stand."""

    text: str | None = None
    image: _Captioned | None = None
    location: _Named | None = None
    template: _Named | None = None
    event_id: EventId | None = None
    original_event_id: EventId | None = None


_DECODER = msgspec.json.Decoder(_Words)


def text_changes(events: Iterable[Event]) -> TextChanges:
    """Gather what events, in the order of the log, mean for a search."""
    changes = TextChanges([], [], [], [])
    for event in events:
        if event.conversation_id is None or event.id is None:
            became = event.became
            if isinstance(became, Profile) and became.state is ConversationState.DELETED:
                changes.closed.append(became.id)
        elif event.deleted_at is None and event.type in _GATHER:
            _GATHER[event.type](changes, event, (event.conversation_id, event.id))
    return changes


def _say(changes: TextChanges, event: Event, place: Place) -> None:
    body = _words(event)
    parts = [body.text]
    if body.image:
        parts.append(body.image.caption)
    for named in (body.location, body.template):
        parts += [named.name, named.address] if named else []
    told = [part for part in parts if part is not None]  # an empty text may yet be edited
    if told:
        words = plain("\n".join(told))
        text = Text(event.position, event.application_id, *place, words, event.sender)
        changes.said.append(text)


def _edit(changes: TextChanges, event: Event, place: Place) -> None:
    body = _words(event)
    if body.text is not None and body.event_id is not None:
        changes.changed.append(NewText(place[0], body.event_id, plain(body.text)))


def _update(changes: TextChanges, event: Event, place: Place) -> None:
    body = _words(event)
    if body.text is not None and body.original_event_id is not None and event.sender:
        new = NewText(place[0], body.original_event_id, plain(body.text), event.sender)
        changes.changed.append(new)


def _remove(changes: TextChanges, event: Event, place: Place) -> None:
    body = _words(event)
    if body.event_id is not None:
        changes.removed.append((place[0], body.event_id))


def _words(event: Event) -> _Words:
    """A body of a form that no version of ours has written holds no words; it stops nobody."""
    try:
        return _DECODER.decode(event.body)
    except msgspec.MsgspecError:
        return _Words()


_GATHER = {
    "message": _say, "text": _say, EDIT: _edit, "text:update": _update, "event:delete": _remove,
}  # fmt: skip
