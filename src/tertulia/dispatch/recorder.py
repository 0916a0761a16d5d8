"""Gathers what is to be remembered and writes it to the journal, a batch at a time.

A batch is everything that happened until it is taken, with the cursors as they are at that very
moment: so a failure is on record before, or together with, the cursor that passes it.
"""

import asyncio
import logging
from collections.abc import Callable

from tertulia.dispatch.journal import Journal
from tertulia.dispatch.records import (
    Attempt,
    Batch,
    DeadLetter,
    Held,
    LaneName,
    Letter,
    Progress,
    Replay,
)
from tertulia.dispatch.settings import DispatchSettings
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId

_log = logging.getLogger(__name__)


class Recorder:
    """The one writer of the journal."""

    def __init__(self, journal: Journal, settings: DispatchSettings) -> None:
        self._journal = journal
        self._settings = settings
        self._batch = Batch()
        self._claims: dict[ApplicationId, str] = {}
        self._moved: dict[ApplicationId, Callable[[], Progress]] = {}
        self._touched = asyncio.Event()
        self._hurry = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._finishing = False

    @property
    def is_full(self) -> bool:
        """Whether so much waits for a failing journal that nothing more should be sent."""
        return len(self._batch.attempts) >= self._settings.backlog

    def claim(self, application_id: ApplicationId, token: str) -> None:
        """What is noted of the application from now on rests on this lease; everything that was
        noted before has to be written. An empty token: on none."""
        self._claims[application_id] = token

    def attempt(self, attempt: Attempt) -> None:
        self._batch.attempts.append(attempt)
        self._touched.set()
        if len(self._batch.attempts) >= self._settings.flush_attempts:
            self._hurry.set()

    def hold(self, held: Held) -> None:
        self._batch.held[held.lane] = held
        self._touched.set()

    def release(self, lane: LaneName) -> None:
        self._batch.held[lane] = None
        self._touched.set()

    def give_up(self, letter: DeadLetter) -> None:
        self._batch.dead.append(letter)
        self._touched.set()

    def revive(self, letter: Letter) -> None:
        self._batch.revived.append(letter)
        self._touched.set()

    def replay(self, replay: Replay) -> None:
        self._batch.replays[replay.id] = replay
        self._touched.set()

    def moved(self, application_id: ApplicationId, progress: Callable[[], Progress]) -> None:
        """Note that an application's cursor may have changed; asked when the batch is taken."""
        self._moved[application_id] = progress
        self._touched.set()

    async def written(self) -> None:
        """Return when all that was noted before is in the journal."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._touched.set()
        self._hurry.set()
        await done

    def finish(self) -> None:
        """Let `run` write what there is and return."""
        self._finishing = True
        self._touched.set()
        self._hurry.set()

    async def run(self) -> None:
        """Write until `finish`; a journal that still fails then is left as it is."""
        written = True
        while written and not self._finishing:
            await self._touched.wait()
            await self._gather()
            self._touched.clear()
            self._hurry.clear()
            written = await self._write()
        if written:
            await self._write()

    async def _gather(self) -> None:
        try:
            async with asyncio.timeout(self._settings.flush_ms / 1000):
                await self._hurry.wait()
        except TimeoutError:
            return

    async def _write(self) -> bool:
        batch, self._batch = self._batch, Batch()
        waiting, self._waiting = self._waiting, []
        moved, self._moved = self._moved, {}
        batch.progress.extend(progress() for progress in moved.values())
        claims = self._claims
        batch.claims = {each: claims[each] for each in batch.applications() if claims.get(each)}
        while not await self._try_to_write(batch):
            if self._finishing:
                return False
            await asyncio.sleep(self._settings.pause_ms / 1000)
        for done in waiting:
            if not done.done():
                done.set_result(None)
        return True

    async def _try_to_write(self, batch: Batch) -> bool:
        try:
            lost = await self._journal.write(batch)
        except Unavailable as error:
            told = {"action": "journal_failed", "error": str(error)}
            _log.error("the journal cannot be written", extra=told)
            return False
        for each in lost:
            told = {"action": "webhooks_lost", "application": each}
            _log.warning("another node has taken the webhooks of an application", extra=told)
        return True
