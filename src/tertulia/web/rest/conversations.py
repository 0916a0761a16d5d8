"""Conversations, and the conversations of a user (wire-api 1.2-1.6)."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tertulia.model.conversation import ConversationDraft
from tertulia.model.errors import UserNotFound, ValidationFailed
from tertulia.model.ids import ConversationId
from tertulia.model.instant import Instant, parse_date
from tertulia.model.state import User
from tertulia.ports import ConversationFilter, ListedConversation
from tertulia.protocols.http1 import Response
from tertulia.services.audiocontrol import MediaState
from tertulia.services.conversations import Conversations
from tertulia.services.users import Users
from tertulia.web import answers, shapes
from tertulia.web.paging import MemberStateQuery, PageQuery, Slice, cut, page_answer, page_of
from tertulia.web.routing import EDITIONS, Call, Edition, route

PATH = "/conversations/{conversation_id}"


_DATE = "ISO 8601, or `YYYY-MM-DD HH:MM:SS` in UTC."
After = Annotated[str, Meta(description=f"Created after this. {_DATE}")]
Before = Annotated[str, Meta(description=f"Created before this. {_DATE}")]


class ConversationQuery(PageQuery, frozen=True):
    date_start: After = ""
    date_end: Before = ""
    name: Annotated[str, Meta(description="Only the conversation of this name.")] = ""


class UserConversationQuery(MemberStateQuery, frozen=True):
    order_by: Literal["created", "custom_sort_key", ""] = "created"
    include_custom_data: bool = True
    date_start: After = ""


def read_date(name: str, text: str) -> Instant | None:
    if not text:
        return None
    date = parse_date(text)
    if date is None:
        raise ValidationFailed.of(name, "must be a valid ISO 8601 date")
    return date


class ConversationResource:
    def __init__(
        self, conversations: Conversations, users: Users,
        media_state: Callable[[ConversationId], MediaState] = lambda _: MediaState(),
    ) -> None:  # fmt: skip
        self._conversations = conversations
        self._users = users
        self._media_state = media_state

    @route("POST", "/conversations", editions=EDITIONS, body=ConversationDraft,
           answers={201: shapes.Conversation})  # fmt: skip
    async def create_conversation(self, call: Call) -> Response:
        """Create a conversation"""
        made = await self._conversations.create(call.body, call.actor)
        found = ListedConversation((), made.profile, made.sequence)
        return answers.json(201, self._shown(call, found))

    @route("GET", "/conversations", editions=EDITIONS, query=ConversationQuery,
           answers={200: shapes.ConversationPage})  # fmt: skip
    async def list_conversations(self, call: Call) -> Response:
        """List the conversations of the application, or those of the token's user"""
        where = all_filter(call)
        return await self._page(call, where, await self._owner(call), "/conversations")

    @route("GET", PATH, editions=EDITIONS, answers={200: shapes.Conversation})
    async def get_conversation(self, call: Call) -> Response:
        """Retrieve a conversation by id or name"""
        found = await self._conversations.find(call.conversation_id, call.actor)
        return answers.json(200, self._shown(call, found, await self._owner(call)))

    @route("PUT", PATH, editions=EDITIONS, body=ConversationDraft,
           answers={200: shapes.Conversation})  # fmt: skip
    @route("PATCH", PATH, name="patch_conversation", editions=EDITIONS, body=ConversationDraft,
           answers={200: shapes.Conversation})  # fmt: skip
    async def update_conversation(self, call: Call) -> Response:
        """Update a conversation"""
        await self._conversations.update(call.conversation_id, call.body, call.actor)
        found = await self._conversations.get(call.conversation_id, call.actor)
        return answers.json(200, self._shown(call, found, await self._owner(call)))

    @route("DELETE", PATH, editions=EDITIONS, answers={204: None})
    async def delete_conversation(self, call: Call) -> Response:
        """Delete a conversation"""
        await self._conversations.delete(call.conversation_id, call.actor)
        return answers.nothing()

    @route("GET", "/users/{user_id}/conversations", editions=EDITIONS,
           query=UserConversationQuery, answers={200: shapes.ConversationPage})  # fmt: skip
    async def list_user_conversations(self, call: Call) -> Response:
        """List the conversations that a user is or was a member of"""
        user, where = await self._of_user(call)
        return await self._page(call, where, user, f"/users/{user.id}/conversations")

    async def _of_user(self, call: Call) -> tuple[User, ConversationFilter]:
        """The user of the path, and its conversations that the query asks for."""
        query: UserConversationQuery = call.query
        user = await self._users.find(call.params["user_id"], call.actor.application_id)
        if not call.actor.is_system and call.actor.user_id != user.id:
            raise UserNotFound()
        return user, ConversationFilter(
            call.actor.application_id, user_id=user.id,
            by_sort_key=query.order_by == "custom_sort_key",
            created_after=read_date("date_start", query.date_start),
            state=query.member_state,
        )  # fmt: skip

    async def _owner(self, call: Call) -> User | None:
        """The token's user: whose the memberships are that conversations are found with."""
        if call.actor.user_id is None:
            return None
        return await self._users.find(call.actor.user_id, call.actor.application_id)

    async def _slice(self, call: Call, where: ConversationFilter) -> Slice[ListedConversation]:
        name, key = (
            ("conversations-by-key", tuple[str, int])
            if where.by_sort_key
            else ("conversations", tuple[int])
        )
        page = page_of(call.query, name, key)
        return cut(await self._conversations.list(where, page), page, name)

    async def _page(
        self, call: Call, where: ConversationFilter, owner: User | None, path: str
    ) -> Response:
        piece = await self._slice(call, where)
        items = [shapes.conversation(item, call.base, owner) for item in piece.items]
        if not getattr(call.query, "include_custom_data", True):
            items = [_without_custom_data(item) for item in items]
        return page_answer(call, path, piece, {"conversations": items})

    def _shown(
        self, call: Call, found: ListedConversation, owner: User | None = None
    ) -> shapes.Conversation:
        shown = shapes.conversation(found, call.base, owner)
        if call.edition is Edition.V03:
            state = self._media_state(found.profile.id)
            return msgspec.structs.replace(shown, media_state=state)
        return shown


def all_filter(call: Call) -> ConversationFilter:
    """The conversations of the application, or of the token's user, that a query asks for."""
    query: ConversationQuery = call.query
    return ConversationFilter(
        call.actor.application_id, name=query.name or None, user_id=call.actor.user_id,
        created_after=read_date("date_start", query.date_start),
        created_before=read_date("date_end", query.date_end),
    )  # fmt: skip


def _without_custom_data(item: shapes.Conversation) -> shapes.Conversation:
    if item.properties is None:
        return item
    properties = msgspec.structs.replace(item.properties, custom_data=None)
    return msgspec.structs.replace(item, properties=properties)
