"""The dispatcher's process: follows the log from another process than the one that writes it."""

import asyncio
import contextlib
import logging

from tertulia import __version__
from tertulia.app.chance import RandomIds, SystemClock
from tertulia.app.journals import journal_tables, move_in, webhook_work
from tertulia.app.lifeline import ended
from tertulia.app.link import ALIVE, Link
from tertulia.app.report import Ends
from tertulia.app.stores import open_store
from tertulia.dispatch.client import HttpSender
from tertulia.dispatch.dispatcher import Dispatcher
from tertulia.dispatch.journal import Journal
from tertulia.dispatch.settings import DispatchSettings
from tertulia.dispatch.sources import patiently
from tertulia.dispatch.target import TargetGuard
from tertulia.model.errors import Unavailable
from tertulia.settings import Settings
from tertulia.store.stored import Stored

ALIVE_EVERY = 1.0
"""Seconds between signs of life to the hub."""
OPEN_AGAIN = 0.2
"""Seconds between looks for the store: the hub makes it, and may be later."""
FINISH_SECONDS = 3.0

_log = logging.getLogger(__name__)


async def dispatch(settings: Settings, ends: Ends) -> None:
    """Dispatch until told to end."""
    over = asyncio.create_task(ended(ends.lifeline))
    opening = asyncio.create_task(_opened(settings))
    await asyncio.wait((opening, over), return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():  # the hub never made the store, and is not going to
        opening.cancel()
        return
    store = opening.result()
    link = Link(ends.link)
    told = _dispatch_settings(settings)
    sender = HttpSender(told, TargetGuard(settings.webhooks.allow_networks))
    tables = journal_tables(settings)
    await patiently(lambda: move_in(settings, tables, store.epoch), told.pause_ms)
    journal = Journal(tables, attempts_kept=told.attempts_kept)
    work = webhook_work(settings)
    dispatcher = Dispatcher(
        told, store=store, journal=journal, work=work, sender=sender,
        clock=SystemClock(), ids=RandomIds(),
    )  # fmt: skip
    link.listen(on_wake=dispatcher.wake, on_event=dispatcher.announce)
    running = asyncio.create_task(dispatcher.run())
    living = asyncio.create_task(_live(link))
    _log.info("dispatching", extra={"action": "dispatcher_started"})
    try:
        await asyncio.wait((running, over), return_when=asyncio.FIRST_COMPLETED)
        dispatcher.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await asyncio.shield(running)
    finally:
        for task in (running, living, over):
            task.cancel()
        ends_of_tasks = await asyncio.gather(running, living, over, return_exceptions=True)
        sender.close()
        await journal.close()
        await work.close()
        link.close()
        await store.close()
    if isinstance(ends_of_tasks[0], Exception):
        raise ends_of_tasks[0]  # a bug: the supervisor starts this process again


async def _opened(settings: Settings) -> Stored:
    while True:
        try:
            return await open_store(settings, reads_only=True)
        except Unavailable:
            await asyncio.sleep(OPEN_AGAIN)


async def _live(link: Link) -> None:
    while True:
        link.send(ALIVE)
        await asyncio.sleep(ALIVE_EVERY)


def _dispatch_settings(settings: Settings) -> DispatchSettings:
    webhooks, account = settings.webhooks, settings.account
    return DispatchSettings(
        signing_secret=account.signature_secret, api_key=account.api_key,
        user_agent=f"tertulia/{__version__}",
        first_retry_ms=int(webhooks.first_retry_s * 1000),
        longest_retry_ms=int(webhooks.max_retry_s * 1000),
        window_ms=int(webhooks.window_s * 1000),
        connect_timeout_ms=int(webhooks.connect_timeout_s * 1000),
        total_timeout_ms=int(webhooks.total_timeout_s * 1000),
        in_flight=webhooks.in_flight,
        in_flight_per_application=webhooks.per_application,
        in_flight_per_endpoint=webhooks.per_endpoint,
        connections_per_origin=webhooks.per_endpoint,
        attempts_kept=webhooks.attempts_kept,
    )  # fmt: skip
