"""The OpenAPI 3.1 description, made of the routes and of the event registry."""

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, field

from tertulia import __version__
from tertulia.model.errors import Parameter
from tertulia.model.events.registry import Creator, EventType, all_types
from tertulia.model.posting import EventDraft
from tertulia.web.routing import Edition, Guard, Route

_REF = "#/components/schemas/{name}"


class Problem(Struct, frozen=True, omit_defaults=True):
    """An error in both of the styles that published clients read (wire-api 1.8)."""

    title: str
    type: str
    code: str
    detail: str
    description: str
    error: dict[str, Any]
    instance: str
    invalid_parameters: list[Parameter] = field(default_factory=list)


_ERRORS = {
    400: "The request is not valid.", 401: "No token, or not a valid one.",
    403: "The token does not grant this.", 404: "Not there, or not yours.",
    405: "The method is not allowed here.", 406: "Answers are JSON.",
    409: "The name is taken.", 413: "The body is too large.", 414: "The address is too long.",
    415: "The body must be JSON.", 429: "Too many requests.", 431: "The headers are too large.",
    500: "A bug.", 503: "Nothing can be stored right now.",
}  # fmt: skip


def openapi(routes: Iterable[Route], server: str) -> dict[str, Any]:
    """The document, for a server at this address."""
    listed = list(routes)
    types = _types(listed)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tertulia", "version": __version__, "license": {"name": "Apache-2.0"},
            "description": "Conversations, members, users and events. Compatible with the "
            "Conversation and Application APIs of Vonage.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                Guard.APPLICATION.value: {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT, RS256",
                },
                Guard.ACCOUNT.value: {"type": "http", "scheme": "basic"},
            },
        },
    }  # fmt: skip


def _types(routes: list[Route]) -> list[Any]:
    found: dict[Any, None] = {Problem: None}
    for route in routes:
        if route.body is EventDraft:
            found.update({event_type.body: None for event_type in all_types()})
        else:
            found.update(dict.fromkeys(_alternatives(route.body)))
        for answer in route.answers.values():
            found.update(dict.fromkeys(_alternatives(answer)))
    return list(found)


def _alternatives(declared: Any) -> tuple[Any, ...]:
    if declared is None:
        return ()
    return declared if isinstance(declared, tuple) else (declared,)


def _operation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route, schemas),
    }
    if route.guard is not Guard.OPEN:
        operation["security"] = [{route.guard.value: []}]
    if route.body is EventDraft:
        operation["requestBody"] = _json_body(_event_creation(route, schemas))
    elif route.body is not None:
        operation["requestBody"] = _json_body(schemas[route.body])
    return operation


def _json_body(schema: Any) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in route.names
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    (_,), components = msgspec.json.schema_components([route.query])
    schema = components[route.query.__name__]
    return [
        {"name": name, "in": "query", "required": False, "schema": described}
        for name, described in schema["properties"].items()
    ]


def _responses(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, shape in route.answers.items():
        found[str(status)] = {"description": "Done."}
        if shape is not None:
            forms = [schemas[form] for form in _alternatives(shape)]
            schema = forms[0] if len(forms) == 1 else {"anyOf": forms}
            content = {"application/json": {"schema": schema}}
            found[str(status)] = {"description": "The answer.", "content": content}
    problem = {"application/json": {"schema": schemas[Problem]}}
    for status, sentence in _ERRORS.items():
        found.setdefault(str(status), {"description": sentence, "content": problem})
    return found


def _event_creation(route: Route, schemas: dict[Any, Any]) -> dict[str, Any]:
    creators = Creator.REST
    if route.edition is Edition.V03:
        creators |= Creator.REST_LEGACY
    return {
        "anyOf": [_creation(found, schemas) for found in all_types() if found.creators & creators]
    }


def _creation(event_type: EventType, schemas: dict[Any, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {"const": event_type.name}
    if event_type.name == "custom:*":
        named = {"type": "string", "pattern": "^custom:[A-Za-z0-9_\\-:]+$", "maxLength": 100}
    return {
        "type": "object",
        "description": inspect.cleandoc(event_type.summary),
        "required": ["type", "body"],
        "properties": {
            "type": named,
            "from": {"type": ["string", "null"], "description": "Id of the sending member."},
            "to": {"type": ["string", "null"], "description": "Id of the member acted upon."},
            "body": schemas[event_type.body],
        },
    }
