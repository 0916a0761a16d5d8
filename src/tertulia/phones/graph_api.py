"""The carriers of WhatsApp and Messenger, simulated: what the Graph API does for messages.

Requests to `/graph/v21.0/{sender}/messages` in the shapes of the Cloud API and of the Messenger
Platform; what becomes of them is told by signed webhooks.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tertulia.carriers.simulated import SIMULATED
from tertulia.model.sending import Content
from tertulia.phones.handset import Fail, Read, Refuse, Throttle, Why
from tertulia.phones.screens import Message
from tertulia.phones.texting import News, Texting
from tertulia.phones.webhooks import Webhook, Webhooks
from tertulia.protocols.http1 import Request, Response

WHATSAPP, MESSENGER = "simulated-whatsapp", "simulated-messenger"
ACCOUNT = "15550199"
PATH = re.compile(r"/graph/v\d{1,3}\.\d/([\w.%+-]{1,100})/messages")

_FAILURES: Mapping[Why, tuple[int, str]] = {
    "unknown": (131026, "Message undeliverable"),
    "barred": (131050, "User has stopped receipt of marketing messages"),
    "content": (131051, "Unsupported message type"),
    "unreachable": (131026, "Message undeliverable"),
    "expired": (131026, "Message expired"),
}
_NOT_AVAILABLE = 551
"""Messenger's for whoever cannot be reached; it has no webhook for a message that failed."""
_KINDS = ("image", "audio", "video", "document", "sticker", "file")


class _Recipient(Struct, frozen=True):
    id: str = ""


class _Draft(Struct, frozen=True):
    """What there is of a message by either channel."""

    messaging_product: str = ""
    to: str = ""
    type: str = "text"
    status: str = ""
    message_id: str = ""
    recipient: _Recipient = _Recipient()
    sender_action: str = ""
    message: dict[str, Any] | None = None


class GraphApi:
    def __init__(self, texting: Texting, webhooks: Webhooks) -> None:
        self._texting, self._webhooks = texting, webhooks

    def answer(self, request: Request, sender: str) -> Response:
        """To a request at the path of messages."""
        if request.method != "POST":
            return _error(400, 100, "Unsupported request")
        if request.headers.get("authorization") != f"Bearer {SIMULATED}":
            return _error(401, 190, "Invalid OAuth access token")
        try:
            draft = msgspec.json.decode(request.body, type=_Draft)
            whole = msgspec.json.decode(request.body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _error(400, 100, "Invalid parameter")
        if draft.messaging_product == "whatsapp":
            return self._whatsapp(draft, whole, sender)
        return self._messenger(draft, sender)

    def tell(self, message: Message, news: News) -> None:
        if message.channel == "whatsapp":
            self._tell_whatsapp(message, _status(news), news)
        elif not isinstance(news, Fail):
            now = time.time_ns() // 1_000_000
            told: dict[str, Any] = {"watermark": now}
            name = "read" if isinstance(news, Read) else "delivery"
            if name == "delivery":
                told["mids"] = [message.id]
            self._post_messenger(message.to, message.from_, {name: told})

    def bring(self, message: Message) -> None:
        if message.channel == "whatsapp":
            self._bring_whatsapp(message)
        else:
            said = _messenger_words(message)
            body = {"message": {"mid": f"m_{message.id}", **said}}
            self._post_messenger(message.from_, message.to, body)

    # --- WhatsApp ---

    def _whatsapp(self, draft: _Draft, whole: dict[str, Any], sender: str) -> Response:
        if draft.status == "read" and draft.message_id:
            return _json({"success": True})
        if not draft.to or draft.type not in whole:
            return _error(400, 131009, "Parameter value is not valid")
        to = draft.to.removeprefix("+")
        identity, content = f"wamid.{self._texting.fresh():x}", _whatsapp_content(draft, whole)
        message = Message(identity, "whatsapp", sender, to, content)
        verdict = self._texting.judge("whatsapp", to, message.text)
        if verdict is not None:
            return _refused(verdict)
        self._tell_whatsapp(message, "sent")
        self._texting.begin(message)
        contacts = [{"input": draft.to, "wa_id": to}]
        return _json(
            {
                "messaging_product": "whatsapp",
                "contacts": contacts,
                "messages": [{"id": message.id}],
            }
        )

    def _tell_whatsapp(self, message: Message, status: str, news: News | None = None) -> None:
        told: dict[str, Any] = {
            "id": message.id, "status": status, "timestamp": str(int(time.time())),
            "recipient_id": message.to,
        }  # fmt: skip
        if isinstance(news, Fail):
            code, title = _FAILURES[news.why]
            told["errors"] = [{"code": code, "title": title, "message": title}]
        self._post_whatsapp(message.id, message.from_, {"statuses": [told]})

    def _bring_whatsapp(self, message: Message) -> None:
        sender, name = message.from_.removeprefix("+"), f"Handset {message.from_}"
        kind, said = _whatsapp_words(message)
        told = {
            "from": sender, "id": f"wamid.{message.id}", "timestamp": str(int(time.time())),
            "type": kind, kind: said,
        }  # fmt: skip
        contact = {"profile": {"name": name}, "wa_id": sender}
        self._post_whatsapp(sender, message.to, {"contacts": [contact], "messages": [told]})

    def _post_whatsapp(self, about: str, number: str, told: dict[str, Any]) -> None:
        metadata = {"display_phone_number": number, "phone_number_id": number}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **told}
        entry = {"id": ACCOUNT, "changes": [{"value": value, "field": "messages"}]}
        self._post(WHATSAPP, about, {"object": "whatsapp_business_account", "entry": [entry]})

    # --- Messenger ---

    def _messenger(self, draft: _Draft, sender: str) -> Response:
        to = draft.recipient.id
        if to and draft.sender_action:
            return _json({"recipient_id": to})
        if not to or not draft.message:
            return _error(400, 100, "Invalid parameter")
        identity = f"m_{self._texting.fresh():x}"
        message = Message(identity, "messenger", sender, to, _messenger_content(draft.message))
        verdict = self._texting.judge("messenger", to, message.text)
        if isinstance(verdict, Throttle):
            return _error(400, 613, "Calls to this API have exceeded the rate limit")
        if verdict is not None:
            return _error(400, _NOT_AVAILABLE, "This person isn't available right now")
        self._texting.begin(message)
        return _json({"recipient_id": to, "message_id": identity})

    def _post_messenger(self, sender: str, recipient: str, told: dict[str, Any]) -> None:
        """About whatever passes between the two: a watermark is about all before it."""
        now = time.time_ns() // 1_000_000
        messaging = {
            "sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": now, **told,
        }  # fmt: skip
        entry = {"id": recipient, "time": now, "messaging": [messaging]}
        self._post(MESSENGER, sender, {"object": "page", "entry": [entry]})

    def _post(self, carrier: str, about: str, body: dict[str, Any]) -> None:
        raw = msgspec.json.encode(body)
        signature = hmac.new(SIMULATED.encode(), raw, hashlib.sha256).hexdigest()
        headers = (("X-Hub-Signature-256", f"sha256={signature}"),)
        self._webhooks.post(about, Webhook(carrier, raw, headers))


def _status(news: News) -> str:
    if isinstance(news, Fail):
        return "failed"
    return "read" if isinstance(news, Read) else "delivered"


def _refused(verdict: Throttle | Refuse) -> Response:
    if isinstance(verdict, Throttle):
        return _error(429, 130429, "Rate limit hit")
    return _error(400, *_FAILURES[verdict.why])


def _whatsapp_content(draft: _Draft, whole: dict[str, Any]) -> Content:
    said = whole[draft.type]
    if draft.type == "text" and isinstance(said, dict):
        return Content("text", {"text": str(said.get("body", ""))})
    if draft.type in _KINDS and isinstance(said, dict):
        file = {"url": said.get("link") or said.get("id"), **_captioned(said)}
        kind = "file" if draft.type == "document" else draft.type
        return Content(kind, {kind: file})
    return Content(draft.type, {draft.type: said})


def _captioned(said: dict[str, Any]) -> dict[str, Any]:
    return {"caption": said["caption"]} if "caption" in said else {}


def _whatsapp_words(message: Message) -> tuple[str, dict[str, Any]]:
    content = message.content
    if content.message_type == "text":
        return "text", {"body": message.text}
    file: dict[str, Any] = content.members[content.message_type]
    kind = "document" if content.message_type == "file" else content.message_type
    types = {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4"}
    said = {
        "id": message.id, "url": file["url"], "mime_type": types.get(kind, "application/pdf"),
        "sha256": hashlib.sha256(str(file["url"]).encode()).hexdigest(), **_captioned(file),
    }  # fmt: skip
    return kind, said


def _messenger_content(said: dict[str, Any]) -> Content:
    attachment = said.get("attachment")
    if not isinstance(attachment, dict):
        return Content("text", {"text": str(said.get("text", ""))})
    kind = str(attachment.get("type", "file"))
    payload = attachment.get("payload")
    if kind in _KINDS and isinstance(payload, dict):
        return Content(kind, {kind: {"url": payload.get("url")}})
    return Content(kind, {kind: payload})


def _messenger_words(message: Message) -> dict[str, Any]:
    content = message.content
    if content.message_type == "text":
        return {"text": message.text}
    url = content.members[content.message_type]["url"]
    return {"attachments": [{"type": content.message_type, "payload": {"url": url}}]}


def _json(document: object) -> Response:
    return Response(200, msgspec.json.encode(document))


def _error(status: int, code: int, words: str) -> Response:
    kind = (
        "OAuthException" if code in (190, 130429, 613) or code > 131000 else "GraphMethodException"
    )
    error = {"message": f"(#{code}) {words}", "type": kind, "code": code, "fbtrace_id": "simulated"}
    return Response(status, msgspec.json.encode({"error": error}))
