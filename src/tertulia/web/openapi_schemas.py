"""The schemas of the OpenAPI description: what the types say, and what code asks beyond them."""

import inspect
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.json import schema_components

from tertulia.model.events.registry import (
    CUSTOM_BODY_MAX,
    CUSTOM_OPEN,
    CUSTOM_TYPE_MAX,
    Creator,
    EventType,
    all_types,
)
from tertulia.model.posting import SENDER_REQUIRED, EventDraft
from tertulia.model.validation import WEB_URI, WEB_URI_OR_EMPTY
from tertulia.web.legacy_shapes import LEFT_OUT
from tertulia.web.problems import Problem
from tertulia.web.routing import Edition, Route, Upload

Schema = dict[str, Any]

REF = "#/components/schemas/{name}"

_ANY = Creator.REST | Creator.REST_LEGACY
_CREATORS = {Edition.V1: Creator.REST, Edition.V03: _ANY, Edition.BETA: _ANY}
"""The beta edition stands for all the older ones."""
_INTERNAL = re.compile(r"COMPAT: |\s*\((?:wire-\w+ )?\d[\d.]*(?: #\d+)?\)")
"""Marks and sources in docstrings: for readers of the code."""

_RULES: dict[str, Schema] = {
    "ConversationDraft": {"properties": {"state": {"enum": ["ACTIVE", "INACTIVE"]}}},
    "Callback": {"properties": {
        "url": {"pattern": WEB_URI_OR_EMPTY},
        "method": {"pattern": "^([gG][eE][tT]|[pP][oO][sS][tT])$"},
    }},
    "MemberDraft": {"properties": {"state": {"enum": ["invited", "joined", "INVITED", "JOINED"]}}},
    "MemberChange": {"properties": {"state": {"enum": ["joined", "left", "JOINED", "LEFT"]}}},
    "LegacyMemberDraft": {
        "properties": {"state": {"enum": ["invited", "joined", "INVITED", "JOINED", None]}},
        "anyOf": [{"required": ["state"]}, {"required": ["action"]}],
    },
    "LegacyMemberChange": {
        "properties": {"state": {"enum": ["joined", "left", "JOINED", "LEFT", None]}},
        "anyOf": [{"required": ["state"]}, {"required": ["action"]}],
    },
    "MetricsDraft": {"anyOf": [{"required": ["metrics"]}, {"required": ["body"]}]},
    "UserReference": {"anyOf": [{"required": ["id"]}, {"required": ["name"]}]},
    "Webhook": {"properties": {
        "address": {"pattern": WEB_URI}, "http_method": {"enum": ["GET", "POST", None]},
    }},
    "Policy": {"anyOf": [
        {"properties": {"policy": {"const": "hold"}, "tries": {"type": "null"}}},
        {"properties": {"policy": {"const": "skip"}}, "required": ["tries"]},
    ]},
    "ReplayDraft": {"anyOf": [
        {"required": [name]} for name in ("position", "first", "last", "conversation_id")
    ]},
    "AudioDtmf": {
        "anyOf": [{"required": ["digit"]}, {"required": ["digits"]}],
        "dependentRequired": {"method": ["duration"]},
    },
    "MessageTemplate": {"anyOf": [
        {"required": ["whatsapp"]}, {"properties": {"template": {"required": ["whatsapp"]}}},
    ]},
}  # fmt: skip
"""By component: what is checked by code that the types cannot say."""


class Schemas(Struct, frozen=True):
    """What the operations refer to."""

    by_type: dict[Any, Schema]
    components: dict[str, Schema]

    def answer(self, declared: Any) -> Schema:
        """Of an answer that is of the declared type, or of one of several."""
        forms = [self.by_type[form] for form in _alternatives(declared)]
        return forms[0] if len(forms) == 1 else {"anyOf": forms}

    def request(self, route: Route) -> Schema:
        """Of the body that a route takes."""
        if route.body is EventDraft and route.edition is not None:
            return _reference(_creation_name(route.edition))
        return self.by_type[_form(route.body)]

    def needs_body(self, route: Route) -> bool:
        """False where an empty request means the defaults."""
        return route.body is EventDraft or _requires(self.request(route), self.components)


def schemas_of(routes: Iterable[Route]) -> Schemas:
    """All that these routes take and give."""
    types = list(_types(routes))
    found, components = schema_components(types, ref_template=REF)
    schemas = Schemas(dict(zip(types, found, strict=True)), components)
    for name in _RULES.keys() & components.keys():
        components[name] = _merged(components[name], _RULES[name])
    _add_creations(schemas)
    for component in components.values():
        _speak_plainly(component)
    return schemas


def _types(routes: Iterable[Route]) -> Iterator[Any]:
    found: dict[Any, None] = {Problem: None}
    for route in routes:
        if route.body is not EventDraft:  # it leaves the body open; the creations do not
            found.update(dict.fromkeys(_alternatives(_form(route.body))))
        for answer in route.answers.values():
            found.update(dict.fromkeys(_alternatives(answer)))
    found.update(dict.fromkeys(event_type.body for event_type in _creatable(Edition.V03)))
    return iter(found)


def _form(body: Any) -> Any:
    return body.form if isinstance(body, Upload) else body


def _alternatives(declared: Any) -> tuple[Any, ...]:
    if declared is None or declared is str or declared is bytes:
        return ()
    return declared if isinstance(declared, tuple) else (declared,)


def _creatable(edition: Edition) -> Iterator[EventType]:
    return (found for found in all_types() if found.creators & _CREATORS[edition])


def _creation_name(edition: Edition) -> str:
    described = edition if edition in _CREATORS else Edition.BETA
    return f"EventCreation{described.name.capitalize()}"


def _reference(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}


def _add_creations(schemas: Schemas) -> None:
    """One component an event type that a caller may create, and one for all of an edition."""
    components = schemas.components
    for edition in _CREATORS:
        kinds = []
        for found in _creatable(edition):
            left_out = LEFT_OUT.get(found.name, ()) if edition is Edition.BETA else ()
            name = f"{found.class_name}Creation{edition.name.capitalize() if left_out else ''}"
            components[name] = _creation(name, found, schemas, left_out)
            kinds.append(_reference(name))
        components[_creation_name(edition)] = {"title": _creation_name(edition), "anyOf": kinds}


def _creation(name: str, found: EventType, schemas: Schemas, left_out: Collection[str]) -> Schema:
    """`left_out` are members that the body need not have."""
    body = schemas.by_type[found.body]
    if found.mints is not None:
        schemas.components[found.class_name]["properties"].pop(found.mints, None)
    if left_out:
        body = schemas.components[found.class_name]
        body = {**body, "required": [each for each in body["required"] if each not in left_out]}
    required = ["type", "body"] if _requires(body, schemas.components) else ["type"]
    sender = "Id of the sending member; absent, the one that the token's user is."
    if found.name in SENDER_REQUIRED:
        sender += " The application has to name one."
    return {
        "title": name,
        "description": inspect.cleandoc(found.summary),
        "type": "object",
        "required": required,
        "properties": {
            "type": _type(found),
            "from": {"type": ["string", "null"], "description": sender},
            "to": {"type": ["string", "null"], "description": "Id of the member acted upon."},
            "body": body,
        },
    }


def _type(found: EventType) -> Schema:
    if found.name != "custom:*":
        return {"const": found.name}
    return {
        "type": "string", "pattern": f"^{CUSTOM_OPEN.pattern}$".replace(r"\w", "A-Za-z0-9_"),
        "maxLength": CUSTOM_TYPE_MAX, "examples": ["custom:order:paid"],
        "description": f"The body has at most {CUSTOM_BODY_MAX} bytes.",
    }  # fmt: skip


def _requires(schema: Schema, components: dict[str, Schema]) -> bool:
    """Whether an object of this schema cannot be empty."""
    if "$ref" in schema:
        return _requires(components[schema["$ref"].rpartition("/")[2]], components)
    if schema.get("required"):
        return True
    kinds = schema.get("anyOf", ())
    return bool(kinds) and all(_requires(kind, components) for kind in kinds)


def _merged(schema: Schema, rules: Schema) -> Schema:
    merged = dict(schema)
    for key, rule in rules.items():
        known = merged.get(key)
        merged[key] = _merged(known, rule) if isinstance(known, dict) else rule
    return merged


def _speak_plainly(schema: Schema) -> None:
    if "description" in schema:
        told = _INTERNAL.sub("", schema["description"])
        schema["description"] = told[:1].upper() + told[1:]
