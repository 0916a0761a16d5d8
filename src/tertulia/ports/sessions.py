"""Live sessions of several nodes: who has each, and how one of them takes it over."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from tertulia.model.ids import ApplicationId, Position, SessionId, UserId
from tertulia.model.instant import Instant
from tertulia.model.session import LiveSession, SessionRecord, SessionsOf
from tertulia.ports import LedgerEntry, ListedSession, Page


class HeldSession(Struct, frozen=True):
    """A session, and who has it."""

    record: SessionRecord
    node: str
    turn: int
    """How often it has changed hands: rises."""
    acknowledged: Position


class AllSessions(Protocol):
    """The sessions of all nodes. Who is connected, until when, and what it acknowledged may be a
    quarter of a second old. Nobody counts as connected with a node that is dead.

    All raise Unavailable.
    """

    async def find(self, session_id: str) -> HeldSession | None:
        """Whatever was asked for: it need not be an id."""

    async def one(self, session_id: SessionId, application_id: ApplicationId) -> LiveSession | None:
        """Connected or not."""

    async def connected(
        self, application_id: ApplicationId, page: Page, user_id: UserId | None
    ) -> list[ListedSession]:
        """In the order of their creation. Raises InvalidCursor."""

    async def count(self, user_id: UserId) -> int:
        """How many of a user's are connected."""

    async def end(self, which: SessionsOf) -> None:
        """They can be resumed nowhere."""

    async def expire(self, which: SessionsOf, at: Instant) -> None:
        """Their tokens are good until then."""

    async def sweep(self, away_s: float) -> None:
        """Forget those who have been away for so long; also those that a dead node had. Several
        may do so at once."""


class SharedLedger(AllSessions, Protocol):
    """How sessions go from node to node. The same adapter is each node's SessionLedger.

    - *One has it*: of several that take the same one, one gets it.
    - *Who has lost one finds out*: within a second, or when it goes on after it was stopped,
      `on_lost` is told of sessions that another has taken or that somebody has ended. Nothing is
      written of them any more.
    """

    async def take(self, found: HeldSession, acknowledged: Position) -> LedgerEntry | None:
        """Have it from now on, acknowledged up to there or further. None: meanwhile somebody else
        has taken it, or it has ended. Raises Unavailable."""

    def release(self, place: int) -> None:
        """Let another take it: it is ours no more. How far it is acknowledged is still written."""

    async def flush(self) -> None:
        """Have others see now what they would see in a moment: that sessions have ended. Raises
        nothing."""

    def on_lost(self, listener: Callable[[SessionId], None]) -> None:
        """Call it on the loop, when the place is nobody's any more."""
