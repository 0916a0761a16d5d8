"""Messages in the words of the Messenger platform, both ways."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any

from tertulia.carriers.doors import Told, is_address
from tertulia.carriers.http import objects, text_at
from tertulia.carriers.saying import answered, extra, member, unsayable
from tertulia.model.sending import Arrival, Content, Order, Outcome, SendingStatus

PEOPLE_MAX = 10_000
REFS_MAX = 50
"""Of one person."""
_CATEGORIES = {"response": "RESPONSE", "update": "UPDATE", "message_tag": "MESSAGE_TAG"}
_FILES = frozenset({"image", "audio", "video", "file"})


class Watermarks:
    """The newest messages to each person: that something was read is told of all that came before.

    Only in memory: of messages sent before a restart it is not heard that they were read.
    """

    def __init__(self) -> None:
        self._refs: OrderedDict[str, deque[str]] = OrderedDict()

    def sent(self, to: str, ref: str) -> None:
        self._refs.setdefault(to, deque(maxlen=REFS_MAX)).append(ref)
        self._refs.move_to_end(to)
        if len(self._refs) > PEOPLE_MAX:
            self._refs.popitem(last=False)

    def of(self, to: str) -> list[str]:
        return list(self._refs.get(to, ()))

    def read(self, to: str) -> list[str]:
        return list(self._refs.pop(to, ()))


def message(order: Order) -> dict[str, Any]:
    """The body of the request. Raises Declined."""
    content = order.content
    own = extra(content, "messenger")
    category = _CATEGORIES.get(str(own.get("category", "")).lower(), "RESPONSE")
    said = _said(content)
    ref = answered(content)
    if ref:
        said = {**said, "reply_to": {"mid": ref}}
    told = {"recipient": {"id": order.to}, "messaging_type": category, "message": said}
    if category == "MESSAGE_TAG":
        told["tag"] = own.get("tag", "")
    return told


def _said(content: Content) -> dict[str, Any]:
    kind = content.message_type
    if kind == "text":
        return {"text": content.text}
    if kind in _FILES or kind == "vcard":
        payload = {"url": member(content).get("url"), "is_reusable": False}
        return {"attachment": {"type": "file" if kind == "vcard" else kind, "payload": payload}}
    if kind == "custom":
        return member(content)
    if kind == "template":
        return {"attachment": {"type": "template", "payload": member(content)}}
    raise unsayable(content)


def told(carrier: str, content: dict[str, Any], marks: Watermarks) -> Iterator[Told | None]:
    """Everything of a batch, in its order."""
    for entry in objects(content.get("entry")):
        for event in objects(entry.get("messaging")):
            yield from _of_event(carrier, event, marks)


def _of_event(carrier: str, event: dict[str, Any], marks: Watermarks) -> Iterator[Told | None]:
    person = text_at(event, "sender", "id")
    if isinstance(event.get("delivery"), dict):
        mids = event["delivery"].get("mids")
        refs = mids if isinstance(mids, list) and mids else marks.of(person)
        for ref in refs:
            is_ref = isinstance(ref, str) and is_address(ref)
            yield Outcome(carrier, ref, SendingStatus.DELIVERED) if is_ref else None
    elif isinstance(event.get("read"), dict):
        for ref in marks.read(person):
            yield Outcome(carrier, ref, None, is_read=True)
    elif not _is_echo(event):
        yield from _arrivals(carrier, event)


def _is_echo(event: dict[str, Any]) -> bool:
    """What the page has said itself."""
    message = event.get("message")
    return isinstance(message, dict) and bool(message.get("is_echo"))


def _arrivals(carrier: str, event: dict[str, Any]) -> Iterator[Arrival | None]:
    """A message with several files is several."""
    page, person = text_at(event, "recipient", "id"), text_at(event, "sender", "id")
    own = next((event[kind] for kind in ("message", "postback", "reaction") if kind in event), None)
    ref = text_at(own, "mid")
    if "reaction" in event:  # it has the id of the message that it is to
        ref = f"{ref}/{text_at(event, 'timestamp')}"
    elif "postback" in event and not ref:
        ref = f"{person}/{text_at(event, 'timestamp')}"
    if not (isinstance(own, dict) and is_address(ref) and is_address(person) and is_address(page)):
        yield None
        return
    context = text_at(own, "reply_to", "mid")
    context = text_at(own, "mid") if "reaction" in event else context
    for index, content in enumerate(_contents(event, own)):
        part = f"{ref}/{index}" if index else ref
        yield Arrival(carrier, part, "messenger", person, page, content, context=context)


def _contents(event: dict[str, Any], own: dict[str, Any]) -> Iterator[Content]:
    if "reaction" in event:
        is_taken_back = text_at(own, "action") == "unreact"
        action = {"action": "unreact" if is_taken_back else "react", "emoji": text_at(own, "emoji")}
        yield Content("reaction", {"reaction": action})
        return
    if "postback" in event:
        reply = {"id": text_at(own, "payload"), "title": text_at(own, "title")}
        yield Content("reply", {"reply": reply})
        return
    files = objects(own.get("attachments"))
    chosen = text_at(own, "quick_reply", "payload")
    if chosen:
        yield Content("reply", {"reply": {"id": chosen, "title": text_at(own, "text")}})
    elif text_at(own, "text") or not files:
        text = text_at(own, "text")
        yield Content("text", {"text": text}) if text else Content("unsupported")
    for file in files:
        yield _attached(file)


def _attached(file: dict[str, Any]) -> Content:
    kind, url = text_at(file, "type"), text_at(file, "payload", "url")
    if kind in _FILES and url:
        return Content(kind, {kind: {"url": url}})
    place = file.get("payload")
    place = place.get("coordinates") if isinstance(place, dict) else None
    if kind == "location" and isinstance(place, dict):
        return Content("location", {"location": place})
    return Content("unsupported")
