"""What a message of the message API consists of, by channel and type, with its limits.

COMPAT: where the published clients differ, what either sends is taken; members that are not known
here go on to the carrier as they came.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from tertulia.model.events.values import WebUri
from tertulia.model.sending import MessageChannel

Words = Annotated[str, Meta(min_length=1, max_length=3000)]
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Number = Annotated[str, Meta(pattern=r"^\+?[1-9][0-9]{6,14}$(?!\n)")]
_TTL_MAX = 259_200


class Linked(Struct, frozen=True):
    url: WebUri


class Captioned(Struct, frozen=True):
    url: WebUri
    caption: Words | None = None


class WhatsappFile(Struct, frozen=True):
    url: WebUri
    caption: Words | None = None
    name: Annotated[str, Meta(max_length=255)] | None = None


class ViberFile(Struct, frozen=True):
    url: WebUri
    name: Annotated[str, Meta(max_length=25)] | None = None


class ViberVideo(Struct, frozen=True):
    url: WebUri
    thumb_url: WebUri | None = None
    caption: Annotated[str, Meta(max_length=1000)] | None = None


class Prepared(Struct, frozen=True):
    """A template."""

    name: Annotated[str, Meta(min_length=1, max_length=1024)]
    parameters: list[Any] | None = None


class Sticker(Struct, frozen=True):
    url: WebUri | None = None
    id: Id | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.id is None):
            raise ValueError("`url` is required, or `id`, and not both")


class Reaction(Struct, frozen=True):
    action: Literal["react", "unreact"]
    emoji: Annotated[str, Meta(max_length=50)] | None = None

    def __post_init__(self) -> None:
        if self.action == "react" and not self.emoji:
            raise ValueError("`emoji` is required")


class Suggestion(Struct, frozen=True):
    """What a recipient may choose with a touch."""

    type: Literal[
        "reply", "dial", "view_location", "share_location", "open_url", "open_url_in_webview",
        "create_calendar_event",
    ]  # fmt: skip
    text: Annotated[str, Meta(min_length=1, max_length=25)]
    postback_data: Annotated[str, Meta(max_length=2048)]
    phone_number: Number | None = None
    url: WebUri | None = None
    fallback_url: WebUri | None = None
    latitude: str | float | None = None
    longitude: str | float | None = None
    pin_label: Annotated[str, Meta(max_length=100)] | None = None
    start_time: Annotated[str, Meta(max_length=40)] | None = None
    end_time: Annotated[str, Meta(max_length=40)] | None = None
    title: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    view_mode: Literal["FULL", "TALL", "HALF"] | None = None

    def __post_init__(self) -> None:
        for name in _NEEDED.get(self.type, ()):
            if getattr(self, name) is None:
                raise ValueError(f"`{name}` is required")


_NEEDED = {
    "dial": ("phone_number",), "view_location": ("latitude", "longitude"), "open_url": ("url",),
    "open_url_in_webview": ("url",), "create_calendar_event": ("start_time", "end_time", "title"),
}  # fmt: skip


class Card(Struct, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    media_url: WebUri
    media_description: Words | None = None
    media_height: Literal["SHORT", "MEDIUM", "TALL"] | None = None
    thumbnail_url: WebUri | None = None
    media_force_refresh: bool | None = None
    suggestions: Annotated[list[Suggestion], Meta(max_length=4)] | None = None


class Carousel(Struct, frozen=True):
    cards: Annotated[list[Card], Meta(min_length=2, max_length=10)]


class Html(Struct, frozen=True):
    body: Annotated[str, Meta(min_length=1, max_length=500_000)]


class MmsPart(Struct, frozen=True):
    type: Literal["image", "audio", "video", "file", "vcard"]
    url: WebUri
    caption: Words | None = None


class MailPart(Struct, frozen=True):
    type: Literal["text", "html"]
    text: Annotated[str, Meta(max_length=500_000)] | None = None
    body: Annotated[str, Meta(max_length=500_000)] | None = None

    def __post_init__(self) -> None:
        name = "text" if self.type == "text" else "body"
        if not getattr(self, name):
            raise ValueError(f"`{name}` is required")


class SmsOptions(Struct, frozen=True):
    encoding_type: Literal["text", "unicode", "auto"] | None = None
    content_id: Id | None = None
    entity_id: Id | None = None
    pool_id: Id | None = None


class ViberAction(Struct, frozen=True):
    """A button below a message."""

    url: WebUri
    text: Annotated[str, Meta(max_length=30)]


class ViberOptions(Struct, frozen=True):
    category: Literal["transaction", "promotion"] | None = None
    ttl: Annotated[int, Meta(ge=30, le=_TTL_MAX)] | None = None
    type: Annotated[str, Meta(max_length=40)] | None = None
    action: ViberAction | None = None
    duration: Annotated[str, Meta(pattern=r"^[0-9]{1,3}$(?!\n)")] | None = None
    """Seconds."""
    file_size: Annotated[str, Meta(pattern=r"^[0-9]{1,3}$(?!\n)")] | None = None
    """Megabytes."""

    def __post_init__(self) -> None:
        for name, most in (("duration", 600), ("file_size", 200)):
            given = getattr(self, name)
            if given is not None and not 1 <= int(given) <= most:
                raise ValueError(f"`{name}` must be a number between 1 and {most}")


class MessengerOptions(Struct, frozen=True):
    category: Literal["response", "update", "message_tag"] | None = None
    tag: Annotated[str, Meta(min_length=1, max_length=100)] | None = None

    def __post_init__(self) -> None:
        if self.category == "message_tag" and self.tag is None:
            raise ValueError('`tag` is required when the category is "message_tag"')


class WhatsappOptions(Struct, frozen=True):
    policy: Literal["deterministic"] | None = None
    locale: Annotated[str, Meta(min_length=2, max_length=35)] | None = None


class Context(Struct, frozen=True):
    """The message that is answered, or reacted to."""

    message_uuid: Id


class RcsOptions(Struct, frozen=True):
    category: (
        Literal[
            "acknowledgement", "acknoledgement", "authentication", "promotion", "service-request",
            "transaction",
        ]
        | None
    ) = None  # fmt: skip
    """COMPAT: a published client misspells the first."""
    card_orientation: Literal["VERTICAL", "HORIZONTAL"] | None = None
    image_alignment: Literal["LEFT", "RIGHT"] | None = None
    card_width: Literal["SMALL", "MEDIUM"] | None = None

    def __post_init__(self) -> None:
        if self.card_orientation == "HORIZONTAL" and self.image_alignment is None:
            raise ValueError('`image_alignment` is required when cards are "HORIZONTAL"')


class Mailbox(Struct, frozen=True):
    address: Annotated[str, Meta(min_length=3, max_length=254)]
    name: Annotated[str, Meta(max_length=200)] | None = None


class MailOptions(Struct, frozen=True):
    subject: Annotated[str, Meta(min_length=1, max_length=998)]
    importance: Literal["High", "Normal", "Low"] | None = None
    priority: Literal["Non-Urgent", "Normal", "Urgent"] | None = None
    sensitivity: Literal["Personal", "Private", "Company-Confidential"] | None = None
    cc: Annotated[list[Mailbox], Meta(max_length=50)] | None = None
    bcc: Annotated[list[Mailbox], Meta(max_length=50)] | None = None


class _Row(Struct, frozen=True):
    """What a channel knows."""

    types: dict[str, Any]
    """What stands under the name of each message type."""
    options: dict[str, Any] = field(default_factory=dict)
    """What may stand beside it."""
    ttl: tuple[int, int] = (20, 604_800)
    """Seconds."""


_MEDIA = ("image", "audio", "video", "file")
_OBJECT = dict[str, Any]
_PARTS_MAX = 10

SHAPES: dict[str, _Row] = {
    MessageChannel.SMS: _Row({}, {"sms": SmsOptions}),
    MessageChannel.MMS: _Row(
        {
            **dict.fromkeys((*_MEDIA, "vcard"), Captioned),
            "content": Annotated[list[MmsPart], Meta(min_length=1, max_length=_PARTS_MAX)],
        },
        ttl=(300, _TTL_MAX),
    ),
    MessageChannel.WHATSAPP: _Row(
        {
            "image": Captioned, "audio": Linked, "video": Captioned, "file": WhatsappFile,
            "template": Prepared, "sticker": Sticker, "custom": _OBJECT, "reaction": Reaction,
        },
        {"whatsapp": WhatsappOptions, "context": Context, "category": Id},
    ),
    MessageChannel.VIBER: _Row(
        {"image": Captioned, "video": ViberVideo, "file": ViberFile},
        {"viber_service": ViberOptions}, (30, _TTL_MAX),
    ),
    MessageChannel.MESSENGER: _Row(
        dict.fromkeys(_MEDIA, Linked), {"messenger": MessengerOptions}
    ),
    MessageChannel.RCS: _Row(
        {
            **dict.fromkeys(("image", "video", "file"), Linked),
            "card": Card, "carousel": Carousel, "custom": _OBJECT,
        },
        {
            "rcs": RcsOptions,
            "suggestions": Annotated[list[Suggestion], Meta(min_length=1, max_length=11)],
        },
        (20, _TTL_MAX),
    ),
    MessageChannel.EMAIL: _Row(
        {
            "html": Html,
            "content": Annotated[list[MailPart], Meta(min_length=1, max_length=_PARTS_MAX)],
        },
        {"email": MailOptions},
    ),
}  # fmt: skip
"""By channel; each carries `text` beside these types."""
REQUIRED = {
    (MessageChannel.WHATSAPP, "reaction"): "context", (MessageChannel.RCS, "carousel"): "rcs",
    **{(MessageChannel.EMAIL, kind): "email" for kind in ("text", "html", "content")},
}  # fmt: skip
"""Of the options, by channel and type."""
