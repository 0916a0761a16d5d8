"""The wire spellings: what each resource looks like in an answer, every field listed.

Inside there is one form of a thing; only this module and the envelope of the webhooks know the
others. Facts: wire-api 1.5-1.7, 2.1, 3, 6.1 and its contradictions in section 8.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from tertulia.model.event import Event
from tertulia.model.instant import Instant, iso
from tertulia.model.media import MediaFile
from tertulia.model.session import LiveSession
from tertulia.model.state import (
    Application,
    Callback,
    Capability,
    Channel,
    Initiator,
    Media,
    Member,
    Privacy,
    Properties,
    Reason,
    User,
    UserProperties,
)
from tertulia.ports import ListedConversation
from tertulia.services.audiocontrol import MediaState
from tertulia.services.media import SignedAddress


class Link(Struct, frozen=True):
    href: str


class SelfLink(Struct, frozen=True):
    self: Link


class PageLinks(Struct, frozen=True, omit_defaults=True):
    first: Link
    self: Link
    next: Link | None = None
    prev: Link | None = None


class Lifetime(Struct, frozen=True, omit_defaults=True):
    created: str
    updated: str | None = None
    destroyed: str | None = None


class UserLinked(Struct, frozen=True, omit_defaults=True):
    """A user inside another resource, and as an item of the list of users."""

    id: str
    name: str
    links: SelfLink = field(name="_links")
    display_name: str | None = None
    image_url: str | None = None


class MemberUser(Struct, frozen=True):
    user: UserLinked


class MemberTimestamps(Struct, frozen=True, omit_defaults=True):
    invited: str | None = None
    joined: str | None = None
    left: str | None = None


class MemberLinks(Struct, frozen=True):
    """COMPAT: `{href}` by the current reference, `{self}` by the client SDKs: both (8 #3)."""

    href: str
    self: Link


class MemberResource(Struct, frozen=True, omit_defaults=True):
    id: str
    conversation_id: str
    state: str
    embedded: MemberUser = field(name="_embedded")
    channel: Channel
    media: Media
    timestamp: MemberTimestamps
    links: MemberLinks = field(name="_links")
    initiator: dict[str, Initiator] | None = None
    invited_by: str | None = None
    knocking_id: str | None = None
    reason: Reason | None = None


class OwnMembership(Struct, frozen=True, omit_defaults=True):
    """COMPAT: `{id, state}` by the current reference, `{member}` by the client SDK: both (8 #2)."""

    id: str
    state: str
    member: MemberResource


class Conversation(Struct, frozen=True, omit_defaults=True):
    id: str
    name: str
    timestamp: Lifetime
    state: str
    sequence_number: int
    links: SelfLink = field(name="_links")
    display_name: str | None = None
    image_url: str | None = None
    properties: Properties | None = None
    numbers: Any = None
    callback: Callback | None = None
    media_state: MediaState | None = None
    """COMPAT: the client SDK takes a conversation without it for one without calls (5.2)."""
    embedded: OwnMembership | None = field(default=None, name="_embedded")


class ConversationList(Struct, frozen=True):
    conversations: list[Conversation]


class ConversationPage(Struct, frozen=True):
    page_size: int
    embedded: ConversationList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class MemberList(Struct, frozen=True):
    members: list[MemberResource]


class MemberPage(Struct, frozen=True):
    page_size: int
    embedded: MemberList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class UserResource(Struct, frozen=True, omit_defaults=True):
    id: str
    name: str
    timestamp: Lifetime
    links: SelfLink = field(name="_links")
    display_name: str | None = None
    image_url: str | None = None
    properties: UserProperties | None = None
    channels: dict[str, Any] | None = None


class UserList(Struct, frozen=True):
    users: list[UserLinked]


class UserPage(Struct, frozen=True):
    page_size: int
    embedded: UserList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class EventUser(Struct, frozen=True, omit_defaults=True):
    id: str
    name: str
    display_name: str | None = None
    image_url: str | None = None
    custom_data: dict[str, Any] | None = None


class EventMember(Struct, frozen=True):
    id: str


class EventEmbedded(Struct, frozen=True):
    from_user: EventUser
    from_member: EventMember


class EventState(Struct, frozen=True, omit_defaults=True):
    """Reports on a message: member id → time."""

    seen_by: dict[str, str] | None = None
    delivered_to: dict[str, str] | None = None
    submitted_to: dict[str, str] | None = None
    rejected_by: dict[str, str] | None = None
    undeliverable_to: dict[str, str] | None = None


class EventResource(Struct, frozen=True, omit_defaults=True):
    """An event as REST gives it. `id` and `_links` are absent from one that is not kept."""

    type: str
    timestamp: str
    body: dict[str, Any]
    id: int | None = None
    from_: str | None = field(default=None, name="from")
    to: str | None = None
    state: EventState | None = None
    embedded: EventEmbedded | None = field(default=None, name="_embedded")
    links: SelfLink | None = field(default=None, name="_links")


class EventPageV1(Struct, frozen=True):
    """COMPAT: the server SDKs of /v1 expect `_embedded` to be the array itself (8 #1)."""

    page_size: int
    embedded: list[EventResource] = field(name="_embedded")
    links: PageLinks = field(name="_links")


class EventList(Struct, frozen=True):
    events: list[EventResource]


class EventPage(Struct, frozen=True):
    page_size: int
    embedded: EventList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class SessionUser(Struct, frozen=True):
    id: str
    name: str


class SessionEmbedded(Struct, frozen=True):
    user: SessionUser
    api_key: str


class SessionProperties(Struct, frozen=True):
    ttl: int


class SessionResource(Struct, frozen=True):
    id: str
    embedded: SessionEmbedded = field(name="_embedded")
    properties: SessionProperties
    links: SelfLink = field(name="_links")


class SessionList(Struct, frozen=True):
    sessions: list[SessionResource]


class SessionPage(Struct, frozen=True):
    page_size: int
    embedded: SessionList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class ApplicationKeys(Struct, frozen=True, omit_defaults=True):
    public_key: str
    private_key: str | None = None
    """Only in the answer to its creation."""


class ApplicationResource(Struct, frozen=True, omit_defaults=True):
    id: str
    name: str
    keys: ApplicationKeys
    capabilities: dict[str, Capability]
    links: SelfLink = field(name="_links")
    privacy: Privacy | None = None


class ApplicationList(Struct, frozen=True):
    applications: list[ApplicationResource]


class ApplicationPage(Struct, frozen=True):
    page_size: int
    page: int
    total_items: int
    total_pages: int
    embedded: ApplicationList = field(name="_embedded")
    links: PageLinks = field(name="_links")


class MediaRepresentation(Struct, frozen=True):
    id: str
    size: int
    url: str
    """COMPAT: must not contain `image`, or the browser SDK reads nothing (wire-clients 3.5)."""
    type: str


class MediaRepresentations(Struct, frozen=True):
    """An uploaded image in its three sizes, as an `image` event takes them."""

    original: MediaRepresentation
    medium: MediaRepresentation
    thumbnail: MediaRepresentation


class MediaResource(Struct, frozen=True):
    id: str
    size: int
    url: str
    type: str
    """`original`, `medium` or `thumbnail`."""
    content_type: str
    name: str
    timestamp: Lifetime
    signed_url: str
    """Opens the file to anybody until `signed_until`."""
    signed_until: str


def conversation(found: ListedConversation, base: str, owner: User | None = None) -> Conversation:
    """`owner` is the user behind the membership that was found with it."""
    profile = found.profile
    return Conversation(
        id=profile.id, name=profile.name, state=profile.state.value,
        timestamp=lifetime(profile.created_at, profile.updated_at, profile.destroyed_at),
        sequence_number=found.sequence, display_name=profile.display_name,
        image_url=profile.image_url, properties=profile.properties, numbers=profile.numbers,
        callback=profile.callback, links=_self(f"{base}/conversations/{profile.id}"),
        embedded=_membership(found.membership, owner, base),
    )  # fmt: skip


def media_representation(file: MediaFile, origin: str) -> MediaRepresentation:
    return MediaRepresentation(file.id, file.size, _media_url(file, origin), file.representation)


def media(file: MediaFile, address: SignedAddress, origin: str) -> MediaResource:
    url = _media_url(file, origin)
    return MediaResource(
        id=file.id, size=file.size, url=url, type=file.representation,
        content_type=file.content_type, name=file.name, timestamp=Lifetime(iso(file.created_at)),
        signed_url=f"{url}?expires={address.expires}&signature={address.signature}",
        signed_until=iso(Instant(address.expires * 1000)),
    )  # fmt: skip


def _media_url(file: MediaFile, origin: str) -> str:
    return f"{origin}/v3/media/{file.id}"


def _membership(own: Member | None, owner: User | None, base: str) -> OwnMembership | None:
    return OwnMembership(own.id, own.state, member(own, owner, base)) if own and owner else None


def member(found: Member, user: User, base: str) -> MemberResource:
    href = f"{base}/conversations/{found.conversation_id}/members/{found.id}"
    return MemberResource(
        id=found.id, conversation_id=found.conversation_id, state=found.state.value,
        embedded=MemberUser(user_linked(user, base)), channel=found.channel, media=found.media,
        timestamp=member_timestamps(found),
        links=MemberLinks(href, Link(href)), initiator=found.initiator or None,
        invited_by=found.invited_by, knocking_id=found.knocking_id, reason=found.reason,
    )  # fmt: skip


def user_linked(user: User, base: str) -> UserLinked:
    href = f"{base}/users/{user.id}"
    return UserLinked(user.id, user.name, _self(href), user.display_name, user.image_url)


def user(found: User, base: str) -> UserResource:
    return UserResource(
        id=found.id, name=found.name, links=_self(f"{base}/users/{found.id}"),
        timestamp=lifetime(found.created_at, found.updated_at, found.destroyed_at),
        display_name=found.display_name, image_url=found.image_url,
        properties=found.properties, channels=found.channels,
    )  # fmt: skip


def session(found: LiveSession, base: str, *, api_key: str, now: Instant) -> SessionResource:
    """`ttl`: seconds that its token is still good for."""
    record = found.record
    return SessionResource(
        id=record.id, links=_self(f"{base}/sessions/{record.id}"),
        embedded=SessionEmbedded(SessionUser(record.user_id, found.user_name), api_key),
        properties=SessionProperties(max(0, (found.expires_at - now) // 1000)),
    )  # fmt: skip


def application(found: Application, base: str, private_key: str | None) -> ApplicationResource:
    return ApplicationResource(
        id=found.id, name=found.name, keys=ApplicationKeys(found.public_key, private_key),
        capabilities=found.capabilities, privacy=found.privacy,
        links=_self(f"{base}/applications/{found.id}"),
    )  # fmt: skip


_NULL = b"null"


def event(found: Event, base: str, *, for_chat: bool = False) -> bytes:
    """EventResource as JSON, joined from the stored bytes: a body is never encoded again."""
    parts = [b"{"]
    if found.id is not None:
        parts.append(b'"id":%d,' % found.id)
    sender = b'"%b"' % found.sender.encode() if found.sender else _NULL
    parts.append(b'"type":"%b","from":%b' % (found.type.encode(), sender))
    if found.recipient:
        parts.append(b',"to":"%b"' % found.recipient.encode())
    parts.append(b',"timestamp":"%b"' % iso(found.timestamp).encode())
    parts.append(b',"body":%b' % (_chat_body(found) if for_chat else event_body(found)))
    if found.state:
        parts.append(b',"state":%b' % msgspec.json.encode(_state(found)))
    if found.embedded:
        parts.append(b',"_embedded":%b' % found.embedded)
    if found.id is not None:
        href = f"{base}/conversations/{found.conversation_id}/events/{found.id}"
        parts.append(b',"_links":{"self":{"href":"%b"}}' % href.encode())
    parts.append(b"}")
    return b"".join(parts)


def event_body(found: Event) -> bytes:
    """The body, or what is left of it after its deletion (wire-api 2.1)."""
    if found.deleted_at is None:
        return found.body
    return b'{"timestamp":{"deleted":"%b"}}' % iso(found.deleted_at).encode()


def _chat_body(found: Event) -> bytes:
    """COMPAT: a message that does not say its kind costs the client SDK the whole page."""
    body = event_body(found)
    if found.deleted_at is None or found.type != "message":
        return body
    return b'{"message_type":"text","text":"",%b' % body.removeprefix(b"{")


def events_embedded(
    found: list[Event], base: str, *, as_array: bool, for_chat: bool = False
) -> Raw:
    array = b"[%b]" % b",".join([event(item, base, for_chat=for_chat) for item in found])
    return Raw(array if as_array else b'{"events":%b}' % array)


def _state(found: Event) -> dict[str, dict[str, str]]:
    return {
        kind: {member_id: iso(at) for member_id, at in reports.items()}
        for kind, reports in (found.state or {}).items()
    }


def member_timestamps(found: Member) -> MemberTimestamps:
    return MemberTimestamps(_time(found.invited_at), _time(found.joined_at), _time(found.left_at))


def lifetime(created: Instant, updated: Instant | None, destroyed: Instant | None) -> Lifetime:
    return Lifetime(iso(created), _time(updated), _time(destroyed))


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else iso(instant)


def _self(href: str) -> SelfLink:
    return SelfLink(Link(href))
