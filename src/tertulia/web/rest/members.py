"""Members of a conversation (wire-api 3)."""

from typing import Annotated

from msgspec import Meta, Struct, field

from tertulia.model.ids import MemberId
from tertulia.model.membership import MemberChange, MemberDraft
from tertulia.model.state import MemberState, Reason
from tertulia.ports import ListedMember
from tertulia.protocols.http1 import Response
from tertulia.services.members import Members
from tertulia.web import answers, shapes
from tertulia.web.paging import PageQuery, Slice, cut, page_answer, page_of
from tertulia.web.routing import EDITIONS, Call, route

PATH = "/conversations/{conversation_id}/members"
ONE = PATH + "/{member_id}"
OWN = PATH + "/me"
"""COMPAT: the Node SDK reads and changes a member by it (wire-clients 7)."""


Sender = Annotated[str, Meta(description="Id of the member that acts.")]


class LeaveQuery(Struct, frozen=True):
    """COMPAT: older clients leave by DELETE, with the body's members in the query."""

    from_: Sender = field(default="", name="from")
    reason_code: Annotated[str, Meta(max_length=200)] = ""
    reason_text: Annotated[str, Meta(max_length=200)] = ""


class MemberResource:
    def __init__(self, members: Members) -> None:
        self._members = members

    @route("POST", PATH, editions=EDITIONS, body=MemberDraft, answers={201: shapes.MemberResource})
    async def create_member(self, call: Call) -> Response:
        """Invite a user to a conversation, or let it join"""
        member, user = await self._members.create(call.conversation_id, call.body, call.actor)
        return answers.json(201, shapes.member(member, user, call.base))

    @route("GET", PATH, editions=EDITIONS, query=PageQuery, answers={200: shapes.MemberPage})
    async def list_members(self, call: Call) -> Response:
        """List the members of a conversation"""
        piece = await self._slice(call)
        items = [shapes.member(item.member, item.user, call.base) for item in piece.items]
        path = f"/conversations/{call.conversation_id}/members"
        return page_answer(call, path, piece, {"members": items})

    @route("GET", OWN, editions=EDITIONS, answers={200: shapes.MemberResource})
    async def get_own_member(self, call: Call) -> Response:
        """Retrieve the membership of the token's user"""
        found = await self._members.me(call.conversation_id, call.actor)
        return answers.json(200, shapes.member(found.member, found.user, call.base))

    @route("GET", ONE, editions=EDITIONS, answers={200: shapes.MemberResource})
    async def get_member(self, call: Call) -> Response:
        """Retrieve a member"""
        found = await self._members.get(call.conversation_id, member_of(call), call.actor)
        return answers.json(200, shapes.member(found.member, found.user, call.base))

    @route("PATCH", OWN, editions=EDITIONS, body=MemberChange,
           answers={200: shapes.MemberResource})  # fmt: skip
    async def update_own_member(self, call: Call) -> Response:
        """Let the token's user join where it is invited, or leave"""
        own = await self._members.me(call.conversation_id, call.actor)
        return await self._change(call, own.member.id)

    @route("PATCH", ONE, editions=EDITIONS, body=MemberChange,
           answers={200: shapes.MemberResource})  # fmt: skip
    @route("PUT", ONE, name="put_member", editions=EDITIONS, body=MemberChange,
           answers={200: shapes.MemberResource})  # fmt: skip
    async def update_member(self, call: Call) -> Response:
        """Let an invited member join, or a member leave"""
        return await self._change(call, member_of(call))

    @route("DELETE", ONE, editions=EDITIONS, query=LeaveQuery, answers={204: None})
    async def delete_member(self, call: Call) -> Response:
        """Remove a member from a conversation"""
        await self._remove(call)
        return answers.nothing()

    async def _slice(self, call: Call, state: MemberState | None = None) -> Slice[ListedMember]:
        page = page_of(call.query, "members", tuple[int])
        found = await self._members.list(call.conversation_id, page, call.actor, state=state)
        return cut(found, page, "members")

    async def _remove(self, call: Call) -> None:
        query: LeaveQuery = call.query
        reason = Reason(query.reason_code or None, query.reason_text or None)
        request = MemberChange(
            state=MemberState.LEFT, from_=MemberId(query.from_) if query.from_ else None,
            reason=None if reason == Reason() else reason,
        )  # fmt: skip
        await self._members.change(call.conversation_id, member_of(call), request, call.actor)

    async def _change(self, call: Call, member_id: MemberId) -> Response:
        member, user = await self._members.change(
            call.conversation_id, member_id, call.body, call.actor
        )
        return answers.json(200, shapes.member(member, user, call.base))


def member_of(call: Call) -> MemberId:
    """The member of the path."""
    return MemberId(call.params["member_id"])
