"""A leg: the media path between this server and one endpoint, from its start to its end.

Its changes are events (`leg:status:update`), and it is what the newest of them says that it became.
"""

from msgspec import Struct, field
from msgspec.structs import replace

from tertulia.model.events.leg import (
    LegEnd,
    LegState,
    LegStatus,
    LegStatusUpdate,
    LegStep,
    LegType,
)
from tertulia.model.events.values import Direction
from tertulia.model.ids import ApplicationId, ConversationId, LegId, MemberId, UserId
from tertulia.model.instant import Instant, iso
from tertulia.model.state import Channel, Endpoint, Member, Webhook

OVER = frozenset(LegStatus) - {LegStatus.STARTED, LegStatus.RINGING, LegStatus.ANSWERED,
                               LegStatus.MACHINE}  # fmt: skip
"""Statuses that nothing follows."""

ENDS = {
    LegStatus.COMPLETED: LegEnd.OK, LegStatus.FAILED: LegEnd.FAILED, LegStatus.BUSY: LegEnd.BUSY,
    LegStatus.TIMEOUT: LegEnd.TIMEOUT, LegStatus.CANCELLED: LegEnd.CANCELLED,
    LegStatus.REJECTED: LegEnd.REJECTED,
}  # fmt: skip

PHONES = frozenset({LegType.PHONE, LegType.SIP, LegType.VBC})
"""Types of which the `sip` events tell."""

STEPS_MAX = 50
"""Of a leg's history, transfers among them; the oldest go."""


class Leg(Struct, frozen=True, omit_defaults=True):
    id: LegId
    application_id: ApplicationId
    type: LegType
    direction: Direction
    """Inbound: the endpoint called us."""
    status: LegStatus
    started_at: Instant
    from_: Endpoint = field(default=Endpoint(), name="from")
    to: Endpoint = Endpoint()
    user_id: UserId | None = None
    conversation_id: ConversationId | None = None
    member_id: MemberId | None = None
    knocking_id: str | None = None
    is_call: bool = False
    """Its member came with it, and leaves when it ends."""
    muted: bool = False
    earmuffed: bool = False
    can_hear: list[str] | None = None
    """Ids of the legs that it hears; None is all. The next alike: by whom it is heard."""
    can_speak: list[str] | None = None
    answered_at: Instant | None = None
    ended_at: Instant | None = None
    end: LegEnd | None = None
    ended_by: str | None = None
    """`user`: the far end; `platform`: we, or the application."""
    sip_code: int | None = None
    rate: str | None = None
    """Price of a minute; None costs nothing."""
    network: str | None = None
    """Of the far number: country and kind."""
    event_url: Webhook | None = None
    """Whom its application lets be told of it: also by a server that finds it broken off."""
    steps: tuple[LegStep, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.status in OVER

    @property
    def is_phone(self) -> bool:
        """Reached by SIP."""
        return self.type in PHONES

    @property
    def channel(self) -> Channel:
        """As events about the leg name it."""
        return Channel(
            type=self.type, id=self.id, from_=self.from_ if self.from_ != Endpoint() else None,
            to=self.to if self.to != Endpoint() else None, knocking_id=self.knocking_id,
        )  # fmt: skip


def advanced(leg: Leg, status: LegStatus, now: Instant, *, end: LegEnd | None = None) -> Leg:
    """The leg in a new status; an answered leg that ends is completed, whatever ended it."""
    if status in OVER:
        end = end or ENDS[status]
        if leg.answered_at is not None and status is not LegStatus.FAILED:
            status = LegStatus.COMPLETED
        leg = replace(leg, ended_at=now, end=end)
    if status is LegStatus.ANSWERED and leg.answered_at is None:
        leg = replace(leg, answered_at=now)
    return _stepped(replace(leg, status=status), now)


def moved(leg: Leg, conversation_id: ConversationId, member_id: MemberId, now: Instant) -> Leg:
    """The leg as a member of another conversation."""
    return _stepped(replace(leg, conversation_id=conversation_id, member_id=member_id), now)


def as_set(leg: Leg, other: Leg) -> Leg:
    """The leg with what is set of another state of it without an event."""
    return replace(
        leg, muted=other.muted, earmuffed=other.earmuffed, can_hear=other.can_hear,
        can_speak=other.can_speak, event_url=other.event_url,
    )  # fmt: skip


def as_entered(leg: Leg, member: Member) -> Leg:
    """The leg with the audio settings that its member comes with. What was muted before stays so,
    and so do the lists unless the member has its own."""
    settings, channel = member.media.audio_settings, member.channel
    return replace(
        leg, muted=leg.muted or settings.muted, earmuffed=leg.earmuffed or settings.earmuffed,
        can_hear=leg.can_hear if channel.can_hear is None else channel.can_hear,
        can_speak=leg.can_speak if channel.can_speak is None else channel.can_speak,
    )  # fmt: skip


def status_body(leg: Leg) -> LegStatusUpdate:
    return LegStatusUpdate(
        leg_id=leg.id, type=leg.type, status=leg.status, direction=leg.direction,
        status_history=list(leg.steps), state=leg_state(leg),
    )  # fmt: skip


def _stepped(leg: Leg, now: Instant) -> Leg:
    in_room = leg.conversation_id is not None
    step = LegStep(
        status=leg.status, date=iso(now), conversation_id=leg.conversation_id,
        member_id=leg.member_id, knocker_id=None if in_room else leg.knocking_id,
        state=leg_state(leg),
    )  # fmt: skip
    return replace(leg, steps=(*leg.steps, step)[-STEPS_MAX:])


def leg_state(leg: Leg) -> LegState | None:
    """How it ended; None while it has not."""
    if leg.end is None:
        return None
    return LegState(leg.status, leg.end is LegEnd.OK, leg.end)
