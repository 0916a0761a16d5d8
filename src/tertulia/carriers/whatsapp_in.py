"""From what the Cloud API tells by its webhook to outcomes and arrivals."""

from collections.abc import Iterator
from typing import Any

from tertulia.carriers.accounts import plain
from tertulia.carriers.doors import Told, is_address
from tertulia.carriers.graph_errors import problem
from tertulia.carriers.http import objects, text_at
from tertulia.model.message_errors import Code
from tertulia.model.sending import Arrival, Content, Outcome, Problem, SendingStatus

_STATUSES = {
    "sent": SendingStatus.SUBMITTED, "accepted": SendingStatus.SUBMITTED,
    "delivered": SendingStatus.DELIVERED, "failed": SendingStatus.UNDELIVERABLE,
}  # fmt: skip
_FILES = {
    "image": "image", "audio": "audio", "voice": "audio", "video": "video", "document": "file",
    "sticker": "sticker",
}  # fmt: skip
_REFUSED = frozenset(
    {
        Code.MISSING, Code.INVALID, Code.TEMPLATE, Code.FACILITY, Code.UNPROCESSABLE,
        Code.NOT_LISTED, Code.SPAM, Code.WINDOW, Code.RECIPIENT, Code.RESOURCE,
    }
)  # fmt: skip
"""Problems for which a message was not even tried."""


def told(carrier: str, content: dict[str, Any]) -> Iterator[Told | None]:
    """Every status and message of a batch, in its order."""
    for entry in objects(content.get("entry")):
        for change in objects(entry.get("changes")):
            value = change.get("value")
            if change.get("field") == "messages" and isinstance(value, dict):
                for status in objects(value.get("statuses")):
                    yield _outcome(carrier, status)
                for message in objects(value.get("messages")):
                    yield _arrival(carrier, message, value)


def _outcome(carrier: str, status: dict[str, Any]) -> Outcome | None:
    ref, word = text_at(status, "id"), text_at(status, "status")
    if not is_address(ref):
        return None
    if word in ("read", "played"):
        return Outcome(carrier, ref, None, is_read=True)
    found = _STATUSES.get(word)
    if found is None:
        return None
    if found is not SendingStatus.UNDELIVERABLE:
        return Outcome(carrier, ref, found)
    errors = objects(status.get("errors"))
    why = problem(errors[0]) if errors else Problem(Code.UNKNOWN, "no reason was given")
    if why.code in _REFUSED:
        found = SendingStatus.REJECTED
    return Outcome(carrier, ref, found, why)


def _arrival(carrier: str, message: dict[str, Any], value: dict[str, Any]) -> Arrival | None:
    ref = text_at(message, "id")
    from_ = text_at(message, "from") or text_at(message, "from_user_id")
    to = plain(text_at(value, "metadata", "display_phone_number"))
    to = to or text_at(value, "metadata", "phone_number_id")
    if not (is_address(ref) and is_address(from_) and is_address(to)):
        return None
    return Arrival(
        carrier, ref, "whatsapp", from_, to, _content(message), _name(value, from_),
        _context(message),
    )  # fmt: skip


def _name(value: dict[str, Any], from_: str) -> str:
    for contact in objects(value.get("contacts")):
        if from_ in (text_at(contact, "wa_id"), text_at(contact, "user_id")):
            return text_at(contact, "profile", "name")
    return ""


def _context(message: dict[str, Any]) -> str:
    return text_at(message, "context", "id") or text_at(message, "reaction", "message_id")


def _content(message: dict[str, Any]) -> Content:
    kind = text_at(message, "type")
    own = message.get(kind)
    if kind == "text":
        return Content("text", {"text": text_at(message, "text", "body")})
    if kind == "contacts" and isinstance(own, list):
        return Content("contacts", {"contacts": own})
    if not isinstance(own, dict):
        return Content("unsupported")
    if kind in _FILES:
        return Content(_FILES[kind], {_FILES[kind]: _file(own)})
    return _special(kind, own)


def _special(kind: str, own: dict[str, Any]) -> Content:
    if kind == "location":
        place = {
            "lat": own.get("latitude"), "long": own.get("longitude"), "name": own.get("name"),
            "address": own.get("address"),
        }  # fmt: skip
        given = {name: value for name, value in place.items() if value is not None}
        return Content("location", {"location": given})
    if kind == "reaction":
        emoji = text_at(own, "emoji")
        action = {"action": "react", "emoji": emoji} if emoji else {"action": "unreact"}
        return Content("reaction", {"reaction": action})
    if kind == "interactive":
        reply = own.get(text_at(own, "type"))
        return Content("reply", {"reply": reply}) if isinstance(reply, dict) else _UNSUPPORTED
    if kind == "button":
        return Content("button", {"button": own})
    if kind == "order":
        return Content("order", {"order": own})
    return _UNSUPPORTED


_UNSUPPORTED = Content("unsupported")


def _file(own: dict[str, Any]) -> dict[str, Any]:
    """By its link where there is one; otherwise by the carrier's id of it."""
    file = {
        "url": text_at(own, "link") or text_at(own, "url"), "id": text_at(own, "id"),
        "caption": text_at(own, "caption"), "name": text_at(own, "filename"),
        "mime_type": text_at(own, "mime_type"),
    }  # fmt: skip
    return {name: value for name, value in file.items() if value}
