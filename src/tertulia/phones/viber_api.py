"""The carrier of Viber, simulated: what its REST bot API does for messages, at `/viber/pa/…`.

What becomes of them is told by signed callbacks.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tertulia.carriers.simulated import SIMULATED
from tertulia.model.sending import Content
from tertulia.phones.handset import Fail, Read, Throttle, Why
from tertulia.phones.screens import Message
from tertulia.phones.texting import News, Texting
from tertulia.phones.webhooks import Webhook, Webhooks
from tertulia.protocols.http1 import Request, Response

CARRIER = "simulated-viber"
PATH = "/viber/pa/"

_REFUSALS: Mapping[Why, tuple[int, str]] = {
    "unknown": (5, "receiverNotRegistered"),
    "barred": (6, "receiverNotSubscribed"),
    "content": (3, "badData"),
    "unreachable": (5, "receiverNotRegistered"),
    "expired": (5, "receiverNotRegistered"),
}
_THROTTLED = (12, "tooManyRequests")
_KINDS = {"picture": "image", "video": "video", "file": "file"}
_SENT = {"image": "picture", "video": "video", "file": "file", "audio": "file"}


class _Sender(Struct, frozen=True):
    name: str = ""


class _Draft(Struct, frozen=True):
    receiver: str = ""
    type: str = ""
    text: str = ""
    media: str = ""
    sender: _Sender = _Sender()


class ViberApi:
    def __init__(self, texting: Texting, webhooks: Webhooks) -> None:
        self._texting, self._webhooks = texting, webhooks

    def answer(self, request: Request) -> Response:
        """To a request below the path. Refusals are answers with 200, as its own are."""
        if request.headers.get("x-viber-auth-token") != SIMULATED:
            return _said(2, "invalidAuthToken")
        method = request.path.removeprefix(PATH)
        if method in ("set_webhook", "get_account_info"):
            return _said(0, "ok", id="pa:simulated", name="Simulated")
        if method != "send_message" or request.method != "POST":
            return _said(1, "invalidUrl")
        try:
            draft = msgspec.json.decode(request.body, type=_Draft)
            whole = msgspec.json.decode(request.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _said(3, "badData")
        return self._send(draft, whole)

    def tell(self, message: Message, news: News) -> None:
        told: dict[str, Any] = {"user_id": message.to, "message_token": int(message.id)}
        if isinstance(news, Fail):
            self._post("failed", message.id, {**told, "desc": f"failure: {news.why}"})
        else:
            self._post("seen" if isinstance(news, Read) else "delivered", message.id, told)

    def bring(self, message: Message) -> None:
        sender = {
            "id": message.from_, "name": f"Handset {message.from_}", "language": "en",
            "country": "US", "api_version": 10,
        }  # fmt: skip
        told = {
            "message_token": int(message.id, 16), "sender": sender, "message": _words(message),
            "silent": False,
        }  # fmt: skip
        self._post("message", message.from_, told)

    def _send(self, draft: _Draft, whole: dict[str, Any]) -> Response:
        if not draft.receiver or not draft.type or not draft.sender.name:
            return _said(3, "badData")
        token = self._texting.fresh()
        message = Message(
            str(token), "viber", draft.sender.name, draft.receiver, _content(draft, whole)
        )
        verdict = self._texting.judge("viber", draft.receiver, message.text)
        if isinstance(verdict, Throttle):
            return _said(*_THROTTLED)
        if verdict is not None:
            return _said(*_REFUSALS[verdict.why])
        self._texting.begin(message)
        return _said(0, "ok", message_token=token, chat_hostname="simulated", billing_status=1)

    def _post(self, event: str, about: str, told: dict[str, Any]) -> None:
        raw = msgspec.json.encode(
            {"event": event, "timestamp": time.time_ns() // 1_000_000, **told}
        )
        signature = hmac.new(SIMULATED.encode(), raw, hashlib.sha256).hexdigest()
        headers = (("X-Viber-Content-Signature", signature),)
        self._webhooks.post(about, Webhook(CARRIER, raw, headers))


def _content(draft: _Draft, whole: dict[str, Any]) -> Content:
    if draft.type == "text":
        return Content("text", {"text": draft.text})
    if (kind := _KINDS.get(draft.type)) is not None:
        caption = {"caption": draft.text} if draft.text else {}
        return Content(kind, {kind: {"url": draft.media, **caption}})
    return Content(draft.type, {draft.type: whole.get(draft.type, {})})


def _words(message: Message) -> dict[str, Any]:
    kind = message.content.message_type
    if kind == "text":
        return {"type": "text", "text": message.text}
    url = str(message.content.members[kind]["url"])
    told = {"type": _SENT.get(kind, "file"), "media": url, "text": message.text}
    if told["type"] == "file":
        told["file_name"] = url.rpartition("/")[2]
    return told


def _said(status: int, words: str, **more: object) -> Response:
    return Response(
        200, msgspec.json.encode({"status": status, "status_message": words, **more})
    )  # fmt: skip
