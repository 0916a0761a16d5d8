"""The registry of event types: one decorated class a type.

Decoding, who may create it, storage, delivery, dispatch, the API descriptions, docs/events.md and
the tests read this table; adding a type is adding a class. The defaults are the commonest row.
"""

import re
from collections.abc import Callable, Iterator
from enum import Flag, StrEnum, auto
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.errors import ValidationFailed
from tertulia.model.validation import decode_with

CUSTOM = re.compile(r"custom:[\w\-:]+", re.ASCII)
CUSTOM_OPEN = re.compile(r"custom:(?!tertulia:)[\w\-:]+", re.ASCII)
"""Of these, the names that are not ours."""
CUSTOM_TYPE_MAX = 100
RESERVED = "custom:tertulia:"
"""Start of the names of our extensions; an application's custom types begin otherwise."""
CUSTOM_BODY_MAX = 4096
"""Bytes; wire-api 2.5."""
BODY_MAX = 64 * 1024
"""Bytes of any event body."""


class Creator(Flag):
    """Who may cause an event of a type."""

    REST = auto()
    """POST …/events of every edition."""
    REST_LEGACY = auto()
    """POST …/events of v0.3 only (wire-api 2.2)."""
    CLIENT = auto()
    """A live session."""
    PLATFORM = auto()
    """This server, because it happened."""


class Reach(Flag):
    """Where an event of a type is given to."""

    WEBHOOK = auto()
    SESSION = auto()
    HISTORY = auto()


EVERYWHERE = Reach.WEBHOOK | Reach.SESSION | Reach.HISTORY


class Keep(StrEnum):
    """Which stream an event of a type is appended to."""

    CONVERSATION = "conversation"
    APPLICATION = "application"
    """It belongs to no conversation: no number, no REST history."""
    NEVER = "never"
    """Announced to live followers and forgotten."""


class Body(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The typed content of an event. Closed: unknown members are refused (wire-api 2.1)."""


Content = Body | dict[str, Any]
"""A decoded body; a plain dict where the type leaves its members open."""


class EventType(Struct, frozen=True):
    """A row of the catalogue."""

    name: str
    """Type on the wire; `custom:*` stands for its pattern."""
    body: Any
    """The class a body is decoded into; a union of them for `message`."""
    summary: str
    creators: Creator
    reaches: Reach
    keep: Keep
    mints: str | None
    """Body member that the platform adds: a fresh id."""
    group: str
    """Heading: the module that declares it."""
    decoder: msgspec.json.Decoder[Any]

    @property
    def class_name(self) -> str:
        """Computed from the type: `sip:amd_machine` → `SipAmdMachine`."""
        words = re.split(r"[:_\-]", self.name.replace("*", ""))
        return "".join(word.capitalize() for word in words if word)


_TYPES: dict[str, EventType] = {}
_ENCODER = msgspec.json.Encoder()

B = TypeVar("B", bound=type[Body])


def event(
    name: str,
    *,
    creators: Creator = Creator.PLATFORM,
    reaches: Reach = Reach.WEBHOOK | Reach.HISTORY,
    keep: Keep = Keep.CONVERSATION,
    mints: str | None = None,
    variants: Any = None,
) -> Callable[[B], B]:
    """Enter the decorated body class into the catalogue as `name`.

    `variants` is the union to decode into when the class is a base with tagged subclasses.
    """

    def enter(body: B) -> B:
        if name in _TYPES:
            raise ValueError(f"event type {name} is declared twice")
        form = variants if variants is not None else body
        _TYPES[name] = EventType(
            name=name, body=form, summary=(body.__doc__ or "").partition("\n")[0],
            creators=creators, reaches=reaches, keep=keep, mints=mints,
            group=body.__module__.rpartition(".")[2], decoder=msgspec.json.Decoder(form),
        )  # fmt: skip
        return body

    return enter


def all_types() -> Iterator[EventType]:
    """Every type, in the order of declaration."""
    return iter(_TYPES.values())


def find(name: str) -> EventType | None:
    """The row of a type on the wire; None when there is none.

    `custom:…` is found by its pattern, unless it is a type of its own.
    """
    found = _TYPES.get(name)
    if found is None and len(name) <= CUSTOM_TYPE_MAX and CUSTOM.fullmatch(name):
        return _TYPES["custom:*"]
    return found if name != "custom:*" else None


def decode_body(event_type: EventType, raw: bytes) -> Content:
    """Decode and validate a body as a caller sent it, or raise ValidationFailed."""
    limit = CUSTOM_BODY_MAX if event_type.name == "custom:*" else BODY_MAX
    if len(raw) > limit:
        raise ValidationFailed.of("body", f"must not be larger than {limit} bytes")
    body: Content = decode_with(event_type.decoder, raw, root="body")
    if event_type.mints is not None and getattr(body, event_type.mints):
        raise ValidationFailed.of(f"body.{event_type.mints}", "is not allowed")
    return body


def mint(event_type: EventType, body: Content, fresh_id: str) -> Content:
    """The body as it is stored: with the id that the platform adds, if the type has one."""
    if event_type.mints is None or not isinstance(body, Body):
        return body
    return replace(body, **{event_type.mints: fresh_id})


def encode_body(body: Content) -> bytes:
    """The canonical JSON that is stored, delivered and never encoded again."""
    return _ENCODER.encode(body)
