"""The contract of EventLog (tertulia/ports): what every adapter guarantees."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from tests.contracts.builders import (
    APP,
    NOW,
    OTHER_APP,
    append,
    application_event,
    birth,
    conversation_id,
    deleted,
    event,
    member,
    member_id,
    profile,
    user,
)
from tests.contracts.scenario import StoreContract, scenario

from tertulia.app.outside import Store
from tertulia.model.errors import Unavailable
from tertulia.model.event import Blank, Event, Receipt
from tertulia.model.ids import EventId, Position
from tertulia.model.instant import Instant
from tertulia.model.state import MemberState, Profile
from tertulia.ports import Append, Conflict, EventQuery, NameTaken


async def begun(store: Store, events: int = 0) -> Profile:
    """A new conversation with so many messages."""
    new = profile()
    await store.append(birth(new))
    if events:
        await store.append(append(new, 0, events=events))
    return new


async def history(store: Store, of: Profile, query: EventQuery | None = None) -> list[Event]:
    return await store.events(of.id, query or EventQuery(limit=1000))


def numbers(events: Sequence[Event]) -> list[int | None]:
    return [event.id for event in events]


async def outcomes(store: Store, *appends: Append) -> list[Position | BaseException]:
    """Append all at once, as a batch where the adapter has such."""
    return await asyncio.gather(*map(store.append, appends), return_exceptions=True)


class EventLogContract(StoreContract):
    @scenario
    async def test_an_event_is_read_as_it_was_written(self, store: Store) -> None:
        room, alice = profile(), user()
        joined = member(room, alice)
        written = [
            replace(event(room, 1), sender=joined.id, recipient=member_id(),
                    embedded=b'{"from_user":{"name":"Zo\xc3\xab"}}', body=b'{"a":[1.5e300,null]}'),
            event(room, 2, type="member:joined", became=joined),
            event(room, 3, type="conversation:updated", became=room),
        ]  # fmt: skip
        await store.append(birth(room))
        position = await store.append(Append(APP, room.id, EventId(0), written))
        found = await history(store, room)
        assert [replace(each, position=Position(0)) for each in found] == written
        assert found[-1].position == position
        assert await store.event(room.id, EventId(2)) == found[1]
        assert await store.event(room.id, EventId(4)) is None
        assert await store.event(conversation_id(), EventId(1)) is None

    @scenario
    async def test_events_about_others(self, store: Store) -> None:
        room = await begun(store)
        bodies = [b'{"text":"a"}', b'{"event_id":1,"n":2}', b'{"text":"b","original_event_id":1}',
                  b'{"event_id":2}', b'{"event_id":"1"}', b'{"event_id":1}', b"{}"]  # fmt: skip
        events = [replace(event(room, n + 1), body=body) for n, body in enumerate(bodies)]
        events[5] = replace(events[5], type="custom:a")
        await store.append(Append(APP, room.id, EventId(0), events))
        for about, types, expected in (
            ((1,), (), [2, 3, 6]), ((2, 1), (), [2, 3, 4, 6]), ((7,), (), []),
            ((1,), ("custom:*",), [6]), ((1,), ("custom:a", "message"), [2, 3, 6]),
            ((), ("x",), []),
        ):  # fmt: skip
            query = EventQuery(about=tuple(map(EventId, about)), types=types, limit=10)
            assert numbers(await history(store, room, query)) == expected, (about, types)

    @scenario
    async def test_an_event_of_no_conversation_is_followed_but_in_no_history(
        self, store: Store
    ) -> None:
        room = await begun(store, events=1)
        alone = Append(APP, None, EventId(0), (application_event(text="alone"),))
        beside = Append(
            APP, room.id, EventId(1), (application_event(text="beside"), event(room, 2))
        )
        await store.append(alone)
        await store.append(beside)
        await store.append(alone)
        found = await store.follow(Position(0))
        assert [each.body for each in found if each.type == "app:knocking"] == [
            b'{"text":"alone"}', b'{"text":"beside"}', b'{"text":"alone"}',
        ]  # fmt: skip
        assert {each.id for each in found if each.conversation_id is None} == {None}
        assert numbers(await history(store, room)) == [1, 2]

    @scenario
    async def test_a_conversation_can_be_born_of_the_applications_stream(
        self, store: Store
    ) -> None:
        room = profile()
        await store.append(Append(APP, None, EventId(0), (application_event(),), (room,)))
        await store.append(append(room, 0))
        assert numbers(await history(store, room)) == [1]

    @scenario
    async def test_numbers_have_no_gap(self, store: Store) -> None:
        room = await begun(store, events=3)
        await store.append(append(room, 3, events=2))
        assert numbers(await history(store, room)) == [1, 2, 3, 4, 5]

    @scenario
    async def test_a_stale_append_conflicts_and_changes_nothing(self, store: Store) -> None:
        room = await begun(store, events=2)
        renamed = replace(room, name="renamed")
        for expected in (0, 1, 3):
            with pytest.raises(Conflict):
                await store.append(append(room, expected, renamed))
        found = await store.profile(room.id)
        assert numbers(await history(store, room)) == [1, 2]
        assert found is not None and found.profile == room

    @scenario
    async def test_a_conversation_that_is_not_there_conflicts(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.append(append(profile(), 0))
        with pytest.raises(Conflict):
            await store.append(append(profile(), 7))
        assert await store.head() == 0

    @scenario
    async def test_numbers_that_do_not_follow_are_a_bug(self, store: Store) -> None:
        room = await begun(store)
        with pytest.raises(ValueError, match="number 1"):
            await store.append(Append(APP, room.id, EventId(0), (event(room, 2),)))
        with pytest.raises(ValueError, match="number 1"):
            await store.append(Append(APP, room.id, EventId(0), (event(profile(), 1),)))
        with pytest.raises(ValueError, match="without a conversation"):
            await store.append(Append(APP, None, EventId(0), (), (Blank(EventId(1), NOW),)))

    @scenario
    async def test_one_bad_append_does_not_disturb_the_others(self, store: Store) -> None:
        one, two, three = await begun(store), await begun(store), await begun(store, events=1)
        results = await outcomes(
            store, append(one, 0), append(two, 5), append(one, 0), append(one, 1),
            append(three, 1, Blank(EventId(9), NOW)), birth(profile(name=one.name)),
            append(three, 1, Blank(EventId(1), NOW)), append(two, 0),
        )  # fmt: skip
        assert [type(result) for result in results] == [
            int, Conflict, Conflict, int, Conflict, NameTaken, int, int,
        ]  # fmt: skip
        assert numbers(await history(store, one)) == [1, 2]
        assert numbers(await history(store, two)) == [1]
        assert numbers(await history(store, three)) == [1, 2]

    @scenario
    async def test_appends_are_committed_in_the_order_of_their_calls(self, store: Store) -> None:
        room = await begun(store)
        waiting = [store.append(append(room, expected)) for expected in range(50)]
        positions = [await each for each in waiting]
        assert positions == sorted(positions)
        assert numbers(await history(store, room)) == list(range(1, 51))

    @scenario
    async def test_many_tasks_append_to_many_conversations(self, store: Store) -> None:
        rooms = [await begun(store) for _ in range(10)]

        async def write(mine: Profile, rounds: int) -> None:
            while rounds:
                found = await store.profile(mine.id)
                assert found is not None
                try:
                    await store.append(append(mine, found.sequence))
                    rounds -= 1
                except Conflict:
                    continue

        async with asyncio.TaskGroup() as group:
            for room in rooms:
                for _ in range(3):
                    group.create_task(write(room, 5))
        for room in rooms:
            assert numbers(await history(store, room)) == list(range(1, 16))
        positions = [each.position for each in await store.follow(Position(0))]
        assert positions == sorted(set(positions))

    @scenario
    async def test_a_follower_misses_nothing_while_others_write(self, store: Store) -> None:
        rooms = [await begun(store) for _ in range(5)]
        start = await store.head()

        async def write(mine: Profile) -> None:
            for expected in range(20):
                await store.append(append(mine, expected))

        seen: list[Event] = []
        async with asyncio.TaskGroup() as group:
            for room in rooms:
                group.create_task(write(room))
            while len(seen) < 100:
                found = await store.follow(seen[-1].position if seen else start, limit=7)
                seen.extend(found)
                await asyncio.sleep(0)
        for room in rooms:
            mine = [each.id for each in seen if each.conversation_id == room.id]
            assert mine == list(range(1, 21))
        assert seen[-1].position == await store.head()

    @scenario
    async def test_follow_by_application_and_for_all(self, store: Store) -> None:
        mine = await begun(store, events=2)
        theirs = profile(application_id=OTHER_APP)
        await store.append(birth(theirs))
        await store.append(append(theirs, 0, events=2))
        await store.append(append(mine, 2))
        both = await store.follow(Position(0))
        of_mine = [each for each in both if each.application_id == APP]
        assert len(both) == 7
        assert await store.follow(Position(0), application_id=APP) == of_mine
        assert await store.follow(of_mine[1].position, application_id=APP, limit=1) == [of_mine[2]]
        assert await store.follow(both[-1].position) == []
        assert await store.follow(both[-1].position, application_id=APP) == []
        assert await store.head() == both[-1].position

    @scenario
    async def test_what_a_user_follows_is_what_happens_where_it_is_or_was(
        self, store: Store
    ) -> None:
        alice = user()
        await store.put_user(alice)
        rooms = [await begun(store), await begun(store), await begun(store)]
        for room in rooms[:2]:
            joined = member(room, alice)
            fact = event(room, 1, type="member:joined", became=joined)
            await store.append(Append(APP, room.id, EventId(0), (fact,), (joined,)))
        await store.append(append(rooms[2], 0, events=2))
        await store.append(append(rooms[1], 1, events=2))
        await store.append(append(rooms[0], 1, events=2))
        found = await store.follow_user(Position(0), alice.id)
        assert [(each.conversation_id, each.id) for each in found] == [
            (rooms[0].id, 1), (rooms[1].id, 1), (rooms[1].id, 2), (rooms[1].id, 3),
            (rooms[0].id, 2), (rooms[0].id, 3),
        ]  # fmt: skip
        for number, each in enumerate(found):
            assert await store.follow_user(each.position, alice.id) == found[number + 1 :]
        assert await store.follow_user(Position(0), alice.id, limit=2) == found[:2]
        assert await store.follow_user(Position(0), user().id) == []
        await store.append(append(rooms[0], 3, deleted(rooms[0])))
        assert await store.follow_user(Position(0), alice.id) == [
            each for each in found if each.conversation_id == rooms[1].id
        ]

    @scenario
    async def test_the_tail_is_what_was_appended_last(self, store: Store) -> None:
        start = await store.head()
        room = await begun(store, events=3)
        assert store.tail(start) == await store.follow(start)
        newest = await store.head()
        assert store.tail(newest) == []
        await store.append(append(room, 3, events=1))
        assert store.tail(newest) == await store.follow(newest)

    @scenario
    async def test_what_is_attended_is_in_memory_from_then_on(self, store: Store) -> None:
        foreign = profile(application_id=OTHER_APP)
        await store.append(birth(foreign))
        since = await store.attend(APP)
        assert since <= await store.head()
        room = await begun(store, events=2)
        await store.append(append(foreign, 0, events=2))
        await store.append(append(room, 2, events=1))
        head = await store.head()
        stored = await store.follow(since)
        own = [each for each in stored if each.application_id == APP]
        assert store.tail(since, APP) == own
        assert store.tail(own[1].position, APP) == own[2:]
        assert store.tail(head, APP) == []
        found = store.attended(since)
        assert found is not None
        assert (found.events, found.through) == (stored, head)
        assert store.attended(head) == ([], head)
        assert store.attended(Position(head + 5)) == ([], head), "as far as it goes"
        assert await store.attend(APP) <= since + len(stored)

    @scenario
    async def test_a_page_goes_either_way_between_its_bounds(self, store: Store) -> None:
        room = await begun(store, events=9)
        pages = {
            EventQuery(limit=4): [1, 2, 3, 4],
            EventQuery(after=4, limit=3): [5, 6, 7],
            EventQuery(after=7): [8, 9],
            EventQuery(after=9): [],
            EventQuery(before=3): [1, 2],
            EventQuery(before=0): [],
            EventQuery(after=3, before=7, limit=2): [4, 5],
            EventQuery(descending=True, limit=3): [9, 8, 7],
            EventQuery(descending=True, before=7, limit=2): [6, 5],
            EventQuery(descending=True, after=7): [9, 8],
        }
        for query, expected in pages.items():
            assert numbers(await history(store, room, query)) == expected, query
        assert await store.events(conversation_id(), EventQuery()) == []

    @scenario
    async def test_a_page_of_some_types(self, store: Store) -> None:
        room = await begun(store)
        kinds = ("message", "custom:a", "text", "custom:b-c", "message", "customary")
        for newest, type in enumerate(kinds):
            await store.append(append(room, newest, type=type))
        types = {
            ("message",): [1, 5],
            ("custom:*",): [2, 4],
            ("custom:a",): [2],
            ("text", "custom:b-c", "nothing"): [3, 4],
            ("text", "custom:*"): [2, 3, 4],
            ("nothing",): [],
        }
        for names, expected in types.items():
            assert numbers(await history(store, room, EventQuery(types=names))) == expected, names
        query = EventQuery(types=("message", "custom:*"), descending=True, limit=2, after=1)
        assert numbers(await history(store, room, query)) == [5, 4]

    @scenario
    async def test_a_blanked_event_stays_without_its_content(self, store: Store) -> None:
        room, at = await begun(store), Instant(NOW + 99)
        said = replace(event(room, 1), became=room, sender=member_id(), embedded=b'{"a":1}')
        await store.append(Append(APP, room.id, EventId(0), (said,)))
        await store.append(append(room, 1, Blank(EventId(1), at), type="event:delete"))
        blank = await store.event(room.id, EventId(1))
        assert blank is not None
        assert blank == replace(
            said, body=b"{}", became=None, deleted_at=at, position=blank.position
        )
        assert blank in await store.follow(Position(0))
        assert numbers(await history(store, room, EventQuery(exclude_deleted=True))) == [2]
        assert numbers(await history(store, room)) == [1, 2]

    @scenario
    async def test_blanking_twice_conflicts(self, store: Store) -> None:
        room = await begun(store, events=3)
        twice = [append(room, 3, Blank(EventId(2), NOW)), append(room, 4, Blank(EventId(2), NOW))]
        assert [type(result) for result in await outcomes(store, *twice)] == [int, Conflict]
        with pytest.raises(Conflict):
            await store.append(append(room, 4, Blank(EventId(2), NOW)))
        with pytest.raises(Conflict):
            await store.append(append(room, 4, Blank(EventId(1), NOW), Blank(EventId(1), NOW)))
        with pytest.raises(Conflict):
            await store.append(append(room, 4, Blank(EventId(77), NOW)))
        assert numbers(await history(store, room, EventQuery(exclude_deleted=True))) == [1, 3, 4]

    @scenario
    async def test_an_event_can_be_blanked_before_it_is_on_the_disk(self, store: Store) -> None:
        room = await begun(store)
        await outcomes(store, append(room, 0), append(room, 1, Blank(EventId(1), NOW)))
        assert numbers(await history(store, room, EventQuery(exclude_deleted=True))) == [2]

    @scenario
    async def test_receipts_are_folded_and_the_first_of_a_kind_wins(self, store: Store) -> None:
        room = await begun(store, events=2)
        bob, eve = member_id(), member_id()
        reports = [
            Receipt(EventId(1), "seen_by", bob, Instant(5)),
            Receipt(EventId(1), "seen_by", eve, Instant(6)),
            Receipt(EventId(1), "delivered_to", bob, Instant(7)),
            Receipt(EventId(1), "seen_by", bob, Instant(1)),
        ]
        await outcomes(store, *[append(room, 2 + n, report) for n, report in enumerate(reports)])
        await store.append(append(room, 6, Receipt(EventId(1), "seen_by", eve, Instant(2))))
        found = await store.event(room.id, EventId(1))
        assert found is not None
        assert found.state == {
            "seen_by": {bob: Instant(5), eve: Instant(6)}, "delivered_to": {bob: Instant(7)},
        }  # fmt: skip
        page = await history(store, room)
        assert page[0] == found and page[1].state is None
        assert found in await store.follow(Position(0))

    @scenario
    async def test_a_taken_conversation_name_stores_nothing(self, store: Store) -> None:
        room, other = await begun(store, events=1), await begun(store, events=1)
        head = await store.head()
        with pytest.raises(NameTaken):
            await store.append(birth(profile(name=room.name)))
        with pytest.raises(NameTaken):
            await store.append(append(other, 1, replace(other, name=room.name)))
        assert await store.head() == head
        await store.append(birth(profile(name=room.name, application_id=OTHER_APP)))
        await store.append(append(room, 1, replace(room, display_name="same name")))

    @scenario
    async def test_two_of_one_name_at_once_are_one(self, store: Store) -> None:
        results = await outcomes(store, *[birth(profile(name="standup")) for _ in range(3)])
        assert [type(result) for result in results] == [int, NameTaken, NameTaken]
        one, two = profile(name="twin"), profile(name="twin")
        with pytest.raises(NameTaken):
            await store.append(Append(APP, None, EventId(0), (), (one, two)))

    @scenario
    async def test_a_name_that_was_given_up_is_free_again(self, store: Store) -> None:
        room, other = profile(name="first"), profile(name="second")
        await outcomes(store, birth(room), birth(other))
        results = await outcomes(
            store,
            append(room, 0, replace(room, name="third")),
            append(other, 0, replace(other, name="first")),
            append(room, 1, replace(room, name="second")),
            append(other, 1, deleted(replace(other, name="first"))),
            birth(profile(name="first")),
            birth(profile(name="third")),
            birth(profile(name="second")),
        )
        assert [type(result) for result in results] == [int, int, int, int, int, int, NameTaken]

    @scenario
    async def test_a_deleted_conversation_takes_nothing_more(self, store: Store) -> None:
        room = await begun(store, events=1)
        end = replace(application_event(), type="conversation:deleted", became=deleted(room))
        closing = Append(APP, room.id, EventId(1), [end], [deleted(room)])
        results = await outcomes(store, closing, append(room, 1), closing)
        assert [type(result) for result in results] == [int, Conflict, Conflict]
        with pytest.raises(Conflict):
            await store.append(append(room, 1))
        assert numbers(await history(store, room)) == [1]

    @scenario
    async def test_a_write_that_fails_leaves_no_trace_and_no_gap(self, store: Store) -> None:
        room, alice = await begun(store, events=2), user()
        head, late = await store.head(), profile()
        with self.failing(store):
            results = await outcomes(
                store, append(room, 2, events=3), birth(late), append(room, 5),
                append(room, 2, replace(room, name="renamed"), member(room, alice)),
            )  # fmt: skip
            assert {type(result) for result in results} == {Unavailable}
            with pytest.raises(Unavailable):
                await store.put_user(alice)
            assert numbers(await history(store, room)) == [1, 2]
        assert await store.head() == head
        assert await store.profile(late.id) is None
        assert await store.user(alice.id) is None
        assert await store.append(append(room, 2)) > head
        await store.append(birth(late))
        assert numbers(await history(store, room)) == [1, 2, 3]
        conversation = await store.conversation(room.id)
        assert conversation is not None
        assert (conversation.profile, conversation.members) == (room, {})

    @scenario
    async def test_wakes_come_on_the_loop_after_the_event_is_readable(self, store: Store) -> None:
        room = await begun(store)
        woken = asyncio.Event()
        store.on_append(woken.set)
        head = await store.head()
        appended = store.append(append(room, 0))
        await woken.wait()
        assert len(await store.follow(head)) == 1
        await appended

    @scenario
    async def test_who_no_longer_waits_does_not_undo_the_write(self, store: Store) -> None:
        room = await begun(store)

        async def write() -> None:
            await store.append(append(room, 0))

        task = asyncio.create_task(write())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.append(append(room, 1))
        assert numbers(await history(store, room)) == [1, 2]

    @scenario
    async def test_the_rows_of_an_append_are_stored_with_its_events(self, store: Store) -> None:
        room, alice = profile(), user()
        await store.put_user(alice)
        joined = member(room, alice)
        await store.append(birth(room, joined))
        left = replace(joined, state=MemberState.LEFT)
        await store.append(append(room, 0, left))
        found = await store.conversation(room.id)
        assert found is not None
        assert (found.members, found.sequence) == ({left.id: left}, 1)

    @scenario
    async def test_a_member_of_no_conversation_conflicts(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.append(Append(APP, None, EventId(0), (), (member(profile(), user()),)))

    @scenario
    async def test_an_append_without_events_returns_the_newest_position(self, store: Store) -> None:
        room = await begun(store, events=1)
        head = await store.head()
        assert await store.append(append(room, 1, events=0)) == head


class DurableContract(StoreContract):
    """For adapters that outlive their process."""

    @scenario
    async def test_what_was_acknowledged_is_there_again(self, store: Store) -> None:
        room, alice = profile(ttl=60), user()
        await store.put_user(alice)
        await store.append(birth(room, member(room, alice)))
        await store.append(append(room, 0, events=5))
        await store.append(append(room, 5, Receipt(EventId(1), "seen_by", member_id(), NOW)))
        await store.append(append(room, 6, Blank(EventId(2), NOW)))
        before = (
            await store.follow(Position(0)), await store.conversation(room.id),
            await store.user(alice.id), await store.next_expiry(), store.epoch,
        )  # fmt: skip
        await self.close(store)
        again = await self.open()
        after = (
            await again.follow(Position(0)), await again.conversation(room.id),
            await again.user(alice.id), await again.next_expiry(), again.epoch,
        )  # fmt: skip
        head = await again.head()
        assert before == after
        assert await again.append(append(room, 7)) > head
        with pytest.raises(NameTaken):
            await again.append(birth(profile(name=room.name)))
        await self.close(again)

    @scenario
    async def test_closing_writes_what_was_appended(self, store: Store) -> None:
        room = await begun(store)
        waiting = [store.append(append(room, expected)) for expected in range(20)]
        await self.close(store)
        again = await self.open()
        assert len(await asyncio.gather(*waiting)) == 20
        assert numbers(await history(again, room)) == list(range(1, 21))
        await self.close(again)
