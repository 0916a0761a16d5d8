"""What the dispatcher remembers, as values: the rows of its journal (journal.sql)."""

from enum import StrEnum

from msgspec import Struct, field

from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.instant import Instant


class Purpose(StrEnum):
    """Why an attempt was made."""

    LOG = "log"
    """In its turn, from the log."""
    EPHEMERAL = "ephemeral"
    """Announced: once, never again."""
    REPLAY = "replay"
    """Somebody asked for it."""


class LaneName(Struct, frozen=True):
    """What is kept in order: the events of one conversation on their way to one address."""

    application_id: ApplicationId
    conversation_id: ConversationId | None
    """None: the application's own stream."""
    target: str
    """`rtc` (the application's webhook), `callback` (the conversation's own) or `voice`."""
    about: ConversationId | None = None
    """Of the application's own stream: the conversation that is created or deleted, or, for
    `voice`, the call's leg."""


class Attempt(Struct, frozen=True):
    """One request that was made, and how it ended."""

    lane: LaneName
    purpose: Purpose
    event_id: int | None
    position: Position
    type: str
    url: str
    number: int
    """1, 2, 3 … for the tries of an event; 0 for a replay."""
    at: Instant
    latency_ms: int
    status: int | None
    """None when there was no answer; then `reason` says why."""
    reason: str | None
    body_head: bytes
    delivered: bool


class Held(Struct, frozen=True):
    """A lane that waits for its failing event, or reads on from the log after it."""

    lane: LaneName
    after: int
    """Everything up to here is settled: an event id, or a position in the application's stream."""
    position: Position
    """Of the newest event that was tried."""
    tries: int
    """Failures in a row of the next event; 0 while catching up."""
    failing_since: Instant | None
    """When the lane failed first, without a success since; None after a success."""
    not_before: Instant
    reason: str


class DeadLetter(Struct, frozen=True):
    """An event that was given up."""

    lane: LaneName
    event_id: int | None
    position: Position
    type: str
    tries: int
    failing_since: Instant
    at: Instant
    reason: str


class ReplayState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    BROKEN_OFF = "broken-off"
    """Too many failures in a row."""


class Replay(Struct, frozen=True):
    """A request to send stored events again, and how far it has come.

    The events are those of the application from `first` to `last`, both included, or those of one
    conversation, or both conditions.
    """

    id: int
    application_id: ApplicationId
    requested_at: Instant
    conversation_id: ConversationId | None = None
    first: Position | None = None
    last: Position | None = None
    target: str | None = None
    """Only to this address; None is all that want the event now."""
    state: ReplayState = ReplayState.WAITING
    after: int | None = None
    """Sent up to here: an event id with `conversation_id`, else a position."""
    delivered: int = 0
    failed: int = 0


class Progress(Struct, frozen=True):
    """How far an application's log is settled."""

    application_id: ApplicationId
    cursor: Position
    waiting_since: Instant | None
    """Time of the oldest event that was read and is not settled, held lanes left out."""


class Letter(Struct, frozen=True):
    """What names a dead letter."""

    application_id: ApplicationId
    position: Position
    target: str


class Counts(Struct, frozen=True):
    """An application's figures for metrics. The first two count since the journal began."""

    application_id: ApplicationId
    delivered: int
    failed: int
    held: int
    dead: int
    cursor: Position
    waiting_since: Instant | None
    """Oldest undelivered event's time, held lanes included; `now` less this is the lag."""


class Batch(Struct):
    """What one transaction of the journal writes. It is filled until its turn comes."""

    claims: dict[ApplicationId, str] = field(default_factory=dict)
    """The leases that it rests on, by their tokens; what is of an application without one is
    written in any case."""
    attempts: list[Attempt] = field(default_factory=list)
    held: dict[LaneName, Held | None] = field(default_factory=dict)
    """None: the lane goes on."""
    dead: list[DeadLetter] = field(default_factory=list)
    revived: list[Letter] = field(default_factory=list)
    """Dead letters that a replay has delivered."""
    replays: dict[int, Replay] = field(default_factory=dict)
    progress: list[Progress] = field(default_factory=list)

    def applications(self) -> set[ApplicationId]:
        """Those of which it holds more than attempts."""
        return {
            *(name.application_id for name in self.held),
            *(letter.lane.application_id for letter in self.dead),
            *(letter.application_id for letter in self.revived),
            *(replay.application_id for replay in self.replays.values()),
            *(progress.application_id for progress in self.progress),
        }
