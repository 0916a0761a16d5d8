"""Events of phone and SIP legs: life, machine detection and accounting."""

from typing import Literal

from msgspec import field

from tertulia.model.events.leg import LegState, LegStatus
from tertulia.model.events.registry import Body, event
from tertulia.model.events.rtc import Hangup, Progress
from tertulia.model.state import Channel


@event("sip:status")
class SipStatus(Body, frozen=True):
    """A phone or SIP leg has ended and this is its account."""

    direction: Literal["in", "out"]
    """COMPAT: here alone not `inbound` and `outbound` (wire-api 8 #22)."""
    price: str
    rate: str
    """Price of a minute."""
    duration: str
    """Seconds."""
    to: str
    from_: str = field(name="from")
    channel: Channel
    status: LegStatus | None = None
    network_code: str | None = None
    """Country and network of the called number."""
    request_time: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    state: LegState | None = None

    def __post_init__(self) -> None:
        if self.direction == "in" and self.status is None:
            raise ValueError("`status` is required")


@event("sip:answered")
class SipAnswered(Progress, frozen=True):
    """A phone or SIP leg was answered."""


@event("sip:machine")
class SipMachine(Body, frozen=True):
    """What answered a phone or SIP leg is a machine."""

    type: str
    confidence: int
    """Per cent."""
    channel: Channel


@event("sip:hangup")
class SipHangup(Hangup, frozen=True):
    """A phone or SIP leg ended."""


@event("sip:ringing")
class SipRinging(Progress, frozen=True):
    """A phone or SIP leg rings."""


@event("sip:amd_machine")
class SipAmdMachine(Body, frozen=True):
    """Advanced machine detection came to a result."""

    type: str
    confidence: int
    """Per cent."""
    channel: Channel
