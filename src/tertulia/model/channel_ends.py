"""Membership of whom a messaging channel reaches, in a form for the typed client.

COMPAT: it drops an event, and refuses a whole page, with an end of a messaging channel in it
(wire-clients 5.5); that there is such a member, it is to know.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.event import Event
from tertulia.model.sending import CHANNELS

_MEMBERSHIP = frozenset({"member:invited", "member:joined", "member:left"})


class _Channel(Struct):
    type: str | None = None


class _Joining(Struct):
    channel: _Channel | None = None


_JOINING = msgspec.json.Decoder(_Joining)


def without_ends(event: Event) -> Event:
    """The same event when there is nothing to leave out."""
    if event.type not in _MEMBERSHIP or event.deleted_at is not None:
        return event
    channel = _JOINING.decode(event.body).channel
    if channel is None or channel.type not in CHANNELS:
        return event
    body: dict[str, Any] = msgspec.json.decode(event.body)
    for end in ("to", "from"):
        body["channel"].pop(end, None)
    return replace(event, body=msgspec.json.encode(body))
