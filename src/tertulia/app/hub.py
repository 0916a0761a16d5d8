"""The hub: the process that answers REST, owns the log's writer, and wakes the dispatcher."""

import asyncio
import logging
import os
import ssl
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tertulia import devkit
from tertulia.app.chance import SystemClock
from tertulia.app.compose import Hub
from tertulia.app.fittings import Fittings
from tertulia.app.lifeline import told_to_end
from tertulia.app.report import Ends, Listening
from tertulia.app.services import Services
from tertulia.ports import Directory
from tertulia.protocols.http1 import Limits
from tertulia.settings import Settings, SettingsError
from tertulia.sip.carrier import SipCarrier
from tertulia.web.rest.media import FORM_SLACK, UPLOADS
from tertulia.web.server import Server

DRAIN_SECONDS = 3.0
"""Within the five that SIGTERM may take."""

_log = logging.getLogger(__name__)


async def serve(settings: Settings, ends: Ends, *, dev: bool) -> None:
    """Serve until told to end."""
    fittings = await Fittings.open(settings, ends, dev=dev)
    if dev:
        settings = replace(settings, sessions=replace(settings.sessions, create_users=True))
        await _ensure_application(fittings.stores.store, settings)
    hub = Hub(fittings.outside(), settings)
    fittings.attach(hub)
    services, phones, cluster = hub.services, fittings.phones, fittings.cluster
    await _begin(hub, fittings)
    server = Server(
        hub.api.answer, _limits(settings), connections_max=settings.http.max_connections
    )
    server.take_upgrades(hub.live.doorway.enter)
    fittings.vitals.server = server
    tasks = _running(services)
    try:
        await phones.listen(services.phones.hear, _tls(settings, dev=dev))
        listening = await _listen(server, phones.carrier, settings, dev=dev)
        phones.note(listening.http_port)
        await fittings.start_posts(services)
        services.audio.library.address = _address(settings, listening)
        os.write(1, msgspec.json.encode(listening) + b"\n")
        _log.info("serving", extra={"action": "hub_started", "port": listening.http_port})
        if await told_to_end(ends.lifeline):
            await asyncio.gather(cluster.drain(hub.live), phones.drain(settings.cluster.drain_s))
    finally:
        await hub.live.close()
        services.following.end()
        services.metering.end()
        await asyncio.gather(phones.close(), server.drain(DRAIN_SECONDS), _part(services, fittings))
        hub.forwarding.close()
        await _cancel(tasks)
        await services.errands.close()  # when nobody is left who could give any
        await fittings.close()
        _log.info("ended", extra={"action": "hub_ended"})


def _running(services: Services) -> list[asyncio.Task[None]]:
    running = (services.expiry, services.indexer, services.conductor, services.couriers)
    return [asyncio.create_task(each.run()) for each in running]


async def _part(services: Services, fittings: Fittings) -> None:
    """From message carriers: what is under way to one should have its answer."""
    await services.couriers.drain(DRAIN_SECONDS)
    await fittings.close_posts()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _begin(hub: Hub, fittings: Fittings) -> None:
    """Find out what was going on when the last hub ended, and let media workers come."""
    await hub.live.start()
    await hub.services.conductor.start()
    await fittings.audio.listen()
    await fittings.cluster.join(hub.services.homecoming)
    await hub.services.audio.recordings.recover()


def _limits(settings: Settings) -> Limits:
    body = settings.http.body_limit
    upload = settings.media.upload_limit + FORM_SLACK
    return Limits(body=body, larger=dict.fromkeys(UPLOADS, max(body, upload)))


async def _listen(
    server: Server, carrier: SipCarrier, settings: Settings, *, dev: bool
) -> Listening:
    """Raises SettingsError: a port is taken, or a certificate is not one."""
    http = settings.http
    https_port = None
    try:
        port = await server.listen(http.host, http.port)
        context = _tls(settings, dev=dev)
        if context is not None:
            https_port = await server.listen(http.host, http.https_port, ssl=context)
    except OSError as error:
        raise SettingsError(f"http: {error}") from None
    return Listening(os.getpid(), port, https_port, carrier.port, carrier.tls_port)


def _address(settings: Settings, listening: Listening) -> str:
    """Start of the addresses that events give to files."""
    http = settings.http
    return http.public_url.rstrip("/") or f"http://{http.host}:{listening.http_port}"


def _tls(settings: Settings, *, dev: bool) -> ssl.SSLContext | None:
    http = settings.http
    if http.certificate:
        return devkit.server_ssl_context(Path(http.certificate), Path(http.certificate_key))
    if not dev:
        return None
    tls = devkit.ensure_certificate(settings.data.path, http.host, now=SystemClock().now())
    return devkit.server_ssl_context(tls.certificate, tls.key)


async def _ensure_application(directory: Directory, settings: Settings) -> None:
    """The development application is there, with the keys on disk and the webhooks asked for."""
    wanted = devkit.development_application(settings)
    known = await directory.application(wanted.id)
    if known is not None:
        wanted = devkit.renewed(known, wanted)
    if wanted != known:
        await directory.put_application(wanted)
