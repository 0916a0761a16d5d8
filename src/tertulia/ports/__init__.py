"""What the services need from the world, each with its guarantees.

An adapter passes the contract suite of its port (tests/contracts). Nothing here says how many
processes or machines there are; Position is opaque but for its order.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec import Struct

from tertulia.model.commands import AnyReport, Command, Report
from tertulia.model.errors import TertuliaError, Unavailable
from tertulia.model.event import Change, Event
from tertulia.model.ids import (
    ApplicationId,
    ConversationId,
    EventId,
    LegId,
    MediaId,
    MemberId,
    Position,
    SessionId,
    UserId,
)
from tertulia.model.instant import Instant
from tertulia.model.leg import Leg
from tertulia.model.media import MediaFile
from tertulia.model.session import LiveSession, SessionRecord, Standing
from tertulia.model.state import Application, Conversation, Member, MemberState, Profile, User


class Conflict(TertuliaError):
    """The stream has moved since the decision was made. Load again and decide again."""


class NameTaken(TertuliaError):
    """The application already has a conversation or user of that name."""


class QuotaReached(TertuliaError):
    """The application's files may not take so much more room."""


class Clock(Protocol):
    def now(self) -> Instant:
        """Wall-clock milliseconds, never going back within a process."""


class Ids(Protocol):
    """Fresh identifiers, unguessable, in the spelling of the wire."""

    def conversation(self) -> ConversationId: ...
    def member(self) -> MemberId: ...
    def user(self) -> UserId: ...
    def application(self) -> ApplicationId: ...
    def session(self) -> SessionId: ...
    def bare(self) -> str:
        """A uuid without a prefix."""


class Append(Struct, frozen=True):
    """A decision on its way into the log: events and the rows they change, all or nothing."""

    application_id: ApplicationId
    conversation_id: ConversationId | None
    """The stream that was decided upon. None: only the application's own, which never conflicts."""
    expected: EventId
    """The newest number of the stream when the decision was made; 0 for one that is being born."""
    events: Sequence[Event]
    """An event without `conversation_id` and `id` goes to the application's stream and takes no
    number: conversation:created and :deleted are appended so, under the conversation's guard."""
    changes: Sequence[Change] = ()


class EventQuery(Struct, frozen=True):
    """A page of one conversation's history, by number."""

    after: int = 0
    """Exclusive lower bound."""
    before: int | None = None
    """Exclusive upper bound."""
    types: tuple[str, ...] = ()
    """Empty means all. `custom:*` stands for every custom type."""
    about: tuple[EventId, ...] = ()
    """Only events whose body names one of these as `event_id` or `original_event_id`."""
    exclude_deleted: bool = False
    descending: bool = False
    limit: int = 10


class Stretch(NamedTuple):
    """A part of the log, in commit order."""

    events: list[Event]
    through: Position
    """Up to where the log is in memory: nothing of what was asked for will appear before it."""


class EventLog(Protocol):
    """The log: every fact, in order, kept.

    - *Durable*: when `append` returns, the events survive the loss of power.
    - *Without gaps*: numbers of a conversation are 1, 2, 3 …; `append` takes events numbered from
      `expected + 1` and refuses with Conflict when `expected` is not the stream's newest number, so
      a failed batch leaves no hole and the number is given again.
    - *Closed*: after an append that saves a Profile in state DELETED, the stream refuses every
      further append with Conflict.
    - *All or nothing*: an Append's events and changes are stored in one transaction. Changes that
      would blank a blank event raise Conflict; a taken conversation name raises NameTaken. Neither
      disturbs other appends.
    - *Commit order*: positions rise in the order in which events became readable; a reader that has
      seen position p of an application will never see a smaller one appear.
    - *Failure*: Unavailable, nothing changed; the next append works when the cause is gone.
    - *One exception to append-only*: Blank makes an event's body `{}` and removes its `became`.
    """

    @property
    def epoch(self) -> str:
        """Changes when the store is replaced: cursors of another epoch mean nothing."""

    def append(self, append: Append) -> Awaitable[Position]:
        """Store; the result is the position of the last event.

        The order of calls is the order of commits: the append is queued before this returns, so
        a caller may decide the next thing on top of it without waiting.
        """

    async def event(self, conversation_id: ConversationId, event_id: EventId) -> Event | None: ...

    async def events(self, conversation_id: ConversationId, query: EventQuery) -> list[Event]: ...

    async def follow(
        self, after: Position, *, application_id: ApplicationId | None = None, limit: int = 500
    ) -> list[Event]:
        """The next events in commit order, of one application or of all; fewer than `limit` when
        caught up."""

    async def follow_user(
        self, after: Position, user_id: UserId, *, limit: int = 500
    ) -> list[Event]:
        """The next events, in commit order, of all conversations that the user is or was in, but
        for those that are deleted."""

    def tail(
        self, after: Position, application_id: ApplicationId | None = None
    ) -> list[Event] | None:
        """All events behind `after` of all applications, or of one, from memory, at once.

        As they were appended: reports and deletions since are not in them. None: not all of them
        are in memory; read them by `follow`. Where other nodes write too, that is so of
        applications that are not attended.
        """

    async def attend(self, application_id: ApplicationId) -> Position:
        """Have all that is appended to the application, wherever, in memory from now on. Events
        behind the position that is returned are there already, or will be before any later one."""

    def attended(self, after: Position) -> "Stretch | None":
        """What was appended behind `after` and is in memory, at once: all events of applications
        that are attended and all that this process appended, of others maybe some. None: not all
        of them are in memory any more; read them by `follow`."""

    async def head(self) -> Position:
        """The newest position of the store; 0 when it is empty."""

    def on_append(self, wake: Callable[[], None]) -> None:
        """Call `wake` on the loop after every batch, wherever it was appended. It carries nothing:
        followers read the log."""


class Page(Struct, frozen=True):
    """Which slice of a list, in its direction: the first `limit` items behind the one with key
    `after`, or the last `limit` in front of the one with key `before`.

    A key that the list cannot have given out raises InvalidCursor.
    """

    limit: int = 10
    descending: bool = False
    after: tuple[str | int, ...] | None = None
    before: tuple[str | int, ...] | None = None


class ConversationFilter(Struct, frozen=True):
    application_id: ApplicationId
    name: str | None = None
    created_after: Instant | None = None
    """Inclusive, as is the next."""
    created_before: Instant | None = None
    user_id: UserId | None = None
    """Only conversations that this user is or was a member of."""
    state: MemberState | None = None
    """With user_id: only where the membership has this state."""
    by_sort_key: bool = False
    """Order by properties.custom_sort_key instead of by creation."""


class Listed(Struct, frozen=True):
    """An item of a page with the key that a cursor is made of."""

    key: tuple[str | int, ...]
    """One integer; (sort key, integer) in a list by sort key."""


class ListedConversation(Listed, frozen=True):
    profile: Profile
    sequence: EventId
    membership: Member | None = None
    """With ConversationFilter.user_id: that user's newest membership."""


class ListedMember(Listed, frozen=True):
    member: Member
    user: User


class ListedUser(Listed, frozen=True):
    user: User


class LegFilter(Struct, frozen=True):
    application_id: ApplicationId
    conversation_id: ConversationId | None = None
    """Only legs that are, or at last were, in it."""
    user_id: UserId | None = None


class ListedLeg(Listed, frozen=True):
    leg: Leg


class CallFilter(Struct, frozen=True):
    """Which of the legs that are calls."""

    application_id: ApplicationId
    user_id: UserId | None = None
    conversation_id: ConversationId | None = None
    """Only calls that are, or at last were, in it."""
    status: str | None = None
    """In the words of the call API."""
    started_after: Instant | None = None
    """Inclusive, as is the next."""
    started_before: Instant | None = None


class Records(Struct, frozen=True):
    """Which slice of a list that is counted through."""

    index: int = 0
    """Of the first, from 0."""
    limit: int = 10
    descending: bool = False


class FoundCalls(Struct, frozen=True):
    count: int
    """Of all that match, be they in this slice or not."""
    calls: list[Leg]


class ListedSession(Listed, frozen=True):
    session: LiveSession


class Joined(Struct, frozen=True, array_like=True):
    as_of: Position
    """Events behind this one are not in it."""
    members: list[tuple[ConversationId, MemberId]]


class Directory(Protocol):
    """The state that the log has led to, as rows to look up, and the users and applications.

    Reads see everything whose append or write has returned. Lists are in a total order that
    insertions do not disturb, so a cursor stays where it was: conversations and users in order of
    creation, members in order of arrival. Deleted conversations and users are not listed;
    `conversation`, `profile` and `user` still find a deleted one, since history names it.
    Writes are durable when they return, and raise NameTaken or Unavailable like the log.
    """

    async def conversation(self, conversation_id: ConversationId) -> Conversation | None:
        """With its members, as of its newest event."""

    async def profile(self, conversation_id: ConversationId) -> ListedConversation | None: ...

    async def conversations(
        self, where: ConversationFilter, page: Page
    ) -> list[ListedConversation]: ...

    async def member(
        self, conversation_id: ConversationId, member_id: MemberId
    ) -> ListedMember | None: ...

    async def members(self, conversation_id: ConversationId, page: Page) -> list[ListedMember]: ...

    async def joined(self, user_id: UserId) -> "Joined":
        """The joined members of a user, in conversations that are not deleted."""

    async def leg(self, leg_id: LegId) -> Leg | None: ...

    async def legs(self, where: LegFilter, page: Page) -> list[ListedLeg]:
        """In the order of their start."""

    async def calls(self, where: CallFilter, records: Records) -> FoundCalls:
        """Legs that are calls, in the order of their start."""

    async def open_legs(self) -> list[Leg]:
        """All that have not ended."""

    async def expired(self, now: Instant, limit: int = 100) -> list[ConversationId]:
        """Conversations whose time to live has run out."""

    async def next_expiry(self) -> Instant | None: ...

    async def user(self, user_id: UserId) -> User | None: ...

    async def user_named(self, application_id: ApplicationId, name: str) -> User | None:
        """Only users that are not deleted."""

    async def users(
        self, application_id: ApplicationId, page: Page, *, name: str | None = None
    ) -> list[ListedUser]: ...

    async def put_user(self, user: User) -> None: ...

    async def application(self, application_id: ApplicationId) -> Application | None: ...

    async def applications(self) -> list[Application]:
        """All, oldest first; there are few."""

    async def put_application(self, application: Application) -> None: ...

    async def delete_application(self, application_id: ApplicationId) -> None: ...


class SessionLedger(Protocol):
    """What of a live session outlives the process: who it is of, and how far it acknowledged.

    - *Survives the death of the process*: what `settled` has returned for is there when the ledger
      is opened again, or when another node looks for it; and so is, without the caller having
      waited, what was acknowledged, but for the last quarter of a second where the ledger is
      shared. The loss of power may cost sessions, never more.
    - *Cheap*: `acknowledge` is called for every delivery and does no I/O that waits.
    - A ledger belongs to one store: with another epoch it is empty.
    """

    def load(self) -> list["LedgerEntry"]:
        """The sessions that were open when the ledger was last written. Of a shared one none: they
        are taken when somebody asks for them."""

    def open(self, record: SessionRecord, acknowledged: Position) -> int:
        """Enter a session; the result is its place, above 0, for the calls below."""

    async def settled(self, place: int) -> None:
        """Wait until it survives. Raises Unavailable; then it is to be closed."""

    def show(self, place: int, standing: Standing) -> None:
        """What others see of it: nothing where there are no others."""

    def acknowledge(self, place: int, position: Position) -> None: ...

    def close(self, place: int) -> None:
        """Forget the session; its place will be another's."""


class LedgerEntry(Struct, frozen=True):
    place: int
    record: SessionRecord
    acknowledged: Position


class Announcer(Protocol):
    """Tells live followers of events that are not kept. Best effort: who is away misses them."""

    def announce(self, event: Event) -> None: ...


class Stored(Struct, frozen=True):
    """A media file on its way into the store."""

    file: MediaFile
    content: bytes


class MediaStore(Protocol):
    """Uploaded files, and the conversations in which they were shown.

    - *Durable*: what `add`, `attach` or `delete` has returned for survives the loss of power.
    - *All or nothing*: the files of an `add` are there together or not at all, each whole; a
      `delete` takes all of an upload, or of an application, and where it was shown, at once.
    - *Bounded*: an `add` that would bring an application beyond its quota raises QuotaReached,
      also when several come at the same time.
    - *Failure*: Unavailable, nothing changed, no room taken; works again when the cause is gone.
    """

    @property
    def secret(self) -> bytes:
        """Signs addresses of files: random, made with the store and kept as long."""

    async def add(self, upload: Sequence[Stored], *, quota: int) -> None:
        """Store the representations of one upload, whose ids are new. `quota` is in octets for
        all files of the application; 0 sets none."""

    async def adopt(self, file: MediaFile, path: Path, *, quota: int) -> None:
        """Store one file by taking over its content from `path`, which is gone then. It may be
        larger than memory. As `add` otherwise; on failure `path` stays."""

    async def find(self, media_id: MediaId) -> MediaFile | None: ...

    async def content(
        self, media_id: MediaId, first: int = 0, size: int | None = None
    ) -> bytes | None:
        """From one octet on, at most so many; None means all. Behind the end there are none."""

    async def attach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        """Remember that the conversation shows these files once more. Files that are not there are
        left out."""

    async def detach(self, media_ids: Sequence[MediaId], conversation_id: ConversationId) -> None:
        """Take an `attach` back. Files that are not attached are left out."""

    async def conversations(self, media_id: MediaId) -> list[ConversationId]:
        """Those that it is attached to, in the order of their ids."""

    async def delete(self, media_id: MediaId) -> None:
        """Delete the whole upload that it belongs to. Again is fine."""

    async def delete_application(self, application_id: ApplicationId) -> None:
        """Delete all files of an application. Again is fine."""


class MediaUnavailable(Unavailable):
    """No media worker is there, or the one in question has not answered in time."""


class Workers(Protocol):
    """The media workers. All legs of an application are carried by one of them, so that any of
    them can meet.

    - *Order*: commands about an application are obeyed in the order of the calls, and the reports
      of a worker come in the order in which things happened.
    - *Death*: when a worker dies, each of its legs is reported Closed without account, each of its
      recordings Interrupted, each play Played and each listening Listened with an error or
      `failed`. Another takes its place; nothing is carried over.
    """

    def tell(self, application_id: ApplicationId, command: Command) -> None:
        """Raises MediaUnavailable when there is no worker."""

    async def ask(self, application_id: ApplicationId, command: Command) -> Report:
        """Tell, and wait for the answer about that leg: Answered, Offered, Accepted, Opened or
        Refused. Raises MediaUnavailable after 5 seconds."""

    def on_report(self, listener: Callable[[AnyReport], None]) -> None:
        """Call it on the loop with every report but Hello and Load. One listener."""
