"""The process of a media worker: an engine, and the link by which the hub commands it.

Both begin and end together. A hub that is back knows nothing of our legs any more, so when the link
is lost the engine finishes what it records, ends its legs, and a new one begins.
"""

import asyncio
import faulthandler
import gc
import ipaddress
import logging
import os
import resource
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Protocol

from tertulia.media import link, opus
from tertulia.media.dtls import Certificate
from tertulia.media.engine import Engine
from tertulia.media.interfaces import interface_addresses
from tertulia.media.lines import Range
from tertulia.media.outside import Outside, PhoneTerms
from tertulia.media.port import UdpPort
from tertulia.media.sockets import Dialer, Find, nowhere
from tertulia.media.ticker import Ticker
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import VERSION, AnyCommand, AnyReport, Hello, Load
from tertulia.protocols.offer_answer import CODECS, Candidate
from tertulia.protocols.sdp import OPUS, PCMU
from tertulia.settings import Settings, SettingsError

RETRY_FIRST = 0.1
RETRY_LONGEST = 3.0
"""Seconds between two looks for the hub; doubled while a link does not last."""
LASTED = 5.0
"""Seconds after which earlier failures count no longer."""
BEAT = 1.0
"""Seconds between two signs of life."""
FINISH_SECONDS = 1.0
"""For the last reports to leave."""
HANG_SECONDS = 10.0
"""Without a turn of the loop, after which the process shows where it stands and ends."""
FULL_COLLECTION_EVERY = 60
"""Seconds between two looks for all garbage."""

_log = logging.getLogger(__name__)


class Carrier(Protocol):
    """What the link needs of an engine."""

    def obey(self, command: AnyCommand) -> None: ...

    def load(self) -> Load:
        """Raises what the worker is to end of."""

    def close(self) -> None:
        """Finish what is recorded and end the legs, with their reports."""


MakeCarrier = Callable[[Callable[[AnyReport], None]], Carrier]


class Worker:
    """Keeps a link to the hub, and an engine for as long as that lasts."""

    def __init__(self, path: Path, hello: Hello, make: MakeCarrier) -> None:
        self._path = path
        self._hello = hello
        self._make = make
        self._carrier: Carrier | None = None
        self._link: link.Connection[AnyCommand] | None = None

    async def run(self) -> None:
        """Until it is cancelled; then the legs end as well, and the hub is told."""
        pause = RETRY_FIRST
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            with suppress(OSError):  # there is no hub yet, or none any more
                await self._serve()
            pause = RETRY_FIRST if loop.time() - began > LASTED else pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_LONGEST)

    async def _serve(self) -> None:
        """One link, until it is lost. Raises OSError."""
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def on_lost(reason: str) -> None:
            if not lost.done():
                lost.set_result(reason)

        self._link = await link.connect(self._path, lambda: link.worker_end(self._obey, on_lost))
        self._report(self._hello)
        self._carrier = self._make(self._report)
        beating = asyncio.create_task(self._beat(self._carrier))
        try:
            await asyncio.wait((lost, beating), return_when=asyncio.FIRST_COMPLETED)
            if beating.done():
                beating.result()  # the carrier is broken
            reason = lost.result()
            _log.warning("the hub is lost: %s", reason, extra={"action": "media_link_lost"})
        finally:
            beating.cancel()
            self._carrier.close()
            self._carrier = None
            self._link.finish()
            with suppress(TimeoutError):
                async with asyncio.timeout(FINISH_SECONDS):
                    await lost

    async def _beat(self, carrier: Carrier) -> None:
        while True:
            self._report(carrier.load())
            await asyncio.sleep(BEAT)

    def _obey(self, command: AnyCommand) -> None:
        if self._carrier is not None:
            self._carrier.obey(command)

    def _report(self, report: AnyReport) -> None:
        if self._link is not None and not self._link.send(report):
            _log.error(
                "a report is too long for the link: %s", type(report).__name__,
                extra={"action": "media_report_dropped"},
            )  # fmt: skip


async def keep_house() -> None:
    """Look for garbage between ticks instead of in them, and end the process when its loop hangs.

    Until it is cancelled.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for second in count(1):
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            gc.collect(2 if second % FULL_COLLECTION_EVERY == 0 else 0)
            await asyncio.sleep(1.0)
    finally:
        faulthandler.cancel_dump_traceback_later()
        gc.enable()


async def work(
    settings: Settings,
    index: int,
    over: Callable[[], Coroutine[None, None, None]],
    find: Find = nowhere,
) -> None:
    """Work until `over` returns; `find` leads to websocket servers.

    Raises SettingsError, and what a bug has ended the worker with.
    """
    port = _bound(settings, index)
    codecs = CODECS if opus.source is not None else [each for each in CODECS if each != OPUS]
    hello = Hello(VERSION, str(index), os.getpid(), port.number, list(codecs))
    path = settings.data.path / link.SOCKET
    dialer = Dialer(find, os.urandom)
    terms = _phone_terms(settings, advertised(settings, port))
    _allow_files()
    worker = Worker(path, hello, _making(port, terms, codecs, dialer))
    tasks = [asyncio.create_task(each) for each in (over(), worker.run(), keep_house())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        port.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def _bound(settings: Settings, index: int) -> UdpPort:
    rtc = settings.rtc
    try:
        number = rtc.port + index if rtc.port else 0
        return UdpPort(rtc.host, number, rtc.host6 or None, Range(*rtc.phone_range))
    except (OSError, OverflowError) as error:
        raise SettingsError(f"rtc: {error}") from None


def advertised(settings: Settings, port: UdpPort) -> list[str]:
    """The addresses that clients are told."""
    rtc = settings.rtc
    if rtc.addresses:
        return list(rtc.addresses)
    sixth = port.sockets.sixth is not None
    bound = [ipaddress.ip_address(each) for each in (rtc.host, *([rtc.host6] if sixth else []))]
    told = [str(each) for each in bound if not each.is_unspecified]
    if len(told) == len(bound):
        return told
    found = interface_addresses(sixth=sixth, loopback=_is_loopback(settings.http.host))
    versions = {each.version for each in bound if each.is_unspecified}
    told += [each for each in found if ipaddress.ip_address(each).version in versions]
    return told or ["127.0.0.1"]  # a machine without a network has itself


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _phone_terms(settings: Settings, hosts: list[str]) -> PhoneTerms:
    codecs = [each for each in settings.rtc.phone_codecs if each != OPUS or opus.source is not None]
    return PhoneTerms(codecs or [PCMU], hosts, bool(settings.rtc.addresses))


def _allow_files() -> None:
    """Each phone takes two of them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _making(
    port: UdpPort, phones: PhoneTerms, codecs: Sequence[str], dialer: Dialer
) -> MakeCarrier:
    certificate = Certificate()
    candidates = [Candidate(address, port.number) for address in phones.hosts]

    def make_path() -> WebRtcLeg:
        return WebRtcLeg(certificate, candidates, random=os.urandom, codecs=codecs)

    def make(report: Callable[[AnyReport], None]) -> Ticker:
        outside = Outside(
            report=report, make_path=make_path, clock=time.monotonic, wall=time.time,
            random=os.urandom, host=(phones.hosts[0], port.number), phones=phones,
            dial=dialer.dial,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        ticker = Ticker(Engine(port, outside), port, loop, time.monotonic)
        ticker.start()
        return ticker

    return make
