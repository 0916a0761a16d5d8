"""Whether a node is fit to be one of several, and the figures of `/metrics` about that."""

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from tertulia.app.figures import Figure, Sample, counter, gauge
from tertulia.model.ids import ApplicationId
from tertulia.ports.cluster import Bus, Homes


class LeasedNode(Homes, Protocol):
    """This node, with its homes by leases."""

    @property
    def is_leaving(self) -> bool: ...

    @property
    def own(self) -> frozenset[ApplicationId]:
        """Those that are at home here."""

    @property
    def taken_over(self) -> int:
        """Homes that were claimed here since the start."""

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign of life that the store has taken."""


class NodeVitals:
    def __init__(self, node: LeasedNode, bus: Bus, lease_s: float) -> None:
        self._node = node
        self._bus = bus
        self._lease_s = lease_s
        self._gaps = 0
        bus.on_gap(self._gap)

    @property
    def name(self) -> str:
        return self._node.name

    def _gap(self) -> None:
        self._gaps += 1

    def unready(self) -> list[str]:
        """Why it takes on nothing now."""
        silent_s = self._node.silent_s
        return [
            *(["this node is leaving"] if self._node.is_leaving else []),
            *([f"no sign of life for {silent_s:.1f} s"] if silent_s > self._lease_s else []),
        ]

    def figures(self) -> Iterator[Figure]:
        node = self._node
        yield gauge("node_draining", "1 while this node leaves.", int(node.is_leaving))
        yield gauge("nodes_alive", "Nodes that give signs of life.", len(node.nodes()) + 1)
        yield gauge("homes", "Applications at home here.", len(node.own))
        yield counter(
            "homes_claimed_total", "Homes claimed: of new applications, and of nodes that died.",
            node.taken_over,
        )  # fmt: skip
        yield gauge(
            "node_silent_seconds", "Since the last sign of life that the store has taken.",
            node.silent_s,
        )  # fmt: skip
        yield gauge("node_lease_seconds", "Silence after which others take over.", self._lease_s)
        yield gauge("bus_up", "1 while words reach other nodes.", int(self._bus.is_up))
        yield counter(
            "bus_gaps_total", "Times that words may have been lost, each new line included.",
            self._gaps,
        )  # fmt: skip


def forwarded(ends: Counter[str]) -> Figure:
    """What became of requests that other nodes were asked."""
    samples = [
        Sample(ends[end], {"end": end}) for end in ("answered", "again", "unknown", "given_up")
    ]
    about = "Attempts to have another node answer a request, by how they ended."
    return Figure("forwarded_total", "counter", about, samples)
