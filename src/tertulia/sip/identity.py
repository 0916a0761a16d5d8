"""Who calls whom, as messages say it and as the rest of the program knows it."""

import re

from tertulia.model.state import Endpoint
from tertulia.protocols.sip import fields
from tertulia.protocols.sip.message import Message, Request
from tertulia.protocols.sip.uri import SipUri
from tertulia.protocols.sip.verbs import Pairs
from tertulia.sip.plan import is_number, plain

ANONYMOUS = "sip:anonymous@anonymous.invalid"
HEADERS_MAX = 40
NAME = re.compile(r"[Xx]-[A-Za-z0-9.!%*_+`'~-]{1,80}")
VALUE_MAX = 2000
USER_TO_USER = "User-to-User"
_WITHHELD = {"id", "user", "header"}


def caller(request: Request, *, trusted: bool) -> tuple[SipUri, str]:
    """URI and display name of who calls; a trusted peer may assert it (RFC 3325)."""
    asserted = request.headers.read_all(fields.P_ASSERTED_IDENTITY) if trusted else ()
    found = asserted[0] if asserted else request.from_
    return found.uri, found.display


def is_withheld(request: Request, uri: SipUri) -> bool:
    words = (request.headers.read(fields.PRIVACY) or "").lower().split(";")
    if _WITHHELD & {word.strip() for word in words}:
        return True
    return uri.address == "anonymous.invalid" or uri.user.lower() in ("anonymous", "")


def calling(request: Request, *, trusted: bool) -> Endpoint:
    """Who calls, as an endpoint."""
    uri, _ = caller(request, trusted=trusted)
    if is_withheld(request, uri):
        return Endpoint(type="phone")
    return somebody(uri)


def somebody(uri: SipUri) -> Endpoint:
    """A phone with its number, or a SIP URI."""
    if is_number(uri.user):
        return Endpoint(type="phone", number=plain(uri.user))
    return Endpoint(type="sip", uri=str(uri.bare()))


def told(message: Message) -> dict[str, str]:
    """The header fields that applications are told: `X-…` and User-to-User."""
    found: dict[str, str] = {}
    for name, value in message.headers.items():
        known = USER_TO_USER if name.lower() == USER_TO_USER.lower() else name
        if (known == USER_TO_USER or NAME.fullmatch(known)) and len(found) < HEADERS_MAX:
            found.setdefault(known, value[:VALUE_MAX])
    return found


def custom(headers: dict[str, str], user_to_user: str | None) -> Pairs:
    """The header fields that an application may set; others are left out."""
    pairs = [
        (name, value[:VALUE_MAX]) for name, value in headers.items() if NAME.fullmatch(name)
    ][:HEADERS_MAX]  # fmt: skip
    if user_to_user:
        pairs.append((USER_TO_USER, user_to_user[:VALUE_MAX]))
    return tuple(pairs)
