"""The fold of what was added to messages."""

from msgspec.structs import replace

from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId, ConversationId, EventId, MemberId
from tertulia.model.instant import Instant
from tertulia.model.threads import Edited, Thread, threads

ALICE, BOB = MemberId("MEM-1"), MemberId("MEM-2")


def event(number: int, type: str, body: str, sender: MemberId | None = ALICE) -> Event:
    return Event(
        ApplicationId("a"), ConversationId("CON-1"), EventId(number), type, Instant(number),
        body.encode(), sender,
    )  # fmt: skip


def message(number: int, sender: MemberId | None = ALICE, type: str = "message") -> Event:
    return event(number, type, '{"message_type":"text","text":"Hi"}', sender)


def edit(number: int, of: int, text: str, sender: MemberId = ALICE) -> Event:
    return event(number, "custom:tertulia:edit", f'{{"event_id":{of},"text":"{text}"}}', sender)


def update(number: int, of: int, text: str, sender: MemberId = ALICE) -> Event:
    body = f'{{"original_event_id":{of},"text":"{text}"}}'
    return event(number, "text:update", body, sender)


def react(number: int, of: int, what: str, sender: MemberId, action: str = "add") -> Event:
    body = f'{{"event_id":{of},"reaction":"{what}","action":"{action}"}}'
    return event(number, "custom:tertulia:reaction", body, sender)


def test_nothing_was_added() -> None:
    assert threads([]) == {}
    assert threads([message(1), event(2, "custom:a", "{}"), event(3, "member:joined", "{}")]) == {}


def test_the_newest_edit_counts() -> None:
    found = threads([message(1), edit(2, 1, "b"), message(3, type="text"), edit(4, 1, "c")])
    assert found == {1: Thread(edited=Edited("c", Instant(4)))}


def test_an_older_update_counts_from_the_author_only() -> None:
    events = [message(1, type="text"), update(2, 1, "b"), update(3, 1, "c", BOB), update(4, 9, "d")]
    assert threads(events) == {1: Thread(edited=Edited("b", Instant(2)))}
    assert threads([message(1, None, "text"), update(2, 1, "b")]) == {}


def test_replies_and_reactions() -> None:
    reply = event(3, "custom:tertulia:reply", '{"event_id":2,"reply_to":1}')
    events = [
        message(1), message(2), reply, react(4, 1, "x", ALICE), react(5, 1, "x", BOB),
        react(6, 1, "y", BOB), react(7, 1, "x", ALICE, "remove"), react(8, 1, "x", ALICE),
        react(9, 1, "y", BOB, "remove"), react(10, 1, "z", BOB, "remove"),
    ]  # fmt: skip
    assert threads(events) == {
        1: Thread(reactions={"x": [BOB, ALICE]}), 2: Thread(reply_to=EventId(1)),
    }  # fmt: skip


def test_nothing_is_left_of_what_was_deleted() -> None:
    gone = event(4, "event:delete", '{"event_id":1}')
    assert threads([message(1), edit(2, 1, "b"), react(3, 1, "x", BOB), gone]) == {}
    blank = replace(message(1), body=b"{}", deleted_at=Instant(4))
    assert threads([blank, edit(2, 1, "b"), react(3, 1, "x", BOB)]) == {}
    blanked = replace(edit(3, 1, "c"), body=b"{}", deleted_at=Instant(4))
    assert threads([message(1), edit(2, 1, "b"), blanked])[EventId(1)].edited == Edited(
        "b", Instant(2)
    )
