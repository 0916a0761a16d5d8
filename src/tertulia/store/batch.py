"""One transaction: which entries are accepted, and the rows that they become.

It does no I/O: what it has to know it asks for (Question), what is to be written it hands out, one
statement a table. So few, because each costs a way to the database, or the interpreter lock, and
getting that back from a busy loop takes up to 5 ms.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeVar, assert_never

import msgspec

from tertulia.model.calling import call_status
from tertulia.model.errors import TertuliaError
from tertulia.model.event import Blank, Bookmark, Receipt
from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position
from tertulia.model.leg import Leg
from tertulia.model.sending import Inbound, Sending, SendingStatus, address_of
from tertulia.model.state import Application, ConversationState, Member, Profile, User
from tertulia.ports import Conflict, NameTaken
from tertulia.store.entry import Entry
from tertulia.store.guards import Claim, Names, Removal, Row, place, sort_key, stage
from tertulia.store.heads import CLOSED, Heads, Stream
from tertulia.store.rows import blank_record, encode, records

Outcome = Position | TertuliaError
Column = str | int | None
T = TypeVar("T")

_NAMES = msgspec.json.Decoder(list[tuple[str, ApplicationId, str]])
_BLANKS = msgspec.json.Decoder(set[tuple[int, EventId]])


class Question(NamedTuple):
    """What has to be read for a batch: a statement by its name, and its one parameter, JSON."""

    name: str
    asked: str


Answered = Generator[Question, str, T]
"""Work that stops at each question until its answer, JSON text, is sent into it."""


RowOfTable = tuple[bytes | None, tuple[Column, ...]]
"""The value's JSON, if it has one, and the columns."""


class Rows(list[RowOfTable]):
    """Rows of one table."""

    def add(self, blob: bytes | None, *columns: Column) -> None:
        self.append((blob, columns))


class Batch:
    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._names = Names()
        self._blank: set[tuple[int, EventId]] = set()
        self._blanks: list[tuple[int, EventId, int]] = []
        self._applications = Rows()
        self._users = Rows()
        self._conversations = Rows()
        self._members = Rows()
        self._legs = Rows()
        self._sendings = Rows()
        self._refs = Rows()
        self._inbounds = Rows()
        self._bookmarks = Rows()
        self._log = Rows()
        self._receipts = Rows()

    def look_up(self, entries: Sequence[Entry]) -> Answered[None]:
        """Find out what deciding on the entries will need."""
        heads = self._heads
        unknown = heads.unknown({name for entry in entries for name in entry.conversations})
        if unknown:
            heads.learn((yield _question("streams", unknown)))
        claims = [claim for entry in entries for claim in entry.claims]
        for query, kind in (("conversation_names", Profile), ("user_names", User)):
            asked = [claim[1:] for claim in claims if claim.kind is kind]
            if asked:
                for held in _NAMES.decode((yield _question(query, asked))):
                    self._names.give(Claim(kind, *held))
        targets = [
            (heads.streams[entry.conversation_id].number, blank.event_id)
            for entry in entries
            for blank in entry.blanks
            if entry.conversation_id in heads.streams
        ]
        if targets:
            self._blank = _BLANKS.decode((yield _question("blanks", targets)))

    def add(self, entry: Entry) -> Outcome:
        """Accept the entry, or say why not."""
        streams = self._heads.streams
        for name in entry.conversations:
            if name not in streams and name not in entry.born:
                return Conflict(f"there is no conversation {name}")
        if entry.conversation_id is not None:
            stream = streams.get(entry.conversation_id)
            head = stream.head if stream else 0
            if head != entry.expected:
                return Conflict(f"{entry.conversation_id} is at {head}, not at {entry.expected}")
            if entry.blanks and not self._can_blank(entry, stream):
                return Conflict(f"{entry.conversation_id}: the event is blank already")
        if entry.claims and not self._names.take(entry.claims):
            return NameTaken("the name is taken")
        return self._accept(entry)

    def _can_blank(self, entry: Entry, stream: Stream | None) -> bool:
        number = stream.number if stream else 0
        newest = entry.expected + len(entry.events)
        targets = {(number, blank.event_id) for blank in entry.blanks}
        return (
            len(targets) == len(entry.blanks)
            and all(1 <= event_id <= newest for _, event_id in targets)
            and targets.isdisjoint(self._blank)
        )

    def _accept(self, entry: Entry) -> Position:
        heads = self._heads
        application = heads.applications.get(entry.application_id)
        if application is None:
            application = heads.add_application(entry.application_id)
            self._applications.add(None, application, entry.application_id, 0)
        for name in entry.born:
            if name not in heads.streams:
                heads.add_conversation(name)
        for event, record in zip(entry.events, entry.records, strict=True):
            heads.position += 1
            number = None
            if event.conversation_id is not None:
                stream = heads.streams[event.conversation_id]
                number = stream.number
                if event.id is not None:
                    stream.head = event.id
            self._log.add(record, heads.position, application, number, event.id, event.type)
        for row, blob in entry.rows:
            self._change(entry.conversation_id, application, row, blob)
        return Position(heads.position)

    def _change(
        self, where: ConversationId | None, application: int, row: Row, blob: bytes | None
    ) -> None:
        match row:
            case Profile():
                number = self._number(row.id)
                if row.state is ConversationState.DELETED:
                    self._heads.streams[row.id].head = CLOSED
                self._conversations.add(
                    blob, number, row.id, application, row.name, row.state,
                    place(row.created_at, number), sort_key(row), row.expires_at,
                )  # fmt: skip
            case Member():
                conversation = self._number(row.conversation_id)
                self._members.add(
                    blob, row.id, conversation, row.user_id, row.state, address_of(row)
                )
            case Leg():
                conversation_number = row.conversation_id and self._number(row.conversation_id)
                self._legs.add(
                    blob, row.id, application, conversation_number, row.user_id, row.is_over,
                    row.started_at, call_status(row),
                )  # fmt: skip
            case Sending() | Inbound() | Bookmark():
                self._keep(application, row, blob)
            case Receipt(event_id, kind, member_id, at):
                self._receipts.add(None, self._number(where), event_id, kind, member_id, at)
            case Blank(event_id, at):
                self._blank.add((self._number(where), event_id))
                self._blanks.append((self._number(where), event_id, at))
            case User() | Application() | Removal():
                self._own(application, row, blob)
            case _:
                assert_never(row)

    def _keep(
        self, application: int, row: Sending | Inbound | Bookmark, blob: bytes | None
    ) -> None:
        match row:
            case Sending():
                self._sendings.add(blob, row.id, application, stage(row), row.due_at)
                for ref in row.refs if row.status is SendingStatus.SUBMITTED else ():
                    self._refs.add(None, row.carrier, ref, row.id)
            case Inbound(arrival=arrival):
                self._inbounds.add(
                    blob, row.id, application, arrival.carrier, arrival.ref, row.is_waiting
                )
            case Bookmark(name, position):
                self._bookmarks.add(None, name, position)
            case _:
                assert_never(row)

    def _own(self, application: int, row: User | Application | Removal, blob: bytes | None) -> None:
        match row:
            case User():
                self._users.add(blob, row.id, application, row.name, row.destroyed_at)
            case Application():
                self._applications.add(blob, application, row.id, row.created_at)
            case Removal(application_id):
                self._applications.add(None, application, application_id, 0)
            case _:
                assert_never(row)

    def _number(self, conversation_id: ConversationId | None) -> int:
        # append_entry has refused receipts and blanks that are of no conversation.
        assert conversation_id is not None
        return self._heads.streams[conversation_id].number

    @property
    def log(self) -> Rows:
        return self._log

    @property
    def heads(self) -> Heads:
        """As they will be once this is written."""
        return self._heads

    @property
    def is_log_only(self) -> bool:
        """Nothing but events: one statement, which is a transaction by itself."""
        return not self._blanks and [name for name, _ in self.tables()] in ([], ["put_log"])

    def tables(self) -> list[tuple[str, Rows]]:
        """The accepted rows by the statements that take them, in an order in which each finds what
        it names. What was blanked comes after them."""
        rows = (
            ("put_applications", self._applications),
            ("put_users", self._users),
            ("put_conversations", self._conversations),
            ("put_members", self._members),
            ("put_legs", self._legs),
            ("put_sendings", self._sendings),
            ("put_message_refs", self._refs),
            ("put_inbounds", self._inbounds),
            ("put_bookmarks", self._bookmarks),
            ("put_log", self._log),
            ("put_receipts", self._receipts),
        )
        return [(name, each) for name, each in rows if each]

    def blanked(self) -> Answered[Rows]:
        """The rows of `put_blanks`: to be asked for once the log is written."""
        blanked = Rows()
        if self._blanks:
            for position, at, record in records.decode((yield _question("records", self._blanks))):
                blanked.add(blank_record(record), position, at)
        return blanked


def _question(name: str, asked: object) -> Question:
    return Question(name, encode(asked).decode())
