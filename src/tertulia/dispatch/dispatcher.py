"""The dispatcher: a feed for each application, their common equipment, and the wakes from outside.

It needs a log and a directory to read, a sender, and its own journal; it changes nothing but the
journal. A bug in one application's feed costs that feed a restart from its cursor, and no other
anything.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from tertulia.dispatch.addresses import Addresses
from tertulia.dispatch.answer import Sender
from tertulia.dispatch.courier import Courier
from tertulia.dispatch.feed import Equipment, Feed
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.recorder import Recorder
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import ReadableDirectory, ReadableLog, patiently
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId
from tertulia.ports import Clock, Ids

_log = logging.getLogger(__name__)


class Dispatcher:
    def __init__(
        self,
        settings: DispatchSettings,
        *,
        log: ReadableLog,
        directory: ReadableDirectory,
        journal: Journal,
        sender: Sender,
        clock: Clock,
        ids: Ids,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._journal = journal
        self._epoch = log.epoch
        self._recorder = Recorder(journal, settings)
        self._addresses = Addresses(directory, settings)
        courier = Courier(
            settings,
            sender=sender,
            recorder=self._recorder,
            clock=clock,
            ids=ids,
            epoch=log.epoch,
        )
        self._equipment = Equipment(
            settings, log, self._addresses, courier, self._recorder, clock, jitter
        )
        self._feeds: dict[ApplicationId, Feed] = {}
        self._supervised: dict[ApplicationId, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._is_stopping = False

    def wake(self) -> None:
        """Something may have happened: events, applications, replay requests."""
        self._woken.set()
        for feed in self._feeds.values():
            feed.wake()

    def announce(self, event: Event) -> None:
        """Send an ephemeral event, once and if possible."""
        feed = self._feeds.get(event.application_id)
        if feed is not None:
            feed.announce(event)

    def stop(self) -> None:
        """Let `run` finish the calls under way and return. Cancelling it is quicker and as safe."""
        self._is_stopping = True
        self._woken.set()
        for feed in self._feeds.values():
            feed.stop()

    async def run(self) -> None:
        await self._journal.begin_epoch(self._epoch)
        recording = asyncio.create_task(self._recorder.run())
        recording.add_done_callback(lambda _: self.stop())
        try:
            await self._follow()
        finally:
            self._recorder.finish()
            await recording

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while not self._is_stopping:
                self._woken.clear()
                await self._look_up_applications(tasks)
                await self._look_up_replays()
                for feed in self._feeds.values():
                    feed.report()
                    feed.wake()
                await self._wait()

    async def _wait(self) -> None:
        """Until a wake or the next poll; many wakes in a short time are one."""
        await asyncio.sleep(self._settings.poll_spacing_ms / 1000)
        try:
            async with asyncio.timeout(self._settings.poll_ms / 1000):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _look_up_applications(self, tasks: asyncio.TaskGroup) -> None:
        applications = await patiently(self._directory.applications, self._settings.pause_ms)
        self._addresses.put_applications(applications)
        known = {application.id for application in applications}
        for gone in self._supervised.keys() - known:
            self._supervised.pop(gone).cancel()
            self._feeds.pop(gone, None)
        for application_id in known - self._supervised.keys():
            task = tasks.create_task(self._supervise(application_id))
            self._supervised[application_id] = task

    async def _look_up_replays(self) -> None:
        for request in await self._journal.waiting_replays():
            feed = self._feeds.get(request.application_id)
            if feed is not None:
                feed.replay(request)

    async def _supervise(self, application_id: ApplicationId) -> None:
        while not self._is_stopping:
            try:
                self._feeds[application_id] = feed = await self._open_feed(application_id)
                await feed.run()
                return
            except Exception:  # the supervisor: whatever it was, the log still has everything
                told = {"action": "feed_restarted", "application": application_id}
                _log.exception("a feed failed and is started again", extra=told)
            self._feeds.pop(application_id, None)
            await asyncio.sleep(self._settings.pause_ms / 1000)

    async def _open_feed(self, application_id: ApplicationId) -> Feed:
        """A feed as the journal has it, once everything noted so far is there."""
        await self._recorder.written()
        cursor = await self._journal.cursor(application_id)
        held = await self._journal.held(application_id)
        return Feed(application_id, self._equipment, cursor=cursor, held=held)
