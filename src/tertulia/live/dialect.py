"""What an event looks like to a session, and which events its kind of client can parse."""

import msgspec
from msgspec import Struct

from tertulia.model.channel_ends import without_ends
from tertulia.model.event import Event
from tertulia.model.events.registry import Reach, find
from tertulia.model.instant import iso
from tertulia.model.session import Dialect

TYPED = frozenset({
    "member:invited", "member:joined", "member:left", "member:media",
    "message", "message:submitted", "message:delivered", "message:seen", "message:rejected",
    "message:undeliverable", "ephemeral", "event:delete",
    "rtc:answer", "rtc:hangup", "rtc:transfer",
    "audio:say", "audio:say:done", "audio:mute:on", "audio:mute:off", "audio:earmuff:on",
    "audio:earmuff:off", "audio:dtmf", "leg:status:update",
})  # fmt: skip
"""Beside `custom:…`, all that the typed client knows (wire-clients 5.4)."""

_CUSTOM = "custom:"
_NEEDS_EMBEDDED = "member:media"
"""COMPAT: the typed client drops one without `_embedded`, be it null (wire-clients 5.5)."""


class _Directed(Struct):
    session_destination: str | None = None


_DESTINATION = msgspec.json.Decoder(_Directed)

_reaching: dict[str, bool] = {}


def reaches_sessions(name: str) -> bool:
    known = _reaching.get(name)
    if known is None:
        row = find(name)
        known = row is not None and bool(row.reaches & Reach.SESSION)
        if not name.startswith(_CUSTOM):  # of these there is no end
            _reaching[name] = known
    return known


def destination(event: Event) -> str | None:
    """The session that signalling is meant for, if it says."""
    return _DESTINATION.decode(event.body).session_destination


def can_parse(dialect: Dialect, event: Event) -> bool:
    if dialect is Dialect.OPEN or event.type.startswith(_CUSTOM):
        return True
    # a message that was deleted has no body that could be parsed as one
    return event.type in TYPED and event.deleted_at is None


def shown(dialect: Dialect, event: Event) -> Event:
    """The event in a form that its receiver can parse."""
    return event if dialect is Dialect.OPEN else without_ends(event)


def payload(event: Event) -> bytes:
    """The second argument of the event's packet: JSON without `type`, joined from stored bytes."""
    return b"{%b}" % _members(event)


def pending(event: Event) -> bytes:
    """An item of `pending_events`: with its type."""
    return b'{"type":"%b",%b}' % (event.type.encode(), _members(event))


def _members(event: Event) -> bytes:
    parts = []
    if event.id is not None:
        parts.append(b'"id":%d' % event.id)
    if event.conversation_id is not None:
        cid = event.conversation_id.encode()
        parts.append(b'"cid":"%b","conversation_id":"%b"' % (cid, cid))
    if event.sender is not None:
        parts.append(b'"from":"%b"' % event.sender.encode())
    if event.recipient is not None:
        parts.append(b'"to":"%b"' % event.recipient.encode())
    parts.append(
        b'"timestamp":"%b","application_id":"%b","body":%b'
        % (iso(event.timestamp).encode(), event.application_id.encode(), _body(event))
    )
    if event.embedded is not None:
        parts.append(b'"_embedded":%b' % event.embedded)
    elif event.type == _NEEDS_EMBEDDED:
        parts.append(b'"_embedded":null')
    return b",".join(parts)


def _body(event: Event) -> bytes:
    if event.deleted_at is not None:
        return b'{"timestamp":{"deleted":"%b"}}' % iso(event.deleted_at).encode()
    return event.body
