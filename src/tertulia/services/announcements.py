"""Events that are not kept: everybody who hears of them, and how other processes are told."""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, MemberId
from tertulia.model.instant import Instant

Listener = Callable[[Event], None]
"""Returns at once: it is called on the way of the request that caused the event."""


class _Announced(Struct, array_like=True):
    """What an event that is not kept has: no number, no position, nothing that it became."""

    application_id: ApplicationId
    conversation_id: ConversationId | None
    type: str
    timestamp: Instant
    body: bytes
    sender: MemberId | None
    recipient: MemberId | None
    embedded: bytes | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Announced).decode


def encode_announced(event: Event) -> bytes:
    return _encode(
        _Announced(
            event.application_id, event.conversation_id, event.type, event.timestamp, event.body,
            event.sender, event.recipient, event.embedded,
        )
    )  # fmt: skip


def decode_announced(word: bytes) -> Event:
    """Raises msgspec.DecodeError."""
    told = _decode(word)
    return Event(
        application_id=told.application_id, conversation_id=told.conversation_id, id=None,
        type=told.type, timestamp=told.timestamp, body=told.body, sender=told.sender,
        recipient=told.recipient, embedded=told.embedded,
    )  # fmt: skip


class Announcements:
    """An Announcer that tells all its listeners, in the order of their coming."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def announce(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
