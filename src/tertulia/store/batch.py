"""One transaction: which entries are accepted, and the rows that they become.

Deciding needs no SQL once `look_up` has been; writing takes one statement a table. Both because a
statement hands over the interpreter lock, and getting it back from a busy loop takes up to 5 ms.
"""

import sqlite3
from collections.abc import Sequence
from typing import assert_never

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
from tertulia.store.guards import Claim, Named, Names, Removal, Row, place, sort_key, stage
from tertulia.store.heads import CLOSED, Heads, Stream
from tertulia.store.queries import SQL
from tertulia.store.rows import blank_record, encode, records

Outcome = Position | TertuliaError
Column = str | int | None

_NAMES = msgspec.json.Decoder(list[tuple[str, ApplicationId, str]])
_BLANKS = msgspec.json.Decoder(set[tuple[int, EventId]])


class Rows:
    """Rows of one table for one statement: columns as JSON, blobs in one piece beside them."""

    def __init__(self) -> None:
        self._rows: list[tuple[Column, ...]] = []
        self._blobs: list[bytes] = []
        self._next = 1

    def add(self, blob: bytes | None, *columns: Column) -> None:
        if blob is None:
            self._rows.append((None, None, *columns))
            return
        size = len(blob)
        self._rows.append((self._next, size, *columns))
        self._blobs.append(blob)
        self._next += size

    @property
    def has_any(self) -> bool:
        return bool(self._rows)

    def write(self, connection: sqlite3.Connection, statement: str) -> None:
        if self._rows:
            rows, blobs = encode(self._rows).decode(), b"".join(self._blobs)
            connection.execute(SQL[statement], {"rows": rows, "blobs": blobs})


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

    def look_up(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """Fetch what deciding on the entries will need."""
        heads = self._heads
        heads.learn(connection, {name for entry in entries for name in entry.conversations})
        claims = [claim for entry in entries for claim in entry.claims]
        if claims:
            self._look_up_names(connection, "conversation_names", Profile, claims)
            self._look_up_names(connection, "user_names", User, claims)
        targets = [
            (heads.streams[entry.conversation_id].number, blank.event_id)
            for entry in entries
            for blank in entry.blanks
            if entry.conversation_id in heads.streams
        ]
        if targets:
            (text,) = connection.execute(SQL["blanks"], (encode(targets).decode(),)).fetchone()
            self._blank = _BLANKS.decode(text)

    def _look_up_names(
        self, connection: sqlite3.Connection, query: str, kind: Named, claims: list[Claim]
    ) -> None:
        asked = [claim[1:] for claim in claims if claim.kind is kind]
        if asked:
            (text,) = connection.execute(SQL[query], (encode(asked).decode(),)).fetchone()
            for holder, application_id, name in _NAMES.decode(text):
                self._names.give(Claim(kind, holder, application_id, name))

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
    def is_log_only(self) -> bool:
        """Nothing but events: one statement, which is a transaction by itself."""
        others = (self._applications, self._users, self._conversations, self._members,
                  self._legs, self._sendings, self._inbounds, self._bookmarks,
                  self._receipts)  # fmt: skip
        return not (self._blanks or any(rows.has_any for rows in others))

    def write(self, connection: sqlite3.Connection) -> None:
        """Send the accepted rows to the store, in an order in which each finds what it names."""
        self._applications.write(connection, "put_applications")
        self._users.write(connection, "put_users")
        self._conversations.write(connection, "put_conversations")
        self._members.write(connection, "put_members")
        self._legs.write(connection, "put_legs")
        self._sendings.write(connection, "put_sendings")
        self._refs.write(connection, "put_message_refs")
        self._inbounds.write(connection, "put_inbounds")
        self._bookmarks.write(connection, "put_bookmarks")
        self._log.write(connection, "put_log")
        self._receipts.write(connection, "put_receipts")
        if self._blanks:
            targets = encode(self._blanks).decode()
            (text,) = connection.execute(SQL["records"], (targets,)).fetchone()
            blanked = Rows()
            for position, at, record in records.decode(text):
                blanked.add(blank_record(record), position, at)
            blanked.write(connection, "put_blanks")
