"""Users in the older editions (wire-api 1.3 and 1.7)."""

from tertulia.ports import ListedUser
from tertulia.protocols.http1 import Response
from tertulia.services.users import UserDraft
from tertulia.web import answers, legacy_shapes
from tertulia.web.legacy_shapes import (
    LegacyNothing,
    LegacyUser,
    LegacyUserItem,
    LegacyUserPage,
    LegacyUserReference,
)
from tertulia.web.paging import page_answer, unpaged
from tertulia.web.rest.users import ONE, UserQuery, UserResource
from tertulia.web.routing import FIRST, OLDER, SECOND, Call, route


class LegacyUserResource(UserResource):
    @route("POST", "/users", editions=OLDER, body=UserDraft, answers={200: LegacyUserReference})
    async def create_user(self, call: Call) -> Response:
        """Create a user"""
        made = await self._created(call)
        reference = LegacyUserReference(made.id, made.id, f"{call.base}/users/{made.id}")
        return answers.json(200, reference)

    @route("GET", "/users", editions=FIRST, query=UserQuery, answers={200: list[LegacyUserItem]})
    async def list_users(self, call: Call) -> Response:
        """List the users of the application"""
        unpaged(call)
        piece = await self._slice(call)
        return answers.json(200, _items(call, piece.items))

    @route("GET", "/users", name="list_users", editions=SECOND, query=UserQuery,
           answers={200: LegacyUserPage})  # fmt: skip
    async def list_users_by_cursor(self, call: Call) -> Response:
        """List the users of the application"""
        piece = await self._slice(call)
        return page_answer(call, "/users", piece, {"data": {"users": _items(call, piece.items)}})

    @route("GET", ONE, editions=OLDER, answers={200: LegacyUser})
    async def get_user(self, call: Call) -> Response:
        """Retrieve a user by id or name"""
        return answers.json(200, legacy_shapes.user(await self._found(call), call.base))

    @route("PUT", ONE, editions=OLDER, body=UserDraft, answers={200: LegacyUser})
    async def update_user(self, call: Call) -> Response:
        """Update a user"""
        return answers.json(200, legacy_shapes.user(await self._updated(call), call.base))

    @route("DELETE", ONE, editions=OLDER, answers={200: LegacyNothing})
    async def delete_user(self, call: Call) -> Response:
        """Delete a user; it leaves its conversations"""
        await self._delete(call)
        return answers.json(200, LegacyNothing())


def _items(call: Call, found: list[ListedUser]) -> list[LegacyUserItem]:
    return [legacy_shapes.user_item(each.user, call.base) for each in found]
