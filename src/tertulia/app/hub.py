"""The hub: the process that answers REST, owns the log's writer, and wakes the dispatcher."""

import asyncio
import logging
import os
import time
from pathlib import Path

import msgspec

from tertulia import devkit
from tertulia.app.chance import RandomIds, SystemClock
from tertulia.app.compose import Hub, Outside
from tertulia.app.desk import JournalDesk
from tertulia.app.lifeline import ended
from tertulia.app.link import Link
from tertulia.app.report import Ends, Listening
from tertulia.app.vitals import Vitals
from tertulia.protocols.http1 import Limits
from tertulia.settings import Settings
from tertulia.store.sqlite import SqliteStore
from tertulia.web.server import Server

DRAIN_SECONDS = 3.0
"""Within the five that SIGTERM may take."""

_log = logging.getLogger(__name__)


async def serve(settings: Settings, ends: Ends, *, dev: bool) -> None:
    """Serve until told to end."""
    clock = SystemClock()
    link = Link(ends.link)
    data = settings.data.path
    store = await SqliteStore.open(data / "tertulia.db")
    desk = JournalDesk(data / "dispatch.db", clock, link.wake)
    vitals = Vitals(desk=desk, clock=clock, monotonic=time.monotonic)
    outside = Outside(
        store=store, clock=clock, ids=RandomIds(), announcer=link, desk=desk, health=vitals,
        smith=devkit.RsaSmith(), monotonic=time.monotonic,
    )  # fmt: skip
    hub = Hub(outside, settings)
    store.on_append(link.wake)
    link.listen(on_alive=vitals.dispatcher_is_alive)
    if dev:
        await _ensure_application(hub, settings)
    server = Server(
        hub.api.answer, Limits(body=settings.http.body_limit),
        connections_max=settings.http.max_connections,
    )  # fmt: skip
    vitals.server = server
    expiry = asyncio.create_task(hub.expiry.run())
    try:
        listening = await _listen(server, settings, dev=dev)
        os.write(1, msgspec.json.encode(listening) + b"\n")
        _log.info("serving", extra={"action": "hub_started", "port": listening.http_port})
        await ended(ends.lifeline)
    finally:
        await server.drain(DRAIN_SECONDS)
        expiry.cancel()
        await asyncio.gather(expiry, return_exceptions=True)
        await desk.close()
        await store.close()
        link.close()
        _log.info("ended", extra={"action": "hub_ended"})


async def _listen(server: Server, settings: Settings, *, dev: bool) -> Listening:
    http = settings.http
    port = await server.listen(http.host, http.port)
    https_port = None
    if http.certificate:
        context = devkit.server_ssl_context(Path(http.certificate), Path(http.certificate_key))
        https_port = await server.listen(http.host, http.https_port, ssl=context)
    elif dev:
        tls = devkit.ensure_certificate(settings.data.path, http.host, now=SystemClock().now())
        context = devkit.server_ssl_context(tls.certificate, tls.key)
        https_port = await server.listen(http.host, http.https_port, ssl=context)
    return Listening(os.getpid(), port, https_port)


async def _ensure_application(hub: Hub, settings: Settings) -> None:
    """The development application is there, with the keys on disk and the webhooks asked for."""
    wanted = devkit.development_application(settings)
    known = await hub.directory.application(wanted.id)
    if known is not None:
        wanted = devkit.renewed(known, wanted)
    if wanted != known:
        await hub.directory.put_application(wanted)
