"""What makes a hub a node of a cluster: its bus and its homes. Where there is one node, neither."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from uuid import uuid4

from tertulia.app.buses import open_bus
from tertulia.app.homes import LeasedHomes
from tertulia.app.node_vitals import NodeVitals
from tertulia.app.stores import of_postgres
from tertulia.app.telephony import Surroundings
from tertulia.live.room import Live
from tertulia.ports.cluster import Alone, Bus, Homes
from tertulia.services.homecoming import Homecoming
from tertulia.settings import Settings, SettingsError
from tertulia.store.owner import Owner, Superseded

LOST = 75
"""Exit status of a hub that is no node any more (EX_TEMPFAIL): it is started again, knowing
nothing."""

_log = logging.getLogger(__name__)


class Cluster:
    """`owner` and `bus` are None where there is one node."""

    homes: Homes

    def __init__(self, settings: Settings, owner: Owner | None, bus: Bus | None) -> None:
        self._drain_s, self._lease_s = settings.cluster.drain_s, settings.cluster.lease_s
        self._running: asyncio.Task[None] | None = None
        self._leased: LeasedHomes | None = None
        self._ends: list[Callable[[], Awaitable[None]]] = []
        self.owner = owner
        self.bus = bus
        self.phones: Surroundings | None = None
        if owner is None or bus is None:
            self.homes = Alone()
            return
        cluster = settings.cluster
        table = of_postgres("postgres_homes").PostgresHomes(
            settings.store.url, owner, cluster.url, lease_s=cluster.lease_s
        )
        self.homes = self._leased = LeasedHomes(
            table, owner, bus=bus, lease_s=cluster.lease_s, lost=_end_at_once
        )

    def vitals(self) -> NodeVitals | None:
        """Of this node among the others, if there may be any."""
        if self._leased is None or self.bus is None:
            return None
        return NodeVitals(self._leased, self.bus, self._lease_s)

    @classmethod
    async def open(cls, settings: Settings) -> "Cluster":
        """Not a node yet. Raises SettingsError."""
        if not settings.cluster.node:
            return cls(settings, None, None)
        if not settings.store.url:
            raise SettingsError("cluster.node: several nodes need store.url")
        return cls(settings, Owner(settings.cluster.node, uuid4().hex), await open_bus(settings))

    async def open_phones(self, settings: Settings) -> None:
        """On a store that has been opened before. Raises Unavailable."""
        if self.bus is not None:
            kind = of_postgres("postgres_registrations").PostgresRegistrations
            shared = await kind.open(settings.store.url, self.homes.name)
            self.phones = Surroundings(self.bus, self.homes, shared)
            self._ends.append(shared.close)

    async def join(self, homecoming: Homecoming) -> None:
        """From now on applications come home. Raises Unavailable, SettingsError."""
        if self._leased is None:
            await homecoming.everything()
            return
        self._leased.is_idle = homecoming.is_idle
        try:
            await self._leased.start()
        except Superseded as error:
            raise SettingsError(f"cluster.node: {error}") from None
        self._running = asyncio.create_task(self._leased.run())

    async def drain(self, live: Live) -> None:
        """Be a node no more: let sessions and applications go to others, and calls end."""
        if self._leased is None:
            return
        _log.info("leaving the cluster", extra={"action": "node_drains"})
        await asyncio.gather(self._leased.drain(self._drain_s), live.doorway.drain())

    async def close(self) -> None:
        """What is still at home here is anybody's."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._leased is not None:
            await self._leased.leave()
        for end in self._ends:
            await end()
        if self.bus is not None:
            await self.bus.close()


def _end_at_once(reason: str) -> None:
    """Nothing that is in memory is ours to end in order: another node does."""
    _log.critical("this node starts anew: %s", reason, extra={"action": "node_lost"})
    os._exit(LOST)
