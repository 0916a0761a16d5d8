"""Events of app legs: signalling, life and accounting of WebRTC.

Signalling is addressed to one session. COMPAT: `session_destination` and `isFromMB` are members of
the body in REST, and of the envelope in webhooks (wire-api 8 #11).
"""

from typing import Any

from msgspec import field
from msgspec.structs import force_setattr

from tertulia.model.events.registry import EVERYWHERE, Body, event
from tertulia.model.events.values import Count, Direction, Part
from tertulia.model.state import Channel


class Quality(Part, frozen=True):
    """How well the audio of a leg came through."""

    mos_score: float
    """1 (bad) to 5 (excellent)."""
    quality_percentage: float
    jitter_min_var: float
    """Milliseconds, as the other jitters."""
    jitter_max_var: float
    jitter_loss_rate: float
    jitter_burst_rate: float
    flaw_total: Count
    packet_cnt: Count
    packet_loss_perc: float


class Bandwidth(Part, frozen=True):
    """Bytes that a leg has carried."""

    bytes_in: Count
    bytes_out: Count
    byte_in: Count | None = None
    """COMPAT: the names of the public reference are emitted beside the older ones (8 #6)."""
    byte_out: Count | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "byte_in", self.bytes_in)
        force_setattr(self, "byte_out", self.bytes_out)


class HangupReason(Part, frozen=True):
    """Why a leg ended."""

    text: str
    code: str
    """`LOCAL_HANGUP`, `REMOTE_BUSY` …: wire-api 2.3 lists those that clients know."""
    sip_code: int


class Hangup(Body, frozen=True):
    """What is known of a leg when it ends."""

    direction: Direction
    quality: Quality
    bandwidth: Bandwidth
    channel: Channel
    reason: HangupReason
    """COMPAT: optional by the reference; the browser SDK needs it."""


class Progress(Body, frozen=True):
    """A leg on its way to being answered."""

    direction: Direction
    channel: Channel


@event("rtc:status")
class RtcStatus(Body, frozen=True):
    """An app leg has ended and this is its account."""

    duration: str
    """Seconds."""
    start_time: str
    end_time: str
    mos: float
    """1 (bad) to 5 (excellent)."""
    price: str
    price_currency: str
    channel: Channel


@event("rtc:transfer", reaches=EVERYWHERE)
class RtcTransfer(Body, frozen=True):
    """A leg was moved from another conversation into this one."""

    was_member: str
    """The member that the leg was in the other conversation."""
    user_id: str
    transferred_from: str
    """The other conversation."""
    channel: Channel


@event("rtc:hangup", reaches=EVERYWHERE)
class RtcHangup(Hangup, frozen=True):
    """An app leg ended."""


@event("rtc:terminate")
class RtcTerminate(Body, frozen=True):
    """The server ended a WebRTC connection."""

    member_id: str
    rtc_id: str
    """Id of the leg."""
    session_destination: str | None = None


@event("rtc:answered")
class RtcAnswered(Progress, frozen=True):
    """An app leg was answered."""


@event("rtc:ringing")
class RtcRinging(Progress, frozen=True):
    """An app leg rings."""


@event("rtc:answer", reaches=EVERYWHERE)
class RtcAnswer(Body, frozen=True):
    """The server answered the offer of a client."""

    answer: str
    """SDP."""
    rtc_id: str
    """Id of the leg."""
    session_destination: str | None = None
    is_from_mb: bool | None = field(default=None, name="isFromMB")


@event("rtc:offer")
class RtcOffer(Body, frozen=True):
    """The server offered a WebRTC connection to a client."""

    sdp: str
    leg_id: str
    member_leg_id: str
    media_settings: dict[str, Any]
    name: str
    """Name of the user."""
    member_id: str | None = None
    session_destination: str | None = None
