"""A write on its way to the writer's thread, with all that can be prepared beforehand done."""

from asyncio import Future
from collections.abc import Sequence

from msgspec import Struct

from tertulia.model.event import Blank, Event
from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position
from tertulia.model.leg import Leg
from tertulia.model.state import Member, Profile, User
from tertulia.ports import Append
from tertulia.store.guards import Claim, Row, check_append, claim_of
from tertulia.store.rows import encode, encode_record


class Entry(Struct):
    application_id: ApplicationId
    conversation_id: ConversationId | None
    expected: EventId
    events: Sequence[Event]
    records: list[bytes]
    rows: Sequence[tuple[Row, bytes | None]]
    """What changes beside the log, with its JSON if it is a value that has one."""
    conversations: list[ConversationId]
    """All that must exist, or be among `born`."""
    born: Sequence[ConversationId]
    claims: Sequence[Claim]
    blanks: Sequence[Blank]
    future: "Future[Position]"

    @property
    def size(self) -> int:
        """Bytes that the log will grow by, about."""
        return sum(map(len, self.records))


def append_entry(append: Append, future: "Future[Position]") -> Entry:
    """An entry of the log; ValueError when it makes no sense."""
    check_append(append)
    entry = rows_entry(append.application_id, append.changes, future)
    entry.events = append.events
    entry.records = [encode_record(event) for event in append.events]
    entry.conversations += [
        event.conversation_id
        for event in append.events
        if event.id is None and event.conversation_id is not None
    ]
    if append.conversation_id is not None:
        entry.conversation_id = append.conversation_id
        entry.expected = append.expected
        entry.conversations.append(append.conversation_id)
    return entry


def rows_entry(
    application_id: ApplicationId, rows: Sequence[Row], future: "Future[Position]"
) -> Entry:
    """An entry that changes rows and logs nothing."""
    if not rows:
        return Entry(application_id, None, EventId(0), (), [], (), [], (), (), (), future)
    born = [row.id for row in rows if isinstance(row, Profile)]
    return Entry(
        application_id=application_id,
        conversation_id=None,
        expected=EventId(0),
        events=(),
        records=[],
        rows=[(row, encode(row) if isinstance(row, Struct) else None) for row in rows],
        conversations=born
        + [
            row.conversation_id
            for row in rows
            if isinstance(row, Member | Leg) and row.conversation_id is not None
        ],
        born=born,
        claims=[claim_of(row) for row in rows if isinstance(row, Profile | User)],
        blanks=[row for row in rows if isinstance(row, Blank)],
        future=future,
    )
