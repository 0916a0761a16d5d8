"""What a media worker has been asked and has not answered yet."""

import asyncio
from collections import deque

from tertulia.model.commands import (
    Accept,
    Accepted,
    Answer,
    Answered,
    Command,
    Offer,
    Offered,
    Opened,
    Plain,
    Refused,
    Report,
)
from tertulia.ports import MediaUnavailable

Question = Answer | Offer | Accept | Plain
Reply = Answered | Offered | Accepted | Opened | Refused


class Replies:
    """A worker answers every question, those about one leg in their order. A reply that nobody
    waits for any more keeps its place, so that the next is not taken for it."""

    def __init__(self) -> None:
        self._owed: dict[str, deque[asyncio.Future[Report]]] = {}

    def expect(self, command: Command) -> asyncio.Future[Report]:
        """The reply, when it is a question."""
        reply: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        if isinstance(command, Question):
            self._owed.setdefault(command.leg, deque()).append(reply)
        return reply

    def heard(self, report: Report) -> None:
        if not isinstance(report, Reply):
            return
        replies = self._owed.get(report.leg)
        if not replies:
            return
        reply = replies.popleft()
        if not replies:
            del self._owed[report.leg]
        if not reply.done():
            reply.set_result(report)

    def fail(self, reason: str) -> None:
        for reply in (each for replies in self._owed.values() for each in replies):
            if not reply.done():
                reply.set_exception(MediaUnavailable(reason))
        self._owed.clear()
