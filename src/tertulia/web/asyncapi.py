"""The AsyncAPI 3.0 description: webhooks, the stream for back ends, and the session socket.

Events are drawn from the catalogue (asyncapi_events.py); what is said on the socket beside them is
in asyncapi_packets.py.
"""

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.json import schema_components

from tertulia import __version__
from tertulia.model.events.reference import body_schemas
from tertulia.model.events.registry import EventType, Reach, all_types
from tertulia.web import asyncapi_events as events
from tertulia.web import asyncapi_packets as packets
from tertulia.web.asyncapi_events import Envelope
from tertulia.web.asyncapi_packets import Asking
from tertulia.web.rest.stream import PATH as STREAM_PATH
from tertulia.web.rest.stream import StreamQuery

Schema = dict[str, Any]


class Line(Struct, frozen=True):
    """A way that events are sent."""

    name: str
    envelope: Envelope
    """What it carries them in."""
    reach: Reach
    server: str
    address: str | None
    operation: str
    security: str
    summary: str
    description: str = ""


WEBHOOK = Line(
    "webhook", Envelope.WEBHOOK, Reach.WEBHOOK, "application", None, "sendWebhook", "signature",
    "One signed request an event to the application's rtc event_url.",
)  # fmt: skip
STREAM = Line(
    "stream", Envelope.WEBHOOK, Reach.WEBHOOK, "rest", STREAM_PATH, "sendToStream", "bearer",
    "Events of an application in commit order, from any position on, each as a webhook says it.",
    "Server-sent events: `id` is the position of what is kept, `event` the type, `data` the "
    "message. Not asked for these, the same address gives pages of JSON: see /openapi.json.",
)  # fmt: skip
SESSION = Line(
    "session", Envelope.SESSION, Reach.SESSION, "socket", packets.PATH, "sendToSession", "query",
    "Events of a user's conversations, to each of its logged-in clients.", packets.FRAMES,
)  # fmt: skip
LINES = (WEBHOOK, STREAM, SESSION)


def asyncapi(server_url: str) -> dict[str, object]:
    """The document. `server_url` is the address that clients use, with its scheme."""
    return {**_document(), "servers": _servers(server_url)}


@cache
def _document() -> dict[str, object]:
    """All but where this server is. Made once: it takes longer than a hundred other answers."""
    bodies, objects = body_schemas()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tertulia",
            "version": __version__,
            "description": "The events that this server sends to applications and their clients, "
            "and what clients say on the socket of a session.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {},
        "channels": {line.name: _channel(line) for line in LINES},
        "operations": {
            **{line.operation: _operation(line) for line in LINES},
            **{asking.operation: _answering(asking) for asking in packets.ASKED},
        },
        "components": {
            "messages": {
                **{
                    _key(line, found): events.message(line.envelope, found, bodies[found.name])
                    for line in (WEBHOOK, SESSION)
                    for found in _sent(line)
                },
                **{
                    f"session.{packet.class_name}": packets.message(packet)
                    for packet in packets.ALL
                },
            },
            "schemas": {**objects, **events.schemas()},
            "securitySchemes": _SECURITY,
        },
    }


_SECURITY: Schema = {
    "signature": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "HS256 by the signature secret, with payload_hash of the body.",
    },
    "bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "RS256 by the application's key; without `sub`.",
    },
    "query": {
        "type": "httpApiKey", "in": "query", "name": "token",
        "description": "A JWT, RS256 by the application's key; `sub` names the user.",
    },
}  # fmt: skip


def _servers(server_url: str) -> Schema:
    url = urlsplit(server_url)
    is_secure = url.scheme in ("https", "wss")
    return {
        "socket": {
            "host": url.netloc,
            "protocol": "wss" if is_secure else "ws",
            "description": "This server, for sessions.",
        },
        "rest": {
            "host": url.netloc,
            "protocol": "https" if is_secure else "http",
            "description": "This server, for back ends.",
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
    return f"{line.envelope}.{found.class_name}"


def _channel(line: Line) -> Schema:
    messages = {found.class_name: _key(line, found) for found in _sent(line)}
    channel: Schema = {
        "address": line.address,
        "summary": line.summary,
        "description": line.description or line.summary,
        "servers": [{"$ref": f"#/servers/{line.server}"}],
    }
    if line is SESSION:
        messages |= {packet.class_name: f"session.{packet.class_name}" for packet in packets.ALL}
        channel["bindings"] = {
            "ws": {"method": "GET", "query": packets.HANDSHAKE, "bindingVersion": "0.1.0"}
        }
    channel["messages"] = {
        name: {"$ref": f"#/components/messages/{key}"} for name, key in messages.items()
    }
    return channel


def _operation(line: Line) -> Schema:
    names = [found.class_name for found in _sent(line)]
    if line is SESSION:
        names += [packet.class_name for packet in packets.TOLD]
    operation: Schema = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{line.name}"},
        "summary": line.summary,
        "messages": _carried(line, names),
        "security": [{"$ref": f"#/components/securitySchemes/{line.security}"}],
    }
    if line is STREAM:
        _, components = schema_components([StreamQuery])
        query = components[StreamQuery.__name__]
        operation["bindings"] = {
            "http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}
        }
    return operation


def _answering(asking: Asking) -> Schema:
    channel = {"$ref": f"#/channels/{SESSION.name}"}
    return {
        "action": "receive",
        "channel": channel,
        "summary": asking.packet.summary,
        "messages": _carried(SESSION, [asking.packet.class_name]),
        "reply": {
            "channel": channel,
            "messages": _carried(SESSION, [packet.class_name for packet in asking.replies]),
        },
    }


def _carried(line: Line, names: list[str]) -> list[Schema]:
    return [{"$ref": f"#/channels/{line.name}/messages/{name}"} for name in names]
