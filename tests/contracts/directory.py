"""The contract of Directory (tertulia/ports): what every adapter guarantees."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace
from tests.contracts.builders import (
    APP,
    NOW,
    OTHER_APP,
    append,
    application,
    application_event,
    birth,
    conversation_id,
    deleted,
    leg,
    member,
    member_id,
    profile,
    user,
    user_id,
)
from tests.contracts.scenario import StoreContract, scenario

from tertulia.app.outside import Store
from tertulia.model.errors import InvalidCursor
from tertulia.model.events.leg import LegEnd, LegStatus
from tertulia.model.ids import EventId, LegId, Position
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg, advanced
from tertulia.model.state import (
    Capability,
    Conversation,
    MemberState,
    Profile,
    Properties,
    User,
    Webhook,
)
from tertulia.ports import (
    Append,
    CallFilter,
    ConversationFilter,
    FoundCalls,
    Joined,
    LegFilter,
    Listed,
    ListedConversation,
    NameTaken,
    Page,
    Records,
)

ALL = Page(limit=100)
MINE = ConversationFilter(APP)

L = TypeVar("L", bound=Listed)
Read = Callable[[Page], Awaitable[list[L]]]


async def begun(store: Store, *profiles: Profile) -> list[Profile]:
    for each in profiles:
        await store.append(birth(each))
    return list(profiles)


async def known(store: Store, *names: str) -> list[User]:
    users = [user(name) for name in names]
    for each in users:
        await store.put_user(each)
    return users


def names(listed: Sequence[ListedConversation]) -> list[str]:
    return [each.profile.name for each in listed]


async def check_pages(read: Read[L], meanwhile: Callable[[], Awaitable[None]]) -> None:
    """A list is the same by pages as at once, there and back, whatever is added meanwhile."""
    for descending in (False, True):
        whole = await read(Page(limit=100, descending=descending))
        keys = [each.key for each in whole]
        assert keys == sorted(keys, reverse=descending) and len(set(keys)) == len(keys)
        page = await read(Page(limit=2, descending=descending))
        there = page[:]
        while len(there) < len(whole):
            await meanwhile()
            page = await read(Page(limit=2, descending=descending, after=there[-1].key))
            there += page
        assert there[: len(whole)] == whole
        back = [whole[-1]]
        while len(back) < len(whole):
            await meanwhile()
            page = await read(Page(limit=2, descending=descending, before=back[0].key))
            back = page + back
        assert back[-len(whole) :] == whole


class DirectoryContract(StoreContract):
    @scenario
    async def test_a_conversation_is_found_with_its_members(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        (room,) = await begun(store, profile())
        joined, invited = member(room, alice), member(room, bob, MemberState.INVITED)
        await store.append(append(room, 0, joined, invited, events=2))
        found = await store.conversation(room.id)
        assert found == Conversation(
            room, {joined.id: joined, invited.id: invited}, sequence=EventId(2)
        )
        assert found is not None and list(found.members) == [joined.id, invited.id]
        assert await store.conversation(conversation_id()) is None

    @scenario
    async def test_a_profile_comes_with_the_newest_number(self, store: Store) -> None:
        (room,) = await begun(store, profile())
        changed = replace(room, display_name="Änders", numbers=[{"a": 1}])
        await store.append(append(room, 0, changed, events=3))
        found = await store.profile(room.id)
        assert found is not None
        assert (found.profile, found.sequence, found.membership) == (changed, 3, None)
        assert found in await store.conversations(MINE, ALL)
        assert await store.profile(conversation_id()) is None

    @scenario
    async def test_conversations_are_listed_in_order_of_creation(self, store: Store) -> None:
        await begun(
            store, profile("b", at=2), profile("c", at=2), profile("a", at=1),
            profile("x", application_id=OTHER_APP), profile("d", at=30),
        )  # fmt: skip
        assert names(await store.conversations(MINE, ALL)) == ["a", "b", "c", "d"]
        page = Page(limit=2, descending=True)
        assert names(await store.conversations(MINE, page)) == ["d", "c"]

    @scenario
    async def test_a_deleted_conversation_is_found_but_not_listed(self, store: Store) -> None:
        room, _ = await begun(store, profile("gone"), profile("here"))
        gone = deleted(room)
        await store.append(append(room, 0, gone))
        assert names(await store.conversations(MINE, ALL)) == ["here"]
        assert names(await store.conversations(ConversationFilter(APP, name="gone"), ALL)) == []
        found, whole = await store.profile(room.id), await store.conversation(room.id)
        assert found is not None and found.profile == gone
        assert whole is not None and whole.profile == gone

    @scenario
    async def test_conversations_by_name_and_dates(self, store: Store) -> None:
        await begun(store, *[profile(f"room {at}", at=at) for at in range(5)])
        filters = {
            ConversationFilter(APP, name="room 3"): ["room 3"],
            ConversationFilter(APP, name="room 3", by_sort_key=True): ["room 3"],
            ConversationFilter(APP, name="room"): [],
            ConversationFilter(OTHER_APP, name="room 3"): [],
            ConversationFilter(APP, created_after=Instant(NOW + 3)): ["room 3", "room 4"],
            ConversationFilter(APP, created_before=Instant(NOW + 1)): ["room 0", "room 1"],
            ConversationFilter(
                APP, created_after=Instant(NOW + 1), created_before=Instant(NOW + 2)
            ): ["room 1", "room 2"],
            ConversationFilter(APP, created_after=Instant(10**17)): [],
            ConversationFilter(
                APP, created_after=Instant(NOW + 3), by_sort_key=True
            ): ["room 3", "room 4"],
            ConversationFilter(APP, name="room 3", created_before=Instant(NOW)): [],
        }  # fmt: skip
        for where, expected in filters.items():
            assert names(await store.conversations(where, ALL)) == expected, where

    @scenario
    async def test_conversations_by_sort_key(self, store: Store) -> None:
        first, *_ = await begun(
            store, profile("none"), profile("b", sort_key="b"), profile("é", sort_key="é"),
            profile("a", sort_key="a"), profile("also a", sort_key="a"),
        )  # fmt: skip
        where = replace(MINE, by_sort_key=True)
        expected = ["none", "a", "also a", "b", "é"]
        assert names(await store.conversations(where, ALL)) == expected
        moved = replace(first, properties=Properties(custom_sort_key="c"))
        await store.append(append(first, 0, moved))
        expected = ["a", "also a", "b", "none", "é"]
        assert names(await store.conversations(where, ALL)) == expected

    @scenario
    async def test_conversations_of_a_user(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        rooms = await begun(
            store, profile("c", at=3), profile("a", at=1, sort_key="z"), profile("b", at=2),
            profile("d"), profile("gone"),
        )  # fmt: skip
        c, a, b, d, gone = rooms
        left = member(b, alice, MemberState.LEFT)
        back = member(b, alice, MemberState.INVITED)
        for room, members in (
            (c, [member(c, alice), member(c, bob)]), (a, [member(a, alice)]), (b, [left]),
            (b, [back]), (b, [left]), (d, [member(d, bob)]), (gone, [member(gone, alice)]),
        ):  # fmt: skip
            await store.append(append(room, 0, *members, events=0))
        await store.append(append(gone, 0, deleted(gone)))
        of_alice = ConversationFilter(APP, user_id=alice.id)
        found = await store.conversations(of_alice, ALL)
        assert names(found) == ["a", "b", "c"]
        assert [each.membership and each.membership.user_id for each in found] == [alice.id] * 3
        assert found[1].membership == back
        cases = {
            replace(of_alice, state=MemberState.JOINED): ["a", "c"],
            replace(of_alice, state=MemberState.INVITED): ["b"],
            replace(of_alice, state=MemberState.LEFT): [],
            replace(of_alice, by_sort_key=True): ["c", "b", "a"],
            replace(of_alice, created_after=Instant(NOW + 2)): ["b", "c"],
            replace(of_alice, name="b"): ["b"],
            replace(of_alice, user_id=user_id()): [],
            replace(of_alice, application_id=OTHER_APP): [],
        }
        for where, expected in cases.items():
            assert names(await store.conversations(where, ALL)) == expected, where

    @scenario
    async def test_pages_stand_still_while_conversations_come(self, store: Store) -> None:
        await begun(store, *[profile(at=at % 3, sort_key=f"{at % 2}") for at in range(7)])

        async def more() -> None:
            await begun(store, profile(at=10**6, sort_key="2"), profile(application_id=OTHER_APP))

        for where in (MINE, replace(MINE, by_sort_key=True)):
            newest = Instant(NOW + 10)
            old = replace(where, created_before=newest)
            await check_pages(partial(store.conversations, old), more)

    @scenario
    async def test_pages_of_a_users_conversations(self, store: Store) -> None:
        (alice,) = await known(store, "alice")
        for room in await begun(store, *[profile(at=at % 2, sort_key="k") for at in range(5)]):
            await store.append(append(room, 0, member(room, alice)))

        async def more() -> None:
            await begun(store, profile())

        for by_sort_key in (False, True):
            where = ConversationFilter(APP, user_id=alice.id, by_sort_key=by_sort_key)
            await check_pages(partial(store.conversations, where), more)

    @scenario
    async def test_members_are_listed_in_order_of_arrival(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        room, other = await begun(store, profile(), profile())
        first, second = member(room, bob), member(room, alice)
        await store.append(append(room, 0, first, second, events=2))
        await store.append(append(other, 0, member(other, alice)))
        gone = replace(first, state=MemberState.LEFT, left_at=NOW)
        await store.append(append(room, 2, gone))
        found = await store.members(room.id, ALL)
        assert [(each.member, each.user) for each in found] == [(gone, bob), (second, alice)]
        assert await store.member(room.id, second.id) == found[1]
        assert await store.member(other.id, second.id) is None
        assert await store.member(room.id, member_id()) is None
        assert await store.members(conversation_id(), ALL) == []

    @scenario
    async def test_legs_are_found_as_they_last_were(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        (room,) = await begun(store, profile())
        first, second, foreign = leg(alice), leg(bob), leg(bob, application_id=OTHER_APP)
        for each in (first, second, foreign):
            happened = replace(application_event(each.application_id), became=each)
            await store.append(Append(each.application_id, None, EventId(0), (happened,), (each,)))
        inside = replace(first, conversation_id=room.id)
        await store.append(append(room, 0, inside))
        over = advanced(second, LegStatus.REJECTED, NOW)
        await store.append(Append(APP, None, EventId(0), (application_event(),), (over,)))
        assert await store.leg(first.id) == inside
        assert await store.leg(LegId("nobody's")) is None
        assert await self._legs(store, LegFilter(APP)) == [inside, over]
        assert await self._legs(store, LegFilter(APP, room.id)) == [inside]
        assert await self._legs(store, LegFilter(APP, user_id=bob.id)) == [over]
        assert await self._legs(store, LegFilter(APP, room.id, bob.id)) == []
        assert await self._legs(store, LegFilter(OTHER_APP)) == [foreign]
        assert await store.open_legs() == [inside, foreign]
        (newest,) = await store.legs(LegFilter(APP), Page(limit=1, descending=True))
        rest = Page(limit=5, descending=True, after=newest.key)
        assert [each.leg for each in await store.legs(LegFilter(APP), rest)] == [inside]
        followed = await store.follow(Position(0), application_id=OTHER_APP)
        assert [each.became for each in followed] == [foreign]

    @scenario
    async def test_calls_are_counted_and_listed_in_order_of_their_start(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        (room,) = await begun(store, profile())
        late = self._call(alice, 3, conversation_id=room.id)
        early, lost = self._call(bob, 1), self._call(bob, 2)
        foreign = self._call(bob, 2, application_id=OTHER_APP)
        lost = advanced(lost, LegStatus.TIMEOUT, NOW, end=LegEnd.REQUEST_TIMEOUT)
        await store.append(append(room, 0, late, early, leg(alice)))
        await store.append(append(room, 1, lost))
        told = application_event(OTHER_APP)
        await store.append(Append(OTHER_APP, None, EventId(0), (told,), (foreign,)))
        cases = {
            CallFilter(APP): [early, lost, late], CallFilter(APP, alice.id): [late],
            CallFilter(APP, conversation_id=room.id): [late],
            CallFilter(APP, bob.id, room.id): [], CallFilter(OTHER_APP, alice.id): [],
            CallFilter(OTHER_APP, conversation_id=room.id): [],
            CallFilter(APP, status="started"): [early, late],
            CallFilter(APP, status="unanswered"): [lost], CallFilter(APP, status="timeout"): [],
            CallFilter(APP, started_after=Instant(NOW + 2)): [lost, late],
            CallFilter(APP, started_before=Instant(NOW + 2)): [early, lost],
        }  # fmt: skip
        for where, expected in cases.items():
            assert await store.calls(where, Records()) == FoundCalls(len(expected), expected), where
            backward = await store.calls(where, Records(descending=True))
            assert backward == FoundCalls(len(expected), expected[::-1]), where
        assert await store.calls(CallFilter(APP), Records(1, 1)) == FoundCalls(3, [lost])
        assert await store.calls(CallFilter(APP), Records(3, 1)) == FoundCalls(3, [])

    def _call(self, who: User, at: int, **members: Any) -> Leg:
        """`at`: milliseconds after NOW."""
        return replace(leg(who), is_call=True, started_at=Instant(NOW + at), **members)

    async def _legs(self, store: Store, where: LegFilter) -> list[Leg]:
        return [each.leg for each in await store.legs(where, ALL)]

    @scenario
    async def test_where_a_user_has_joined_is_told_as_of_a_position(self, store: Store) -> None:
        (alice,) = await known(store, "alice")
        assert await store.joined(alice.id) == Joined(Position(0), [])
        rooms = await begun(store, profile(), profile(), profile())
        here, gone = member(rooms[0], alice), member(rooms[1], alice)
        await store.append(append(rooms[0], 0, here))
        await store.append(append(rooms[1], 0, gone))
        await store.append(append(rooms[2], 0, member(rooms[2], alice, MemberState.INVITED)))
        found = await store.joined(alice.id)
        assert found.as_of == await store.head()
        assert sorted(found.members) == sorted(
            (each.conversation_id, each.id) for each in (here, gone)
        )
        await store.append(append(rooms[1], 1, deleted(rooms[1])))
        assert await store.joined(alice.id) == Joined(
            await store.head(), [(here.conversation_id, here.id)]
        )

    @scenario
    async def test_pages_of_members_and_users(self, store: Store) -> None:
        users = await known(store, *[f"user {number}" for number in range(5)])
        (room,) = await begun(store, profile())
        await store.append(append(room, 0, *[member(room, each) for each in users]))

        async def nothing() -> None:
            return None

        await check_pages(partial(store.members, room.id), nothing)
        await check_pages(partial(store.users, APP), nothing)

    @scenario
    async def test_a_key_of_another_list_is_refused(self, store: Store) -> None:
        (room,) = await begun(store, profile())
        for key in ((), ("1",), (1, 2), ("a", 1), (2**63,), (True,)):
            with pytest.raises(InvalidCursor):
                await store.conversations(MINE, Page(after=key))
            with pytest.raises(InvalidCursor):
                await store.members(room.id, Page(before=key))
            with pytest.raises(InvalidCursor):
                await store.users(APP, Page(before=key))
        for key in ((1,), (1, 2), ("a",), ("a", 2**63)):
            with pytest.raises(InvalidCursor):
                await store.conversations(replace(MINE, by_sort_key=True), Page(after=key))

    @scenario
    async def test_expiry(self, store: Store) -> None:
        assert await store.next_expiry() is None
        late, soon, _ = await begun(store, profile(ttl=20), profile(ttl=10), profile())
        assert await store.next_expiry() == NOW + 10_000
        assert await store.expired(Instant(NOW + 9_999)) == []
        assert await store.expired(Instant(NOW + 10_000)) == [soon.id]
        assert await store.expired(Instant(NOW + 20_000)) == [soon.id, late.id]
        assert await store.expired(Instant(NOW + 20_000), limit=1) == [soon.id]
        await store.append(append(soon, 0, replace(soon, emptied_at=None)))
        assert await store.next_expiry() == NOW + 20_000
        await store.append(append(late, 0, deleted(late)))
        assert await store.next_expiry() is None

    @scenario
    async def test_users_by_id_and_name(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        theirs = user("alice", application_id=OTHER_APP)
        await store.put_user(theirs)
        assert await store.user(alice.id) == alice
        assert await store.user(user_id()) is None
        assert await store.user_named(APP, "alice") == alice
        assert await store.user_named(OTHER_APP, "alice") == theirs
        assert await store.user_named(APP, "Alice") is None
        assert [each.user for each in await store.users(APP, ALL)] == [alice, bob]
        assert [each.user for each in await store.users(APP, ALL, name="bob")] == [bob]

    @scenario
    async def test_a_user_name_is_held_by_one(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        with pytest.raises(NameTaken):
            await store.put_user(user("alice"))
        with pytest.raises(NameTaken):
            await store.put_user(replace(bob, name="alice"))
        assert await store.user(bob.id) == bob
        await store.put_user(replace(alice, name="ann"))
        await store.put_user(replace(bob, name="alice"))
        assert await store.user_named(APP, "alice") == replace(bob, name="alice")

    @scenario
    async def test_a_deleted_user_is_found_by_id_alone(self, store: Store) -> None:
        alice, bob = await known(store, "alice", "bob")
        gone = replace(alice, destroyed_at=NOW)
        await store.put_user(gone)
        assert await store.user(alice.id) == gone
        assert await store.user_named(APP, "alice") is None
        assert [each.user for each in await store.users(APP, ALL)] == [bob]
        await known(store, "alice")

    @scenario
    async def test_applications(self, store: Store) -> None:
        webhook = Webhook("https://example.org/e", http_method="POST")
        newer = replace(
            application(at=1), capabilities={"rtc": Capability(webhooks={"event_url": webhook})}
        )
        older = application(OTHER_APP)
        await begun(store, profile(), profile(application_id=OTHER_APP))
        assert await store.applications() == []
        assert await store.application(APP) is None
        await store.put_application(newer)
        await store.put_application(older)
        assert await store.applications() == [older, newer]
        renamed = replace(newer, name="Renamed")
        await store.put_application(renamed)
        assert await store.application(APP) == renamed
        await store.delete_application(APP)
        await store.delete_application(APP)
        assert await store.application(APP) is None
        assert await store.applications() == [older]
        await store.put_application(newer)
        assert await store.application(APP) == newer
