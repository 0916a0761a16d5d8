"""Homes by leases in PostgreSQL: this node's signs of life, and what it knows of the others.

A node that finds that it has lost a home without having given it away is no judge of what it has
in memory any more: `lost` is called, and its process is to end at once.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from math import ceil

from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Arrival, Bus, Elsewhere, Node, NoHome
from tertulia.store.owner import HomesTable, Owner, Sight, Superseded

SUBJECT = "homes"
"""A word on it: look again. It carries nothing."""
BEATS = 4
"""Signs of life within a lease."""
SWEEP_BEATS = 10
"""Between looks for homes whose node died without anybody having noticed."""
GIVEN_MAX = 100
"""Homes handed over at once, to a node that has fewer."""
DRAIN_PAUSE = 0.2
"""Seconds between looks whether something more has become idle."""

Listener = Callable[[ApplicationId], None]

_log = logging.getLogger(__name__)


class LeasedHomes:
    """ports.Homes. `is_idle` says whether nothing of an application is under way here."""

    def __init__(
        self, table: HomesTable, owner: Owner, *, bus: Bus, lease_s: float,
        lost: Callable[[str], None], is_idle: Callable[[ApplicationId], bool] = lambda _: True,
    ) -> None:  # fmt: skip
        self.is_idle = is_idle
        self.is_leaving = False
        """It takes over nothing any more."""
        self.taken_over = 0
        """Homes that were claimed here: of new applications, and of nodes that were gone."""
        self._seen_at = time.monotonic()
        self._is_blind = False
        """The last look, or the one that is under way, has shown nothing."""
        self._table = table
        self._owner = owner
        self._bus = bus
        self._lease_s = lease_s
        self._beat_s = lease_s / BEATS
        self._lost = lost
        self._nodes: dict[str, Node] = {}
        self._leaving: frozenset[str] = frozenset()
        self._homes: dict[ApplicationId, Owner] = {}
        self._own: frozenset[ApplicationId] = frozenset()
        self._given: set[ApplicationId] = set()
        """On their way to another node, by our own will."""
        self._is_giving = False
        self._version = -1
        self._looking = asyncio.Lock()
        self._news = asyncio.Event()
        self._arrived: Arrival = _nobody
        self._departures: list[Listener] = []

    # --- the port ---

    @property
    def name(self) -> str:
        return self._owner.node

    @property
    def own(self) -> frozenset[ApplicationId]:
        """Those that are at home here."""
        return self._own

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life that the store has taken."""
        return time.monotonic() - self._seen_at

    def has(self, application_id: ApplicationId) -> bool:
        return application_id in self._own and application_id not in self._given

    async def find(self, application_id: ApplicationId) -> Node | None:
        if self.has(application_id):
            self._be_sure()
            return None
        node = self._known(application_id)
        if node is not None:
            return node
        if not self.is_leaving and application_id not in self._given:
            self.taken_over += await self._table.claim([application_id])
        await self._look()
        if self.has(application_id):
            return None
        node = self._known(application_id)
        if node is None:
            raise NoHome("no node has taken over the application yet")
        return node

    async def require(self, application_id: ApplicationId) -> None:
        node = await self.find(application_id)
        if node is not None:
            raise Elsewhere(node)

    def nodes(self) -> list[Node]:
        return [node for name, node in self._nodes.items() if name != self.name]

    def on_arrival(self, listener: Arrival) -> None:
        self._arrived = listener

    def on_departure(self, listener: Listener) -> None:
        self._departures.append(listener)

    # --- being a node ---

    async def start(self) -> None:
        """Raises Unavailable, Superseded."""
        await self._table.enter()
        await self._look()
        await self._bus.subscribe(SUBJECT, lambda _: self._news.set())
        self._bus.publish(SUBJECT, b"")

    async def run(self) -> None:
        """Give signs of life, take over what has no home, and hand over what is too much."""
        beats = 0
        is_told = False
        while True:
            try:
                has_changed = await self._look()
                if has_changed or beats % SWEEP_BEATS == 0:
                    await self._sweep()
                is_told = False
            except Unavailable as error:
                if not is_told:
                    told = {"action": "homes_wait", "error": str(error)}
                    _log.warning("signs of life wait for the store", extra=told)
                is_told = True
            beats += 1
            await self._wait(self._beat_s)

    async def drain(self, seconds: float) -> None:
        """Take over nothing more, hand over what is idle, wait for the rest; then be no node."""
        self.is_leaving = True
        try:
            async with asyncio.timeout(seconds):
                while await self._hand_over_all():
                    await self._wait(DRAIN_PAUSE)
        except TimeoutError:
            _log.warning("a node leaves with calls under way", extra={"action": "drain_cut"})
        except Unavailable as error:
            told = {"action": "drain_failed", "error": str(error)}
            _log.warning("homes could not be handed over", extra=told)

    async def leave(self) -> None:
        """What is still at home here is anybody's from now on."""
        try:
            await self._table.leave()
            self._bus.publish(SUBJECT, b"")
        except Unavailable:
            return  # the lease runs out
        finally:
            await self._table.close()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
        finally:
            self._news.clear()

    async def _look(self) -> bool:
        """Whether nodes or homes are others than before."""
        async with self._looking:
            asked_at = time.monotonic()
            self._is_blind = True
            try:
                sight = await self._table.beat(is_leaving=self.is_leaving)
            except Superseded as error:
                self._lost(str(error))
                raise Unavailable(str(error)) from error
            nodes = {node.name: node for node in sight.nodes}
            has_changed = nodes != self._nodes or sight.version != self._version
            self._nodes, self._leaving = nodes, sight.leaving
            if sight.version != self._version:
                await self._renew(sight)
            if not self._is_giving:
                self._given.clear()  # nobody took what is still here
            self._seen_at, self._is_blind = asked_at, False
        return has_changed

    def _be_sure(self) -> None:
        """Raises NoHome, or Unavailable when the store is away, where the lease may have run out:
        another node may have the home by now, and what is in memory here be old."""
        if self.silent_s < self._lease_s:
            return
        if self._is_blind:
            raise Unavailable("the cluster cannot be seen")
        self._news.set()
        raise NoHome("this node has been silent for too long")

    async def _renew(self, sight: Sight) -> None:
        self._homes = await self._table.homes()
        before = self._own
        own = frozenset(each for each, owner in self._homes.items() if owner == self._owner)
        gone = before - own
        if gone - self._given:
            self._lost(f"lost its homes: {', '.join(sorted(gone - self._given)[:5])}")
            return
        if own - before:
            await self._arrived(own - before)
        self._own = own
        self._version = sight.version  # now: what could not be taken up is tried again
        for application_id in gone:
            for listener in self._departures:
                listener(application_id)

    def _known(self, application_id: ApplicationId) -> Node | None:
        owner = self._homes.get(application_id)
        if owner is None or owner.node == self.name:
            return None
        return self._nodes.get(owner.node)

    # --- who has how many ---

    async def _sweep(self) -> None:
        if self.is_leaving:
            return
        if claimed := await self._table.claim():
            self.taken_over += claimed
            await self._look()
            self._bus.publish(SUBJECT, b"")
        staying = [name for name in self._nodes if name not in self._leaving]
        share = ceil(len(self._homes) / max(1, len(staying)))
        if len(self._own) > share:
            await self._hand_over(min(len(self._own) - share, GIVEN_MAX))

    async def _hand_over_all(self) -> bool:
        """Whether something is still here."""
        await self._hand_over(GIVEN_MAX)
        return bool(self._own) and any(name not in self._leaving for name in self._others())

    async def _hand_over(self, most: int) -> None:
        """So many of those that are idle, each to the node that has the fewest."""
        others = [name for name in self._others() if name not in self._leaving]
        idle = [each for each in sorted(self._own) if self.is_idle(each)]
        if not others or not idle:
            return
        counts = Counter(owner.node for owner in self._homes.values())
        self._is_giving = True
        try:
            for application_id in idle[:most]:
                to = min(others, key=lambda name: (counts[name], name))
                self._given.add(application_id)  # from here on nothing of it begins here
                if not await self._table.give(application_id, to):
                    break
                counts[to] += 1
        finally:
            self._is_giving = False
        await self._look()
        self._bus.publish(SUBJECT, b"")

    def _others(self) -> list[str]:
        return [name for name in self._nodes if name != self.name]


async def _nobody(application_ids: Collection[ApplicationId]) -> None:
    """Takes nothing up."""
