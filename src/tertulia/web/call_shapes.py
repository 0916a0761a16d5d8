"""Calls as the call API has them (wire-api 5.2)."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from tertulia.model.calling import call_status, price, seconds
from tertulia.model.events.values import Direction
from tertulia.model.instant import Instant, iso
from tertulia.model.leg import Leg
from tertulia.model.state import Endpoint
from tertulia.services.timelines import Moment
from tertulia.web.shapes import Link, SelfLink

FREE = "0.00"


class CallEnd(Struct, frozen=True, omit_defaults=True):
    """One end of a call. The number of a withheld caller is empty."""

    type: str | None = None
    number: str | None = None
    user: str | None = None
    uri: str | None = None
    extension: str | None = None
    content_type: str | None = field(default=None, name="content-type")
    headers: dict[str, Any] | None = None


class CallReference(Struct, frozen=True):
    """A call that has begun."""

    uuid: str
    conversation_uuid: str
    status: str = "started"
    direction: Direction = Direction.OUTBOUND


class CallResource(Struct, frozen=True, omit_defaults=True):
    uuid: str
    conversation_uuid: str
    from_: CallEnd = field(name="from")
    to: CallEnd
    status: str
    direction: Direction
    links: SelfLink = field(name="_links")
    start_time: str | None = None
    """When it was answered."""
    end_time: str | None = None
    duration: str | None = None
    """Seconds; this and the next two once it has ended, as text."""
    rate: str | None = None
    price: str | None = None
    network: str | None = None


class CallList(Struct, frozen=True):
    calls: list[CallResource]


class RecordLinks(Struct, frozen=True, omit_defaults=True):
    self: Link
    first: Link
    last: Link
    prev: Link | None = None
    next: Link | None = None


class CallPage(Struct, frozen=True):
    count: int
    """Of all calls that match."""
    page_size: int
    record_index: int
    """Of the first call here, from 0."""
    embedded: CallList = field(name="_embedded")
    links: RecordLinks = field(name="_links")


class CallMessage(Struct, frozen=True):
    """What was done."""

    message: str
    uuid: str


class TimelineMoment(Struct, frozen=True):
    at: str
    lane: str
    """`sip`, `script`, `webhook` or `event`."""
    text: str
    detail: str


class CallTimeline(Struct, frozen=True):
    """What is known of a call, in the order of time: of the newest calls only."""

    uuid: str
    moments: list[TimelineMoment]
    connected: list[str]
    """The calls that its script has made, or the one whose script has made it."""


def call(found: Leg, where: str, base: str, *, knows_apps: bool) -> CallResource:
    """`where`: its conversation. `knows_apps`: whoever reads it can read an end of type `app`."""
    is_over = found.is_over
    return CallResource(
        uuid=found.id, conversation_uuid=where,
        from_=_end(found.from_, knows_apps=knows_apps), to=_end(found.to, knows_apps=knows_apps),
        status=call_status(found) or found.status, direction=found.direction,
        links=SelfLink(Link(f"{base}/calls/{found.id}")), start_time=_time(found.answered_at),
        end_time=_time(found.ended_at), duration=str(round(seconds(found))) if is_over else None,
        rate=(found.rate or FREE) if is_over else None, price=price(found) if is_over else None,
        network=found.network,
    )  # fmt: skip


def timeline(uuid: str, moments: Iterable[Moment], connected: Iterable[str]) -> CallTimeline:
    shown = [TimelineMoment(iso(each.at), each.lane, each.text, each.detail) for each in moments]
    return CallTimeline(uuid, shown, list(connected))


def _end(end: Endpoint, *, knows_apps: bool) -> CallEnd:
    if not (end.number or end.user or end.uri or end.extension):
        return CallEnd(type="phone", number="")
    if end.user and not end.number and not knows_apps:
        return CallEnd(number=end.user, user=end.user)
    return CallEnd(
        end.type, end.number, end.user, end.uri, end.extension, end.content_type, end.headers
    )


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else iso(instant)
