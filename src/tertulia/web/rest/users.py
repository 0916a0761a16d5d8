"""Users (wire-api 1.7)."""

from typing import Annotated

from msgspec import Meta

from tertulia.model.errors import Forbidden
from tertulia.model.state import User
from tertulia.ports import Listed
from tertulia.protocols.http1 import Response
from tertulia.services.members import Members
from tertulia.services.users import UserDraft, Users
from tertulia.web import answers, shapes
from tertulia.web.paging import PageQuery, Slice, cut, page_answer, page_of
from tertulia.web.routing import EDITIONS, Call, route

ONE = "/users/{user_id}"


class UserQuery(PageQuery, frozen=True):
    name: Annotated[str, Meta(description="Only the user of this name.")] = ""


class UserResource:
    def __init__(self, users: Users, members: Members) -> None:
        self._users = users
        self._members = members

    @route("POST", "/users", editions=EDITIONS, body=UserDraft, answers={201: shapes.UserResource})
    async def create_user(self, call: Call) -> Response:
        """Create a user"""
        if not call.actor.is_system:
            raise Forbidden("Users cannot create users.")
        user = await self._users.create(call.body, call.actor.application_id)
        return answers.json(201, shapes.user(user, call.base))

    @route("GET", "/users", editions=EDITIONS, query=UserQuery, answers={200: shapes.UserPage})
    async def list_users(self, call: Call) -> Response:
        """List the users of the application"""
        page = page_of(call.query, "users", tuple[int])
        name = call.query.name or None
        found = await self._users.list(call.actor.application_id, page, name=name)
        piece = cut(found, page, "users")
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
        user = await self._users.update((await self._own(call)).id, call.body)
        return answers.json(200, shapes.user(user, call.base))

    @route("DELETE", ONE, editions=EDITIONS, answers={204: None})
    async def delete_user(self, call: Call) -> Response:
        """Delete a user; it leaves its conversations"""
        await self._members.delete_user((await self._own(call)).id)
        return answers.nothing()

    @route("GET", ONE + "/sessions", editions=EDITIONS, query=PageQuery,
           answers={200: shapes.SessionPage})  # fmt: skip
    async def list_user_sessions(self, call: Call) -> Response:
        """List the live sessions of a user"""
        user = await self._own(call)
        # live sessions are not served yet: nobody is logged in
        nothing: Slice[Listed] = Slice([], None, None)
        return page_answer(call, f"/users/{user.id}/sessions", nothing, {"sessions": []})

    async def _found(self, call: Call) -> User:
        return await self._users.find(call.params["user_id"], call.actor.application_id)

    async def _own(self, call: Call) -> User:
        user = await self._found(call)
        if not call.actor.is_system and call.actor.user_id != user.id:
            raise Forbidden("A user may only change itself.")
        return user
