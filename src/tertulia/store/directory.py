"""The directory's look-ups and lists by a reader; its writes go through the writer."""

from typing import TypeVar

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, ConversationId, LegId, MemberId, UserId
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.state import Application, Conversation, User
from tertulia.ports import (
    CallFilter,
    ConversationFilter,
    FoundCalls,
    Joined,
    LegFilter,
    ListedConversation,
    ListedLeg,
    ListedMember,
    ListedUser,
    Page,
    Records,
)
from tertulia.store import rows
from tertulia.store.entry import rows_entry
from tertulia.store.guards import HIGHEST, LOWEST, Removal, Row, Scan, places, scan_of
from tertulia.store.queries import listing
from tertulia.store.sides import Parameter, Reader, Writer

T = TypeVar("T")

_ABOVE_TEXT = "\U0010ffff" * 201
"""Comes after every sort key: they have 200 characters at most."""


class StoredDirectory:
    """Directory."""

    _reader: Reader
    _writer: Writer | None

    async def conversation(self, conversation_id: ConversationId) -> Conversation | None:
        found = await self._reader.read(
            "conversation", rows.conversations, {"conversation": conversation_id}
        )
        return found[0].conversation() if found else None

    async def profile(self, conversation_id: ConversationId) -> ListedConversation | None:
        found = await self._reader.read("profile", rows.profiles, {"conversation": conversation_id})
        return found[0].listed() if found else None

    async def conversations(
        self, where: ConversationFilter, page: Page
    ) -> list[ListedConversation]:
        by_sort_key = where.by_sort_key
        shape = (str, int) if by_sort_key else (int,)
        scan = scan_of(page, *shape)
        parameters: dict[str, Parameter] = {
            "application": where.application_id, "name": where.name, "user": where.user_id,
            "state": where.state, "limit": page.limit,
        }  # fmt: skip
        parameters |= _keys(scan, where) if by_sort_key else _places(scan, where)
        name = listing(_list_name(where), descending=scan.descending)
        found = await self._reader.read(name, rows.profiles, parameters)
        return _ordered([row.listed(by_sort_key=by_sort_key) for row in found], scan)

    async def member(
        self, conversation_id: ConversationId, member_id: MemberId
    ) -> ListedMember | None:
        found = await self._reader.read(
            "member", rows.members, {"conversation": conversation_id, "member": member_id}
        )
        return found[0].listed() if found else None

    async def members(self, conversation_id: ConversationId, page: Page) -> list[ListedMember]:
        scan = scan_of(page, int)
        found = await self._reader.read(
            listing("members", descending=scan.descending),
            rows.members,
            {"conversation": conversation_id, "limit": page.limit, **_numbers(scan)},
        )
        return _ordered([row.listed() for row in found], scan)

    async def joined(self, user_id: UserId) -> Joined:
        return await self._reader.read("joined", rows.joined, {"user": user_id})

    async def leg(self, leg_id: LegId) -> Leg | None:
        found = await self._reader.read("leg", rows.legs, {"leg": leg_id})
        return found[0].leg if found else None

    async def legs(self, where: LegFilter, page: Page) -> list[ListedLeg]:
        scan = scan_of(page, int)
        of = "legs" if where.conversation_id is None else "legs_of_conversation"
        found = await self._reader.read(
            listing(of, descending=scan.descending),
            rows.legs,
            {
                "application": where.application_id, "conversation": where.conversation_id,
                "user": where.user_id, "limit": page.limit, **_numbers(scan),
            },
        )  # fmt: skip
        return _ordered([row.listed() for row in found], scan)

    async def calls(self, where: CallFilter, records: Records) -> FoundCalls:
        of = "calls" if where.conversation_id is None else "calls_of_conversation"
        first, last = where.started_after, where.started_before
        return await self._reader.read(
            listing(of, descending=records.descending),
            rows.calls,
            {
                "application": where.application_id, "conversation": where.conversation_id,
                "user": where.user_id, "status": where.status,
                "first": LOWEST if first is None else first,
                "last": HIGHEST if last is None else last,
                "index": records.index, "limit": records.limit,
            },
        )  # fmt: skip

    async def open_legs(self) -> list[Leg]:
        return [row.leg for row in await self._reader.read("open_legs", rows.legs)]

    async def expired(self, now: Instant, limit: int = 100) -> list[ConversationId]:
        return await self._reader.read(
            "expired", rows.conversation_ids, {"now": now, "limit": limit}
        )

    async def next_expiry(self) -> Instant | None:
        return await self._reader.read("next_expiry", rows.instant)

    async def user(self, user_id: UserId) -> User | None:
        found = await self._reader.read("user", rows.users, {"user": user_id})
        return found[0].user if found else None

    async def user_named(self, application_id: ApplicationId, name: str) -> User | None:
        found = await self.users(application_id, Page(limit=1), name=name)
        return found[0].user if found else None

    async def users(
        self, application_id: ApplicationId, page: Page, *, name: str | None = None
    ) -> list[ListedUser]:
        scan = scan_of(page, int)
        found = await self._reader.read(
            listing("users" if name is None else "users_named", descending=scan.descending),
            rows.users,
            {"application": application_id, "name": name, "limit": page.limit, **_numbers(scan)},
        )
        return _ordered([row.listed() for row in found], scan)

    async def put_user(self, user: User) -> None:
        await self._write(user.application_id, user)

    async def application(self, application_id: ApplicationId) -> Application | None:
        found = await self._reader.read(
            "application", rows.applications, {"application": application_id}
        )
        return found[0] if found else None

    async def applications(self) -> list[Application]:
        return await self._reader.read("applications", rows.applications)

    async def put_application(self, application: Application) -> None:
        await self._write(application.id, application)

    async def delete_application(self, application_id: ApplicationId) -> None:
        await self._write(application_id, Removal(application_id))

    async def _write(self, application_id: ApplicationId, row: Row) -> None:
        if self._writer is None:
            raise Unavailable("the store is open for reading")
        future = self._writer.future()
        self._writer.submit(rows_entry(application_id, (row,), future))
        await future


def _list_name(where: ConversationFilter) -> str:
    of = "_of_user" if where.user_id is not None else "_named" if where.name is not None else ""
    return f"conversations{of}{'_by_sort_key' if where.by_sort_key else ''}"


def _ordered(found: list[T], scan: Scan) -> list[T]:
    return found[::-1] if scan.backward else found


def _numbers(scan: Scan) -> dict[str, Parameter]:
    low, high = scan.low or (LOWEST,), scan.high or (HIGHEST,)
    return {"low": low[0], "high": high[0]}


def _places(scan: Scan, where: ConversationFilter) -> dict[str, Parameter]:
    """Cursor and dates as one range."""
    first, last = places(where)
    (low,), (high,) = scan.low or (LOWEST,), scan.high or (HIGHEST,)
    return {"low": max(int(low), first), "high": min(int(high), last)}


def _keys(scan: Scan, where: ConversationFilter) -> dict[str, Parameter]:
    first, last = places(where)
    low, low_number = scan.low or ("", LOWEST)
    high, high_number = scan.high or (_ABOVE_TEXT, HIGHEST)
    return {
        "first": first, "last": last,
        "low": low, "low_number": low_number, "high": high, "high_number": high_number,
    }  # fmt: skip
