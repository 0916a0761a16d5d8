"""Events as messages of the AsyncAPI description: the envelope of a webhook, and that of a session.

The envelopes are those of wire-api 7 and wire-clients 4.1.
"""

from enum import StrEnum
from typing import Any

from tertulia.model.events.registry import CUSTOM_OPEN, CUSTOM_TYPE_MAX, EventType, Keep
from tertulia.model.extending import EDITS
from tertulia.model.posting import DELETABLE
from tertulia.web.asyncapi_packets import NUMBERED

Schema = dict[str, Any]

SIGNALLING = frozenset({"rtc:offer", "rtc:answer", "rtc:terminate"})
"""Addressed to one session: no number and no sender in their webhook."""
BEFORE_CONVERSATION = frozenset({"leg:status:update", "sip:ringing", "sip:hangup", "sip:status"})
"""May tell of a leg that is in no conversation yet: no number, sender `knocker:…`."""
ADDRESSED = frozenset({"audio:mute:on", "audio:mute:off"})
"""Always name the member acted upon in `to`."""


class Envelope(StrEnum):
    WEBHOOK = "webhook"
    """Also of the stream for back ends."""
    SESSION = "session"
    """Without the type, which stands before it in the packet."""


def message(envelope: Envelope, found: EventType, body: Schema) -> Schema:
    """The message object of an event."""
    properties: Schema = {"body": _body(found, body)}
    if envelope is Envelope.WEBHOOK:
        properties["type"] = _type(found)
    shown: Schema = {
        "name": found.name,
        "title": found.class_name,
        "summary": found.summary,
        "tags": [{"name": found.group}],
        "payload": {
            "allOf": [{"$ref": f"#/components/schemas/{envelope}.envelope"}],
            "type": "object",
            "properties": properties,
            "required": _required(envelope, found),
        },
    }
    if envelope is Envelope.SESSION and found.keep is not Keep.NEVER:
        shown |= NUMBERED
    return shown


def _body(found: EventType, schema: Schema) -> Schema:
    """The body, or what is left of it when the event was deleted before it was sent."""
    if "discriminator" in schema:  # an object in OpenAPI, but a name in AsyncAPI
        schema = {**schema, "discriminator": schema["discriminator"]["propertyName"]}
    if found.name in DELETABLE or found.name in EDITS:
        return {"anyOf": [schema, {"$ref": "#/components/schemas/Erased"}]}
    return schema


def _erased() -> Schema:
    deleted = {"deleted": {"type": "string", "format": "date-time"}}
    timestamp = {"type": "object", "properties": deleted, "required": ["deleted"]}
    return {"type": "object", "properties": {"timestamp": timestamp}, "required": ["timestamp"]}


def _type(found: EventType) -> Schema:
    if found.name == "custom:*":
        pattern = f"^{CUSTOM_OPEN.pattern}$"
        return {"type": "string", "pattern": pattern, "maxLength": CUSTOM_TYPE_MAX}
    return {"const": found.name}


def _required(envelope: Envelope, found: EventType) -> list[str]:
    required = ["timestamp", "body", "application_id"]
    if envelope is Envelope.WEBHOOK:
        required.append("type")
    if found.keep is not Keep.APPLICATION and found.name not in BEFORE_CONVERSATION:
        required.append("conversation_id")
        if envelope is Envelope.SESSION:
            required.append("cid")
        if found.keep is Keep.CONVERSATION and found.name not in SIGNALLING:
            required.append("id")
    if found.name in ADDRESSED:
        required.append("to")
    return required


_TEXT: Schema = {"type": "string"}


def schemas() -> Schema:
    """What the messages of events refer to, beside the catalogue's own."""
    session = _envelope({
        "cid": {"type": "string", "description": "As conversation_id."},
        "from": {"type": "string", "description": "The member that it is from; absent: none."},
        "_embedded": {"anyOf": [_card(), {"type": "null"}]},
    })  # fmt: skip
    webhook = _envelope({
        "type": _TEXT,
        "from": {"type": ["string", "null"], "description": "The member that it is from."},
        "_embedded": _card(),
        "params": {"type": "object"},
        "session_destination": {
            "type": "string", "description": "The session that a signalling event is addressed to.",
        },
        "isFromMB": {"type": "boolean"},
    })  # fmt: skip
    pending = {
        "allOf": [{"$ref": "#/components/schemas/session.envelope"}],
        "type": "object",
        "description": "An event as the session would have got it, with its type.",
        "properties": {"type": _TEXT},
        "required": ["type", "timestamp", "application_id", "body"],
    }
    return {
        "webhook.envelope": webhook, "session.envelope": session, "session.pending": pending,
        "Erased": _erased(),
    }  # fmt: skip


def _envelope(own: Schema) -> Schema:
    properties: Schema = {
        "id": {"type": "integer", "minimum": 1, "description": "Number in the conversation."},
        "conversation_id": _TEXT,
        "application_id": {"type": "string", "format": "uuid"},
        "to": {"type": "string", "description": "The member that it is about."},
        "timestamp": {"type": "string", "format": "date-time"},
        "body": {"type": "object"},
        **own,
    }
    return {"type": "object", "properties": properties}


def _card() -> Schema:
    """`_embedded`: the sender's user and member, as they were."""
    user = ("id", "name", "display_name", "image_url")
    return {
        "type": "object",
        "properties": {
            "from_user": {
                "type": "object",
                "properties": {
                    **{name: {"type": ["string", "null"]} for name in user},
                    "custom_data": {"type": "object"},
                },
            },
            "from_member": {"type": "object", "properties": {"id": {"type": "string"}}},
        },
    }
