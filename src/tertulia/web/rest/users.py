"""Users (wire-api 1.7)."""

from typing import Annotated, Protocol

from msgspec import Meta

from tertulia.model.errors import Forbidden
from tertulia.model.ids import UserId
from tertulia.model.state import User
from tertulia.ports import ListedUser
from tertulia.protocols.http1 import Response
from tertulia.services.members import Members
from tertulia.services.users import UserDraft, Users
from tertulia.web import answers, shapes
from tertulia.web.paging import PageQuery, Slice, cut, page_answer, page_of
from tertulia.web.routing import EDITIONS, Call, route

ONE = "/users/{user_id}"


class UserQuery(PageQuery, frozen=True):
    name: Annotated[str, Meta(description="Only the user of this name.")] = ""


class SessionEnd(Protocol):
    """What ends the live sessions of a user that is no more."""

    async def end_user(self, user_id: UserId) -> None: ...


class UserResource:
    def __init__(self, users: Users, members: Members, sessions: SessionEnd) -> None:
        self._users = users
        self._members = members
        self._sessions = sessions

    @route("POST", "/users", editions=EDITIONS, body=UserDraft, answers={201: shapes.UserResource})
    async def create_user(self, call: Call) -> Response:
        """Create a user"""
        return answers.json(201, shapes.user(await self._created(call), call.base))

    @route("GET", "/users", editions=EDITIONS, query=UserQuery, answers={200: shapes.UserPage})
    async def list_users(self, call: Call) -> Response:
        """List the users of the application"""
        piece = await self._slice(call)
        items = [shapes.user_linked(item.user, call.base) for item in piece.items]
        return page_answer(call, "/users", piece, {"users": items})

    @route("GET", ONE, editions=EDITIONS, answers={200: shapes.UserResource})
    async def get_user(self, call: Call) -> Response:
        """Retrieve a user by id or name"""
        return answers.json(200, shapes.user(await self._found(call), call.base))

    @route("PATCH", ONE, editions=EDITIONS, body=UserDraft, answers={200: shapes.UserResource})
    @route("PUT", ONE, name="put_user", editions=EDITIONS, body=UserDraft,
           answers={200: shapes.UserResource})  # fmt: skip
    async def update_user(self, call: Call) -> Response:
        """Update a user"""
        return answers.json(200, shapes.user(await self._updated(call), call.base))

    @route("DELETE", ONE, editions=EDITIONS, answers={204: None})
    async def delete_user(self, call: Call) -> Response:
        """Delete a user; it leaves its conversations"""
        await self._delete(call)
        return answers.nothing()

    async def _slice(self, call: Call) -> Slice[ListedUser]:
        page = page_of(call.query, "users", tuple[int])
        name = call.query.name or None
        found = await self._users.list(call.actor.application_id, page, name=name)
        return cut(found, page, "users")

    async def _created(self, call: Call) -> User:
        if not call.actor.is_system:
            raise Forbidden("Users cannot create users.")
        return await self._users.create(call.body, call.actor.application_id)

    async def _updated(self, call: Call) -> User:
        return await self._users.update((await self._own(call)).id, call.body)

    async def _delete(self, call: Call) -> None:
        user = await self._own(call)
        await self._members.delete_user(user.id)
        await self._sessions.end_user(user.id)

    async def _found(self, call: Call) -> User:
        """COMPAT: the client SDK names the token's user `me` (wire-clients 5.2)."""
        named = call.params["user_id"]
        if named == "me" and call.actor.user_id is not None:
            named = call.actor.user_id
        return await self._users.find(named, call.actor.application_id)

    async def _own(self, call: Call) -> User:
        user = await self._found(call)
        if not call.actor.is_system and call.actor.user_id != user.id:
            raise Forbidden("A user may only change itself.")
        return user
