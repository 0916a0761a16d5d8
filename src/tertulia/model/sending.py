"""Messages beyond the app, as values: what goes to an address by a messaging channel, what comes.

A sending is one message to one address. It ends in one final status, which nothing changes; only
that it was read may come to be known after that.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, MessageId
from tertulia.model.instant import Instant
from tertulia.model.state import Endpoint, Member, MemberState, Webhook


class MessageChannel(StrEnum):
    SMS = "sms"
    MMS = "mms"
    WHATSAPP = "whatsapp"
    VIBER = "viber"
    MESSENGER = "messenger"
    RCS = "rcs"
    EMAIL = "email"


CHANNELS = frozenset(MessageChannel)


class SendingStatus(StrEnum):
    ACCEPTED = "accepted"
    """Kept, and with no carrier yet."""
    SUBMITTED = "submitted"
    """A carrier has taken it."""
    DELIVERED = "delivered"
    REJECTED = "rejected"
    """We, or the carrier, would not have it."""
    UNDELIVERABLE = "undeliverable"
    """It did not arrive, or nothing was heard of it in time."""


FINAL = frozenset(
    {SendingStatus.DELIVERED, SendingStatus.REJECTED, SendingStatus.UNDELIVERABLE}
)  # fmt: skip


class Content(Struct, frozen=True, omit_defaults=True):
    """What is said, in the words of the Messages API."""

    message_type: str
    """text, image, audio, video, file, vcard, location, template, custom, sticker, reaction …"""
    members: dict[str, Any] = {}
    """`{"text": "Hi"}`, `{"image": {"url": …, "caption": …}}`: that of the type, its siblings."""
    extras: dict[str, Any] = {}
    """What is the channel's own: `sms`, `viber_service`, `messenger`, `whatsapp`, `context` …"""

    @property
    def text(self) -> str:
        """Of a text; otherwise empty."""
        text = self.members.get("text")
        return text if isinstance(text, str) else ""


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why something was refused, or did not arrive."""

    code: str
    """Of the table of message errors: `1120`, `1260` … (model/message_errors.py)."""
    reason: str = ""
    """In words; a carrier's own code is in it."""


class Order(Struct, frozen=True, omit_defaults=True):
    """A message that is wanted."""

    channel: str
    to: str
    from_: str = field(name="from")
    content: Content
    ttl: int | None = None
    """Seconds within which it is to be delivered."""
    client_ref: str = ""
    webhook: Webhook | None = None
    """Where its statuses are told, instead of the application's `status_url`."""


class Form(StrEnum):
    """In whose words statuses are told."""

    MESSAGES = "messages"
    SMS = "sms"
    """Of the older SMS API: its receipts."""
    EVENTS = "events"
    """As events of the conversation that the message is in, and not otherwise."""


class Workflow(Struct, frozen=True, omit_defaults=True):
    """Messages of which one after the other is tried until one is delivered."""

    id: str
    item: int
    """Of this one, from 1."""
    items: int


class MessagePlace(Struct, frozen=True):
    """The message of a conversation that a sending carries, and the member whom it is for."""

    conversation_id: ConversationId
    event_id: EventId
    member_id: MemberId


class Sending(Struct, frozen=True, omit_defaults=True):
    """One message on its way to one address, as it was left by the newest event about it."""

    id: MessageId
    application_id: ApplicationId
    order: Order
    created_at: Instant
    changed_at: Instant
    status: SendingStatus = SendingStatus.ACCEPTED
    form: Form = Form.MESSAGES
    carrier: str = ""
    """Name of the one that has it, or had it last."""
    refs: tuple[str, ...] = ()
    """The carrier's ids of its parts."""
    pending: tuple[str, ...] = ()
    """Those of which nothing final was heard."""
    problem: Problem | None = None
    expires_at: Instant | None = None
    """When its time to live is over."""
    due_at: Instant | None = None
    """Since it was submitted: until when something should have been heard."""
    read_at: Instant | None = None
    is_tried: bool = False
    """With a carrier of which one must not be handed over twice: it may have it already."""
    workflow: Workflow | None = None
    failover: tuple[Order, ...] = ()
    place: MessagePlace | None = None

    @property
    def is_over(self) -> bool:
        return self.status in FINAL


class Outcome(Struct, frozen=True):
    """What a carrier tells of a message that it has taken."""

    carrier: str
    ref: str
    status: SendingStatus | None
    """SUBMITTED: on its way still. None with `is_read`."""
    problem: Problem | None = None
    is_read: bool = False


class Arrival(Struct, frozen=True, omit_defaults=True):
    """A message that a carrier brings."""

    carrier: str
    ref: str
    """The carrier's id of it, or made of what it consists of: one that comes again is the same."""
    channel: str
    from_: str = field(name="from")
    to: str
    content: Content
    name: str = ""
    """By which the sender goes there."""
    context: str = ""
    """The carrier's id of the message that it answers."""
    details: dict[str, Any] = {}
    """What else the inbound webhook tells, by channel: `{"num_messages": "2"}`."""


class Inbound(Struct, frozen=True, omit_defaults=True):
    """An arrival that is kept."""

    id: MessageId
    application_id: ApplicationId
    arrival: Arrival
    at: Instant
    is_waiting: bool = False
    """It is not decided where it belongs."""
    place: MessagePlace | None = None
    """The event that it became."""
    answers: str = ""
    """Our id of the message that it answers."""


def address_of(member: Member) -> str | None:
    """`sms:447700900123`: where a joined member on a messaging channel is reached."""
    channel = member.channel
    if member.state is not MemberState.JOINED or channel.type not in CHANNELS:
        return None
    name = end_name(channel.to)
    return address(channel.type, name) if name else None


def address(channel: str, name: str) -> str:
    """`name`: a number, with or without its plus, or an id."""
    return f"{channel}:{name.lstrip('+')}"


def end_name(end: Endpoint | None) -> str:
    """Number or id of one end of a messaging channel; empty when there is none."""
    return (end.number or end.id or "") if end is not None else ""


def handed(
    sending: Sending, refs: tuple[str, ...], now: Instant, due_at: Instant | None
) -> Sending:
    """The carrier has taken it. With no `due_at` nothing more will be heard: that is all."""
    return replace(
        sending, status=SendingStatus.SUBMITTED, refs=refs, pending=refs, changed_at=now,
        due_at=due_at, problem=None,
    )  # fmt: skip


def ended(
    sending: Sending, status: SendingStatus, problem: Problem | None, now: Instant
) -> Sending:
    """As it is from then on. One that is over stays as it is."""
    if sending.is_over:
        return sending
    return replace(sending, status=status, problem=problem, changed_at=now, pending=())


def heard(sending: Sending, outcome: Outcome, now: Instant) -> Sending:
    """After what the carrier has told; the same when that changes nothing.

    A message of several parts is delivered when all are, and is not as soon as one is not.
    """
    if outcome.is_read:
        return sending if sending.read_at else replace(_delivered(sending, now), read_at=now)
    status = outcome.status
    if sending.is_over or status is None or status not in FINAL:
        return sending
    if status is not SendingStatus.DELIVERED:
        return ended(sending, status, outcome.problem, now)
    pending = tuple(ref for ref in sending.pending if ref != outcome.ref)
    if pending == sending.pending and pending:
        return sending
    return replace(sending, pending=pending) if pending else _delivered(sending, now)


def _delivered(sending: Sending, now: Instant) -> Sending:
    return ended(sending, SendingStatus.DELIVERED, None, now)
