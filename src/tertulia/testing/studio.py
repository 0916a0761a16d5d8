"""Media workers without media, for tests: commands are kept and obeyed, the rest is made to happen.

studio.up("leg-1"); studio.digit("leg-1", "5"); studio.finish_play("play-1"); studio.die()
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from tertulia.app.holdings import DEATH, Holdings
from tertulia.app.replies import Replies
from tertulia.model.commands import AnyCommand, AnyReport, Command, Report
from tertulia.model.ids import ApplicationId
from tertulia.ports import Clock, MediaUnavailable
from tertulia.testing.puppet import Puppet

SETTLING_TURNS = 30
"""Of the loop: more than any service takes after a report."""

Asked = TypeVar("Asked", bound=Command)


class Studio(Puppet):
    """ports.Workers with one worker, which obeys in the next turn of the loop."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(self._happened, clock)
        self.commands: list[tuple[ApplicationId, Command]] = []
        """All that was told or asked."""
        self.is_there = True
        self._listener: Callable[[AnyReport], None] | None = None
        self._told: deque[AnyCommand] = deque()
        self._is_obeying = False
        self._holdings, self._replies = Holdings(), Replies()

    def tell(self, application_id: ApplicationId, command: Command) -> None:
        self._expect(application_id, command).cancel()

    async def ask(self, application_id: ApplicationId, command: Command) -> Report:
        return await self._expect(application_id, command)

    def on_report(self, listener: Callable[[AnyReport], None]) -> None:
        self._listener = listener

    def told(self, kind: type[Asked]) -> list[Asked]:
        """All commands of a kind, in their order."""
        return [command for _, command in self.commands if isinstance(command, kind)]

    async def settle(self) -> None:
        """Let the loop turn until all that was told is obeyed and has had its effect."""
        for _ in range(SETTLING_TURNS):
            await asyncio.sleep(0)

    def die(self, *, another: bool = True) -> None:
        """As a worker that is killed. Another is there at once, or when `is_there` is set."""
        holdings, replies = self._holdings, self._replies
        self._told.clear()
        self._holdings, self._replies = Holdings(), Replies()
        self.forget()
        self.is_there = another
        replies.fail(DEATH)
        for report in holdings.lost(self._clock.now()):
            self._hand_on(report)

    def _expect(self, application_id: ApplicationId, command: Command) -> "asyncio.Future[Report]":
        if not self.is_there:
            raise MediaUnavailable("No media worker is there.")
        assert isinstance(command, AnyCommand)
        self.commands.append((application_id, command))
        self._holdings.told(command)
        self._told.append(command)
        asyncio.get_running_loop().call_soon(self._obey_all)
        return self._replies.expect(command)

    def _obey_all(self) -> None:
        self._is_obeying = True
        while self._told:
            self.obey(self._told.popleft())
        self._is_obeying = False

    def _happened(self, report: AnyReport) -> None:
        if not self._is_obeying:  # a test made it happen: what it was told before comes first
            self._obey_all()
        self._holdings.heard(report)
        self._hand_on(report)
        self._replies.heard(report)

    def _hand_on(self, report: AnyReport) -> None:
        if self._listener is not None:
            self._listener(report)
