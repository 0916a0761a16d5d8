"""The contract of MessageRecords (tertulia/ports/messaging): what every adapter guarantees."""

from itertools import count

from msgspec.structs import replace
from tests.contracts.builders import (
    APP,
    NOW,
    OTHER_APP,
    append,
    application_event,
    birth,
    deleted,
    member,
    profile,
    user,
)
from tests.contracts.scenario import StoreContract, scenario

from tertulia.app.outside import Store
from tertulia.model.event import Became
from tertulia.model.ids import ApplicationId, EventId, MessageId, Position
from tertulia.model.instant import Instant
from tertulia.model.sending import (
    Arrival,
    Content,
    Inbound,
    Order,
    Sending,
    SendingStatus,
    handed,
)
from tertulia.model.state import Channel, Endpoint, MemberState
from tertulia.ports import Append

TEXT = Content("text", {"text": "Zoë 🌍"})
_numbers = count(1)


def sending(application_id: ApplicationId = APP) -> Sending:
    made = MessageId(f"{next(_numbers):08}-0000-4000-8000-000000000000")
    return Sending(made, application_id, Order("sms", "4477", "15550199", TEXT), NOW, NOW)


def inbound(ref: str, *, is_waiting: bool = False) -> Inbound:
    made = MessageId(f"{next(_numbers):08}-0000-4000-8000-000000000000")
    return Inbound(made, APP, Arrival("post", ref, "sms", "4477", "155", TEXT), NOW, is_waiting)


async def keep(store: Store, *rows: Became) -> None:
    events = [replace(application_event(), became=row) for row in rows]
    await store.append(Append(APP, None, EventId(0), events, rows))


class MessageRecordsContract(StoreContract):
    @scenario
    async def test_what_was_kept_is_found_as_its_newest_event_left_it(self, store: Store) -> None:
        first = sending()
        assert await store.sending(first.id) is None
        await keep(store, first)
        assert await store.sending(first.id) == first
        taken = handed(replace(first, carrier="post"), ("a", "b"), NOW, Instant(NOW + 5))
        await keep(store, taken)
        assert await store.sending(first.id) == taken
        (one, two) = (await store.follow(Position(0)))[-2:]
        assert (one.became, two.became) == (first, taken)

    @scenario
    async def test_a_sending_is_found_by_what_its_carrier_calls_it(self, store: Store) -> None:
        taken = handed(replace(sending(), carrier="post"), ("a", "b"), NOW, None)
        await keep(store, taken)
        for ref in ("a", "b"):
            assert await store.sending_of("post", ref) == taken
        assert await store.sending_of("other", "a") is None
        again = handed(replace(sending(), carrier="post"), ("a",), NOW, None)
        await keep(store, again)
        assert await store.sending_of("post", "a") == again

    @scenario
    async def test_what_waits_comes_in_the_order_of_acceptance(self, store: Store) -> None:
        first, second, third = sending(), sending(), sending()
        await keep(store, first, second, third)
        await keep(store, handed(second, ("x",), NOW, None))
        found = await store.unsent()
        assert [each.sending for each in found] == [first, third]
        assert [each.sending for each in await store.unsent(found[0].number)] == [third]
        assert [each.sending for each in await store.unsent(limit=1)] == [first]

    @scenario
    async def test_what_is_due_is_found_until_it_is_over(self, store: Store) -> None:
        early, late, never = (
            handed(sending(), (ref,), NOW, due)
            for ref, due in (("e", Instant(NOW + 1)), ("l", Instant(NOW + 9)), ("n", None))
        )
        await keep(store, late, early, never)
        assert await store.overdue(NOW) == []
        assert await store.overdue(Instant(NOW + 1)) == [early]
        assert await store.overdue(Instant(NOW + 99)) == [early, late]
        await keep(store, replace(early, status=SendingStatus.DELIVERED))
        assert await store.overdue(Instant(NOW + 99), limit=1) == [late]

    @scenario
    async def test_inbound_messages_are_found(self, store: Store) -> None:
        settled, waiting = inbound("a"), inbound("b", is_waiting=True)
        await keep(store, settled, waiting)
        assert await store.inbound(settled.id) == settled
        assert await store.inbound_of("post", "b") == waiting
        assert await store.inbound_of("post", "c") is None
        assert await store.undecided() == [waiting]
        decided = replace(waiting, is_waiting=False)
        await keep(store, decided)
        assert await store.undecided() == []
        assert await store.inbound(waiting.id) == decided

    @scenario
    async def test_members_are_found_where_they_are_reached(self, store: Store) -> None:
        ends = Channel(type="sms", to=Endpoint(type="sms", number="+4477"))
        who = user()
        await store.put_user(who)
        first, second = profile(), profile()
        for each in (first, second):
            await store.append(birth(each))
        one, two = (replace(member(of, who), channel=ends) for of in (first, second))
        await store.append(append(first, 0, one))
        await store.append(append(second, 0, two))
        assert await store.members_at(APP, "sms:4477") == [two, one]
        assert await store.members_at(OTHER_APP, "sms:4477") == []
        assert await store.members_at(APP, "whatsapp:4477") == []
        await store.append(append(second, 1, replace(two, state=MemberState.LEFT)))
        assert await store.members_at(APP, "sms:4477") == [one]
        await store.append(append(first, 1, deleted(first)))
        assert await store.members_at(APP, "sms:4477") == []

    @scenario
    async def test_bookmarks_stay_where_they_were_put(self, store: Store) -> None:
        assert await store.bookmark("mine") is None
        for position in (7, 9):
            await store.put_bookmark("mine", Position(position), APP)
            assert await store.bookmark("mine") == position
        assert await store.bookmark("other") is None
