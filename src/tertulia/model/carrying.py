"""What a messaging channel carries, and to whom; and how a conversation's messages become what it
carries, and the other way.

A text goes by every channel. What a channel has no form for goes as an address in a text, where it
has one; a prepared message goes only where there are such.
"""

import re
from collections.abc import Mapping
from typing import Any

from tertulia.model.addresses import has_unsafe_address, is_web_address
from tertulia.model.message_errors import Code
from tertulia.model.sending import Arrival, Content, MessageChannel, Problem

CARRIED: Mapping[str, frozenset[str]] = {
    MessageChannel.SMS: frozenset({"text", "binary"}),
    MessageChannel.MMS: frozenset(
        {"text", "image", "audio", "video", "file", "vcard", "content"}
    ),
    MessageChannel.WHATSAPP: frozenset(
        {"text", "image", "audio", "video", "file", "template", "sticker", "custom", "reaction"}
    ),
    MessageChannel.VIBER: frozenset({"text", "image", "video", "file"}),
    MessageChannel.MESSENGER: frozenset({"text", "image", "audio", "video", "file"}),
    MessageChannel.RCS: frozenset(
        {"text", "image", "video", "file", "card", "carousel", "custom"}
    ),
    MessageChannel.EMAIL: frozenset({"text", "html", "content"}),
}  # fmt: skip
"""Message types by channel."""
TEXT_MAX: Mapping[str, int] = {
    MessageChannel.SMS: 3200, MessageChannel.MMS: 5000, MessageChannel.WHATSAPP: 4096,
    MessageChannel.VIBER: 1000, MessageChannel.MESSENGER: 640, MessageChannel.RCS: 3072,
    MessageChannel.EMAIL: 65_536,
}  # fmt: skip
"""Characters."""
MEDIA = frozenset({"image", "audio", "video", "file", "vcard"})

_AS_ADDRESS: Mapping[str, frozenset[str]] = {MessageChannel.VIBER: frozenset({"video", "file"})}
"""COMPAT: carried, but not without facts about the file that a conversation does not know."""
_OPTIONS: Mapping[str, str] = {
    MessageChannel.MESSENGER: "messenger", MessageChannel.VIBER: "viber_service",
    MessageChannel.WHATSAPP: "whatsapp",
}  # fmt: skip
"""Where a message says what is the channel's own."""
_PLACE = ("longitude", "latitude", "name", "address")
_SUBJECT = "Message"
_CARD = "contact.vcf"
_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"\+?[0-9]+")
_BOT_USER = re.compile(r"(?![0-9]+$)[A-Za-z0-9+/]{10,50}={0,2}")
"""COMPAT: who writes to a bot on Viber is known by such an id."""
_BUSINESS_USER = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
"""COMPAT: who hides the number on WhatsApp is known by such an id."""
_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,50}")
_MAIL = re.compile(r"[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,190}")
_LETTERS = re.compile(r"[A-Za-z0-9_ .&+\-]{1,11}")
_SHORT_CODE = re.compile(r"[0-9]{3,15}")
_AGENT = re.compile(r"[A-Za-z0-9\-_&]{1,100}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,50}")

_RECIPIENTS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    MessageChannel.SMS: (_NUMBER,), MessageChannel.MMS: (_NUMBER,),
    MessageChannel.WHATSAPP: (_NUMBER, _BUSINESS_USER), MessageChannel.VIBER: (_NUMBER, _BOT_USER),
    MessageChannel.MESSENGER: (_NAME,), MessageChannel.RCS: (_NUMBER,),
    MessageChannel.EMAIL: (_MAIL,),
}  # fmt: skip
_SENDERS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    MessageChannel.SMS: (_SHORT_CODE, _LETTERS), MessageChannel.MMS: (_SHORT_CODE, _LETTERS),
    MessageChannel.WHATSAPP: (_LABEL,), MessageChannel.VIBER: (_LABEL,),
    MessageChannel.MESSENGER: (_NAME,), MessageChannel.RCS: (_AGENT,),
    MessageChannel.EMAIL: (_MAIL,),
}  # fmt: skip


def plain_address(channel: str, address: str) -> str:
    """As it is kept: a number without the plus sign, a sender of short messages without spaces."""
    address = address.strip()
    if channel in (MessageChannel.SMS, MessageChannel.MMS):
        address = address.replace(" ", "")
    return address.removeprefix("+") if _DIGITS.fullmatch(address) else address


def address_problem(channel: str, to: str) -> Problem | None:
    """Why nobody can be reached there by the channel; None when somebody may be."""
    if any(pattern.fullmatch(to) for pattern in _RECIPIENTS.get(channel, ())):
        return None
    return Problem(Code.RECIPIENT, f"is no address of {channel}")


def sender_problem(channel: str, from_: str) -> Problem | None:
    """Why the channel takes no messages of such a sender; None when it may."""
    if any(pattern.fullmatch(from_) for pattern in _SENDERS.get(channel, ())):
        return None
    return Problem(Code.SENDER, f"is no sender of {channel}")


def content_for(channel: str, body: Mapping[str, Any]) -> Content | Problem:
    """What the channel carries of a conversation's `message`, given its body as it is kept."""
    kind = body.get("message_type")
    carried = CARRIED.get(channel, frozenset())
    if kind == "text":
        found = _text(channel, str(body.get("text", "")))
    elif kind in MEDIA:
        found = _media(channel, str(kind), _object(body, str(kind)))
    elif kind == "location":
        found = _location(channel, _object(body, "location"))
    elif kind in ("template", "custom") and kind in carried:
        found = Content(kind, {kind: _object(body, kind)})
    else:
        return Problem(Code.INVALID, f"{channel} carries no message of type {kind}")
    return found if isinstance(found, Problem) else _with_extras(channel, found, body)


def body_of(arrival: Arrival) -> dict[str, Any]:
    """The body of the `message` event that an arrival becomes: what has no form there, or would
    not be safe to open, becomes `custom`."""
    content = arrival.content
    kind, members = content.message_type, content.members
    if kind == "text":
        return {"message_type": "text", "text": content.text}
    given = members.get(kind)
    if isinstance(given, dict):
        if kind in MEDIA and is_web_address(str(given.get("url", ""))):
            caption = given.get("caption")
            is_told = kind == "image" and isinstance(caption, str)
            shown = {"url": given["url"]} | ({"caption": caption} if is_told else {})
            return {"message_type": kind, kind: shown}
        if kind == "location" and _is_place(given):
            return {"message_type": kind, kind: _seen(given, *_PLACE)}
    custom: dict[str, Any] = {"message_type": kind, **members}
    return {
        "message_type": "custom",
        "custom": {"message_type": kind} if has_unsafe_address(custom) else custom,
    }


def _is_place(given: Mapping[str, Any]) -> bool:
    degrees = (given.get("longitude"), given.get("latitude"))
    words = (given.get("name", ""), given.get("address", ""))
    return all(isinstance(each, str | int | float) for each in degrees) and all(
        isinstance(each, str) for each in words
    )


def _text(channel: str, text: str) -> Content | Problem:
    most = TEXT_MAX.get(channel, 0)
    if not text:
        return Problem(Code.INVALID, "there is nothing to be said")
    if len(text) > most:
        return Problem(Code.TOO_LONG, f"{channel} carries {most} characters, not {len(text)}")
    return Content("text", {"text": text})


def _media(channel: str, kind: str, given: Mapping[str, Any]) -> Content | Problem:
    url, caption = str(given.get("url", "")), given.get("caption")
    carried = CARRIED.get(channel, frozenset()) - _AS_ADDRESS.get(channel, frozenset())
    if kind in carried:
        return Content(kind, {kind: _seen(given, "url", "caption")})
    if kind == "vcard" and "file" in carried:
        return Content("file", {"file": {"url": url, "name": _CARD}})
    return _text(channel, f"{caption}\n{url}" if caption else url)


def _location(channel: str, given: Mapping[str, Any]) -> Content | Problem:
    if channel == MessageChannel.WHATSAPP:
        place = _seen(given, *_PLACE)
        return Content("custom", {"custom": {"type": "location", "location": place}})
    named = [str(given[name]) for name in ("name", "address") if given.get(name)]
    point = f"geo:{given.get('latitude', 0)},{given.get('longitude', 0)}"
    return _text(channel, "\n".join((*named, point)))


def _with_extras(channel: str, content: Content, body: Mapping[str, Any]) -> Content:
    """With what the message says of the channel."""
    extras: dict[str, Any] = {}
    name = _OPTIONS.get(channel, "")
    if isinstance(given := body.get(name), dict):
        extras = {name: given}
    if channel == MessageChannel.EMAIL:
        extras = {"email": {"subject": _SUBJECT}}
    return Content(content.message_type, content.members, extras)


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    given = body.get(name)
    return given if isinstance(given, dict) else {}


def _seen(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if given.get(name) is not None}
