"""COMPAT: events of a mixer's inside, whose bodies no source documents (v0.3)."""

from typing import Any

from tertulia.model.events.registry import Body, Creator, event

_OLDER = Creator.REST_LEGACY | Creator.PLATFORM


@event("mixer:publisher:created", creators=_OLDER, variants=dict[str, Any])
class MixerPublisherCreated(Body, frozen=True):
    """A mixer got a source."""


@event("mixer:publisher:destroyed", creators=_OLDER, variants=dict[str, Any])
class MixerPublisherDestroyed(Body, frozen=True):
    """A mixer lost a source."""


@event("mixer:subscriber:created", creators=_OLDER, variants=dict[str, Any])
class MixerSubscriberCreated(Body, frozen=True):
    """A mixer got a listener."""


@event("mixer:subscriber:destroyed", creators=_OLDER, variants=dict[str, Any])
class MixerSubscriberDestroyed(Body, frozen=True):
    """A mixer lost a listener."""
