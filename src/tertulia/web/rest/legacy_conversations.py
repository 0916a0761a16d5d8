"""Conversations in the older editions (wire-clients 2.4, wire-api 1.3)."""

from typing import Annotated
from urllib.parse import urlencode

from msgspec import Meta

from tertulia.model.conversation import ConversationDraft
from tertulia.ports import Page
from tertulia.protocols.http1 import Response
from tertulia.services.conversations import Conversations
from tertulia.services.members import Members
from tertulia.services.users import Users
from tertulia.web import answers, legacy_shapes, shapes
from tertulia.web.legacy_shapes import (
    LegacyConversation,
    LegacyConversationItem,
    LegacyConversationPage,
    LegacyNothing,
    LegacyRecords,
    LegacyReference,
)
from tertulia.web.paging import page_answer, unpaged
from tertulia.web.rest.conversations import (
    PATH,
    ConversationQuery,
    ConversationResource,
    UserConversationQuery,
    all_filter,
)
from tertulia.web.routing import FIRST, OLDER, SECOND, Call, route

RECORDS_MAX = 1000
"""So far the first edition counts and pages; the second goes on by cursor."""
OF_USER = "/users/{user_id}/conversations"


class RecordQuery(ConversationQuery, frozen=True):
    record_index: Annotated[
        int, Meta(ge=0, le=RECORDS_MAX, description="How many pages to skip.")
    ] = 0


class LegacyConversationResource(ConversationResource):
    def __init__(
        self, conversations: Conversations, users: Users, members: Members, api_key: str
    ) -> None:
        super().__init__(conversations, users)
        self._members = members
        self._api_key = api_key

    @route("POST", "/conversations", editions=OLDER, body=ConversationDraft,
           answers={200: LegacyReference})  # fmt: skip
    async def create_conversation(self, call: Call) -> Response:
        """Create a conversation"""
        made = await self._conversations.create(call.body, call.actor)
        return _reference(call, made.id)

    @route("GET", "/conversations", editions=FIRST, query=RecordQuery,
           answers={200: LegacyRecords})  # fmt: skip
    async def list_conversations(self, call: Call) -> Response:
        """List the conversations of the application, or those of the token's user"""
        query: RecordQuery = call.query
        page = Page(limit=RECORDS_MAX, descending=query.descending)
        found = await self._conversations.list(all_filter(call), page)
        start = query.record_index * query.page_size
        shown = found[start : start + query.page_size]
        items = [legacy_shapes.conversation_item(each, call.base) for each in shown]
        href = f"{call.base}/conversations?{urlencode(call.given)}".rstrip("?")
        return answers.json(200, LegacyRecords(
            count=len(found), page_size=query.page_size, record_index=query.record_index,
            embedded=legacy_shapes.LegacyConversationList(items),
            links=shapes.SelfLink(shapes.Link(href)),
        ))  # fmt: skip

    @route("GET", "/conversations", name="list_conversations", editions=SECOND,
           query=ConversationQuery, answers={200: LegacyConversationPage})  # fmt: skip
    async def list_conversations_by_cursor(self, call: Call) -> Response:
        """List the conversations of the application, or those of the token's user"""
        piece = await self._slice(call, all_filter(call))
        items = [legacy_shapes.conversation_item(each, call.base) for each in piece.items]
        return page_answer(call, "/conversations", piece, {"data": {"conversations": items}})

    @route("GET", PATH, editions=OLDER, answers={200: LegacyConversation})
    async def get_conversation(self, call: Call) -> Response:
        """Retrieve a conversation with its members"""
        found = await self._conversations.find(call.conversation_id, call.actor)
        members = await self._members.everybody(found.profile.id, call.actor)
        shown = legacy_shapes.conversation(found, members, call.base, self._api_key)
        return answers.json(200, shown)

    @route("PUT", PATH, editions=OLDER, body=ConversationDraft, answers={200: LegacyReference})
    async def update_conversation(self, call: Call) -> Response:
        """Update a conversation"""
        await self._conversations.update(call.conversation_id, call.body, call.actor)
        return _reference(call, call.conversation_id)

    @route("DELETE", PATH, editions=OLDER, answers={200: LegacyNothing})
    async def delete_conversation(self, call: Call) -> Response:
        """Delete a conversation"""
        await self._conversations.delete(call.conversation_id, call.actor)
        return answers.json(200, LegacyNothing())

    @route("GET", OF_USER, editions=FIRST, query=UserConversationQuery,
           answers={200: list[LegacyConversationItem]})  # fmt: skip
    async def list_user_conversations(self, call: Call) -> Response:
        """List the conversations that a user is or was a member of"""
        unpaged(call)
        _, where = await self._of_user(call)
        piece = await self._slice(call, where)
        items = [legacy_shapes.conversation_item(each, call.base) for each in piece.items]
        return answers.json(200, items)

    @route("GET", OF_USER, name="list_user_conversations", editions=SECOND,
           query=UserConversationQuery, answers={200: LegacyConversationPage})  # fmt: skip
    async def list_user_conversations_by_cursor(self, call: Call) -> Response:
        """List the conversations that a user is or was a member of"""
        user, where = await self._of_user(call)
        piece = await self._slice(call, where)
        items = [legacy_shapes.conversation_item(each, call.base) for each in piece.items]
        path = f"/users/{user.id}/conversations"
        return page_answer(call, path, piece, {"data": {"conversations": items}})


def _reference(call: Call, conversation_id: str) -> Response:
    href = f"{call.base}/conversations/{conversation_id}"
    return answers.json(200, LegacyReference(conversation_id, href))
