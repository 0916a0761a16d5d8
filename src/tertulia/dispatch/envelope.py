"""The webhook envelope: one event as the receivers of wire-api section 7 expect it.

Which members are there depends on the type; the stored JSON of body and sender is spliced in.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from tertulia.model.event import Event
from tertulia.model.instant import iso
from tertulia.model.notices import notice_of

SIGNALLING = frozenset({"rtc:offer", "rtc:answer", "rtc:terminate"})
"""Neither numbered nor sent by anyone, with members of the body at the top level."""
UNSENT = frozenset({"conversation:created", "conversation:deleted"})
"""Sent by no one, and about a conversation rather than in it."""
OUTSIDE = UNSENT | {"app:knocking", "app:knocking:cancel"}
"""Without number and conversation, whatever stream they are kept in."""


class Envelope(Struct, frozen=True):
    """The members in the order of the wire; unset ones are absent."""

    type: str
    application_id: str
    timestamp: str
    id: int | UnsetType = UNSET
    conversation_id: str | UnsetType = UNSET
    from_: str | UnsetType | None = field(default=UNSET, name="from")
    params: dict[str, str] = field(default_factory=dict)
    body: Raw = field(default_factory=lambda: Raw(b"{}"))
    embedded: Raw | UnsetType = field(default=UNSET, name="_embedded")
    to: str | UnsetType = UNSET
    session_destination: Raw | UnsetType = UNSET
    is_from_mb: Raw | UnsetType = field(default=UNSET, name="isFromMB")


class _Erased(Struct, frozen=True):
    """Body of an event that was deleted before it was sent."""

    timestamp: dict[str, str]


_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def envelope(event: Event) -> bytes:
    """Encode an event for a webhook, never decoding what was stored but for `rtc:*` signalling."""
    if (notice := notice_of(event)) is not None:
        return _encode(notice.members)
    if event.type in SIGNALLING:
        return _encode(_signalling(event))
    outside = event.type in OUTSIDE or event.conversation_id is None
    unsent = event.type in UNSENT
    return _encode(
        Envelope(
            event.type,
            event.application_id,
            iso(event.timestamp),
            UNSET if outside or event.id is None else event.id,
            UNSET if outside or event.conversation_id is None else event.conversation_id,
            UNSET if unsent else _sender(event),
            body=_body(event),
            embedded=UNSET if unsent or event.embedded is None else Raw(event.embedded),
            to=UNSET if event.recipient is None else event.recipient,
        )
    )


def _sender(event: Event) -> str | UnsetType | None:
    """The application's own events have a null sender, conversation:updated then has none."""
    if event.sender is None and event.type == "conversation:updated":
        return UNSET
    return event.sender


def _body(event: Event) -> Raw:
    if event.deleted_at is not None:
        return Raw(_encode(_Erased({"deleted": iso(event.deleted_at)})))
    return Raw(event.body or b"{}")


def _signalling(event: Event) -> Envelope:
    """COMPAT: `session_destination` and `isFromMB` are kept in the body, as REST shows them, but
    webhook receivers read them at the top level (wire-api 8, no. 11)."""
    body = _members(_body(event))
    destination = body.pop("session_destination", UNSET)
    is_from_mb = body.pop("isFromMB", UNSET)
    return Envelope(
        event.type,
        event.application_id,
        iso(event.timestamp),
        conversation_id=UNSET if event.conversation_id is None else event.conversation_id,
        body=Raw(_encode(body)),
        session_destination=destination,
        is_from_mb=is_from_mb,
    )
