"""COMPAT: text and image events, from before `message` (v0.3 and the older browser SDK)."""

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import force_setattr

from tertulia.model.addresses import has_unsafe_address
from tertulia.model.events.audio import Language
from tertulia.model.events.registry import EVERYWHERE, Body, Creator, Keep, Reach, event
from tertulia.model.events.values import EventNumber, EventReference, Part

_OLDER = Creator.REST_LEGACY | Creator.CLIENT

Words = Annotated[str, Meta(max_length=2500)]


class Edited(Part, frozen=True):
    """Who changed a text, and when."""

    edited_by: int
    edited_at: str


@event("text", creators=_OLDER, reaches=EVERYWHERE)
class Text(Body, frozen=True):
    """A text was posted."""

    text: Words
    language: Language | None = None
    channels: list[Literal["sms", "app"]] | None = None
    edited: Edited | None = None


@event("text:seen", creators=_OLDER, reaches=EVERYWHERE)
class TextSeen(EventReference, frozen=True):
    """A text was seen by a member."""


@event("text:delivered", creators=_OLDER, reaches=EVERYWHERE)
class TextDelivered(EventReference, frozen=True):
    """A text was delivered to a member."""


class Typing(Body, frozen=True):
    """Whether somebody types; not remembered."""

    activity: int | None = None
    """1 while typing, 0 after."""
    event_id: int | None = None


@event("text:typing:on", creators=_OLDER, reaches=Reach.WEBHOOK | Reach.SESSION, keep=Keep.NEVER)
class TextTypingOn(Typing, frozen=True):
    """A member began to type."""


@event("text:typing:off", creators=_OLDER, reaches=Reach.WEBHOOK | Reach.SESSION, keep=Keep.NEVER)
class TextTypingOff(Typing, frozen=True):
    """A member stopped typing."""


@event("text:update", creators=Creator.REST_LEGACY)
class TextUpdate(Body, frozen=True):
    """A text was edited."""

    text: Words
    original_event_id: EventNumber

    def __post_init__(self) -> None:
        force_setattr(self, "original_event_id", int(self.original_event_id))


@event("image", creators=_OLDER, reaches=EVERYWHERE)
class Image(Body, frozen=True):
    """An image was posted."""

    representations: dict[str, Any]
    """What its upload was answered with: `id`, or `original`, `medium` and others."""

    def __post_init__(self) -> None:
        if has_unsafe_address(self.representations):
            raise ValueError("`representations` must hold safe addresses only")


@event("image:seen", creators=_OLDER, reaches=EVERYWHERE)
class ImageSeen(EventReference, frozen=True):
    """An image was seen by a member."""


@event("image:delivered", creators=_OLDER, reaches=EVERYWHERE)
class ImageDelivered(EventReference, frozen=True):
    """An image was delivered to a member."""
