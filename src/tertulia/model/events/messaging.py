"""What messages of messaging channels are, and what their webhooks are told, kept until heard."""

from typing import Annotated, Any

from msgspec import Meta, field

from tertulia.model.events.registry import Body, Creator, Keep, Reach, event

MESSAGE_WEBHOOK = "custom:tertulia:message"


@event(MESSAGE_WEBHOOK, creators=Creator.PLATFORM, reaches=Reach.WEBHOOK, keep=Keep.APPLICATION)
class CustomTertuliaMessage(Body, frozen=True):
    """Extension: what is known of a message beyond the app; its webhook alone gets the members."""

    message_uuid: str
    lane: str
    """What is told under the same name is told in order."""
    url: Annotated[str, Meta(max_length=2048)] = ""
    """Empty: nobody is told."""
    members: dict[str, Any] = field(default_factory=dict)
    method: str = "POST"
