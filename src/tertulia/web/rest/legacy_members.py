"""Members in the older editions: `action` beside `state`, and the user in the body itself
(wire-clients 2.4 and 6, wire-api 3)."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from tertulia.model.actor import Actor
from tertulia.model.errors import ValidationFailed
from tertulia.model.ids import MemberId
from tertulia.model.membership import MemberChange, MemberDraft, UserReference
from tertulia.model.state import Channel, Media, MemberState, Reason
from tertulia.ports import ListedMember
from tertulia.protocols.http1 import Response
from tertulia.web import answers, legacy_shapes
from tertulia.web.legacy_shapes import LegacyMember, LegacyMemberPage, LegacyNothing
from tertulia.web.paging import MemberStateQuery, page_answer, unpaged
from tertulia.web.rest.members import ONE, PATH, LeaveQuery, MemberResource, member_of
from tertulia.web.routing import FIRST, OLDER, SECOND, Call, route

_STATES = {"invite": MemberState.INVITED, "join": MemberState.JOINED, "leave": MemberState.LEFT}


class LegacyMemberDraft(Struct, frozen=True):
    """The body of a member creation: as in the later editions, or with `action`."""

    state: str | None = None
    action: Literal["invite", "join"] | None = None
    user: UserReference | None = None
    user_id: str | None = None
    user_name: str | None = None
    channel: Channel = Channel(type="app")
    media: Media | None = None
    knocking_id: str | None = None
    member_id_inviting: MemberId | None = None
    from_: MemberId | None = field(default=None, name="from")

    def draft(self, actor: Actor) -> MemberDraft:
        """In the terms of the later editions. A user that names nobody means itself."""
        user = self.user or UserReference(self.user_id or None, self.user_name or None)
        if self.user is None and user == UserReference():
            user = UserReference(id=actor.user_id)
        return MemberDraft(
            state=_requested(self.state, self.action), user=user, channel=self.channel,
            media=self.media, knocking_id=self.knocking_id,
            member_id_inviting=self.member_id_inviting, from_=self.from_,
        )  # fmt: skip


class LegacyMemberChange(Struct, frozen=True):
    """The body of a member change."""

    state: str | None = None
    action: Literal["join", "leave"] | None = None
    from_: MemberId | None = field(default=None, name="from")
    reason: Reason | None = None
    channel: Channel | UnsetType = UNSET

    def change(self) -> MemberChange:
        """In the terms of the later editions."""
        state = _requested(self.state, self.action)
        return MemberChange(state=state, from_=self.from_, reason=self.reason, channel=self.channel)


class LegacyMemberResource(MemberResource):
    @route("POST", PATH, editions=OLDER, body=LegacyMemberDraft, answers={200: LegacyMember})
    async def create_member(self, call: Call) -> Response:
        """Invite a user to a conversation, or let it join"""
        draft = call.body.draft(call.actor)
        member, user = await self._members.create(call.conversation_id, draft, call.actor)
        return answers.json(200, legacy_shapes.member(member, user, call.base))

    @route("GET", PATH, editions=FIRST, query=MemberStateQuery,
           answers={200: list[LegacyMember]})  # fmt: skip
    async def list_members(self, call: Call) -> Response:
        """List the members of a conversation"""
        unpaged(call)
        piece = await self._slice(call, call.query.member_state)
        return answers.json(200, _items(call, piece.items))

    @route("GET", PATH, name="list_members", editions=SECOND, query=MemberStateQuery,
           answers={200: LegacyMemberPage})  # fmt: skip
    async def list_members_by_cursor(self, call: Call) -> Response:
        """List the members of a conversation"""
        piece = await self._slice(call, call.query.member_state)
        path = f"/conversations/{call.conversation_id}/members"
        return page_answer(call, path, piece, {"data": {"members": _items(call, piece.items)}})

    @route("GET", ONE, editions=OLDER, answers={200: LegacyMember})
    async def get_member(self, call: Call) -> Response:
        """Retrieve a member"""
        found = await self._members.get(call.conversation_id, member_of(call), call.actor)
        return answers.json(200, legacy_shapes.member(found.member, found.user, call.base))

    @route("PUT", ONE, editions=OLDER, body=LegacyMemberChange, answers={200: LegacyMember})
    async def update_member(self, call: Call) -> Response:
        """Let an invited member join, or a member leave"""
        change = call.body.change()
        member, user = await self._members.change(
            call.conversation_id, member_of(call), change, call.actor
        )
        return answers.json(200, legacy_shapes.member(member, user, call.base))

    @route("DELETE", ONE, editions=OLDER, query=LeaveQuery, answers={200: LegacyNothing})
    async def delete_member(self, call: Call) -> Response:
        """Remove a member from a conversation"""
        await self._remove(call)
        return answers.json(200, LegacyNothing())


def _items(call: Call, found: list[ListedMember]) -> list[LegacyMember]:
    return [legacy_shapes.member(each.member, each.user, call.base) for each in found]


def _requested(state: str | None, action: str | None) -> str:
    if state is not None:
        return state
    if action is None:
        raise ValidationFailed.of("action", "is required")
    return _STATES[action]
