"""What happens in the life of a leg, as facts of its conversation, in the order of the wire."""

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from tertulia.model.commands import Account
from tertulia.model.event import Fact
from tertulia.model.events.leg import LegEnd, LegStatus, LegType
from tertulia.model.events.member import MemberMedia
from tertulia.model.events.registry import Body, encode_body
from tertulia.model.events.rtc import (
    Bandwidth,
    HangupReason,
    Quality,
    RtcAnswered,
    RtcHangup,
    RtcRinging,
    RtcStatus,
    RtcTransfer,
)
from tertulia.model.ids import ConversationId, MemberId
from tertulia.model.instant import iso
from tertulia.model.leg import Leg, status_body
from tertulia.model.state import AudioSettings, Conversation, Media, Member

NOTHING = Account(0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 1.0)
"""Of a leg that never carried anything, or whose worker died with what it knew."""
CURRENCY = "EUR"
FREE = "0.0"


class End(Struct, frozen=True):
    """Why a leg ends, in the words of each place that tells."""

    status: LegStatus
    code: str
    text: str
    sip_code: int
    end: LegEnd | None = None


class Ending(Enum):
    """COMPAT: the client SDK takes `sip_code` 487 for a time-out of ringing and nothing else
    (wire-clients 5.4), though SIP knows it for every cancelled call."""

    HUNG_UP = End(LegStatus.COMPLETED, "LOCAL_HANGUP", "hung up", 200)
    """By its own user."""
    REMOVED = End(LegStatus.COMPLETED, "REMOTE_HANGUP", "hung up by another", 200)
    LOST = End(LegStatus.COMPLETED, "REMOTE_FAILURE", "the connection was lost", 503,
               LegEnd.FLOW_FAILED)  # fmt: skip
    FAILED = End(LegStatus.FAILED, "REMOTE_FAILURE", "the media path failed", 503)
    BROKEN = End(LegStatus.FAILED, "REMOTE_FAILURE", "the media worker failed", 500,
                 LegEnd.SERVER_INTERNAL_ERROR)  # fmt: skip
    UNUSED = End(LegStatus.TIMEOUT, "REMOTE_NO_ANSWER", "never joined a conversation", 408)
    RANG_OUT = End(LegStatus.TIMEOUT, "RING_TIMER", "not answered in time", 487)
    REJECTED = End(LegStatus.REJECTED, "REMOTE_REJECTED", "rejected by the callee", 603)
    CANCELLED = End(LegStatus.CANCELLED, "REMOTE_CANCEL", "cancelled by the caller", 200)
    NOT_FOUND = End(LegStatus.REJECTED, "REMOTE_NOT_FOUND", "nobody answers this call", 404,
                    LegEnd.NOT_FOUND)  # fmt: skip
    NO_SCRIPT = End(LegStatus.FAILED, "REMOTE_FAILURE", "the application gave no usable answer",
                    502, LegEnd.BAD_GATEWAY)  # fmt: skip
    LENGTH = End(LegStatus.COMPLETED, "LENGTH_TIMER", "the call has lasted long enough", 200)


def status_fact(leg: Leg) -> Fact:
    body = encode_body(status_body(leg))
    return Fact("leg:status:update", body, sender=leg.member_id, became=leg)


def rang(leg: Leg) -> tuple[Fact, ...]:
    ringing = RtcRinging(direction=leg.direction, channel=leg.channel)
    return (status_fact(leg), *_of_app(leg, "rtc:ringing", ringing))


def answered(leg: Leg) -> tuple[Fact, ...]:
    body = RtcAnswered(direction=leg.direction, channel=leg.channel)
    return (status_fact(leg), *_of_app(leg, "rtc:answered", body))


def ended(leg: Leg, account: Account, end: End) -> tuple[Fact, ...]:
    """The leg's last words. COMPAT: the client SDK needs all of them in `rtc:hangup`."""
    hangup = RtcHangup(
        direction=leg.direction, channel=leg.channel, quality=_quality(account),
        bandwidth=Bandwidth(account.bytes_in, account.bytes_out),
        reason=HangupReason(text=end.text, code=end.code, sip_code=end.sip_code),
    )  # fmt: skip
    closing = leg.ended_at or leg.started_at
    seconds = (closing - leg.answered_at) / 1000 if leg.answered_at is not None else 0.0
    status = RtcStatus(
        duration=f"{seconds:.3f}", start_time=iso(leg.answered_at or leg.started_at),
        end_time=iso(closing), mos=_mos(account), price=FREE, price_currency=CURRENCY,
        channel=leg.channel,
    )  # fmt: skip
    return (
        status_fact(leg),
        *_of_app(leg, "rtc:hangup", hangup),
        *_of_app(leg, "rtc:status", status),
    )


def told_to_invited(told: tuple[Fact, ...], conversation: Conversation) -> tuple[Fact, ...]:
    """The same facts, of which who was only invited hears that the call is over.

    COMPAT: the client SDK stops to ring when it was told both `rtc:hangup` and `member:left`
    (wire-clients 5.4); events reach the invited when they say what became of it.
    """
    return tuple(_to_invited(fact, conversation) for fact in told)


def _to_invited(fact: Fact, conversation: Conversation) -> Fact:
    member = conversation.members.get(fact.sender) if fact.sender else None
    if fact.type != "rtc:hangup" or member is None or member.joined_at is not None:
        return fact
    return replace(fact, became=member)


def transferred(leg: Leg, user_id: str, was: MemberId, origin: ConversationId) -> Fact:
    body = RtcTransfer(
        was_member=was, user_id=user_id, transferred_from=origin, channel=leg.channel
    )
    return Fact("rtc:transfer", encode_body(body), sender=leg.member_id)


def media_fact(member: Member, leg: Leg, *, on: bool = True) -> Fact:
    """`member:media`: audio is there, or is so now; `on=False`: it is gone, and the leg with it."""
    is_muted, is_earmuffed = on and leg.muted, on and leg.earmuffed  # with the leg these go too
    settings = AudioSettings(enabled=on, earmuffed=is_earmuffed, muted=is_muted)
    media = Media(audio_settings=settings, audio=on)
    channel = replace(member.channel, id=leg.id)
    body = MemberMedia(audio=on, media=media, channel=channel)
    kept = channel if on else replace(member.channel, id=None)
    became = replace(member, media=media, channel=kept)
    return Fact("member:media", encode_body(body), sender=member.id, became=became)


def _of_app(leg: Leg, name: str, body: Body) -> tuple[Fact, ...]:
    """`rtc:*` tells of app legs; other types have words of their own."""
    if leg.type is not LegType.APP:
        return ()
    return (Fact(name, encode_body(body), sender=leg.member_id),)


def _quality(account: Account) -> Quality:
    expected = account.packets_in + account.packets_lost
    lost = 100 * account.packets_lost / expected if expected else 0.0
    return Quality(
        mos_score=_mos(account), quality_percentage=_percentage(_mos(account)),
        jitter_min_var=round(account.jitter_min, 2), jitter_max_var=round(account.jitter_max, 2),
        jitter_loss_rate=round(account.jitter_loss, 2), jitter_burst_rate=round(account.burst, 2),
        flaw_total=account.flaws, packet_cnt=account.packets_in, packet_loss_perc=round(lost, 2),
    )  # fmt: skip


def _mos(account: Account) -> float:
    """Of a leg from which nothing came the model knows nothing."""
    return round(account.mos if account.packets_in else NOTHING.mos, 2)


def _percentage(mos: float) -> float:
    """Where a score stands between bad (1) and as good as Opus and G.711 get (4.5)."""
    return round(min(max((mos - 1) / 3.5, 0.0), 1.0) * 100, 1)
