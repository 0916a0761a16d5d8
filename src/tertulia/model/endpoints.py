"""Whom a call goes to, as scripts and the call API write it (wire-api 5.2).

COMPAT: the published SDKs spell some members differently in scripts and in requests. Every
spelling is read; complaints name the documented one.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from tertulia.model.events.values import WebUri
from tertulia.model.state import Endpoint
from tertulia.model.validation import DIGITS, NO_CONTROLS, NUMBER, SIP_URI, SOCKET_URI, convert

SOCKET_HEADERS_MAX = 512
"""Octets of JSON."""
SIP_HEADERS_MAX = 2048
"""Octets of names and values. The compatible service has a limit of unknown size; this is ours."""
USER_TO_USER = "User-to-User"

Number = Annotated[str, Meta(pattern=NUMBER)]
Text = Annotated[str, Meta(max_length=2048, pattern=NO_CONTROLS)]

_HEADER_NAME = re.compile(r"[A-Za-z0-9_.!%*+~-]{1,64}")
_SPELLINGS = {
    "content_type": "content-type", "contentType": "content-type", "dtmf_answer": "dtmfAnswer",
    "on_answer": "onAnswer", "standard_headers": "standardHeaders", "ringback": "ringbackTone",
    "userToUser": USER_TO_USER,
}  # fmt: skip


class _Callee(Struct, frozen=True, rename="camel", tag_field="type"):
    """Members as in JSON, in camel case there."""


class OnAnswer(Struct, frozen=True, rename="camel"):
    """A script for the callee alone, before the callers are joined."""

    url: WebUri
    ringback_tone: WebUri | None = None
    """What the caller hears meanwhile."""


class PhoneEndpoint(_Callee, frozen=True, tag="phone"):
    number: Number
    """E.164 without the plus."""
    dtmf_answer: Annotated[str, Meta(max_length=100, pattern=DIGITS)] | None = None
    """Keys to be pressed when it is answered; `p` is a pause of half a second."""
    on_answer: OnAnswer | None = None
    shaken: Annotated[str, Meta(max_length=4096, pattern=NO_CONTROLS)] | None = None
    """Content of the Identity header field (RFC 8224)."""


class AppEndpoint(_Callee, frozen=True, tag="app"):
    user: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_CONTROLS)]
    """The name of a user."""


class Authorization(Struct, frozen=True):
    """The header field of that name in a websocket's handshake."""

    type: Literal["vonage", "custom"]
    """The first is a token signed as webhooks are."""
    value: Text | None = None

    def __post_init__(self) -> None:
        if self.type == "custom" and not self.value:
            raise ValueError("`value` is required")


class WebsocketEndpoint(_Callee, frozen=True, tag="websocket"):
    uri: Annotated[str, Meta(max_length=2048, pattern=SOCKET_URI)]
    content_type: Literal["audio/l16;rate=8000", "audio/l16;rate=16000", "audio/l16;rate=24000"] = (
        field(default="audio/l16;rate=16000", name="content-type")
    )
    headers: dict[str, Any] = {}
    """Not of the handshake: members of the first message."""
    authorization: Authorization | None = None

    def __post_init__(self) -> None:
        if len(msgspec.json.encode(self.headers)) > SOCKET_HEADERS_MAX:
            raise ValueError(f"`headers` must not be larger than {SOCKET_HEADERS_MAX} bytes")

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self.content_type.partition("=")[2])


class StandardHeaders(Struct, frozen=True):
    user_to_user: Annotated[str, Meta(max_length=512, pattern=NO_CONTROLS)] | None = field(
        default=None, name=USER_TO_USER
    )
    """RFC 7433, with its parameters."""


class SipEndpoint(_Callee, frozen=True, tag="sip"):
    uri: Annotated[str, Meta(max_length=512, pattern=SIP_URI)]
    headers: dict[str, Text | int | float | bool] = {}
    standard_headers: StandardHeaders = StandardHeaders()

    def __post_init__(self) -> None:
        if not all(_HEADER_NAME.fullmatch(name) for name in self.headers):
            raise ValueError("`headers` must have names of letters, digits and -_.!%*+~ only")
        size = sum(len(name) + len(value.encode()) for name, value in self.x_headers.items())
        if size > SIP_HEADERS_MAX:
            raise ValueError(f"`headers` must not be larger than {SIP_HEADERS_MAX} bytes")

    @property
    def x_headers(self) -> dict[str, str]:
        """The custom header fields under their names in SIP."""
        return {_x_name(name): _said(value) for name, value in self.headers.items()}

    @property
    def user_to_user(self) -> str | None:
        return self.standard_headers.user_to_user


class VbcEndpoint(_Callee, frozen=True, tag="vbc"):
    extension: Annotated[str, Meta(pattern=r"^[0-9]{1,15}$(?!\n)")]


Callee = PhoneEndpoint | AppEndpoint | WebsocketEndpoint | SipEndpoint | VbcEndpoint


def read_callee(given: Any, root: str = "") -> Callee:
    """From decoded JSON. Raises ValidationFailed with names below `root`."""
    callee: Callee = convert(respelled(given), Callee, root=root, strict=False)  # type: ignore[arg-type]
    return callee


def end_of(callee: Callee) -> Endpoint:
    """The callee as one end of a leg."""
    match callee:
        case PhoneEndpoint():
            return Endpoint(type="phone", number=callee.number)
        case AppEndpoint():
            return Endpoint(type="app", user=callee.user)
        case WebsocketEndpoint():
            return Endpoint(
                type="websocket", uri=callee.uri, content_type=callee.content_type,
                headers=callee.headers or None,
            )  # fmt: skip
        case SipEndpoint():
            return Endpoint(type="sip", uri=callee.uri, headers=dict(callee.headers) or None)
        case VbcEndpoint():
            return Endpoint(type="vbc", extension=callee.extension)


def respelled(given: Any) -> Any:
    """An endpoint of decoded JSON in the documented spelling; other values as they are."""
    if not isinstance(given, Mapping):
        return given
    members = renamed(given, _SPELLINGS)
    for name in ("onAnswer", "standardHeaders"):
        if isinstance(inner := members.get(name), Mapping):
            members[name] = renamed(inner, _SPELLINGS)
    if isinstance(number := members.get("number"), str):
        members["number"] = number.removeprefix("+")
    return members


def renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Members under the names that they are to have, without those that are null. What is there
    under its own name stays."""
    members = {name: value for name, value in given.items() if value is not None}
    for name, right in names.items():
        if name in members:
            members.setdefault(right, members.pop(name))
    return members


def _x_name(name: str) -> str:
    return name if name[:2].lower() == "x-" else f"X-{name}"


def _said(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
