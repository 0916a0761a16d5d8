"""How resources look in the older editions (wire-clients 2.4, wire-api 1.3 and 1.6).

Two ids of one thing stand side by side where the older editions or their clients differ in which
they read; spellings are those of these editions and nowhere else.
"""

from typing import Any

from msgspec import Struct, field

from tertulia.model.event import Event
from tertulia.model.events.member import MemberInitiator
from tertulia.model.state import Channel, Media, Member, Properties, Reason, User, UserProperties
from tertulia.ports import ListedConversation, ListedMember
from tertulia.web import shapes
from tertulia.web.shapes import EventResource, Lifetime, MemberTimestamps, PageLinks, SelfLink

LEFT_OUT = {
    "audio:play": ("level", "loop"),
    **dict.fromkeys(
        ("audio:earmuff:on", "audio:earmuff:off", "audio:mute:on", "audio:mute:off"), ("rtc_id",)
    ),
}
"""Members that the body of an event need not have in these editions, by type. COMPAT: nexmo-client
passes on what a program gave it, and earmuffs without naming a leg (wire-clients 3.2)."""


class LegacyNothing(Struct, frozen=True):
    """Done: an object without members."""


class LegacyReference(Struct, frozen=True):
    """What was created or changed, and where it is."""

    id: str
    href: str


class LegacyUserReference(Struct, frozen=True):
    id: str
    user_id: str
    href: str


class LegacyMember(Struct, frozen=True, omit_defaults=True):
    id: str
    """COMPAT: without it nexmo-client files every member of a list under one key (2.4)."""
    member_id: str
    user_id: str
    name: str
    """Of the user, as `user_name`."""
    user_name: str
    state: str
    timestamp: MemberTimestamps
    channel: Channel
    media: Media
    href: str
    display_name: str | None = None
    initiator: dict[str, MemberInitiator] | None = None
    invited_by: str | None = None
    """Id of the member that invited."""
    knocking_id: str | None = None
    reason: Reason | None = None


class LegacyConversation(Struct, frozen=True, omit_defaults=True):
    id: str
    uuid: str
    name: str
    timestamp: Lifetime
    sequence_number: int
    numbers: Any
    properties: Properties
    api_key: str
    members: list[LegacyMember]
    state: str
    links: SelfLink = field(name="_links")
    display_name: str | None = None
    image_url: str | None = None


class LegacyConversationItem(Struct, frozen=True, omit_defaults=True):
    """A conversation in a list, and in it the membership of the user whose list it is."""

    id: str
    uuid: str
    name: str
    timestamp: Lifetime
    sequence_number: int
    href: str
    display_name: str | None = None
    image_url: str | None = None
    properties: Properties | None = None
    member_id: str | None = None
    state: str | None = None
    """Of the membership."""


class LegacyUser(Struct, frozen=True, omit_defaults=True):
    id: str
    name: str
    timestamp: Lifetime
    href: str
    channels: dict[str, Any]
    properties: UserProperties
    display_name: str | None = None
    image_url: str | None = None


class LegacyUserItem(Struct, frozen=True, omit_defaults=True):
    id: str
    name: str
    href: str
    display_name: str | None = None
    image_url: str | None = None


class LegacyEvent(EventResource, frozen=True, omit_defaults=True):
    """An event that is not kept has no `id` and no `href`."""

    href: str | None = None


class LegacyConversationList(Struct, frozen=True):
    conversations: list[LegacyConversationItem]


class LegacyRecords(Struct, frozen=True):
    """A page of the first edition."""

    count: int
    """How many there are, as far as they are counted."""
    page_size: int
    record_index: int
    embedded: LegacyConversationList = field(name="_embedded")
    links: SelfLink = field(name="_links")


class LegacyConversationData(Struct, frozen=True):
    data: LegacyConversationList


class LegacyConversationPage(Struct, frozen=True):
    page_size: int
    embedded: LegacyConversationData = field(name="_embedded")
    links: PageLinks = field(name="_links")


class LegacyMemberList(Struct, frozen=True):
    members: list[LegacyMember]


class LegacyMemberData(Struct, frozen=True):
    data: LegacyMemberList


class LegacyMemberPage(Struct, frozen=True):
    page_size: int
    embedded: LegacyMemberData = field(name="_embedded")
    links: PageLinks = field(name="_links")


class LegacyUserList(Struct, frozen=True):
    users: list[LegacyUserItem]


class LegacyUserData(Struct, frozen=True):
    data: LegacyUserList


class LegacyUserPage(Struct, frozen=True):
    page_size: int
    embedded: LegacyUserData = field(name="_embedded")
    links: PageLinks = field(name="_links")


class LegacyEventList(Struct, frozen=True):
    events: list[LegacyEvent]


class LegacyEventData(Struct, frozen=True):
    data: LegacyEventList


class LegacyEventPage(Struct, frozen=True):
    page_size: int
    embedded: LegacyEventData = field(name="_embedded")
    links: PageLinks = field(name="_links")


def conversation(
    found: ListedConversation, members: list[ListedMember], base: str, api_key: str
) -> LegacyConversation:
    profile = found.profile
    return LegacyConversation(
        id=profile.id, uuid=profile.id, name=profile.name, state=profile.state.value,
        timestamp=shapes.lifetime(profile.created_at, profile.updated_at, profile.destroyed_at),
        sequence_number=found.sequence, display_name=profile.display_name,
        image_url=profile.image_url, numbers=profile.numbers or {},
        properties=profile.properties or Properties(), api_key=api_key,
        members=[member(each.member, each.user, base) for each in members],
        links=SelfLink(shapes.Link(f"{base}/conversations/{profile.id}")),
    )  # fmt: skip


def conversation_item(found: ListedConversation, base: str) -> LegacyConversationItem:
    profile, own = found.profile, found.membership
    return LegacyConversationItem(
        id=profile.id, uuid=profile.id, name=profile.name,
        timestamp=shapes.lifetime(profile.created_at, profile.updated_at, profile.destroyed_at),
        sequence_number=found.sequence, display_name=profile.display_name,
        image_url=profile.image_url, properties=profile.properties,
        member_id=own.id if own else None, state=own.state.value if own else None,
        href=f"{base}/conversations/{profile.id}",
    )  # fmt: skip


def member(found: Member, user: User, base: str) -> LegacyMember:
    return LegacyMember(
        id=found.id, member_id=found.id, user_id=user.id, name=user.name, user_name=user.name,
        display_name=user.display_name, state=found.state.value, channel=found.channel,
        media=found.media, timestamp=shapes.member_timestamps(found),
        initiator={
            transition: MemberInitiator(cause.is_system, cause.user_id, cause.member_id)
            for transition, cause in found.initiator.items()
        },
        invited_by=found.invited_by, knocking_id=found.knocking_id, reason=found.reason,
        href=f"{base}/conversations/{found.conversation_id}/members/{found.id}",
    )  # fmt: skip


def user(found: User, base: str) -> LegacyUser:
    return LegacyUser(
        id=found.id, name=found.name, href=f"{base}/users/{found.id}",
        timestamp=shapes.lifetime(found.created_at, found.updated_at, found.destroyed_at),
        channels=found.channels or {}, properties=found.properties or UserProperties(),
        display_name=found.display_name, image_url=found.image_url,
    )  # fmt: skip


def user_item(found: User, base: str) -> LegacyUserItem:
    href = f"{base}/users/{found.id}"
    return LegacyUserItem(found.id, found.name, href, found.display_name, found.image_url)


def event(found: Event, base: str) -> bytes:
    """LegacyEvent as JSON."""
    shown = shapes.event(found, base)
    if found.id is None:
        return shown
    href = f"{base}/conversations/{found.conversation_id}/events/{found.id}"
    return b'%b,"href":"%b"}' % (shown[:-1], href.encode())


def events(found: list[Event], base: str) -> bytes:
    """A JSON array."""
    return b"[%b]" % b",".join([event(each, base) for each in found])
