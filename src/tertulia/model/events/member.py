"""Events of members: who comes, who goes, how they are reached and what reaches them."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from tertulia.model.events.message import (
    Attachment,
    Location,
    Messenger,
    Picture,
    Template,
    ViberService,
    Whatsapp,
)
from tertulia.model.events.registry import EVERYWHERE, Body, event
from tertulia.model.events.values import CustomData, Part
from tertulia.model.instant import iso
from tertulia.model.state import (
    Channel,
    Initiator,
    Media,
    Member,
    MemberState,
    Profile,
    Reason,
    User,
)


class MemberUser(Part, frozen=True):
    """The user behind a member, as the member's events show it."""

    id: str
    user_id: str
    """The same as `id`: clients of different ages read one or the other."""
    name: str
    member_id: str
    properties: CustomData
    """COMPAT: optional by the reference, but published webhook validators want it."""
    display_name: str | None = None
    image_url: str | None = None
    media: Media | None = None


class MemberInitiator(Part, frozen=True):
    """Who caused a member's change. COMPAT: camel case here, snake case in REST (wire-api 8 #4)."""

    is_system: bool = field(name="isSystem")
    user_id: str | None = None
    member_id: str | None = None


class Inviter(Part, frozen=True):
    """The member that invites, as it is while inviting."""

    member_id: str
    user_id: str
    name: str
    state: MemberState
    channel: Channel
    media: Media
    timestamp: dict[str, str]


class ConversationCard(Part, frozen=True):
    """The conversation that somebody is invited to."""

    conversation_id: str
    name: str
    display_name: str | None = None
    image_url: str | None = None


@event("member:invited", reaches=EVERYWHERE)
class MemberInvited(Body, frozen=True):
    """A user was invited to a conversation."""

    member_id: str
    user: MemberUser
    channel: Channel
    media: Media
    timestamp: dict[str, str]
    """`invited`, `joined`, `left`, each once it has happened."""
    conversation: ConversationCard
    """COMPAT: optional by the reference; the browser SDK needs it."""
    invited_by: str | UnsetType | None = UNSET
    """Name of the inviting user; absent when the application invites, and null when it calls.
    COMPAT: by that null a client knows a call of the server (wire-clients 4.2)."""
    invited_by_member: Inviter | None = None
    initiator: dict[str, MemberInitiator] | None = None
    """By the transition it explains: `invited`, `joined`, `left`."""
    cname: str | None = None
    """Name of the conversation."""
    sdp: str | None = None
    """An offer to answer the invitation with."""


@event("member:joined", reaches=EVERYWHERE)
class MemberJoined(Body, frozen=True):
    """A member joined a conversation."""

    member_id: str
    user: MemberUser
    channel: Channel
    timestamp: dict[str, str]
    initiator: dict[str, MemberInitiator] | None = None
    client_ref: str | None = None
    media: Media | None = None
    conversation: ConversationCard | None = None


@event("member:left", reaches=EVERYWHERE)
class MemberLeft(Body, frozen=True):
    """A member left, was removed, or lost its leg."""

    member_id: str
    user: MemberUser
    """COMPAT: optional by the reference; the browser SDK needs it."""
    channel: Channel
    timestamp: dict[str, str]
    """Without `joined` the member was only invited."""
    reason: Reason | None = None
    initiator: dict[str, MemberInitiator] | None = None


@event("member:media", reaches=EVERYWHERE)
class MemberMedia(Body, frozen=True):
    """The audio of a member was turned on or off, muted or earmuffed."""

    audio: bool
    media: Media
    channel: Channel


@event("member:message:status")
class MemberMessageStatus(Body, frozen=True):
    """The delivery of a message to a member on a messaging channel changed its status."""

    original_event_id: int
    message_type: Literal[
        "text", "image", "video", "audio", "file", "vcard", "custom", "template", "location"
    ]
    channel_type: Literal["sms", "mms", "whatsapp", "viber", "messenger", "rcs", "email"]
    """The last two are extensions: the compatible event knows the others."""
    from_: str = field(name="from")
    """Number or id, as `to`."""
    to: str
    message_uuid: str | None = None
    error: dict[str, Any] | None = None
    text: str | None = None
    """This and the following: the content of the message, copied."""
    image: Picture | None = None
    audio: Attachment | None = None
    video: Attachment | None = None
    file: Attachment | None = None
    template: Template | None = None
    custom: dict[str, Any] | None = None
    vcard: Attachment | None = None
    location: Location | None = None
    messenger: Messenger | None = None
    viber_service: ViberService | None = None
    whatsapp: Whatsapp | None = None


def member_body(
    profile: Profile,
    member: Member,
    user: User,
    *,
    host: Member | None,
    inviter: User | None,
    sdp: str | None = None,
) -> MemberInvited | MemberJoined | MemberLeft:
    """The body that tells of the member's newest state. `inviter` is the user behind `host`."""
    if member.state is MemberState.JOINED:
        return MemberJoined(
            member_id=member.id, user=_user(user, member), channel=member.channel,
            timestamp=_timestamp(member), initiator=_initiator(member), media=member.media,
        )  # fmt: skip
    if member.state is MemberState.LEFT:
        return MemberLeft(
            member_id=member.id, user=_user(user, member), channel=member.channel,
            timestamp=_timestamp(member), reason=member.reason, initiator=_initiator(member),
        )  # fmt: skip
    return MemberInvited(
        member_id=member.id, user=_user(user, member), channel=member.channel, media=member.media,
        timestamp=_timestamp(member), conversation=_card(profile), cname=profile.name,
        invited_by=_caller(inviter, sdp), sdp=sdp, initiator=_initiator(member),
        invited_by_member=_inviter(host, inviter) if host and inviter else None,
    )  # fmt: skip


def _caller(inviter: User | None, sdp: str | None) -> str | UnsetType | None:
    if inviter is not None:
        return inviter.name
    return UNSET if sdp is None else None


def _user(user: User, member: Member) -> MemberUser:
    custom_data = user.properties.custom_data if user.properties else None
    return MemberUser(
        id=user.id, user_id=user.id, name=user.name, member_id=member.id,
        properties=CustomData(custom_data or {}), display_name=user.display_name,
        image_url=user.image_url, media=member.media,
    )  # fmt: skip


def _card(profile: Profile) -> ConversationCard:
    return ConversationCard(profile.id, profile.name, profile.display_name, profile.image_url)


def _inviter(host: Member, inviter: User) -> Inviter:
    return Inviter(
        member_id=host.id, user_id=inviter.id, name=inviter.name, state=host.state,
        channel=host.channel, media=host.media, timestamp=_timestamp(host),
    )  # fmt: skip


def _timestamp(member: Member) -> dict[str, str]:
    happened = {"invited": member.invited_at, "joined": member.joined_at, "left": member.left_at}
    return {name: iso(at) for name, at in happened.items() if at is not None}


def _initiator(member: Member) -> dict[str, MemberInitiator]:
    return {transition: _caused(cause) for transition, cause in member.initiator.items()}


def _caused(cause: Initiator) -> MemberInitiator:
    return MemberInitiator(cause.is_system, cause.user_id, cause.member_id)
