"""Notices: events whose members one webhook alone is told, and not their envelope.

What is told of calls and of messages beyond the app goes through the log in this form.
"""

from typing import Any

import msgspec
from msgspec import Struct

from tertulia.model.event import Event
from tertulia.model.events.messaging import MESSAGE_WEBHOOK, CustomTertuliaMessage
from tertulia.model.events.voicehook import VOICE_WEBHOOK, voice_body
from tertulia.model.state import Webhook

VOICE = "voice"
MESSAGES = "messages"
TARGETS = {VOICE_WEBHOOK: VOICE, MESSAGE_WEBHOOK: MESSAGES}
"""By type of event: the group of webhooks that are told."""

_message = msgspec.json.Decoder(CustomTertuliaMessage).decode


class Notice(Struct, frozen=True):
    lane: str
    """What is told under the same name is told in order."""
    webhook: Webhook
    members: dict[str, Any]


def notice_of(event: Event) -> Notice | None:
    """None: it is no notice, or nobody is to be told."""
    if event.type not in TARGETS or event.deleted_at is not None:
        return None
    if event.type == VOICE_WEBHOOK:
        call = voice_body(event.body)
        webhook = Webhook(call.url, call.method, call.connect_timeout, call.socket_timeout)
        return Notice(call.leg_id, webhook, call.members)
    message = _message(event.body)
    if not message.url:
        return None
    return Notice(message.lane, Webhook(message.url, message.method), message.members)
