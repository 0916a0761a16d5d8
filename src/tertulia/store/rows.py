"""Values to stored JSON and back.

A record is what the log keeps of an event beside its columns. Body and `_embedded` are spliced in
as the bytes they are; nothing that was encoded is encoded again.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from tertulia.model import event
from tertulia.model.event import Event, State
from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, Position
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.sending import Inbound, Sending
from tertulia.model.state import Application, Conversation, Member, Profile, User
from tertulia.ports import (
    FoundCalls,
    Joined,
    ListedConversation,
    ListedLeg,
    ListedMember,
    ListedUser,
)

BLANK_BODY = b"{}"

encode = msgspec.json.Encoder().encode


class Became(Struct, frozen=True, omit_defaults=True):
    """Which of them an event's `became` is."""

    profile: Profile | None = None
    member: Member | None = None
    leg: Leg | None = None
    sending: Sending | None = None
    inbound: Inbound | None = None

    @property
    def value(self) -> event.Became | None:
        return self.profile or self.member or self.leg or self.sending or self.inbound


class Record(Struct, frozen=True, omit_defaults=True):
    timestamp: Instant
    body: Raw
    sender: MemberId | None = field(default=None, name="from")
    recipient: MemberId | None = field(default=None, name="to")
    embedded: Raw | UnsetType = field(default=UNSET, name="_embedded")
    became: Became | None = None


class Place(Struct, frozen=True, array_like=True):
    """The columns of the log."""

    position: Position
    application_id: ApplicationId
    conversation_id: ConversationId | None
    id: EventId | None
    type: str
    deleted_at: Instant | None


class EventRow(Struct, frozen=True, array_like=True):
    place: Place
    record: Record
    receipts: list[tuple[str, MemberId, Instant]]

    def event(self) -> Event:
        place, record = self.place, self.record
        became = record.became
        return Event(
            application_id=place.application_id,
            conversation_id=place.conversation_id,
            id=place.id,
            type=place.type,
            timestamp=record.timestamp,
            body=bytes(record.body),
            sender=record.sender,
            recipient=record.recipient,
            embedded=None if record.embedded is UNSET else bytes(record.embedded),
            became=became.value if became else None,
            position=place.position,
            deleted_at=place.deleted_at,
            state=_fold(self.receipts) if self.receipts else None,
        )


def _fold(receipts: list[tuple[str, MemberId, Instant]]) -> State:
    state: State = {}
    for kind, member, at in receipts:
        state.setdefault(kind, {})[member] = at
    return state


def encode_record(event: Event) -> bytes:
    """The record of an event that is about to be stored."""
    return encode(
        Record(
            event.timestamp,
            Raw(event.body),
            event.sender,
            event.recipient,
            UNSET if event.embedded is None else Raw(event.embedded),
            _became(event.became),
        )
    )


def _became(became: event.Became | None) -> Became | None:
    match became:
        case Profile():
            return Became(profile=became)
        case Member():
            return Became(member=became)
        case Leg():
            return Became(leg=became)
        case Sending():
            return Became(sending=became)
        case Inbound():
            return Became(inbound=became)
        case None:
            return None


def blank_record(record: Record) -> bytes:
    """The record without what the event said."""
    return encode(msgspec.structs.replace(record, body=Raw(BLANK_BODY), became=None))


class ConversationRow(Struct, frozen=True, array_like=True):
    profile: Profile
    members: list[Member]
    sequence: EventId

    def conversation(self) -> Conversation:
        return Conversation(
            self.profile, {member.id: member for member in self.members}, self.sequence
        )


class ProfileRow(Struct, frozen=True, array_like=True):
    keys: tuple[int, int, str]
    """Place, number, sort key."""
    profile: Profile
    sequence: EventId
    membership: Member | None = None

    def listed(self, *, by_sort_key: bool = False) -> ListedConversation:
        place, number, sort_key = self.keys
        return ListedConversation(
            key=(sort_key, number) if by_sort_key else (place,),
            profile=self.profile,
            sequence=self.sequence,
            membership=self.membership,
        )


class MemberRow(Struct, frozen=True, array_like=True):
    number: int
    member: Member
    user: User

    def listed(self) -> ListedMember:
        return ListedMember(key=(self.number,), member=self.member, user=self.user)


class LegRow(Struct, frozen=True, array_like=True):
    number: int
    leg: Leg

    def listed(self) -> ListedLeg:
        return ListedLeg(key=(self.number,), leg=self.leg)


class UserRow(Struct, frozen=True, array_like=True):
    number: int
    user: User

    def listed(self) -> ListedUser:
        return ListedUser(key=(self.number,), user=self.user)


events = msgspec.json.Decoder(list[EventRow])
records = msgspec.json.Decoder(list[tuple[Position, Instant, Record]])
conversations = msgspec.json.Decoder(list[ConversationRow])
profiles = msgspec.json.Decoder(list[ProfileRow])
members = msgspec.json.Decoder(list[MemberRow])
users = msgspec.json.Decoder(list[UserRow])
legs = msgspec.json.Decoder(list[LegRow])
sendings = msgspec.json.Decoder(list[Sending])
unsent = msgspec.json.Decoder(list[tuple[int, Sending]])
inbounds = msgspec.json.Decoder(list[Inbound])
own_members = msgspec.json.Decoder(list[Member])
bookmark = msgspec.json.Decoder(Position | None)
calls = msgspec.json.Decoder(FoundCalls)
applications = msgspec.json.Decoder(list[Application])
joined = msgspec.json.Decoder(Joined)
conversation_ids = msgspec.json.Decoder(list[ConversationId])
instant = msgspec.json.Decoder(Instant | None)
position = msgspec.json.Decoder(Position)
text = msgspec.json.Decoder(str)
