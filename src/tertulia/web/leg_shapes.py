"""Legs and their signalling as the wire has them (wire-api 4.1 and 5.1, wire-clients 5.5)."""

from msgspec import Struct, field

from tertulia.model.calling import price
from tertulia.model.events.leg import LegStatus, LegType
from tertulia.model.events.values import Direction
from tertulia.model.instant import Instant, iso
from tertulia.model.leg import Leg
from tertulia.model.state import Endpoint
from tertulia.services.audiocontrol import MediaState
from tertulia.web.shapes import Link, PageLinks, SelfLink

FREE = "0.0"


class LegResource(Struct, frozen=True, omit_defaults=True):
    id: str
    type: LegType
    status: LegStatus
    direction: Direction
    from_: Endpoint = field(name="from")
    to: Endpoint
    start_time: str
    end_time: str
    """COMPAT: both are there from the start, empty until they are known (wire-clients 5.5)."""
    conversation_id: str
    media_state: MediaState
    rate: str
    price: str
    duration: str
    """Seconds since it was answered."""
    links: SelfLink = field(name="_links")
    knocking_id: str | None = None


class LegList(Struct, frozen=True):
    legs: list[LegResource]


class LegPage(Struct, frozen=True):
    page_size: int
    embedded: LegList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class LegAnswer(Struct, frozen=True):
    """The server's answer to the offer of a new leg."""

    rtc_id: str
    sdp: str
    href: str


class RtcResource(Struct, frozen=True):
    """A leg that was given, or is being given, a media path."""

    id: str
    rtc_id: str
    href: str


class KnockResource(Struct, frozen=True):
    id: str
    href: str


def leg(found: Leg, base: str, state: MediaState) -> LegResource:
    return LegResource(
        id=found.id, type=found.type, status=found.status, direction=found.direction,
        from_=found.from_, to=found.to, start_time=_time(found.answered_at or found.started_at),
        end_time=_time(found.ended_at), conversation_id=found.conversation_id or "",
        media_state=state, rate=found.rate or FREE, price=price(found) if found.rate else FREE,
        duration=_duration(found), links=SelfLink(Link(f"{base}/legs/{found.id}")),
        knocking_id=found.knocking_id,
    )  # fmt: skip


def _time(instant: Instant | None) -> str:
    return "" if instant is None else iso(instant)


def _duration(found: Leg) -> str:
    if found.answered_at is None or found.ended_at is None:
        return "0"
    return str((found.ended_at - found.answered_at + 999) // 1000)
