"""Messages in the words of Viber's bot API, both ways."""

from collections.abc import Iterator
from typing import Any

from tertulia.carriers.doors import Told, is_address
from tertulia.carriers.http import shortened, text_at
from tertulia.carriers.saying import extra, file_name, member, unsayable, url_of
from tertulia.model.message_errors import Code
from tertulia.model.sending import (
    Arrival,
    Content,
    Order,
    Outcome,
    Problem,
    Sending,
    SendingStatus,
)

NOT_LET_IN = frozenset({1, 2, 7, 8, 9, 10, 15})
"""The token, the account or its webhook is no good: an operator has to see to it."""
TOO_MUCH = frozenset({12})
CODES = {
    3: Code.INVALID, 4: Code.MISSING, 5: Code.STRANGER, 6: Code.BARRED, 11: Code.DEVICE,
    13: Code.UNPROCESSABLE, 14: Code.DEVICE, 16: Code.FACILITY,
}  # fmt: skip
NAME_MAX = 28
_FILES = {"picture": "image", "video": "video", "file": "file", "sticker": "sticker"}
_MEGABYTE = 1 << 20


def message(sending: Sending, sender: str) -> dict[str, Any]:
    """The body of the request. Raises Declined."""
    order = sending.order
    told: dict[str, Any] = {
        "receiver": order.to, "min_api_version": 1, "tracking_data": sending.id,
        "sender": {"name": (sender or order.from_)[:NAME_MAX]}, **_said(order.content),
    }  # fmt: skip
    keyboard = _keyboard(order)
    return {**told, "keyboard": keyboard} if keyboard else told


def _said(content: Content) -> dict[str, Any]:
    kind = content.message_type
    own = extra(content, "viber_service")
    if kind == "text":
        return {"type": "text", "text": content.text}
    if kind == "custom":
        return {
            name: value for name, value in member(content).items()
            if name not in ("receiver", "auth_token")
        }  # fmt: skip
    file = member(content)
    if kind == "image":
        return {"type": "picture", "text": str(file.get("caption") or ""), "media": url_of(file)}
    if kind == "video":
        told = {"type": "video", "media": url_of(file), "size": _size(own)}
        duration = str(own.get("duration", ""))
        return {**told, "duration": int(duration)} if _is_count(duration) else told
    if kind in ("file", "vcard"):
        name = file_name(file) or "file"
        return {"type": "file", "media": url_of(file), "size": _size(own), "file_name": name}
    if kind == "location":
        lat = file.get("latitude", file.get("lat"))
        lon = file.get("longitude", file.get("long"))
        return {"type": "location", "location": {"lat": lat, "lon": lon}}
    raise unsayable(content)


def _size(own: dict[str, Any]) -> int:
    """Octets; clients say it in megabytes, if at all."""
    told = str(own.get("file_size", ""))
    return int(told) * _MEGABYTE if _is_count(told) else 1


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7


def _keyboard(order: Order) -> dict[str, Any]:
    """The button below a message that leads to an address."""
    action = extra(order.content, "viber_service").get("action")
    if not isinstance(action, dict) or not action.get("url"):
        return {}
    button = {
        "ActionType": "open-url", "ActionBody": action["url"],
        "Text": str(action.get("text") or action["url"]),
    }  # fmt: skip
    return {"Type": "keyboard", "Buttons": [button]}


def told(carrier: str, bot: str, content: dict[str, Any]) -> Iterator[Told | None]:
    """What one callback tells: nothing, when it is about a subscription."""
    event = text_at(content, "event")
    if event == "message":
        yield _arrival(carrier, bot, content)
    elif event in ("delivered", "seen", "failed"):
        yield _outcome(carrier, event, content)


def _outcome(carrier: str, event: str, content: dict[str, Any]) -> Outcome | None:
    ref = text_at(content, "message_token")
    if not is_address(ref):
        return None
    if event == "seen":
        return Outcome(carrier, ref, None, is_read=True)
    if event == "delivered":
        return Outcome(carrier, ref, SendingStatus.DELIVERED)
    reason = shortened(text_at(content, "desc") or "no reason was given")
    return Outcome(carrier, ref, SendingStatus.UNDELIVERABLE, Problem(Code.UNREACHABLE, reason))


def _arrival(carrier: str, bot: str, content: dict[str, Any]) -> Arrival | None:
    ref, person = text_at(content, "message_token"), text_at(content, "sender", "id")
    said = content.get("message")
    if not (is_address(ref) and is_address(person) and isinstance(said, dict)):
        return None
    name = text_at(content, "sender", "name")
    return Arrival(carrier, ref, "viber", person, bot, _heard(said), name)


def _heard(said: dict[str, Any]) -> Content:
    kind, url = text_at(said, "type"), text_at(said, "media")
    if kind == "text":
        return Content("text", {"text": text_at(said, "text")})
    if kind == "url" and url:
        return Content("text", {"text": url})
    if kind in _FILES and url:
        file = {"url": url, "caption": text_at(said, "text"), "name": text_at(said, "file_name")}
        given = {name: value for name, value in file.items() if value}
        return Content(_FILES[kind], {_FILES[kind]: given})
    place = said.get("location")
    if kind == "location" and isinstance(place, dict):
        return Content(
            "location", {"location": {"lat": place.get("lat"), "long": place.get("lon")}}
        )
    person = said.get("contact")
    if kind == "contact" and isinstance(person, dict):
        return Content("contacts", {"contacts": [person]})
    return Content("unsupported")
