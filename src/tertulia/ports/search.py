"""What searching needs: an index of words.

As the other ports: an adapter passes the contract suite of its port (tests/contracts).
"""

from typing import Protocol

from msgspec import Struct

from tertulia.model.ids import ApplicationId, ConversationId, EventId, Position
from tertulia.model.indexing import TextChanges
from tertulia.model.words import Snippet, Term


class TextQuery(Struct, frozen=True):
    """Which texts are looked for."""

    application_id: ApplicationId
    terms: tuple[Term, ...]
    """All of them have to be in a text."""
    conversations: tuple[ConversationId, ...] | None = None
    """None means all of the application."""
    before: Position | None = None
    """Exclusive upper bound of the messages' positions."""
    limit: int = 10


class FoundText(Struct, frozen=True):
    """A message whose newest words match."""

    position: Position
    conversation_id: ConversationId
    event_id: EventId
    snippet: Snippet


Line = ApplicationId | None
"""What is indexed at its own pace: an application, or all of the log."""


class SearchIndex(Protocol):
    """The words of messages, to be found again. Made from the log, and made again when lost.

    - *Lines*: the log is indexed as a whole, or, where several nodes share it, by application. Each
      line has a position of its own; one that is new begins where the whole had come to.
    - *One step*: `write` stores changes and the position that they lead to together, or neither.
    - *Found*: a search sees every write that has returned. Words match whatever their case and
      accents; a changed text by its newest words only; what was removed, not at all.
    - *Newest first*, by the position of the message, edited or not.
    - *Failure*: Unavailable, nothing changed. SearchTooBroad for a search that would take long.
      SearchMissing from all of it where this host cannot search.
    """

    async def begin(self, epoch: str, head: Position, line: Line = None) -> Position:
        """Up to where the log of this epoch, or the line, is indexed.

        An index of another epoch, or one that is ahead of the log's head, is emptied first.
        """

    async def write(self, changes: TextChanges, upto: Position, line: Line = None) -> None: ...

    async def find(self, query: TextQuery) -> list[FoundText]: ...
