"""What happens in the life of a leg, as facts of its conversation, in the order of the wire."""

from decimal import Decimal
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
    Hangup,
    HangupReason,
    Progress,
    Quality,
    RtcAnswered,
    RtcHangup,
    RtcRinging,
    RtcStatus,
    RtcTransfer,
)
from tertulia.model.events.sip import (
    SipAmdMachine,
    SipAnswered,
    SipHangup,
    SipMachine,
    SipRinging,
    SipStatus,
)
from tertulia.model.events.values import Direction
from tertulia.model.ids import ConversationId, MemberId
from tertulia.model.instant import Instant, iso
from tertulia.model.leg import Leg, advanced, leg_state, status_body
from tertulia.model.state import AudioSettings, Conversation, Endpoint, Media, Member

NOTHING = Account(0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 1.0)
"""Of a leg that never carried anything, or whose worker died with what it knew."""
CURRENCY = "EUR"
FREE = "0.0"
FREE_RATE = "0.00000000"


CANCELLED, UNAVAILABLE = 487, 480
"""SIP: the caller has given up; nobody answers this call now."""
UNANSWERED = frozenset({LegEnd.REQUEST_TIMEOUT, LegEnd.TEMPORARILY_UNAVAILABLE})
"""Of a call that timed out at the far end, not by our own patience."""
DISCONNECTED = "disconnected"
PLATFORM, USER = "platform", "user"
"""By whom a call was ended: the far end is the user."""


class End(Struct, frozen=True):
    """Why a leg ends, in the words of each place that tells."""

    status: LegStatus
    code: str
    text: str
    sip_code: int
    end: LegEnd | None = None
    by: str = PLATFORM


class Ending(Enum):
    """COMPAT: the client SDK takes `sip_code` 487 for a time-out of ringing and nothing else
    (wire-clients 5.4), though SIP knows it for every cancelled call."""

    HUNG_UP = End(LegStatus.COMPLETED, "LOCAL_HANGUP", "hung up", 200, by=USER)
    """By its own user."""
    REMOVED = End(LegStatus.COMPLETED, "REMOTE_HANGUP", "hung up by another", 200)
    LOST = End(LegStatus.COMPLETED, "REMOTE_FAILURE", "the connection was lost", 503,
               LegEnd.FLOW_FAILED, USER)  # fmt: skip
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
    GAVE_UP = End(LegStatus.CANCELLED, "REMOTE_CANCEL", "the caller gave up", 487, by=USER)
    UNREADABLE = End(LegStatus.FAILED, "REMOTE_FAILURE", "no common media", 488,
                     LegEnd.NOT_IMPLEMENTED)  # fmt: skip
    FULL = End(LegStatus.FAILED, "REMOTE_FAILURE", "there is no room for another call", 503,
               LegEnd.SERVICE_UNAVAILABLE)  # fmt: skip
    UNREACHED = End(LegStatus.FAILED, "REMOTE_FAILURE", "its server could not be reached", 503,
                    LegEnd.SERVICE_UNAVAILABLE, USER)  # fmt: skip
    MACHINE = End(LegStatus.COMPLETED, "LOCAL_HANGUP", "a machine has answered", 200)


_DECLINED: dict[int, tuple[LegStatus, str, LegEnd]] = {
    401: (LegStatus.REJECTED, "REMOTE_REJECTED", LegEnd.FORBIDDEN),
    402: (LegStatus.REJECTED, "REMOTE_REJECTED", LegEnd.PAYMENT_REQUIRED),
    403: (LegStatus.REJECTED, "REMOTE_REJECTED", LegEnd.FORBIDDEN),
    404: (LegStatus.FAILED, "REMOTE_NOT_FOUND", LegEnd.NOT_FOUND),
    407: (LegStatus.REJECTED, "REMOTE_REJECTED", LegEnd.FORBIDDEN),
    408: (LegStatus.TIMEOUT, "REMOTE_NO_ANSWER", LegEnd.REQUEST_TIMEOUT),
    410: (LegStatus.FAILED, "REMOTE_NOT_FOUND", LegEnd.GONE),
    480: (LegStatus.TIMEOUT, "REMOTE_NO_ANSWER", LegEnd.TEMPORARILY_UNAVAILABLE),
    484: (LegStatus.FAILED, "REMOTE_NOT_FOUND", LegEnd.ADDRESS_INCOMPLETE),
    486: (LegStatus.BUSY, "REMOTE_BUSY", LegEnd.BUSY_HERE),
    487: (LegStatus.CANCELLED, "REMOTE_CANCEL", LegEnd.REQUEST_TERMINATED),
    500: (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.SERVER_INTERNAL_ERROR),
    501: (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.NOT_IMPLEMENTED),
    502: (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.BAD_GATEWAY),
    503: (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.SERVICE_UNAVAILABLE),
    504: (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.SERVER_TIMEOUT),
    505: (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.VERSION_NOT_SUPPORTED),
    600: (LegStatus.BUSY, "REMOTE_BUSY", LegEnd.BUSY),
    603: (LegStatus.REJECTED, "REMOTE_REJECTED", LegEnd.REJECTED),
    604: (LegStatus.FAILED, "REMOTE_NOT_FOUND", LegEnd.NOT_FOUND),
    607: (LegStatus.REJECTED, "REMOTE_REJECTED", LegEnd.BANNED_CALL_ENDED),
}


def declined(code: int, text: str) -> End:
    """Why a call ends that the far end has answered with a SIP code of 300 to 699."""
    status, word, end = _DECLINED.get(code, (LegStatus.FAILED, "REMOTE_FAILURE", LegEnd.FAILED))
    return End(status, word, text[:200] or word.lower(), code, end, USER)


def hung_up(leg: Leg, code: int, text: str) -> End:
    """Why a call ends that the far end has ended: properly, by giving up, or because it is lost."""
    if code >= 300 and code != CANCELLED:
        return End(LegStatus.COMPLETED if leg.answered_at else LegStatus.FAILED, "REMOTE_FAILURE",
                   text[:200] or "the call was lost", code, LegEnd.FLOW_FAILED, USER)  # fmt: skip
    return Ending.HUNG_UP.value if leg.answered_at else Ending.GAVE_UP.value


_NAMES: dict[type[Body], str] = {
    RtcRinging: "rtc:ringing", RtcAnswered: "rtc:answered", RtcHangup: "rtc:hangup",
    RtcStatus: "rtc:status", SipRinging: "sip:ringing", SipAnswered: "sip:answered",
    SipHangup: "sip:hangup", SipStatus: "sip:status", SipMachine: "sip:machine",
    SipAmdMachine: "sip:amd_machine",
}  # fmt: skip


def as_heard(leg: Leg, end: End) -> End:
    """An end as the leg's far end hears of it: no phone that rings is told that all is well."""
    if not leg.is_phone or leg.answered_at is not None or end.sip_code >= 300:
        return end
    is_ours = leg.direction is Direction.OUTBOUND
    return replace(end, sip_code=CANCELLED if is_ours else UNAVAILABLE)


def over(leg: Leg, end: End, now: Instant) -> Leg:
    """The leg as it is when it has ended like this."""
    done = advanced(leg, end.status, now, end=end.end)
    return replace(done, ended_by=end.by, sip_code=end.sip_code)


def status_fact(leg: Leg) -> Fact:
    body = encode_body(status_body(leg))
    return Fact("leg:status:update", body, sender=leg.member_id, became=leg)


def rang(leg: Leg) -> tuple[Fact, ...]:
    """A phone that calls us does not ring: it hears it ring."""
    is_silent = leg.is_phone and leg.direction is Direction.INBOUND
    return (status_fact(leg), *(() if is_silent else _progress(leg, RtcRinging, SipRinging)))


def answered(leg: Leg) -> tuple[Fact, ...]:
    return (status_fact(leg), *_progress(leg, RtcAnswered, SipAnswered))


def _progress(leg: Leg, of_app: type[Progress], of_phone: type[Progress]) -> tuple[Fact, ...]:
    """In the words of the leg's type, if it has any."""
    if leg.type is not LegType.APP and not leg.is_phone:
        return ()
    form = of_phone if leg.is_phone else of_app
    return (_told(leg, form(direction=leg.direction, channel=leg.channel)),)


def ended(leg: Leg, account: Account, end: End) -> tuple[Fact, ...]:
    """The leg's last words. COMPAT: the client SDK needs all of them in a hangup."""
    told = [status_fact(leg)]
    if leg.type is LegType.APP:
        told.append(_told(leg, _hangup(RtcHangup, leg, account, end)))
        told.append(_told(leg, _rtc_status(leg, account)))
    elif leg.is_phone:
        told.append(_told(leg, _hangup(SipHangup, leg, account, end)))
        told.append(_told(leg, _sip_status(leg)))
    return tuple(told)


def _hangup(form: type[Hangup], leg: Leg, account: Account, end: End) -> Hangup:
    return form(
        direction=leg.direction, channel=leg.channel, quality=_quality(account),
        bandwidth=Bandwidth(account.bytes_in, account.bytes_out),
        reason=HangupReason(text=end.text, code=end.code, sip_code=end.sip_code),
    )  # fmt: skip


def _rtc_status(leg: Leg, account: Account) -> RtcStatus:
    return RtcStatus(
        duration=f"{seconds(leg):.3f}", start_time=iso(leg.answered_at or leg.started_at),
        end_time=iso(leg.ended_at or leg.started_at), mos=_mos(account), price=FREE,
        price_currency=CURRENCY, channel=leg.channel,
    )  # fmt: skip


def _sip_status(leg: Leg) -> SipStatus:
    """COMPAT: all numbers are text, and the number of nobody is an empty one (wire-api 2.3)."""
    is_inbound = leg.direction is Direction.INBOUND
    return SipStatus(
        direction="in" if is_inbound else "out", price=price(leg), rate=leg.rate or FREE_RATE,
        duration=str(round(seconds(leg))), to=name_of(leg.to), from_=name_of(leg.from_),
        channel=leg.channel, status=leg.status, network_code=leg.network,
        request_time=iso(leg.started_at), start_time=iso(leg.answered_at or leg.started_at),
        end_time=iso(leg.ended_at or leg.started_at),
        state=leg_state(leg),
    )  # fmt: skip


def seconds(leg: Leg) -> float:
    """That it was answered, up to its end."""
    if leg.answered_at is None or leg.ended_at is None:
        return 0.0
    return (leg.ended_at - leg.answered_at) / 1000


def price(leg: Leg) -> str:
    """Of the whole call, by the second."""
    return f"{Decimal(leg.rate or 0) * Decimal(str(seconds(leg))) / 60:.8f}"


def name_of(end: Endpoint) -> str:
    """An end of a call in one word."""
    return end.number or end.user or end.uri or end.extension or ""


def status_of(leg: Leg) -> str:
    """In the words of the voice webhooks (wire-api 5.4), which tell apart more than legs do."""
    if leg.status is LegStatus.TIMEOUT and leg.end in UNANSWERED:
        return "unanswered"
    if leg.type is LegType.WEBSOCKET and leg.is_over and leg.ended_by == USER:
        return DISCONNECTED if leg.answered_at is not None else "unanswered"
    return leg.status


def call_status(leg: Leg) -> str | None:
    """In the words of the call API (wire-api 5.2); None for a leg that came by no call."""
    if not leg.is_call:
        return None
    status = status_of(leg)
    return str(LegStatus.COMPLETED) if status == DISCONNECTED else status


def machine_facts(
    leg: Leg, kind: str, confidence: int, *, is_advanced: bool, is_news: bool
) -> tuple[Fact, ...]:
    """What has answered is a machine, or has said that one may speak now."""
    form = SipAmdMachine if is_advanced else SipMachine
    body = form(type=kind, confidence=confidence, channel=leg.channel)
    return (*([status_fact(leg)] if is_news else ()), _told(leg, body))


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


def _told(leg: Leg, body: Body) -> Fact:
    return Fact(_NAMES[type(body)], encode_body(body), sender=leg.member_id)


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
