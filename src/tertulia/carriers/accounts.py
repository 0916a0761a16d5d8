"""Accounts with carriers, as the plan file holds them: a table `[[carrier]]` of some `kind`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tertulia.model.sending import MessageChannel
from tertulia.ports.messaging import Terms

DAY = 86_400.0

Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,60}$(?!\n)")]
Text = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Url = Annotated[str, Meta(max_length=2000, pattern=r"^(https?://|\{simulated\})[!-~]+$(?!\n)")]
"""`{simulated}` stands for where the simulated carriers are just now."""
Host = Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45})?$(?!\n)")]
FieldName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,80}$(?!\n)")]
"""Of a header field or of a query parameter."""
Path = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
"""Where something is in JSON: `messages.0.id`; in a form or a query a field's name."""


Spelling = Literal["text", "decimal", "hex"]
Seconds = Annotated[float, Meta(ge=0.01, le=DAY)]


class Account(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """What every carrier's account says."""

    name: Word
    channels: tuple[MessageChannel, ...] = ()
    senders: tuple[Text, ...] = ()
    """Numbers and ids that it sends for; empty: for all."""
    application: Text = ""
    """Whose everything is that it brings to what stands nowhere under `number`."""
    window: Annotated[int, Meta(ge=1, le=10_000)] = 10
    rate: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    resends: bool = True
    patience: Annotated[float, Meta(ge=1, le=31 * DAY)] = 3 * DAY
    """Seconds."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, …)"

    def sends_for(self, sender: str) -> bool:
        return not self.senders or plain(sender) in map(plain, self.senders)

    def terms(self, *, tells: bool = True, is_repeatable: bool = False) -> Terms:
        return Terms(
            frozenset(self.channels), self.window, self.rate, tells, self.patience,
            is_repeatable, self.resends,
        )  # fmt: skip


class SmppAccount(Account, frozen=True, kw_only=True, tag="smpp"):
    """With an SMSC, which we connect to, to send and get messages with SMPP 3.4."""

    channels: tuple[MessageChannel, ...] = (MessageChannel.SMS,)
    host: Host = ""
    """Empty: the simulated one."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 2775
    tls: bool = False
    ca_file: Text = ""
    """PEM of who vouches for the SMSC; empty: whom the host trusts."""
    system_id: Annotated[str, Meta(max_length=15)] = ""
    password: Annotated[str, Meta(max_length=8)] = ""
    system_type: Annotated[str, Meta(max_length=12)] = ""
    service_type: Annotated[str, Meta(max_length=5)] = ""
    bind: Literal["transceiver", "transmitter", "receiver"] = "transceiver"
    enquire_seconds: Seconds = 30.0
    answer_seconds: Seconds = 10.0
    first_retry_seconds: Seconds = 1.0
    longest_retry_seconds: Seconds = 60.0
    submit_ids: Spelling = "text"
    """How message ids are spelled in answers; `text`: they are compared as they are."""
    receipt_ids: Spelling = "text"
    """How they are in the texts of receipts: many SMSCs answer `1F` and then tell of `31`."""
    alphabet: Literal["gsm", "latin-1"] = "gsm"
    """That of data_coding 0."""
    segmentation: Literal["udh", "sar", "payload"] = "udh"
    """How long texts go: by a header in the parts, by TLVs beside them, or whole."""
    short_ton: Annotated[int, Meta(ge=0, le=255)] = 3
    """Of senders of up to six digits; this and the next."""
    short_npi: Annotated[int, Meta(ge=0, le=255)] = 0
    receipts: bool = True
    """Ask for delivery receipts. Otherwise what is submitted is at its end."""


class HttpAccount(Account, frozen=True, kw_only=True):
    timeout: Annotated[float, Meta(ge=0.1, le=120)] = 10.0
    """Seconds for a request, from connecting to the end of the answer."""


class WhatsAppAccount(HttpAccount, frozen=True, kw_only=True, tag="whatsapp"):
    """With the Cloud API."""

    channels: tuple[MessageChannel, ...] = (MessageChannel.WHATSAPP,)
    url: Url = "https://graph.facebook.com/v21.0"
    token: Text
    secret: Text
    """Of the app: signs what is told to us."""
    verify: Text = ""
    """The word that it shows when the webhook is set; empty: none will do."""
    numbers: dict[Text, Text] = {}
    """Phone number ids by number; an id stands for itself."""


class MessengerAccount(HttpAccount, frozen=True, kw_only=True, tag="messenger"):
    """With the Send API, for a page."""

    channels: tuple[MessageChannel, ...] = (MessageChannel.MESSENGER,)
    url: Url = "https://graph.facebook.com/v21.0"
    token: Text
    secret: Text
    verify: Text = ""


class ViberAccount(HttpAccount, frozen=True, kw_only=True, tag="viber"):
    """With the bot API."""

    channels: tuple[MessageChannel, ...] = (MessageChannel.VIBER,)
    url: Url = "https://chatapi.viber.com"
    token: Text
    """Signs what is told to us too."""
    bot: Text = ""
    """What the bot is called as a receiver; empty: as the carrier."""
    sender: Annotated[str, Meta(max_length=28)] = ""
    """The name that is shown; empty: the message's `from`."""


class Asking(Struct, frozen=True, forbid_unknown_fields=True):
    """A request with placeholders, `{to}`, `{text}` …: carriers/templates.py lists them."""

    url: Url
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[FieldName, Text] = {}
    body: Annotated[str, Meta(max_length=20_000)] = ""
    content_type: Text = "application/json"


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """How what is told to us shows who tells it."""

    secret: Text
    header: FieldName = ""
    """That holds it; or `query`: the parameter that does."""
    query: FieldName = ""
    kind: Literal["secret", "hmac-sha1", "hmac-sha256", "hmac-sha512"] = "secret"
    """The secret itself, or an HMAC of the body."""
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Text = ""
    """That stands before it, as in `sha256=`."""

    def __post_init__(self) -> None:
        if bool(self.header) == bool(self.query):
            raise ValueError("a signature is in a header or in the query")
        if len(self.secret) < 6:
            raise ValueError("a secret has at least 6 characters")


StatusWord = Literal["submitted", "delivered", "rejected", "undeliverable", "read"]
_WORDS: dict[StatusWord, tuple[str, ...]] = {
    "delivered": ("delivered", "delivrd", "success"),
    "rejected": ("rejected", "rejectd", "declined"),
    "undeliverable": (
        "undeliverable", "undeliv", "undelivered", "failed", "expired", "deleted", "unknown",
    ),
    "submitted": (
        "submitted", "accepted", "acceptd", "queued", "sent", "enroute", "buffered", "sending",
    ),
    "read": ("read", "seen", "displayed"),
}  # fmt: skip


class ReceiptMap(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a status callback has what."""

    id: Path = "id"
    status: Path = "status"
    items: Path = ""
    """Where a list of several is; empty: the whole is one."""
    reason: Path = ""
    code: Path = ""
    when: dict[Path, Text] = {}
    """What else is so in a status callback; empty: the status is a word that is known."""
    words: dict[StatusWord, tuple[Text, ...]] = field(default_factory=lambda: dict(_WORDS))


class InboundMap(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an inbound message has what. Without `id` it is known again by all that it is,
    for a minute: then the same words are another message."""

    from_: Path = field(name="from", default="from")
    to: Path = "to"
    id: Path = ""
    items: Path = ""
    text: Path = ""
    url: Path = ""
    """Of a file."""
    type: Path = ""
    """Its message type; without: text, or file where there is a URL."""
    channel: Path = ""
    """Without: the first of the account's."""
    content: Path = ""
    """Members in the words of the Messages API."""
    name: Path = ""
    context: Path = ""
    when: dict[Path, Text] = {}


class GatewayAccount(HttpAccount, frozen=True, kw_only=True, tag="http"):
    """With anybody who takes messages by an HTTP request."""

    send: Asking
    revoke: Asking | None = None
    read: Asking | None = None
    ref: Path = "id"
    """Where the answer has the carrier's id of the message."""
    ref_pattern: Annotated[str, Meta(max_length=500)] = ""
    """Regular expression instead of `ref`; its first group is the id."""
    taken: tuple[int, ...] = (200, 201, 202)
    congested: tuple[int, ...] = (429, 503)
    refused: tuple[int, ...] = (401, 403, 407)
    """The account is not let in: messages wait."""
    reason: Path = ""
    """Where an answer that declines says why."""
    key: FieldName = ""
    """Header that makes a request that is repeated count once: `Idempotency-Key`."""
    signature: Signature | None = None
    receipt: ReceiptMap | None = None
    inbound: InboundMap | None = None

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError("channels are missing")
        if (self.receipt or self.inbound) and self.signature is None:
            raise ValueError("receipt and inbound need a signature: anybody could tell")


AnyAccount = SmppAccount | WhatsAppAccount | MessengerAccount | ViberAccount | GatewayAccount


def plain(address: str) -> str:
    """An address to compare by: a number without plus and separators."""
    digits = address.translate(_SEPARATORS)
    return digits if digits.isdecimal() else address


_SEPARATORS = str.maketrans("", "", "+()- .")
