"""Decisions about members: invite, join, leave, and which of them conflict.

A user may be in a conversation several times, by different channels or legs. The same user by the
same channel (type, leg and far end) is the same presence: joining twice is a conflict, joining
where one is invited answers the invitation. Who has left comes back as a new member.
"""

from collections.abc import Iterable

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import replace

from tertulia.model.actor import Actor
from tertulia.model.addresses import has_unsafe_address
from tertulia.model.decision import Decision
from tertulia.model.errors import (
    Forbidden,
    InvalidMemberState,
    MemberAlreadyInvited,
    MemberAlreadyJoined,
    MemberNotFound,
    TooManyMembers,
    ValidationFailed,
)
from tertulia.model.event import Fact
from tertulia.model.events.member import member_body
from tertulia.model.events.registry import encode_body
from tertulia.model.ids import MemberId
from tertulia.model.instant import Instant
from tertulia.model.state import (
    MEMBERS_MAX,
    Channel,
    Conversation,
    Media,
    Member,
    MemberState,
    Profile,
    Reason,
    User,
)


class UserReference(Struct, frozen=True):
    """A user by id or by name; the id wins."""

    id: str | None = None
    name: str | None = None


class MemberDraft(Struct, frozen=True):
    """The body of a member creation (wire-api 3). Other top-level members are tolerated."""

    state: str
    user: UserReference
    channel: Channel
    media: Media | None = None
    knocking_id: str | None = None
    member_id_inviting: MemberId | None = None
    from_: MemberId | None = field(default=None, name="from")


class MemberChange(Struct, frozen=True):
    """The body of a member change: `joined` or `left`."""

    state: str
    from_: MemberId | None = field(default=None, name="from")
    reason: Reason | None = None
    channel: Channel | UnsetType = UNSET


def requested_state(text: str, allowed: Iterable[MemberState]) -> MemberState:
    """COMPAT: lower case by the reference, upper case from the Node and Java SDKs."""
    for state in allowed:
        if text.upper() == state:
            return state
    raise ValidationFailed.of("state", f"must be one of [{', '.join(s.lower() for s in allowed)}]")


def enter(
    conversation: Conversation, now: Instant, *, draft: MemberDraft, user: User, actor: Actor,
    member_id: MemberId, inviter: User | None, sdp: str | None = None,
) -> Decision:  # fmt: skip
    """Invite a user, or let it join. `inviter` is the user behind the member that invites, `sdp`
    the offer of a call."""
    state = requested_state(draft.state, (MemberState.INVITED, MemberState.JOINED))
    _check_channel(draft.channel)
    host = _host(conversation, draft, actor)
    present = _same_presence(conversation, user, draft.channel, state)
    if present is not None and present.state is MemberState.JOINED:
        raise MemberAlreadyJoined()
    if state is MemberState.INVITED:
        if present is not None:
            raise MemberAlreadyInvited()
        _require_room(conversation)
        member = _invited(conversation, now, draft, user, actor, member_id, host)
        told = _fact(conversation.profile, member, user, host=host, inviter=inviter, sdp=sdp)
        return Decision((told,))
    if not actor.is_system and actor.user_id != user.id:
        raise Forbidden("A user may only join as itself.")
    if present is None:
        _require_room(conversation)
        present = Member(
            id=member_id, conversation_id=conversation.id, user_id=user.id,
            state=MemberState.JOINED, channel=draft.channel, knocking_id=draft.knocking_id,
        )  # fmt: skip
    member = _joined(present, now, actor, channel=draft.channel, media=draft.media)
    return Decision((_fact(conversation.profile, member, user),))


def change(
    conversation: Conversation, now: Instant, *, member_id: MemberId, request: MemberChange,
    user: User, actor: Actor,
) -> Decision:  # fmt: skip
    """Answer an invitation, or leave; members and the application may also remove others."""
    member = conversation.members.get(member_id)
    if member is None:
        raise MemberNotFound()
    if request.from_ is not None:
        _named(conversation, request.from_, actor)
    state = requested_state(request.state, (MemberState.JOINED, MemberState.LEFT))
    if state is MemberState.JOINED:
        changed = _answer(member, now, request, actor)
    else:
        changed = _leave(conversation, member, now, request, actor)
    return Decision((_fact(conversation.profile, changed, user),))


def leave(
    conversation: Conversation, member: Member, now: Instant, *, user: User, reason: Reason
) -> Fact:
    """A member leaves because its leg has ended: in the name of the application."""
    system = Actor(conversation.profile.application_id)
    request = MemberChange(state=MemberState.LEFT, reason=reason)
    return _fact(conversation.profile, _leave(conversation, member, now, request, system), user)


def again(conversation: Conversation, member: Member, now: Instant, user: User) -> Fact:
    """Who has joined by a call that rang still is really there now.

    COMPAT: the documented order of a two-party call has this (wire-api 2.7).
    """
    return _fact(conversation.profile, replace(member, joined_at=now), user)


def withdraw(conversation: Conversation, now: Instant, *, user: User, reason: Reason) -> Decision:
    """End all memberships of a user, in the name of the application."""
    system = Actor(conversation.profile.application_id)
    request = MemberChange(state=MemberState.LEFT, reason=reason)
    left = [
        _leave(conversation, member, now, request, system)
        for member in conversation.members.values()
        if member.user_id == user.id and member.is_present
    ]
    return Decision(tuple(_fact(conversation.profile, member, user) for member in left))


def _answer(member: Member, now: Instant, request: MemberChange, actor: Actor) -> Member:
    if not actor.owns(member):
        raise Forbidden("A user may only join as itself.")
    if member.state is MemberState.JOINED:
        raise MemberAlreadyJoined()
    if member.state is MemberState.LEFT:
        raise InvalidMemberState("The member has left; a new member has to be created.")
    channel = None if isinstance(request.channel, UnsetType) else request.channel
    if channel is not None:
        _check_channel(channel)
    return _joined(member, now, actor, channel=channel)


def _leave(
    conversation: Conversation, member: Member, now: Instant, request: MemberChange, actor: Actor
) -> Member:
    acting = actor.membership(conversation)
    if not actor.owns(member) and acting is None:
        raise Forbidden("Only members may remove a member.")
    if member.state is MemberState.LEFT:
        raise InvalidMemberState("The member has left already.")
    cause = request.from_ or (acting.id if acting else member.id)
    initiator = {**member.initiator, "left": actor.as_initiator(cause)}
    return replace(
        member, state=MemberState.LEFT, left_at=now, reason=request.reason, initiator=initiator
    )


def _joined(
    member: Member, now: Instant, actor: Actor, *, channel: Channel | None = None,
    media: Media | None = None,
) -> Member:  # fmt: skip
    return replace(
        member, state=MemberState.JOINED, joined_at=now, channel=_answered(member, channel),
        media=media or member.media,
        initiator={**member.initiator, "joined": actor.as_initiator(member.id)},
    )  # fmt: skip


def _answered(member: Member, channel: Channel | None) -> Channel:
    """The channel of who joins. COMPAT: the client SDK answers a call by a channel that says no
    more than its type (wire-clients 5.2): leg and ends stay those of the invitation."""
    known = member.channel
    if channel is None or channel == Channel(type=known.type):
        return known
    if channel.id is None and known.id is not None and channel.type == known.type:
        return replace(channel, id=known.id)
    return channel


def _invited(
    conversation: Conversation, now: Instant, draft: MemberDraft, user: User, actor: Actor,
    member_id: MemberId, host: Member | None,
) -> Member:  # fmt: skip
    inviting = host.id if host else None
    return Member(
        id=member_id, conversation_id=conversation.id, user_id=user.id, state=MemberState.INVITED,
        channel=draft.channel, media=draft.media or Media(), invited_at=now,
        invited_by=inviting, knocking_id=draft.knocking_id,
        initiator={"invited": actor.as_initiator(inviting)},
    )  # fmt: skip


def _host(conversation: Conversation, draft: MemberDraft, actor: Actor) -> Member | None:
    """The member that invites: as named, else the actor's own."""
    named = draft.member_id_inviting or draft.from_
    inviting = draft.state.upper() == MemberState.INVITED
    if named is not None:
        host = _named(conversation, named, actor)
        if inviting and host.state is not MemberState.JOINED:
            raise InvalidMemberState("The inviting member has not joined the conversation.")
        return host
    own = actor.membership(conversation)
    if inviting and own is None and not actor.is_system:
        raise Forbidden("Only joined members may invite.")
    return own


def _named(conversation: Conversation, member_id: MemberId, actor: Actor) -> Member:
    """The member that the actor says it acts as."""
    member = conversation.members.get(member_id)
    if member is None:
        raise MemberNotFound()
    if not actor.owns(member):
        raise Forbidden("A user may only act as a member of its own.")
    return member


def _check_channel(channel: Channel) -> None:
    for name, end in (("from", channel.from_), ("to", channel.to)):
        if end is not None and has_unsafe_address(end.uri, "uri"):
            raise ValidationFailed.of(f"channel.{name}.uri", "must be a safe address")


def _same_presence(
    conversation: Conversation, user: User, channel: Channel, requested: MemberState
) -> Member | None:
    """The present member that is this user by this channel: a joined one before an invited one,
    and among invitations that by the same leg before others."""
    found = [
        member
        for member in conversation.members.values()
        if member.user_id == user.id and member.is_present and _same_way(member, channel, requested)
    ]
    return min(
        found,
        key=lambda m: (m.state is MemberState.INVITED, m.channel.id != channel.id),
        default=None,
    )


def _same_way(member: Member, channel: Channel, requested: MemberState) -> bool:
    """An invitation names the far end; who answers need not repeat it, and brings the leg."""
    known = member.channel
    if known.type != channel.type:
        return False
    same_end = channel.type == "app" or known.to == channel.to
    if member.state is MemberState.INVITED and requested is MemberState.JOINED:
        return same_end or channel.to is None
    return same_end and known.id == channel.id


def _require_room(conversation: Conversation) -> None:
    if sum(member.is_present for member in conversation.members.values()) >= MEMBERS_MAX:
        raise TooManyMembers(f"A conversation has at most {MEMBERS_MAX} members.")


def _fact(
    profile: Profile, member: Member, user: User, *, host: Member | None = None,
    inviter: User | None = None, sdp: str | None = None,
) -> Fact:  # fmt: skip
    """COMPAT: member events name their subject in `from` (wire-clients 10 #5)."""
    body = member_body(profile, member, user, host=host, inviter=inviter, sdp=sdp)
    return Fact(
        f"member:{member.state.lower()}", encode_body(body), sender=member.id, became=member
    )
