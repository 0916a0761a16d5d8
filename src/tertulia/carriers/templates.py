"""Requests made of templates: placeholders in braces, each escaped for the place where it stands.

`{to} {from} {text} {url} {caption} {id} {ref} {channel} {type} {client_ref} {ttl}` are texts, for a
JSON body to be put in quotes; `{content_json}` (the message's members) and `{message_json}` (with
its type and the channel's own) are JSON objects.
"""

import re
from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import quote

import msgspec
from msgspec import Struct

from tertulia.carriers.accounts import Asking
from tertulia.model.sending import Sending

TEXTS = (
    "to", "from", "text", "url", "caption", "id", "ref", "channel", "type", "client_ref", "ttl",
)  # fmt: skip
OBJECTS = ("content_json", "message_json")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)\}")
_BASE = "simulated"
_HEADER_SAFE = "/?:@!$&'()*+,;=-._~ "


class TemplateError(ValueError):
    """A template can make no request; the message says why."""


class Filled(Struct, frozen=True):
    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def values(sending: Sending, ref: str = "") -> dict[str, str]:
    """What a message has for each placeholder."""
    order, content = sending.order, sending.order.content
    file = content.members.get(content.message_type)
    file = file if isinstance(file, dict) else {}
    whole = {"message_type": content.message_type, **content.members, **content.extras}
    texts = (
        order.to, order.from_, content.text, file.get("url", ""), file.get("caption", ""),
        sending.id, ref, order.channel, content.message_type, order.client_ref,
        "" if order.ttl is None else order.ttl,
    )  # fmt: skip
    return {
        **{name: str(text) for name, text in zip(TEXTS, texts, strict=True)},
        "content_json": msgspec.json.encode(content.members).decode(),
        "message_json": msgspec.json.encode(whole).decode(),
    }


def fill(asking: Asking, given: Mapping[str, str]) -> Filled:
    """The request, with what is not given left empty."""
    body = _body(asking, given).encode()
    headers = {
        name: _filled(text, given, lambda value: quote(value, safe=_HEADER_SAFE))
        for name, text in asking.headers.items()
    }
    if body:
        headers = {"Content-Type": asking.content_type, **headers}
    url = _filled(asking.url, given, lambda value: quote(value, safe=""))
    return Filled(asking.method, url, headers, body)


def check(asking: Asking) -> None:
    """Raises TemplateError."""
    for text in (asking.url, asking.body, *asking.headers.values()):
        for name in _PLACEHOLDER.findall(text):
            if name not in (*TEXTS, *OBJECTS, _BASE):
                raise TemplateError(f"there is no placeholder {{{name}}}")
    if "json" in asking.content_type and asking.body:
        sample = {**dict.fromkeys(TEXTS, '"'), **dict.fromkeys(OBJECTS, "{}")}
        try:
            msgspec.json.decode(_body(asking, sample))
        except msgspec.DecodeError as error:
            raise TemplateError(f"the body is not JSON: {error}") from None


def _body(asking: Asking, given: Mapping[str, str]) -> str:
    def json(found: re.Match[str]) -> str:
        name = found[1]
        if name in OBJECTS:
            return given.get(name, "{}")
        return msgspec.json.encode(given.get(name, "")).decode()[1:-1]

    kind = asking.content_type.lower()
    if "json" in kind:
        return _PLACEHOLDER.sub(json, asking.body)
    if "urlencoded" in kind:
        return _filled(asking.body, given, lambda value: quote(value, safe=""))
    return _filled(asking.body, given, escape if "xml" in kind else str)


def _filled(template: str, given: Mapping[str, str], write: Callable[[str], str]) -> str:
    def text(found: re.Match[str]) -> str:
        return found[0] if found[1] == _BASE else write(given.get(found[1], ""))

    return _PLACEHOLDER.sub(text, template)
