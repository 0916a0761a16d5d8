"""Users: identities of an application."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from weakref import WeakValueDictionary

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from tertulia.model.addresses import has_unsafe_address
from tertulia.model.conversation import ImageUrl, check_custom_data
from tertulia.model.errors import (
    DuplicateUserName,
    TertuliaError,
    UserNotFound,
    ValidationFailed,
)
from tertulia.model.ids import ApplicationId, UserId
from tertulia.model.state import User, UserProperties
from tertulia.model.validation import NO_NUL, convert
from tertulia.ports import Clock, Directory, Ids, ListedUser, NameTaken, Page
from tertulia.ports.cluster import Homes
from tertulia.services.cards import Cards

UserName = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
UserDisplayName = Annotated[str, Meta(max_length=70)]
"""COMPAT: 50 by the create schema, 70 in answers (wire-api 1.7): the wider one."""


class UserDraft(Struct, frozen=True):
    """The body of create and update. Absent leaves alone, null clears."""

    name: UserName | UnsetType | None = UNSET
    display_name: UserDisplayName | UnsetType | None = UNSET
    image_url: ImageUrl | UnsetType | None = UNSET
    properties: UserProperties | UnsetType | None = UNSET
    channels: dict[str, Any] | UnsetType | None = UNSET


REMEMBERED_MAX = 20_000
"""Users, and as many names."""


class _Turns:
    """Of a user: those who come while it stays as it is are there together, who changes it is
    alone. One caller without a number may make a hundred calls at once."""

    __slots__ = ("__weakref__", "_door", "_gone", "_inside")

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._gone = asyncio.Event()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        async with self._door:
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._gone.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._door:
            while self._inside:
                self._gone.clear()
                await self._gone.wait()
            yield


class Users:
    """The only one who writes users of an application that is at home here, so what it remembers
    of those is true. A node that is none's home makes users at most, at their first login."""

    def __init__(
        self, *, directory: Directory, cards: Cards, clock: Clock, ids: Ids, homes: Homes
    ) -> None:
        self._directory = directory
        self._homes = homes
        self._cards = cards
        self._clock = clock
        self._ids = ids
        self._ids_by_name: OrderedDict[tuple[ApplicationId, str], UserId] = OrderedDict()
        self._turns: WeakValueDictionary[UserId, _Turns] = WeakValueDictionary()
        self._users: OrderedDict[UserId, User] = OrderedDict()
        self._doubtful: set[UserId] = set()
        """Users that are being written, or whose writer was interrupted."""

    async def create(self, draft: UserDraft, application_id: ApplicationId) -> User:
        """Raises DuplicateUserName."""
        user = User(
            id=self._ids.user(), application_id=application_id, name=f"NAM-{self._ids.bare()}",
            created_at=self._clock.now(),
        )  # fmt: skip
        return await self._put(_drafted(user, draft))

    async def find(self, id_or_name: str, application_id: ApplicationId) -> User:
        """COMPAT: the client SDK gets users by name (wire-api 1.7)."""
        user = await self.get(UserId(id_or_name))
        if user is None or user.application_id != application_id or user.destroyed_at is not None:
            user = await self._directory.user_named(application_id, id_or_name)
        if user is None:
            raise UserNotFound()
        return user

    async def get(self, user_id: UserId) -> User | None:
        """Also one that was deleted. A call asks four times for its user: it is remembered."""
        user = self._users.get(user_id)
        if user is not None:
            self._users.move_to_end(user_id)
            return user
        user = await self._directory.user(user_id)
        if user is None or user_id in self._doubtful:
            return user
        return self._remember(self._users.get(user_id, user))  # written while we read

    async def id_of(self, name: str, application_id: ApplicationId) -> UserId | None:
        """The user of that name: asked with every request of a user, so it is remembered."""
        key = (application_id, name)
        known = self._ids_by_name.get(key)
        if known is not None:
            self._ids_by_name.move_to_end(key)
            return known
        user = await self._directory.user_named(application_id, name)
        if user is None:
            return None
        if user.id in self._turns or not self._homes.has(application_id):  # it may be changing now
            return user.id
        self._ids_by_name[key] = user.id
        if len(self._ids_by_name) > REMEMBERED_MAX:
            self._ids_by_name.popitem(last=False)
        return user.id

    async def ensure(self, name: str, application_id: ApplicationId) -> UserId | None:
        """The user of that name, made if it is not there; None when it is deleted meanwhile.

        Raises ValidationFailed for a name that nobody can have.
        """
        known = await self.id_of(name, application_id)
        if known is not None:
            return known
        try:
            return (await self.create(convert({"name": name}, UserDraft), application_id)).id
        except DuplicateUserName:  # two that come at once
            return await self.id_of(name, application_id)

    async def list(
        self, application_id: ApplicationId, page: Page, *, name: str | None
    ) -> list[ListedUser]:
        return await self._directory.users(application_id, page, name=name)

    @asynccontextmanager
    async def unchanged(self, user_id: UserId) -> AsyncIterator[User]:
        """The user as it is now, while nobody changes it.

        Raises UserNotFound when it was deleted meanwhile.
        """
        async with self._turns.setdefault(user_id, _Turns()).together():
            yield await self._existing(user_id)

    @asynccontextmanager
    async def in_turn(self, user_id: UserId) -> AsyncIterator[User]:
        """The user as it is now, to be changed: a row is written whole.

        Raises UserNotFound when it was deleted meanwhile.
        """
        async with self._turns.setdefault(user_id, _Turns()).alone():
            yield await self._existing(user_id)

    async def _existing(self, user_id: UserId) -> User:
        user = await self.get(user_id)
        if user is None or user.destroyed_at is not None:
            raise UserNotFound()
        return user

    async def update(self, user_id: UserId, draft: UserDraft) -> User:
        """Raises UserNotFound or DuplicateUserName."""
        async with self.in_turn(user_id) as user:
            changed = _drafted(user, draft)
            if changed == user:
                return user
            self._forget_name(user)
            return await self._put(replace(changed, updated_at=self._clock.now()))

    async def mark_deleted(self, user: User) -> None:
        """History goes on to name the user; nothing else finds it."""
        now = self._clock.now()
        self._forget_name(user)
        await self._write(replace(user, updated_at=now, destroyed_at=now))

    def _forget_name(self, user: User) -> None:
        self._ids_by_name.pop((user.application_id, user.name), None)

    async def _put(self, user: User) -> User:
        try:
            await self._write(user)
        except NameTaken:
            raise DuplicateUserName() from None
        self._cards.put(user)
        return user

    async def _write(self, user: User) -> None:
        self._users.pop(user.id, None)
        self._doubtful.add(user.id)
        try:
            await self._directory.put_user(user)
        except TertuliaError:
            self._doubtful.discard(user.id)
            raise
        self._doubtful.discard(user.id)
        self._remember(user)

    def clear(self) -> None:
        """Others may write what is remembered."""
        self._users.clear()
        self._ids_by_name.clear()

    def _remember(self, user: User) -> User:
        if not self._homes.has(user.application_id):
            return user
        self._users[user.id] = user
        if len(self._users) > REMEMBERED_MAX:
            self._users.popitem(last=False)
        return user


def _drafted(user: User, draft: UserDraft) -> User:
    given = {
        name: value
        for name in ("display_name", "image_url", "properties", "channels")
        if (value := getattr(draft, name)) is not UNSET
    }
    if isinstance(draft.name, str):
        given["name"] = draft.name
    if has_unsafe_address(given.get("channels")):
        raise ValidationFailed.of("channels", "must hold safe addresses only")
    changed = replace(user, **given)
    check_custom_data(changed.properties.custom_data if changed.properties else None)
    return changed
