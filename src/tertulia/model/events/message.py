"""Messages in their ten subtypes, and what members report of them."""

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import force_setattr, replace

from tertulia.model.events.registry import EVERYWHERE, Body, Creator, event
from tertulia.model.events.values import EventReference, Part, WebUri, whole

_SERVER = Creator.REST | Creator.PLATFORM
_ANYONE = Creator.REST | Creator.CLIENT | Creator.PLATFORM


class Messenger(Part, frozen=True):
    """What a message on the messenger channel is allowed by."""

    category: Literal["response", "update", "message_tag"] | None = None
    tag: str | None = None


class ViberService(Part, frozen=True):
    """How a message on the viber channel is sent."""

    category: Literal["transaction", "promotion"] | None = None
    ttl: Annotated[int, Meta(ge=30, le=259_200)] | None = None
    """Seconds."""
    type: str | None = None


class Attachment(Part, frozen=True):
    """A file that is somewhere on the web."""

    url: WebUri


class Picture(Part, frozen=True):
    """An image that is somewhere on the web."""

    url: WebUri
    caption: str | None = None


class Whatsapp(Part, frozen=True):
    """How a template is rendered."""

    policy: str
    locale: str


class Template(Part, frozen=True):
    """A prepared message with places to fill."""

    name: str
    parameters: list[str] | None = None
    whatsapp: Whatsapp | None = None
    """COMPAT: where the public reference nests it; emitted beside `template` (wire-api 8 #8)."""


class Location(Part, frozen=True):
    """A place on the earth, in degrees."""

    longitude: str | float
    """COMPAT: the Java SDK sends numbers; emitted as string (wire-api 8 #18)."""
    latitude: str | float
    name: str | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "longitude", _degrees(self.longitude))
        force_setattr(self, "latitude", _degrees(self.latitude))


def _degrees(value: str | float) -> str:
    return value if isinstance(value, str) else str(whole(value))


class Message(Body, frozen=True, kw_only=True, tag_field="message_type"):
    """A message was posted, or came in by a messaging channel."""

    messenger: Messenger | None = None


class MessageText(Message, frozen=True, tag="text"):
    """Words."""

    text: str
    viber_service: ViberService | None = None


class MessageImage(Message, frozen=True, tag="image"):
    """An image."""

    image: Picture
    viber_service: ViberService | None = None


class MessageAudio(Message, frozen=True, tag="audio"):
    """A sound."""

    audio: Attachment


class MessageVideo(Message, frozen=True, tag="video"):
    """A video."""

    video: Attachment


class MessageFile(Message, frozen=True, tag="file"):
    """A file of any kind."""

    file: Attachment


class MessageTemplate(Message, frozen=True, tag="template"):
    """A prepared message with places to fill."""

    template: Template
    whatsapp: Whatsapp | None = None
    """Required, here or inside `template`."""

    def __post_init__(self) -> None:
        whatsapp = self.whatsapp or self.template.whatsapp
        if whatsapp is None:
            raise ValueError("`whatsapp` is required")
        force_setattr(self, "whatsapp", whatsapp)
        force_setattr(self, "template", replace(self.template, whatsapp=None))


class MessageCustom(Message, frozen=True, tag="custom"):
    """An object of the application's own."""

    custom: dict[str, Any]


class MessageVcard(Message, frozen=True, tag="vcard"):
    """A business card."""

    vcard: Attachment
    image: Picture | None = None


class MessageLocation(Message, frozen=True, tag="location"):
    """A place."""

    location: Location


class MessageRandom(Message, frozen=True, tag="random"):
    """An object without documented members."""

    random: dict[str, Any] | None = None


event(
    "message", creators=_ANYONE, reaches=EVERYWHERE,
    variants=MessageText | MessageImage | MessageAudio | MessageVideo | MessageFile
    | MessageTemplate | MessageCustom | MessageVcard | MessageLocation | MessageRandom,
)(Message)  # fmt: skip


@event("message:rejected", creators=_SERVER, reaches=EVERYWHERE)
class MessageRejected(EventReference, frozen=True):
    """A message was refused by its channel."""


@event("message:submitted", creators=_SERVER, reaches=EVERYWHERE)
class MessageSubmitted(EventReference, frozen=True):
    """A message was accepted by its channel."""


@event("message:undeliverable", creators=_SERVER, reaches=EVERYWHERE)
class MessageUndeliverable(EventReference, frozen=True):
    """A message cannot be delivered."""


@event("message:delivered", creators=_ANYONE, reaches=EVERYWHERE)
class MessageDelivered(EventReference, frozen=True):
    """A message was delivered to a member."""


@event("message:seen", creators=_ANYONE, reaches=EVERYWHERE)
class MessageSeen(EventReference, frozen=True):
    """A message was seen by a member."""
