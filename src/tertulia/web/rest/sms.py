"""The older SMS API: parameters from anywhere, and 200 whatever becomes of them."""

import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, field

from tertulia.model.addresses import is_web_address
from tertulia.model.carrying import TEXT_MAX, address_problem, plain_address, sender_problem
from tertulia.model.errors import InvalidToken, NotFound, TertuliaError, TooManyRequests
from tertulia.model.sending import Content, Form, MessageChannel, Order
from tertulia.model.state import Webhook
from tertulia.model.validation import check_nesting
from tertulia.ports import Clock
from tertulia.ports.cluster import Elsewhere, Homes
from tertulia.protocols.gsm import PARTS_MAX, segments_of
from tertulia.protocols.http1 import Request, Response
from tertulia.protocols.parameter_signature import SIGNATURE, is_signed
from tertulia.services.messaging import MessageControl
from tertulia.web import answers
from tertulia.web.access import Access
from tertulia.web.message_shapes import SmsAnswer, SmsPart
from tertulia.web.rates import Rates
from tertulia.web.repeats import Repeats
from tertulia.web.rest.message_api import sender
from tertulia.web.routing import Call, Guard, Upload, route

PATH = "/sms/json"
URL_ENCODED = "application/x-www-form-urlencoded"
PARAMETERS_MAX = 50
BINARY_MAX = 140
"""Octets of one that is not text, with its header."""
CLOCKS_APART = 3600
"""Seconds that a signed request may be old, or early."""
_TTL = (20_000, 604_800_000)
_FREE = "0.00000000"
_ENCODINGS = {"": "auto", "text": "text", "unicode": "unicode"}
_OWN = ("message-class", "protocol-id", "entity-id", "content-id", "pool-id")


class SmsDraft(Struct, frozen=True):
    """A short message to be sent, and who sends it: by these, or by Basic authentication."""

    to: str = ""
    from_: str = field(default="", name="from")
    text: str = ""
    type: str = ""
    """`text`, `unicode` or `binary`."""
    body: str = ""
    """Of one that is binary, in hexadecimal; and its header."""
    udh: str = ""
    ttl: str = ""
    """Milliseconds."""
    callback: str = ""
    """Where its receipts go."""
    client_ref: str = field(default="", name="client-ref")
    account_ref: str = field(default="", name="account-ref")
    status_report_req: str = field(default="", name="status-report-req")
    message_class: str = field(default="", name="message-class")
    protocol_id: str = field(default="", name="protocol-id")
    entity_id: str = field(default="", name="entity-id")
    content_id: str = field(default="", name="content-id")
    pool_id: str = field(default="", name="pool-id")
    trusted_number: str = field(default="", name="trusted-number")
    api_key: str = ""
    api_secret: str = ""
    sig: str = ""
    timestamp: str = ""
    """Of a signed one: seconds since 1970."""


class SmsRefused(Exception):
    """`status`: a number of the published list, as text."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class SmsResource:
    """`signature_secret`: the account's own."""

    def __init__(
        self, control: MessageControl, access: Access, clock: Clock,
        monotonic: Callable[[], float], signature_secret: str, rates: Rates,
        repeats: Repeats[Response], homes: Homes,
    ) -> None:  # fmt: skip
        self._control = control
        self._homes = homes
        self._access = access
        self._clock = clock
        self._monotonic = monotonic
        self._secret = signature_secret
        self._rates = rates
        self._repeats = repeats

    @route("POST", PATH, guard=Guard.OPEN, answers={200: SmsAnswer},
           body=Upload(SmsDraft, (URL_ENCODED, "application/json")))  # fmt: skip
    @route("GET", PATH, name="send_sms_by_query", guard=Guard.OPEN, query=SmsDraft,
           answers={200: SmsAnswer})  # fmt: skip
    async def send_sms(self, call: Call) -> Response:
        """Send a short message; the account's key, with its secret or a signature, is among the
        parameters"""
        try:
            return await self._answer(call)
        except SmsRefused as refusal:
            told = [SmsPart(refusal.status, refusal.text)]
        except Elsewhere:
            raise
        except TertuliaError as error:
            status, text = _refusal(error)
            told = [SmsPart(status, text)]
        return _told(told)

    async def _answer(self, call: Call) -> Response:
        """One that is signed has one effect, however often it comes. Raises SmsRefused."""
        given = _parameters(call.request, call.given)
        account = self._authenticate(call.request, given)
        now = self._monotonic()
        self._rates.spend(account, now)
        if not _has_signature(given):
            return await self._send(given)
        return await self._repeats.once(_key(given), now, lambda: self._send(given))

    async def _send(self, given: Mapping[str, str]) -> Response:
        order, parts = read_order({name.replace("_", "-"): given[name] for name in given})
        application_id = await sender(self._control, order)
        await self._homes.require(application_id)
        sending = await self._control.send((order,), application_id, form=Form.SMS)
        part = SmsPart(
            "0", to=order.to, message_id=sending.id, remaining_balance=_FREE, message_price=_FREE,
            network="", client_ref=order.client_ref or None,
            account_ref=given.get("account-ref") or given.get("account_ref"),
        )  # fmt: skip
        return _told([part] * parts)

    def _authenticate(self, request: Request, given: Mapping[str, str]) -> str:
        """The account's key. Raises SmsRefused, InvalidToken."""
        key = given.get("api_key", "")
        if _has_signature(given):
            _require(given, "api_key")
            self._access.key(key)
            if not self._is_fresh(given) or not is_signed(given, self._secret):
                raise SmsRefused("14", "Invalid Signature")
            return key
        if header := request.headers.get("authorization"):
            return self._access.account(header)
        _require(given, "api_key", "api_secret")
        return self._access.secret(key.encode(), given["api_secret"].encode())

    def _is_fresh(self, given: Mapping[str, str]) -> bool:
        stamp = given.get("timestamp", "")
        if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 12):
            return False
        return abs(int(stamp) - self._clock.now() // 1000) <= CLOCKS_APART


def _has_signature(given: Mapping[str, str]) -> bool:
    return SIGNATURE in given and not given.get("api_secret")


def _key(given: Mapping[str, str]) -> bytes:
    """Two that are the same to the second at which they were signed are one."""
    return hashlib.sha256(PATH.encode() + msgspec.json.encode(sorted(given.items()))).digest()


def _told(parts: list[SmsPart]) -> Response:
    return answers.json(200, SmsAnswer(str(len(parts)), parts))


def read_order(given: Mapping[str, str]) -> tuple[Order, int]:
    """What is wanted, and in how many parts it goes. Raises SmsRefused."""
    _require(given, "to", "from")
    channel = MessageChannel.SMS
    to, from_ = (plain_address(channel, given[name]) for name in ("to", "from"))
    if address_problem(channel, to):
        raise _invalid("to")
    if sender_problem(channel, from_):
        raise SmsRefused("15", "Illegal Sender Address - rejected")
    if len(given.get("client-ref", "")) > 100:
        raise _invalid("client-ref")
    content, parts = _content(given)
    callback = given.get("callback", "")
    if callback and (len(callback) > 2048 or not is_web_address(callback)):
        raise SmsRefused("23", "Invalid callback url")
    order = Order(
        channel=channel, to=to, from_=from_, content=content, ttl=_ttl(given.get("ttl", "")),
        client_ref=given.get("client-ref", ""),
        webhook=Webhook(callback, "POST") if callback else None,
    )  # fmt: skip
    return order, parts


def _content(given: Mapping[str, str]) -> tuple[Content, int]:
    kind = given.get("type", "")
    own = {name.replace("-", "_"): given[name] for name in _OWN if given.get(name)}
    if kind == "binary":
        return Content("binary", _binary(given), {"sms": own} if own else {}), 1
    if kind not in _ENCODINGS:
        raise _invalid("type")
    _require(given, "text")
    text, encoding = given["text"], _ENCODINGS[kind]
    parts = len(segments_of(text[: TEXT_MAX[MessageChannel.SMS] + 1], encoding).parts)
    if len(text) > TEXT_MAX[MessageChannel.SMS] or parts > PARTS_MAX:
        raise SmsRefused("12", "Message too long")
    return Content("text", {"text": text}, {"sms": {"encoding_type": encoding, **own}}), parts


def _binary(given: Mapping[str, str]) -> dict[str, str]:
    """Body and header, in hexadecimal."""
    if not given.get("body") and not given.get("udh"):
        raise SmsRefused("2", "Missing body param")
    found, size = {}, 0
    for name in ("body", "udh"):
        try:
            size += len(binascii.unhexlify(given.get(name, "")))
        except ValueError:
            raise _invalid(name) from None
        found[name] = given.get(name, "").lower()
    if size > BINARY_MAX:
        raise SmsRefused("12", "Message too long")
    return found


def _ttl(given: str) -> int | None:
    """Seconds."""
    if not given:
        return None
    least, most = _TTL
    if not (given.isascii() and given.isdecimal() and len(given) < 12):
        raise _invalid("ttl")
    if not least <= int(given) <= most:
        raise _invalid("ttl")
    return int(given) // 1000


def _require(given: Mapping[str, str], *names: str) -> None:
    for name in names:
        if not given.get(name):
            raise SmsRefused("2", f"Missing {name} param")


def _invalid(name: str) -> SmsRefused:
    return SmsRefused("3", f"Invalid value for param: {name}")


def _refusal(error: TertuliaError) -> tuple[str, str]:
    if isinstance(error, InvalidToken):
        return "4", "Bad Credentials"
    if isinstance(error, TooManyRequests):
        return "1", "Throughput Rate Exceeded - please wait and retry"
    if isinstance(error, NotFound):
        return "11", "No application of the account sends short messages"
    return "5", "Internal Error"


def _parameters(request: Request, query: Mapping[str, str]) -> dict[str, str]:
    """Of the address and of the body; what is said twice is as the body says it."""
    kind = request.headers.get("content-type", "").lower()
    if not request.body:
        return dict(query)
    return {**query, **(_of_json(request.body) if "json" in kind else _of_form(request.body))}


def _of_form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict"
        ))  # fmt: skip
    except ValueError:
        raise _invalid("body") from None


def _of_json(body: bytes) -> dict[str, str]:
    """Numbers and truths as forms have them."""
    try:
        check_nesting(body)
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, TertuliaError, UnicodeDecodeError):
        raise _invalid("body") from None
    plain = {name: _plain(value) for name, value in found.items() if value is not None}
    if len(plain) > PARAMETERS_MAX:
        raise _invalid("body")
    return plain


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
