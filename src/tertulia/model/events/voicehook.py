"""What voice webhooks are told, kept until they have heard it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tertulia.model.events.registry import Body, Creator, Keep, Reach, event

VOICE_WEBHOOK = "custom:tertulia:call"


@event(VOICE_WEBHOOK, creators=Creator.PLATFORM, reaches=Reach.WEBHOOK, keep=Keep.APPLICATION)
class CustomTertuliaCall(Body, frozen=True):
    """Extension: something became known about a call; its voice webhook alone gets the members."""

    leg_id: str
    url: Annotated[str, Meta(max_length=2048)]
    members: dict[str, Any]
    method: str = "POST"
    connect_timeout: int | None = None
    """Milliseconds, as the next."""
    socket_timeout: int | None = None


_decode = msgspec.json.Decoder(CustomTertuliaCall).decode


def voice_body(body: bytes) -> CustomTertuliaCall:
    """Of an event of this type that has not been deleted."""
    return _decode(body)
