"""The AsyncAPI 3.0 description of what this server sends: webhooks, and events on a session.

Drawn from the catalogue; the envelopes are those of wire-api 7 and wire-clients 4.1.
"""

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from tertulia import __version__
from tertulia.model.events.reference import body_schemas
from tertulia.model.events.registry import (
    CUSTOM_OPEN,
    CUSTOM_TYPE_MAX,
    EventType,
    Keep,
    Reach,
    all_types,
)
from tertulia.model.extending import EDITS
from tertulia.model.posting import DELETABLE

Schema = dict[str, Any]

SIGNALLING = frozenset({"rtc:offer", "rtc:answer", "rtc:terminate"})
"""Addressed to one session: no number and no sender in their webhook."""
BEFORE_CONVERSATION = frozenset({"leg:status:update", "sip:ringing", "sip:hangup", "sip:status"})
"""May tell of a leg that is in no conversation yet: no number, sender `knocker:…`."""
ADDRESSED = frozenset({"audio:mute:on", "audio:mute:off"})
"""Always name the member acted upon in `to`."""


class Line(Struct, frozen=True):
    """A way that events are sent."""

    name: str
    reach: Reach
    conversation: str
    """Name of the envelope's member that holds the conversation's id."""
    operation: str
    summary: str


WEBHOOK = Line(
    "webhook", Reach.WEBHOOK, "conversation_id", "sendWebhook",
    "One signed request an event to the application's rtc event_url.",
)  # fmt: skip
SESSION = Line(
    "session", Reach.SESSION, "cid", "sendToSession",
    "Events of a user's conversations, to each of its logged-in clients.",
)  # fmt: skip


def asyncapi(server_url: str) -> dict[str, object]:
    """The document. `server_url` is the address that clients use, with its scheme."""
    return {**_document(), "servers": _servers(server_url)}


@cache
def _document() -> dict[str, object]:
    """All but where this server is. Made once: it takes longer than a hundred other answers."""
    bodies, objects = body_schemas()
    lines = (WEBHOOK, SESSION)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tertulia",
            "version": __version__,
            "description": "The events that this server sends to applications and their clients.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {},
        "channels": {line.name: _channel(line) for line in lines},
        "operations": {line.operation: _operation(line) for line in lines},
        "components": {
            "messages": {
                _key(line, found): _message(line, found, bodies[found.name])
                for line in lines
                for found in _sent(line)
            },
            "schemas": {**objects, **_envelopes(lines), "Erased": _erased()},
            "securitySchemes": {
                "signature": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "HS256 by the signature secret, with payload_hash of the body.",
                },
            },
        },
    }  # fmt: skip


def _servers(server_url: str) -> Schema:
    url = urlsplit(server_url)
    secure = url.scheme in ("https", "wss")
    return {
        "tertulia": {
            "host": url.netloc,
            "protocol": "wss" if secure else "ws",
            "description": "This server.",
        },
        "application": {
            "host": "{event_url}",
            "protocol": "https",
            "description": "The application's own server.",
            "variables": {
                "event_url": {
                    "description": "Address of the rtc capability's event_url.",
                    "default": "application.example.org",
                }
            },
        },
    }


def _sent(line: Line) -> list[EventType]:
    return [found for found in all_types() if found.reaches & line.reach]


def _key(line: Line, found: EventType) -> str:
    return f"{line.name}.{found.class_name}"


def _channel(line: Line) -> Schema:
    server, address = ("tertulia", "/v2/rtc") if line is SESSION else ("application", None)
    return {
        "address": address,
        "summary": line.summary,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {
            found.class_name: {"$ref": f"#/components/messages/{_key(line, found)}"}
            for found in _sent(line)
        },
    }


def _operation(line: Line) -> Schema:
    operation: Schema = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{line.name}"},
        "summary": line.summary,
        "messages": [
            {"$ref": f"#/channels/{line.name}/messages/{found.class_name}"} for found in _sent(line)
        ],
    }
    if line is WEBHOOK:
        operation["security"] = [{"$ref": "#/components/securitySchemes/signature"}]
    return operation


def _message(line: Line, found: EventType, body: Schema) -> Schema:
    return {
        "name": found.name,
        "title": found.class_name,
        "summary": found.summary,
        "tags": [{"name": found.group}],
        "payload": {
            "allOf": [{"$ref": f"#/components/schemas/{line.name}.envelope"}],
            "type": "object",
            "properties": {"type": _type(found), "body": _body(found, body)},
            "required": _required(line, found),
        },
    }


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


def _required(line: Line, found: EventType) -> list[str]:
    required = ["type", "timestamp", "body"]
    if line is WEBHOOK:
        required.append("application_id")
    if found.keep is not Keep.APPLICATION and found.name not in BEFORE_CONVERSATION:
        required.append(line.conversation)
        if found.keep is Keep.CONVERSATION and found.name not in SIGNALLING:
            required.append("id")
    if found.name in ADDRESSED:
        required.append("to")
    return required


def _envelopes(lines: tuple[Line, ...]) -> Schema:
    return {f"{line.name}.envelope": _envelope(line) for line in lines}


def _envelope(line: Line) -> Schema:
    text: Schema = {"type": "string"}
    properties: Schema = {
        "id": {"type": "integer", "minimum": 1, "description": "Number in the conversation."},
        "type": text,
        line.conversation: text,
        "application_id": {"type": "string", "format": "uuid"},
        "from": {"type": ["string", "null"], "description": "The member that it is from."},
        "to": {"type": "string", "description": "The member that it is about."},
        "timestamp": {"type": "string", "format": "date-time"},
        "body": {"type": "object"},
        "_embedded": _card(),
    }
    if line is WEBHOOK:
        properties["params"] = {"type": "object"}
        properties["state"] = {"type": ["object", "null"]}
        properties["session_destination"] = {
            "type": "string", "description": "The session that a signalling event is addressed to.",
        }  # fmt: skip
        properties["isFromMB"] = {"type": "boolean"}
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
