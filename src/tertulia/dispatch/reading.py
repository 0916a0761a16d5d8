"""The journal for everybody but the dispatcher: lists for REST and CLI, requests, figures.

Another process may write at the same time; each answer is one consistent look. Blocking, and of
one thread at a time.
"""

import sqlite3
from pathlib import Path

from msgspec import Struct

from tertulia.dispatch.journal import open_journal, read_lane, read_replay
from tertulia.dispatch.records import Attempt, Counts, DeadLetter, Purpose, Replay
from tertulia.model.ids import ApplicationId, ConversationId, Position
from tertulia.model.instant import Instant


class AttemptFilter(Struct, frozen=True):
    """Every condition that is given has to hold."""

    application_id: ApplicationId
    conversation_id: ConversationId | None = None
    position: Position | None = None
    delivered: bool | None = None


class ListedAttempt(Struct, frozen=True):
    """An attempt with the number that `after` takes."""

    number: int
    attempt: Attempt


class ListedDeadLetter(Struct, frozen=True):
    number: int
    letter: DeadLetter


_COUNTS = """
SELECT p.application_id, coalesce(t.delivered, 0), coalesce(t.failed, 0),
    (SELECT count(*) FROM held h WHERE h.application_id = p.application_id),
    (SELECT count(*) FROM dead_letters d WHERE d.application_id = p.application_id),
    p.cursor, p.waiting_since,
    (SELECT min(coalesce(failing_since, not_before)) FROM held h
        WHERE h.application_id = p.application_id)
FROM progress p LEFT JOIN totals t USING (application_id) ORDER BY p.application_id"""


class JournalReader:
    def __init__(self, path: str | Path) -> None:
        self._connection = open_journal(path)

    def close(self) -> None:
        self._connection.close()

    def list_attempts(
        self, where: AttemptFilter, *, after: int | None = None, limit: int = 100
    ) -> list[ListedAttempt]:
        """Newest first; `after` is the number of the last one seen."""
        conditions: dict[str, str | int | None] = {
            "application_id = ?": where.application_id,
            "conversation_id = ?": where.conversation_id,
            "position = ?": where.position,
            "delivered = ?": where.delivered,
            "number < ?": after,
        }
        given = {text: value for text, value in conditions.items() if value is not None}
        rows = self._connection.execute(
            f"SELECT * FROM attempts WHERE {' AND '.join(given)} ORDER BY number DESC LIMIT ?",
            (*given.values(), limit),
        )
        return [_read_attempt(row) for row in rows]

    def list_dead_letters(
        self, application_id: ApplicationId, *, after: int = 0, limit: int = 100
    ) -> list[ListedDeadLetter]:
        """Oldest first; `after` is the number of the last one seen."""
        rows = self._connection.execute(
            "SELECT * FROM dead_letters WHERE application_id = ? AND number > ?"
            " ORDER BY number LIMIT ?",
            (application_id, after, limit),
        )
        return [_read_dead_letter(row) for row in rows]

    def request_replay(
        self,
        application_id: ApplicationId,
        *,
        now: Instant,
        conversation_id: ConversationId | None = None,
        first: Position | None = None,
        last: Position | None = None,
        target: str | None = None,
    ) -> Replay:
        """Ask for stored events to be sent again, in order; wake the dispatcher afterwards.

        One event: `first` = `last`. A range: both included, an absent end is open. A conversation:
        its id. Without any condition everything of the application is sent again.
        """
        cursor = self._connection.execute(
            "INSERT INTO replays (application_id, conversation_id, first, last, target,"
            " requested_at, state) VALUES (?,?,?,?,?,?,'waiting')",
            (application_id, conversation_id, first, last, target, now),
        )
        assert cursor.lastrowid is not None
        return Replay(cursor.lastrowid, application_id, now, conversation_id, first, last, target)

    def replay(self, application_id: ApplicationId, replay_id: int) -> Replay | None:
        row = self._connection.execute(
            "SELECT * FROM replays WHERE application_id = ? AND id = ?",
            (application_id, replay_id),
        ).fetchone()
        return None if row is None else read_replay(row)

    def counts(self) -> list[Counts]:
        """One row an application that the dispatcher has followed."""
        return [
            Counts(name, delivered, failed, held, dead, cursor, _eldest(*instants))
            for name, delivered, failed, held, dead, cursor, *instants in self._connection.execute(
                _COUNTS
            )
        ]


def _eldest(*instants: int | None) -> Instant | None:
    return min((Instant(at) for at in instants if at is not None), default=None)


def _read_attempt(row: sqlite3.Row) -> ListedAttempt:
    attempt = Attempt(
        read_lane(row), Purpose(row["purpose"]), row["event_id"], row["position"], row["type"],
        row["url"], row["attempt"], row["at"], row["latency_ms"], row["status"], row["reason"],
        row["body_head"], bool(row["delivered"]),
    )  # fmt: skip
    return ListedAttempt(row["number"], attempt)


def _read_dead_letter(row: sqlite3.Row) -> ListedDeadLetter:
    letter = DeadLetter(
        read_lane(row), row["event_id"], row["position"], row["type"], row["tries"],
        row["failing_since"], row["at"], row["reason"],
    )  # fmt: skip
    return ListedDeadLetter(row["number"], letter)
