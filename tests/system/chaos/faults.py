"""What befalls a cluster: each kind of fault with what brings it about and what heals it."""

import asyncio
import random
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from tests.nats import NatsServer
from tests.system.chaos.history import Fault, Healed, History
from tests.system.cluster import Cluster, ClusterNode
from tests.system.tree import is_ready, until
from tests.system.wire import Wire

Deed = Callable[[Cluster, ClusterNode], None]
REST_S = (0.5, 3.0)
"""Between two faults."""
TWICE = 0.2
"""Share of the faults that are met by another one."""
READY_WITHIN = 90.0
"""Seconds for a node to be back: other faults may keep it from starting."""
LATE_S = 0.02
"""Of a slow line, each piece."""


class Kind(NamedTuple):
    name: str
    strike: Deed
    heal: Deed
    lasting: tuple[float, float]
    """Seconds, from and to."""
    of_node: bool = True
    """Else of what all nodes stand on."""


def _back(cluster: Cluster, node: ClusterNode) -> None:
    """It comes back by itself."""
    until(f"{node.name} ready", lambda: is_ready(node.url), within=READY_WITHIN)


def _start(cluster: Cluster, node: ClusterNode) -> None:
    node.spawn()
    _back(cluster, node)


def _part(name: str) -> Deed:
    def strike(_: Cluster, node: ClusterNode) -> None:
        node.tree.kill_part(name)

    return strike


def _part_back(name: str) -> Deed:
    def heal(cluster: Cluster, node: ClusterNode) -> None:
        until(f"{name} of {node.name}", lambda: node.tree.has(name))
        _back(cluster, node)

    return heal


def _go_on(cluster: Cluster, node: ClusterNode) -> None:
    node.go_on()
    _back(cluster, node)


def _store(deed: Callable[[Wire], None]) -> Deed:
    return lambda _, node: deed(_wire(node.store_wire))


def _bus(deed: Callable[[Wire], None]) -> Deed:
    return lambda _, node: deed(_wire(node.bus_wire))


def _wire(wire: Wire | None) -> Wire:
    assert wire is not None, "the cluster is not wired"
    return wire


def _nats(deed: Callable[[NatsServer], None]) -> Deed:
    def do(cluster: Cluster, _: ClusterNode) -> None:
        assert cluster.bus is not None
        deed(cluster.bus)

    return do


KINDS = (
    Kind("node killed", lambda _, node: node.kill(), _start, (0.5, 5)),
    Kind("node drained", lambda _, node: node.stop(), _start, (0.2, 2)),
    Kind("node paused", lambda _, node: node.pause(), _go_on, (1, 8)),
    Kind("hub killed", _part("hub"), _part_back("hub"), (0, 1)),
    Kind("dispatcher killed", _part("dispatcher"), _part_back("dispatcher"), (0, 1)),
    Kind("media worker killed", _part("media"), _part_back("media"), (0, 1)),
    Kind("node's bus cut", _bus(Wire.cut), _bus(Wire.mend), (0.5, 6)),
    Kind("node's bus silent", _bus(Wire.freeze), _bus(Wire.mend), (0.5, 8)),
    Kind("node's bus slow", _bus(lambda wire: wire.slow(LATE_S)), _bus(Wire.mend), (2, 6)),
    Kind("node's store cut", _store(Wire.cut), _store(Wire.mend), (0.5, 6)),
    Kind("node's store silent", _store(Wire.freeze), _store(Wire.mend), (0.5, 8)),
    Kind("node's store slow", _store(lambda wire: wire.slow(LATE_S)), _store(Wire.mend), (2, 6)),
    Kind("bus killed", _nats(NatsServer.stop), _nats(NatsServer.start), (0.2, 5), False),
    Kind("bus paused", _nats(NatsServer.pause), _nats(NatsServer.go_on), (0.5, 6), False),
    Kind("store restarted", lambda cluster, _: cluster.database.stop("fast"),
         lambda cluster, _: cluster.database.start(), (0.1, 3), False),
    Kind("store killed", lambda cluster, _: cluster.database.stop("immediate"),
         lambda cluster, _: cluster.database.start(), (0.1, 3), False),
)  # fmt: skip


class Faults:
    """Strikes with one kind after the other, in an order by chance in which each comes up before
    one comes again."""

    def __init__(
        self, cluster: Cluster, history: History, chance: random.Random,
        kinds: tuple[Kind, ...] = KINDS,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._history = history
        self._chance = chance
        self._kinds = kinds
        self._bag: list[Kind] = []
        self._numbers = count(1)

    async def go_on(self, enough: asyncio.Event) -> None:
        """Until it is enough; what has struck is healed then."""
        while not enough.is_set():
            await asyncio.sleep(self._chance.uniform(*REST_S))
            kind, node = self._draw(), self._chance.choice(self._cluster.nodes)
            other = self._other(kind) if self._chance.random() < TWICE else None
            await self._befall(kind, node, other)

    async def _befall(self, kind: Kind, node: ClusterNode, other: Kind | None) -> None:
        """`other` strikes while the first lasts, and is healed before it."""
        number = await self._strike(kind, node)
        time = asyncio.get_running_loop().time
        due = time() + self._chance.uniform(*kind.lasting)
        try:
            if other is not None:
                nodes = [each for each in self._cluster.nodes if each is not node]
                await self._befall(other, self._chance.choice(nodes), None)
            await asyncio.sleep(max(0.0, due - time()))
        finally:
            await asyncio.to_thread(kind.heal, self._cluster, node)
            self._history.note(Healed(self._history.now, number))

    async def _strike(self, kind: Kind, node: ClusterNode) -> int:
        number = next(self._numbers)
        name = node.name if kind.of_node else ""
        self._history.note(Fault(self._history.now, number, kind.name, name))
        await asyncio.to_thread(kind.strike, self._cluster, node)
        return number

    def _draw(self) -> Kind:
        if not self._bag:
            self._bag = list(self._kinds)
            self._chance.shuffle(self._bag)
        return self._bag.pop()

    def _other(self, kind: Kind) -> Kind | None:
        """One that is of another thing than the first: two do not strike the same."""
        if kind.name == "node drained" or not kind.of_node:
            return None
        return self._chance.choice([each for each in self._kinds if each.name != "node drained"])
