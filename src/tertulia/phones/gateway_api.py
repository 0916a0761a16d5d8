"""Carriers of whatever has no protocol of its own, simulated: JSON at `/gateway/messages`.

`{id, channel, from, to, content}` is answered with `{"id"}`; what becomes of it is told by a signed
`{id, status, error}`, and what handsets send comes in the form that messages go out in.
"""

import hashlib
import hmac
from collections import OrderedDict
from typing import Any

import msgspec
from msgspec import Struct, field

from tertulia.carriers.simulated import SIMULATED
from tertulia.model.sending import Content, MessageChannel
from tertulia.phones.handset import Fail, Read, Throttle
from tertulia.phones.screens import Message
from tertulia.phones.texting import News, Texting
from tertulia.phones.webhooks import Webhook, Webhooks
from tertulia.protocols.http1 import Request, Response

PATH = "/gateway/messages"
CHANNELS = (MessageChannel.MMS, MessageChannel.RCS, MessageChannel.EMAIL)
SIGNATURE = "X-Signature"
RETRY_S = 1
KEYS_MAX = 10_000
"""Messages that are known again by their Idempotency-Key."""


class _Draft(Struct, frozen=True):
    channel: str
    to: str
    content: dict[str, Any]
    """With its `message_type`."""
    id: str = ""
    from_: str = field(name="from", default="")


class GatewayApi:
    def __init__(self, texting: Texting, webhooks: Webhooks) -> None:
        self._texting, self._webhooks = texting, webhooks
        self._known: OrderedDict[str, str] = OrderedDict()

    def answer(self, request: Request) -> Response:
        """422 for a message that is refused, 429 for one that there is no room for."""
        if request.headers.get("authorization") != f"Bearer {SIMULATED}":
            return _error(401, "token", "the token is not right")
        below = request.path.removeprefix(PATH).strip("/")
        if below:
            return self._below(request.method, below)
        if request.method != "POST":
            return _error(405, "method", "POST it")
        try:
            draft = msgspec.json.decode(request.body, type=_Draft)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _error(400, "malformed", str(error))
        if draft.channel not in CHANNELS or not draft.to:
            return _error(422, "content", "there is no such channel, or no address")
        return self._take(draft, request.headers.get("idempotency-key", ""))

    def tell(self, message: Message, news: News) -> None:
        told: dict[str, Any] = {"id": message.id, "status": "delivered"}
        if isinstance(news, Read):
            told["status"] = "read"
        elif isinstance(news, Fail):
            told |= {"status": "undeliverable", "error": {"code": news.why, "reason": news.why}}
        self._post(message.channel, message.id, told)

    def bring(self, message: Message) -> None:
        content = {"message_type": message.content.message_type, **message.content.members}
        told = {
            "id": message.id, "channel": message.channel, "from": message.from_, "to": message.to,
            "content": content,
        }  # fmt: skip
        self._post(message.channel, message.from_, told)

    def _take(self, draft: _Draft, key: str) -> Response:
        if key and (known := self._known.get(key)) is not None:
            return _taken(known)
        message = Message(
            f"{self._texting.fresh():x}", draft.channel, draft.from_, draft.to,
            _content(draft.content),
        )  # fmt: skip
        verdict = self._texting.judge(draft.channel, draft.to, message.text)
        if isinstance(verdict, Throttle):
            return _error(429, "throttled", "later", ("Retry-After", str(RETRY_S)))
        if verdict is not None:
            return _error(422, verdict.why, f"it is refused: {verdict.why}")
        if key:
            self._known[key] = message.id
            if len(self._known) > KEYS_MAX:
                self._known.popitem(last=False)
        self._texting.begin(message)
        return _taken(message.id)

    def _below(self, method: str, below: str) -> Response:
        """One message: `DELETE` takes it back, `POST …/read` marks it as read."""
        ref, _, verb = below.partition("/")
        if (method, verb) == ("POST", "read"):
            return Response(204)
        if (method, verb) != ("DELETE", ""):
            return _error(405, "method", "there is no such request")
        if not self._texting.revoke(ref):
            return _error(409, "too-late", "it cannot be taken back any more")
        return Response(204)

    def _post(self, channel: str, about: str, told: dict[str, Any]) -> None:
        raw = msgspec.json.encode(told)
        signature = hmac.new(SIMULATED.encode(), raw, hashlib.sha256).hexdigest()
        headers = ((SIGNATURE, f"sha256={signature}"),)
        self._webhooks.post(about, Webhook(f"simulated-{channel}", raw, headers))


def _content(given: dict[str, Any]) -> Content:
    members = {name: value for name, value in given.items() if name != "message_type"}
    return Content(str(given.get("message_type", "text")), members)


def _taken(ref: str) -> Response:
    return Response(202, msgspec.json.encode({"id": ref}))


def _error(status: int, code: str, reason: str, *headers: tuple[str, str]) -> Response:
    error = {"error": {"code": code, "reason": reason}}
    return Response(status, msgspec.json.encode(error), headers=headers)
