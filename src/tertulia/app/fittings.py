"""What a hub is given: everything that it opens before it serves and lets go of afterwards."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from tertulia import devkit
from tertulia.app import whereabouts
from tertulia.app.audio import AudioPorts
from tertulia.app.chance import RandomIds, SystemClock
from tertulia.app.cluster import Cluster
from tertulia.app.compose import Hub
from tertulia.app.desk import JournalDesk
from tertulia.app.journals import journal_tables
from tertulia.app.link import Link
from tertulia.app.messaging import MessagePorts, message_plan
from tertulia.app.outside import Outside
from tertulia.app.report import Ends
from tertulia.app.services import Services
from tertulia.app.stores import Stores
from tertulia.app.telephony import PhonePorts, number_plan
from tertulia.app.vitals import Organs, Vitals
from tertulia.carriers.smpp_parts import PartsOfAll
from tertulia.dispatch.reading import JournalReader
from tertulia.model.errors import Unavailable
from tertulia.services.homing import HomingEars
from tertulia.settings import Settings
from tertulia.web.rest.inspector import DevelopmentKeys

PATIENCE = 120.0
PAUSE = 0.5
"""Seconds: for the store to be there at the start, and between two looks."""

_log = logging.getLogger(__name__)


class Fittings:
    """`open` it on the loop, `attach` the hub that is made with `outside`, `close` it."""

    def __init__(
        self, settings: Settings, ends: Ends, cluster: Cluster, stores: Stores, *, dev: bool
    ) -> None:
        self._settings = settings
        self._dev = dev
        self._clock = clock = SystemClock()
        self._ears: HomingEars | None = None
        self.cluster = cluster
        self.stores = stores
        self.link = Link(ends.link)
        journal = JournalReader(journal_tables(settings, "desk"))
        self.desk = JournalDesk(journal, clock, self.link.wake)
        self.audio = AudioPorts(settings, clock)
        self.phones = PhonePorts(
            settings, number_plan(settings, dev=dev), stores.store, clock, cluster.phones
        )
        bus = cluster.bus
        self.posts = MessagePorts(
            settings, message_plan(settings, dev=dev), clock, dev=dev,
            parts=PartsOfAll(bus, cluster.homes) if bus is not None else None,
        )  # fmt: skip
        self.vitals = Vitals(
            Organs(
                desk=self.desk, workers=self.audio.workers, carrier=self.phones.carrier,
                store=stores.store, homes=cluster.homes, node=cluster.vitals(),
                clock=clock, monotonic=time.monotonic,
            )
        )  # fmt: skip

    @classmethod
    async def open(cls, settings: Settings, ends: Ends, *, dev: bool) -> "Fittings":
        """Raises SettingsError, Unavailable, OSError."""
        cluster = await Cluster.open(settings)
        patience = PATIENCE if settings.store.url else 0.0
        opening = partial(Stores.open, settings, cluster.owner, cluster.bus)
        stores = await _opened(opening, patience)
        await cluster.open_phones(settings)
        return cls(settings, ends, cluster, stores, dev=dev)

    def outside(self) -> Outside:
        audio, phones, posts, stores = self.audio, self.phones, self.posts, self.stores
        settings = self._settings
        return Outside(
            store=stores.store, media=stores.media, search=stores.search, ledger=stores.ledger,
            announcer=self.link, clock=self._clock, monotonic=time.monotonic, ids=RandomIds(),
            smith=devkit.RsaSmith(), desk=self.desk, health=self.vitals, workers=audio.workers,
            messaging=posts.messaging, doors=posts.doors, handsets=posts.handsets,
            speech=audio.speech, telephony=phones.telephony, answers=audio.answers,
            scratch=audio.scratch, house=self._dev, downloads=audio.downloads,
            development=_development_keys(settings) if self._dev else None,
            phonebook=partial(whereabouts.numbers, settings.data.path / whereabouts.PHONES),
            homes=self.cluster.homes, bus=self.cluster.bus, shared=stores.shared,
        )  # fmt: skip

    def attach(self, hub: Hub) -> None:
        self.stores.store.on_commit(self.link.wake_soon)  # of what is at home here
        self.link.listen(on_alive=self.vitals.dispatcher_is_alive)
        self.vitals.hub = hub

    async def start_posts(self, services: Services) -> None:
        """Message carriers may tell from now on."""
        bus = self.cluster.bus
        if bus is None:
            await self.posts.start(services.arrivals)
            return
        self._ears = HomingEars(
            services.arrivals, homes=self.cluster.homes, bus=bus, sendings=services.sendings,
            routes=self.posts.messaging.routes,
        )  # fmt: skip
        await self._ears.start()
        await self.posts.start(self._ears)

    async def close_posts(self) -> None:
        await self.posts.close()
        if self._ears is not None:
            await self._ears.close()

    async def close(self) -> None:
        """When nothing is going on any more; phones and posts are closed before."""
        await self.audio.close()
        await self.desk.close()
        await self.cluster.close()
        await self.stores.close()
        self.link.close()


async def _opened(open_: Callable[[], Awaitable[Stores]], seconds: float) -> Stores:
    """The stores, as soon as they are there: a server of theirs may start later than we, or again.

    Raises Unavailable when it has not been there for long: somebody should know.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            return await open_()
        except Unavailable as error:
            if loop.time() > deadline:
                raise
            told = {"action": "store_awaited", "error": str(error)}
            _log.warning("waiting for the store: %s", error, extra=told)
            await asyncio.sleep(PAUSE)


def _development_keys(settings: Settings) -> DevelopmentKeys:
    return DevelopmentKeys(
        application_id=devkit.development_application(settings).id,
        api_key=settings.account.api_key, api_secret=settings.account.api_secret,
        private_key=devkit.development_private_key(settings), number=settings.dev.number,
    )  # fmt: skip
