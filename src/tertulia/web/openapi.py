"""The OpenAPI 3.1 description, made of the routes and of the event registry."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.json import schema_components

from tertulia import __version__
from tertulia.model.conversation import ConversationDraft
from tertulia.services.users import UserDraft
from tertulia.web.openapi_schemas import REF, Schema, Schemas, schemas_of
from tertulia.web.problems import Problem
from tertulia.web.rest.discovery import DATA_CENTER
from tertulia.web.routing import EVENT_STREAM, Guard, Route, Upload

_TAGS = {
    "conversations": "What members talk in: each has a log of events.",
    "members": "Who is or was in a conversation, and how they are reached.",
    "events": "What happened in a conversation, in order.",
    "stream": "Events as they happen, for back ends.",
    "users": "The identities of an application.",
    "sessions": "The live sessions of users.",
    "legs": "The media paths between this server and its endpoints.",
    "calls": "Calls to and from phones, users' clients, SIP addresses and websockets.",
    "audio": "What is played, said, recorded and recognised in legs and conversations.",
    "rtc": "WebRTC signalling of members.",
    "knocking": "Calls of clients to the application.",
    "levels": "Extension: who hears whom in a conversation, and how loud each is.",
    "messages": "Extension: messages with their edits, reactions and replies.",
    "message_api": "Messages beyond the app: by SMS, WhatsApp and other channels.",
    "carriers": "What carriers of messages tell this server.",
    "sms": "The older way of sending an SMS.",
    "search": "Extension: what was said, by its words.",
    "media": "Files that are sent with events.",
    "applications": "The owners of everything, their keys and webhooks.",
    "webhooks": "What became of the webhooks.",
    "message_status": "Extension: what has become of messages beyond the app.",
    "message_carriers": "Extension: how the carriers of messages do.",
    "handsets": "Extension: the simulated handsets of development mode.",
    "legacy_conversations": "Conversations in the older editions.",
    "legacy_members": "Members in the older editions.",
    "legacy_events": "Events in the older editions.",
    "legacy_users": "Users in the older editions.",
    "discovery": "Where clients find this server, and what they report of it.",
    "system": "Health, figures and descriptions of this server.",
}
_PATH: dict[str, Schema] = {
    "conversation_id": {"type": "string", "minLength": 1, "description": "Id, `CON-…`."},
    "member_id": {"type": "string", "minLength": 1, "description": "Id, `MEM-…`."},
    "user_id": {"type": "string", "minLength": 1, "description": "Id, `USR-…`, or name."},
    "application_id": {"type": "string", "minLength": 1, "description": "Id, a UUID."},
    "session_id": {"type": "string", "minLength": 1, "description": "Id, `SES-…`."},
    "leg_id": {"type": "string", "minLength": 1, "description": "Id, a UUID."},
    "call_id": {"type": "string", "minLength": 1, "description": "Id of the call, a UUID."},
    "rtc_id": {"type": "string", "minLength": 1, "description": "Id of the leg, a UUID."},
    "asr_id": {"type": "string", "minLength": 1, "description": "Id of a recognition."},
    "knocking_id": {"type": "string", "minLength": 1, "description": "Id, `knocking-…`."},
    "media_id": {"type": "string", "minLength": 1, "description": "Id, `MED-…`."},
    "message_id": {"type": "string", "minLength": 1, "description": "Id, a UUID."},
    "carrier": {"type": "string", "minLength": 1, "description": "Name, as the plan has it."},
    "channel": {"type": "string", "minLength": 1, "description": "A messaging channel: `sms` …"},
    "address": {"type": "string", "minLength": 1, "description": "Number or id of a handset."},
    "dc": {"type": "string", "enum": [DATA_CENTER], "description": "Data centre."},
    "event_id": {
        "type": "integer", "minimum": 0, "maximum": 10**15 - 1,
        "description": "Number of the event in its conversation.",
    },
    "replay_id": {
        "type": "integer", "minimum": 1, "maximum": 10**15 - 1,
        "description": "As the answer to the request of the replay named it.",
    },
}  # fmt: skip
_SUCCESS = {
    200: "Done.", 201: "Created.", 202: "Accepted; it will be done.", 204: "Done; nothing to say.",
    206: "The part that was asked for.", 304: "Not changed.",
}  # fmt: skip
_SECONDS: Schema = {
    "Retry-After": {
        "required": True, "description": "Seconds.", "schema": {"type": "integer", "minimum": 1},
    }
}  # fmt: skip
_CHALLENGE: Schema = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_ERRORS: dict[int, tuple[str, str, Schema]] = {
    400: ("BadRequest", "The request is not valid, or the state does not allow it.", {}),
    401: ("Unauthorized", "No credentials, or not valid ones.", _CHALLENGE),
    403: ("Forbidden", "The token does not grant this.", {}),
    404: ("NotFound", "Not there, or not yours.", {}),
    406: ("NotAcceptable", "Answers are JSON.", {}),
    409: ("Conflict", "The name is taken, or the epoch is over.", {}),
    413: ("PayloadTooLarge", "The body is too large.", {}),
    414: ("UriTooLong", "The address is too long.", {}),
    415: ("UnsupportedMediaType", "The body must be JSON.", {}),
    416: ("RangeNotSatisfiable", "The range lies behind the end.", {}),
    422: ("Unprocessable", "The value of a parameter is not valid.", {}),
    429: ("TooManyRequests", "The application sends too many requests.", _SECONDS),
    431: ("HeadersTooLarge", "The header fields are too large.", {}),
    500: ("InternalError", "A bug; it is logged.", {}),
    501: ("NotImplemented", "The host of this server cannot do it.", {}),
    503: ("Unavailable", "Nothing can be stored right now, or not all is ready.", _SECONDS),
}
_OCTETS = "application/octet-stream"
_NAMED = (ConversationDraft, UserDraft)
"""Bodies with a name that somebody else may have."""


def openapi(routes: Iterable[Route], server: str) -> dict[str, Any]:
    """The document, for a server at this address."""
    listed = list(routes)
    schemas = schemas_of(listed)
    paths: dict[str, Schema] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tertulia", "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Conversations, members, users and events. Compatible with the "
            "Conversation and Application APIs of Vonage.",
        },
        "servers": [{"url": server}],
        "tags": [{"name": name, "description": told} for name, told in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {
                name: {"description": told, "headers": headers, **_json(_problem())}
                for name, told, headers in _ERRORS.values()
            },
            "securitySchemes": {
                Guard.APPLICATION.value: {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT, RS256",
                    "description": "A token of an application, or of one of its users.",
                },
                Guard.ACCOUNT.value: {
                    "type": "http", "scheme": "basic",
                    "description": "The key and secret of the account.",
                },
            },
        },
    }  # fmt: skip


def _problem() -> Schema:
    return {"$ref": REF.format(name=Problem.__name__)}


def _json(schema: Schema) -> Schema:
    return {"content": {"application/json": {"schema": schema}}}


def _content(body: Any, schema: Schema) -> Schema:
    if not isinstance(body, Upload):
        return _json(schema)
    return {
        "content": {type_: {} if type_ == _OCTETS else {"schema": schema} for type_ in body.types}
    }


def _operation(route: Route, schemas: Schemas) -> Schema:
    operation: Schema = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.group],
        "security": [{name: []} for name in route.guard.schemes],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        body = _content(route.body, schemas.request(route))
        operation["requestBody"] = {"required": schemas.needs_body(route), **body}
    return operation


def _path_parameters(route: Route) -> Iterator[Schema]:
    for name in route.names:
        yield _parameter("path", name, _PATH[name])


def _query_parameters(route: Route) -> Iterator[Schema]:
    if route.query is None:
        return
    _, components = schema_components([route.query])
    for name, schema in components[route.query.__name__]["properties"].items():
        yield _parameter("query", name, schema)


def _parameter(place: str, name: str, schema: Schema) -> Schema:
    schema = dict(schema)
    described: Schema = {"name": name, "in": place, "required": place == "path"}
    if told := schema.pop("description", None):
        described["description"] = told
    if schema.get("default", "") in (None, ""):  # no more than: it may be left out
        schema.pop("default", None)
    return {**described, "schema": schema}


def _responses(route: Route, schemas: Schemas) -> Schema:
    found: Schema = {}
    for status, shape in route.answers.items():
        found[str(status)] = {"description": _SUCCESS[status]}
        if shape is str:
            found[str(status)]["content"] = {"text/plain": {"schema": {"type": "string"}}}
        elif shape is bytes:
            found[str(status)]["content"] = {"*/*": {}}
        elif shape is not None:
            found[str(status)] |= _json(schemas.answer(shape))
        if status == 200 and route.streams:
            found["200"]["content"][EVENT_STREAM] = {"schema": {"type": "string"}}
    for status in _refusals(route):
        found[str(status)] = {"$ref": f"#/components/responses/{_ERRORS[status][0]}"}
    return found


def _refusals(route: Route) -> list[int]:
    """The errors that a request of this route can meet."""
    found = {400, 414, 431, 500, 503, *route.refusals}
    if route.guard is not Guard.OPEN:
        found |= {401, 406}
    if route.guard in (Guard.APPLICATION, Guard.SIGNED, Guard.EITHER):
        found |= {403, 429}
    if route.names:
        found.add(404)
    if route.body is not None:
        found |= {413, 415}
    if 206 in route.answers:
        found.add(416)
        found.remove(406)
    if route.body in _NAMED:
        found.add(409)
    return sorted(found)
