"""The catalogue in words: rows for programs, a table for the terminal, a page for readers.

Field types are taken from the JSON schemas of the body classes, so they say what is decoded.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import Flag
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.json import schema_components

from tertulia.model.events.heard import HEARD
from tertulia.model.events.registry import EventType, all_types, find
from tertulia.model.events.values import NUMBER_MAX

Schema = dict[str, Any]

_GENERATED = "<!-- Generated from the catalogue; change the classes in model/events instead. -->"
_INTRODUCTION = """\
An event is a fact in a conversation's log. This page lists the {count} types: what each means, who
may create it, where it goes, and the members of its `body`. Bodies are closed unless they say "any
object": an unknown member is refused.

- *Created by*: `rest` is every edition of `POST …/events`, `rest_legacy` the v0.3 edition only,
  `client` a live session, `platform` this server because it happened.
- *Goes to*: `webhook` is the application's rtc `event_url`, `session` the sockets of members,
  `history` the list of the conversation's events.
- *Kept in*: the `conversation`'s log with a number, the `application`'s stream without one, or
  `never`.
- *Seen from real media*: calls of real phones and clients cause it, and `make events-proof` fails
  when they do not, or when it does not go where it goes to.
- *Extensions* are this server's own; a client that does not know them takes them for custom
  events.

Examples are webhook requests without `params` and `_embedded`.
"""
_TITLES = {
    "rtc": "RTC", "sip": "SIP", "deletion": "Event", "legacy": "Text and image, before `message`",
}  # fmt: skip


class Field(Struct, frozen=True):
    """A member of a body or of an object in it."""

    name: str
    type: str
    required: bool


class Row(Struct, frozen=True):
    """An event type as documentation shows it."""

    type: str
    group: str
    creators: list[str]
    reaches: list[str]
    kept: str
    mints: str | None
    cause: str | None
    """What of a call causes it; None: calls do not."""
    summary: str
    fields: list[Field] | None
    """None: any object."""
    variants: dict[str, list[Field]]
    """Of `message`: the members by `message_type`."""


def body_schemas(
    ref_template: str = "#/components/schemas/{name}",
) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """JSON schemas of all bodies by event type, and the components that they refer to."""
    types = list(all_types())
    schemas, components = schema_components(
        [found.body for found in types], ref_template=ref_template
    )
    return {found.name: schema for found, schema in zip(types, schemas, strict=True)}, components


def rows() -> list[dict[str, Any]]:
    """The catalogue as plain values, in order of declaration."""
    return [to_builtins(row) for row in _described()]


def table() -> str:
    """The catalogue for a terminal, a line a type."""
    lines = [("TYPE", "CREATED BY", "GOES TO", "KEPT IN", "WHAT HAPPENED")]
    for row in _described():
        creators, reaches = " ".join(row.creators), " ".join(row.reaches)
        lines.append((row.type, creators, reaches, row.kept, row.summary))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join(aligned) + "\n"


def markdown(examples: Mapping[str, object]) -> str:
    """The reference page. `examples` are webhook envelopes by any name, shown in order of names."""
    described = list(_described())
    shown: dict[str, list[object]] = {}
    for name in sorted(examples):
        shown.setdefault(_type_of(examples[name]), []).append(examples[name])
    parts = ["# Events", _GENERATED, _INTRODUCTION.format(count=len(described))]
    group = ""
    for row in described:
        if row.group != group:
            group = row.group
            parts.append(f"## {_TITLES.get(group, group.capitalize())}")
        parts += _section(row, shown.get(row.type, []))
    parts += _objects()
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _described() -> Iterator[Row]:
    schemas, components = body_schemas()
    for found in all_types():
        yield _row(found, schemas[found.name], components)


def _row(found: EventType, schema: Schema, components: dict[str, Schema]) -> Row:
    fields: list[Field] | None = None
    variants = {}
    if "anyOf" in schema:
        fields = []
        for tag, ref in schema["discriminator"]["mapping"].items():
            variants[tag] = _fields(components[_name(ref)])
    elif "$ref" in schema:
        fields = _fields(components[_name(schema["$ref"])])
    return Row(
        type=found.name, group=found.group, creators=_names(found.creators),
        reaches=_names(found.reaches), kept=found.keep.value, mints=found.mints,
        cause=HEARD.get(found.name), summary=found.summary, fields=fields, variants=variants,
    )  # fmt: skip


def _names(flags: Flag) -> list[str]:
    return [str(flag.name).lower() for flag in flags]


def _fields(schema: Schema) -> list[Field]:
    required = schema.get("required", ())
    return [
        Field(name, _words(member), name in required)
        for name, member in schema.get("properties", {}).items()
    ]


def _words(schema: Schema) -> str:
    """The type that a schema describes: `array of string`, `integer ≥ 1`, or an object's name."""
    if "$ref" in schema:
        return _name(schema["$ref"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        kinds = (_words(kind) for kind in schema["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null" or "default" not in schema)
    if schema.get("type") == "array":
        return f"array of {_words(schema['items'])}"
    if isinstance(values := schema.get("additionalProperties"), dict) and values:
        return f"object of {_words(values)}"
    return " ".join(str(word) for word in (schema.get("type", "any"), _limits(schema)) if word)


def _limits(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    unit = " characters" if schema.get("type") == "string" else ""
    if high is not None and high < NUMBER_MAX:
        return f"≤ {high}{unit}" if low is None else f"{low:g} to {high:g}{unit}"
    return f"≥ {low}{unit}" if low is not None else ""


def _name(ref: str) -> str:
    return ref.rpartition("/")[2]


def _type_of(envelope: object) -> str:
    found = find(str(envelope["type"])) if isinstance(envelope, dict) else None
    return found.name if found else ""


def _section(row: Row, examples: Iterable[object]) -> Iterator[str]:
    yield f"### `{row.type}`"
    yield row.summary
    yield (
        f"*Created by* {', '.join(row.creators)}. *Goes to* {', '.join(row.reaches)}."
        f" *Kept in* {row.kept}.{f' *Seen from real media:* {row.cause}.' if row.cause else ''}"
    )
    if row.fields is None:
        yield "Body: any object."
    for tag, fields in row.variants.items():
        yield f"`{tag}`:\n\n{_field_table(fields, row.mints)}"
    if row.fields:
        yield _field_table(row.fields, row.mints)
    elif row.fields is not None and not row.variants:
        yield "Body: empty."
    for example in examples:
        yield f"```json\n{_example(example)}\n```"


def _field_table(fields: Iterable[Field], mints: str | None = None) -> str:
    lines = ["| member | type | |", "| --- | --- | --- |"]
    for field in fields:
        note = "required" if field.required else ""
        if field.name == mints:
            note = "added by the platform"
        lines.append(f"| `{field.name}` | {field.type.replace('|', chr(92) + '|')} | {note} |")
    return "\n".join(lines)


def _example(envelope: object) -> str:
    if isinstance(envelope, dict):
        envelope = {k: v for k, v in envelope.items() if k not in ("params", "_embedded")}
    return json.dumps(envelope, indent=2, ensure_ascii=False)


def _objects() -> Iterator[str]:
    """The objects inside bodies, and the enumerations, by name."""
    schemas, components = body_schemas()
    bodies = {_name(ref) for schema in schemas.values() for ref in _refs(schema)}
    yield "## Objects inside bodies"
    for name, schema in sorted(components.items()):
        if name in bodies:
            continue
        yield f"### {name}"
        if "enum" in schema:
            yield _words(schema)
        else:
            yield _field_table(_fields(schema))


def _refs(schema: Schema) -> Iterator[str]:
    for part in (schema, *schema.get("anyOf", ())):
        if "$ref" in part:
            yield part["$ref"]
