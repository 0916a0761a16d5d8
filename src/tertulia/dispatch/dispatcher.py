"""The dispatcher: a feed for each application, their common equipment, and the wakes from outside.

It needs a store to read, a sender, its own journal, and to know which work is its; it changes
nothing but the journal. A bug in one application's feed costs that feed a restart from its cursor,
and no other anything.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from msgspec import Struct

from tertulia.dispatch.addresses import Addresses
from tertulia.dispatch.answer import Sender
from tertulia.dispatch.courier import Courier
from tertulia.dispatch.feed import Equipment, Feed
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.recorder import Recorder
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import ReadableStore, patiently
from tertulia.dispatch.work import WebhookWork
from tertulia.model.errors import Unavailable
from tertulia.model.event import Event
from tertulia.model.ids import ApplicationId
from tertulia.ports import Clock, Ids

T = TypeVar("T")

RENEW_AGAIN = 0.1
"""Seconds, when leases cannot be renewed."""

_log = logging.getLogger(__name__)


class _Running(Struct, frozen=True):
    """A feed's task, until it is over, and what it rests on."""

    token: str
    task: asyncio.Task[None]


class Dispatcher:
    def __init__(
        self,
        settings: DispatchSettings,
        *,
        store: ReadableStore,
        journal: Journal,
        work: WebhookWork,
        sender: Sender,
        clock: Clock,
        ids: Ids,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._directory = store
        self._journal = journal
        self._work = work
        self._epoch = store.epoch
        self._recorder = Recorder(journal, settings)
        self._addresses = Addresses(store, settings)
        courier = Courier(
            settings,
            sender=sender,
            recorder=self._recorder,
            work=work,
            clock=clock,
            ids=ids,
            epoch=store.epoch,
        )
        self._equipment = Equipment(
            settings, store, self._addresses, courier, self._recorder, clock, jitter
        )
        self._feeds: dict[ApplicationId, Feed] = {}
        self._running: dict[ApplicationId, _Running] = {}
        self._known: set[ApplicationId] = set()
        self._tasks = asyncio.TaskGroup()
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
        await self._patiently(partial(self._journal.begin_epoch, self._epoch))
        recording = asyncio.create_task(self._recorder.run())
        keeping = asyncio.create_task(self._keep_work())
        for task in (recording, keeping):
            task.add_done_callback(lambda _: self.stop())
        try:
            await self._follow()
        finally:
            self._recorder.finish()
            await recording
            keeping.cancel()
            await asyncio.wait([keeping])
            if not keeping.cancelled():
                keeping.result()

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        return await patiently(read, self._settings.pause_ms)

    async def _keep_work(self) -> None:
        """Renew what is ours, as long as anything may be under way."""
        is_told = False
        while True:
            try:
                pause = await self._work.renew(self._running)
                is_told = False
            except Unavailable as error:
                if not is_told:
                    told = {"action": "leases_not_renewed", "error": str(error)}
                    _log.warning("whose the webhooks are cannot be asked", extra=told)
                is_told = True
                pause = RENEW_AGAIN
            self._arrange()
            if math.isinf(pause):
                await asyncio.Event().wait()
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        async with self._tasks:
            try:
                while not self._is_stopping:
                    self._woken.clear()
                    await self._look_up_applications()
                    await self._look_up_replays()
                    for feed in self._feeds.values():
                        feed.report()
                        feed.wake()
                    await self._wait()
            finally:
                self._is_stopping = True  # the group takes no more

    async def _wait(self) -> None:
        """Until a wake or the next poll; many wakes in a short time are one."""
        await asyncio.sleep(self._settings.poll_spacing_ms / 1000)
        try:
            async with asyncio.timeout(self._settings.poll_ms / 1000):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _look_up_applications(self) -> None:
        applications = await self._patiently(self._directory.applications)
        self._addresses.put_applications(applications)
        self._known = {application.id for application in applications}
        self._arrange()

    def _arrange(self) -> None:
        """Begin the feeds that are ours, and end those that are not any more."""
        for application_id, running in self._running.items():
            is_ours = self._work.token(application_id) == running.token
            if application_id not in self._known or not is_ours:
                self._feeds.pop(application_id, None)
                running.task.cancel()
            elif self._work.is_leaving(application_id) and application_id in self._feeds:
                self._feeds[application_id].stop()
        for application_id in self._known - self._running.keys():
            token = self._work.token(application_id)
            if token is not None and not self._is_stopping:
                self._begin(application_id, token)

    def _begin(self, application_id: ApplicationId, token: str) -> None:
        task = self._tasks.create_task(self._supervise(application_id, token))
        self._running[application_id] = _Running(token, task)
        task.add_done_callback(lambda _: self._ended(application_id))

    def _ended(self, application_id: ApplicationId) -> None:
        del self._running[application_id]
        self._woken.set()  # it may be ours again already

    async def _look_up_replays(self) -> None:
        waiting = partial(self._journal.waiting_replays, self._feeds)
        for request in await self._patiently(waiting):
            feed = self._feeds.get(request.application_id)
            if feed is not None:
                feed.replay(request)

    async def _supervise(self, application_id: ApplicationId, token: str) -> None:
        while not (self._is_stopping or self._work.is_leaving(application_id)):
            try:
                self._feeds[application_id] = feed = await self._open_feed(application_id, token)
                await feed.run()
                break
            except Exception:  # the supervisor: whatever it was, the log still has everything
                told = {"action": "feed_restarted", "application": application_id}
                _log.exception("a feed failed and is started again", extra=told)
            self._feeds.pop(application_id, None)
            await asyncio.sleep(self._settings.pause_ms / 1000)
        self._feeds.pop(application_id, None)
        if token:
            await self._recorder.written()
            await self._work.give_back(application_id)

    async def _open_feed(self, application_id: ApplicationId, token: str) -> Feed:
        """A feed as the journal has it, once everything noted so far is there."""
        await self._recorder.written()
        self._recorder.claim(application_id, token)
        cursor = await self._patiently(partial(self._journal.cursor, application_id))
        held = await self._patiently(partial(self._journal.held, application_id))
        return Feed(application_id, self._equipment, cursor=cursor, held=held)
