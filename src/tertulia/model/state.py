"""The domain as values: applications, users, conversations and their members.

Nothing here does I/O or reads a clock. A conversation changes only by folding an event into it
(fold.py); which events may follow is decided in conversation.py, membership.py and posting.py.
Terms: docs/glossary.md.
"""

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId, UserId
from tertulia.model.instant import Instant
from tertulia.model.validation import NO_NUL

MEMBERS_MAX = 3000
"""Members of a chat conversation (concepts page); voice has its own, lower limit."""


class ConversationState(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    DELETED = "DELETED"


class MemberState(StrEnum):
    INVITED = "INVITED"
    JOINED = "JOINED"
    LEFT = "LEFT"


class Endpoint(Struct, frozen=True, omit_defaults=True):
    """One end of a channel: who or what is reached, in the fields of its type."""

    type: str | None = None
    user: str | None = None
    number: str | None = None
    id: str | None = None
    uri: str | None = None
    extension: str | None = None
    username: str | None = None
    password: str | None = None
    content_type: str | None = field(default=None, name="content-type")
    headers: dict[str, Any] | None = None


class Channel(Struct, frozen=True, omit_defaults=True):
    """How a member is reached, carrying its leg ids (wire-api 3)."""

    type: Annotated[str, Meta(min_length=1, max_length=40)]
    id: Annotated[str, Meta(max_length=200)] | None = None
    """Id of the leg that is this channel now."""
    from_: Endpoint | None = field(default=None, name="from")
    to: Endpoint | None = None
    headers: dict[str, Any] | None = None
    preanswer: bool | None = None
    cpa: bool | None = None
    """Call progress analysis."""
    cpa_time: int | None = None
    ring_timeout: int | None = None
    """Milliseconds."""
    max_length: int | None = None
    """Milliseconds."""
    can_hear: list[str] | None = None
    can_speak: list[str] | None = None
    knocking_id: str | None = None
    leg_ids: list[str] | None = None
    legs: list[dict[str, Any]] | None = None
    leg_settings: dict[str, Any] | None = None
    content_type: str | None = field(default=None, name="content-type")


class AudioSettings(Struct, frozen=True):
    enabled: bool = False
    earmuffed: bool = False
    muted: bool = False


class Media(Struct, frozen=True):
    """What a member's audio is set to."""

    audio_settings: AudioSettings = AudioSettings()
    audio: bool = False


class Initiator(Struct, frozen=True, omit_defaults=True):
    """Who caused a member's change: the application itself, or a member."""

    is_system: bool
    user_id: UserId | None = None
    member_id: MemberId | None = None


class Reason(Struct, frozen=True, omit_defaults=True):
    code: Annotated[str, Meta(max_length=200)] | None = None
    text: Annotated[str, Meta(max_length=200)] | None = None


class Member(Struct, frozen=True, omit_defaults=True):
    """A user's membership of one conversation. A user who left and comes back is a new member."""

    id: MemberId
    conversation_id: ConversationId
    user_id: UserId
    state: MemberState
    channel: Channel
    media: Media = Media()
    invited_at: Instant | None = None
    joined_at: Instant | None = None
    left_at: Instant | None = None
    invited_by: MemberId | None = None
    initiator: dict[str, Initiator] = field(default_factory=dict)
    """By the transition it explains: `invited`, `joined`, `left`."""
    reason: Reason | None = None
    knocking_id: str | None = None

    @property
    def is_present(self) -> bool:
        """Who is invited or joined keeps the conversation from being empty."""
        return self.state is not MemberState.LEFT


class Properties(Struct, frozen=True, omit_defaults=True):
    ttl: Annotated[int, Meta(ge=0, le=3_153_600_000)] | None = None
    """Seconds that a conversation may be empty before it is deleted."""
    type: Annotated[str, Meta(max_length=200)] | None = None
    custom_sort_key: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] | None = None
    custom_data: dict[str, Any] | None = None


class Callback(Struct, frozen=True, omit_defaults=True):
    """A conversation's own webhook, beside the application's."""

    url: Annotated[str, Meta(max_length=2048)] | None = None
    event_mask: Annotated[str, Meta(max_length=200)] | None = None
    params: dict[str, Any] | None = None
    method: str | None = None


class Profile(Struct, frozen=True, omit_defaults=True):
    """A conversation's own fields: what a GET of it shows, without its members."""

    id: ConversationId
    application_id: ApplicationId
    name: str
    state: ConversationState
    created_at: Instant
    updated_at: Instant | None = None
    destroyed_at: Instant | None = None
    display_name: str | None = None
    image_url: str | None = None
    properties: Properties | None = None
    numbers: Any = None
    """Kept as given: the reference shows both an array and one object."""
    callback: Callback | None = None
    creator: UserId | None = None
    """The user whose token created it; None when the application did."""
    emptied_at: Instant | None = None
    """Since when nobody is in it; None while somebody is."""

    @property
    def expires_at(self) -> Instant | None:
        """When the time to live will have run out, if nobody comes."""
        ttl = self.properties.ttl if self.properties else None
        if not ttl or self.emptied_at is None or self.state is ConversationState.DELETED:
            return None
        return Instant(self.emptied_at + ttl * 1000)


class Conversation(Struct, frozen=True):
    """A conversation as its log has made it: profile, members, and the newest event's number."""

    profile: Profile
    members: dict[MemberId, Member]
    sequence: EventId

    @property
    def id(self) -> ConversationId:
        return self.profile.id


class UserProperties(Struct, frozen=True, omit_defaults=True):
    custom_data: dict[str, Any] | None = None
    ttl: int | None = None


class User(Struct, frozen=True, omit_defaults=True):
    """An identity of one application, known by id and by name."""

    id: UserId
    application_id: ApplicationId
    name: str
    created_at: Instant
    updated_at: Instant | None = None
    destroyed_at: Instant | None = None
    display_name: str | None = None
    image_url: str | None = None
    properties: UserProperties | None = None
    channels: dict[str, Any] | None = None


class Webhook(Struct, frozen=True, omit_defaults=True):
    """An address of the application that we call. Timeouts are milliseconds."""

    address: Annotated[str, Meta(max_length=2048)]
    http_method: str | None = None
    connect_timeout: Annotated[int, Meta(ge=0, le=60_000)] | None = None
    socket_timeout: Annotated[int, Meta(ge=0, le=60_000)] | None = None


class Capability(Struct, frozen=True, omit_defaults=True):
    """What an application asked for under one heading, in the members of all headings (6.1)."""

    webhooks: dict[str, Webhook] | None = None
    signed_callbacks: bool | None = None
    version: str | None = None
    conversations_ttl: int | None = None
    leg_persistence_time: int | None = None
    region: str | None = None
    payment_enabled: bool | None = None
    authenticate_inbound_media: bool | None = None


class Privacy(Struct, frozen=True, omit_defaults=True):
    improve_ai: bool | None = None


class Application(Struct, frozen=True, omit_defaults=True):
    """The owner of everything: nothing crosses between applications."""

    id: ApplicationId
    name: str
    public_key: str
    """PEM; verifies the tokens of this application."""
    created_at: Instant
    updated_at: Instant | None = None
    capabilities: dict[str, Capability] = field(default_factory=dict)
    privacy: Privacy | None = None
    webhook_policy: str = "hold"
    """`hold`: a conversation waits for its failing event all the window long. `skip:N`: N tries."""

    @property
    def event_url(self) -> Webhook | None:
        """Where its conversation events go: the rtc capability's event_url."""
        rtc = self.capabilities.get("rtc")
        return (rtc.webhooks or {}).get("event_url") if rtc else None
