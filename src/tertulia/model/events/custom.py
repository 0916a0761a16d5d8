"""Events whose meaning is the application's own."""

from typing import Any

from tertulia.model.events.registry import EVERYWHERE, Body, Creator, Keep, Reach, event

_APPLICATION = Creator.REST | Creator.CLIENT


@event("custom:*", creators=_APPLICATION, reaches=EVERYWHERE, variants=dict[str, Any])
class Custom(Body, frozen=True):
    """Something happened that the application has a name for."""


@event(
    "ephemeral",
    creators=_APPLICATION,
    reaches=Reach.WEBHOOK | Reach.SESSION,
    keep=Keep.NEVER,
    variants=dict[str, Any],
)
class Ephemeral(Body, frozen=True):
    """Something is happening that need not be remembered."""
