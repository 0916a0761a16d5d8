"""What was measured, computed for more nodes: which resource ends first (docs/cluster-model.md).

Nodes are taken to be alike, each with the same number of events; one database, one bus.
"""

from collections.abc import Callable
from math import ceil, inf
from typing import NamedTuple

from bench.cluster.installed import DATABASE, NATS
from bench.cluster.measured import Measured, Scale
from bench.places import Skipped
from bench.report import Row, thousands

NODES = (10, 100, 1000)
LOADS = {"busy": 0.5, "calm": 0.05}
"""Share of a core that each hub spends on its own events."""
WAIT = 0.05
"""Seconds for a commit's turn that are still borne."""
HEARD = 0.25
"""Share of a core that a hub may spend on the events of others."""
CORES = 4
"""Of the database, for what other nodes read of the log."""
SIGNS = 0.5
"""Share of a core of the database that signs of life may take."""
CONNECTIONS = 1000
"""That one database serves well."""
WORDS = 1_000_000
"""A second, that one NATS server hands out."""


class Costs(NamedTuple):
    """Seconds, of CPU where nothing else is said."""

    hub: float
    """An event, of its own node."""
    database: float
    """An event."""
    commit: float
    """Of time: the least for which `head` is locked."""
    hearing: float
    """An event of another node."""
    reading: float
    """Of the database, an event and other node."""
    signs: float
    """Of the database, a second and node."""
    connections: float
    """A node. A number."""


class At(NamedTuple):
    """So many nodes, each with `rate` events a second."""

    nodes: int
    rate: float


def measure(scale: Scale, measured: Measured) -> list[Row]:
    """`scale` says nothing here. Raises Skipped where a part is missing that it rests on."""
    costs = _costs(measured)
    rows = [_basis(costs)]
    for name, share in LOADS.items():
        rate = share / costs.hub
        rows += [_row(name, At(count, rate), costs) for count in NODES]
        rows.append(_ends(name, rate, costs))
    return rows


def turn(at: At, costs: Costs) -> float:
    """Seconds until each node has committed once: its wait, when all have something to write.

    Meanwhile the next turn's events come: turn = nodes·commit + turn·nodes·rate·database.
    """
    left = 1 - at.nodes * at.rate * costs.database
    return at.nodes * costs.commit / left if left > 0 else inf


def batches(at: At, costs: Costs) -> float:
    """A second, of all nodes, at most: one after the other, and not more than there are events."""
    return min(1 / costs.commit, at.nodes * at.rate)


LIMITS: dict[str, Callable[[At, Costs], float]] = {
    "turns at `head`": lambda at, costs: turn(at, costs) / WAIT,
    "events of others": lambda at, costs: (at.nodes - 1) * at.rate * costs.hearing / HEARD,
    "reading the log": lambda at, costs: (
        (at.nodes - 1) * at.nodes * at.rate * costs.reading / CORES
    ),
    f"words of {NATS}": lambda at, costs: batches(at, costs) * at.nodes / WORDS,
    "signs of life": lambda at, costs: at.nodes * costs.signs / SIGNS,
    "connections": lambda at, costs: at.nodes * costs.connections / CONNECTIONS,
}
"""How much of each is used: at 1 it ends."""


def most(limit: Callable[[At, Costs], float], rate: float, costs: Costs) -> int:
    """Nodes; 0 when it never ends below a million."""
    low, high = 1, 1_000_000
    if limit(At(high, rate), costs) <= 1:
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if limit(At(middle, rate), costs) > 1:
            high = middle
        else:
            low = middle
    return low


def _costs(measured: Measured) -> Costs:
    alone = measured.several.get(1)
    if alone is None:
        raise Skipped("it rests on the part spreading")
    return Costs(
        alone.cost("hub") / 1000, alone.cost(DATABASE) / 1000, measured.commit_ms / 1000,
        measured.hearing_us / 1e6, _reading(measured), measured.idle_cpu, measured.connections,
    )  # fmt: skip


def _reading(measured: Measured) -> float:
    """What each node more has cost the database, an event."""
    least, most = min(measured.several), max(measured.several)
    if least == most:
        raise Skipped("it rests on the part spreading")
    more = measured.several[most].cost(DATABASE) - measured.several[least].cost(DATABASE)
    return max(0.0, more) / (most - least) / 1000


def _basis(costs: Costs) -> Row:
    core = 1 / costs.hub
    return Row(
        "model", "a hub's core · the database's, one batch at a time, events/s",
        f"{thousands(core)} · {thousands(1 / costs.database)}", details=costs._asdict(),
    )  # fmt: skip


def _row(name: str, at: At, costs: Costs) -> Row:
    used = {what: limit(at, costs) for what, limit in LIMITS.items()}
    spelled = " · ".join(f"{what} {_times(share)}" for what, share in used.items())
    return Row(
        "model", f"{thousands(at.nodes)} {name} nodes ({thousands(at.nodes * at.rate)} events/s),"
        " used", spelled, details=used,
    )  # fmt: skip


def _times(share: float) -> str:
    return "over" if share == inf else f"{share:.0%}"


def _ends(name: str, rate: float, costs: Costs) -> Row:
    """In the order in which they end."""
    found = {what: most(limit, rate, costs) for what, limit in LIMITS.items()}
    order = sorted(found.items(), key=lambda each: each[1] or inf)
    spelled = " · ".join(f"{what} {thousands(most) if most else '-'}" for what, most in order)
    least = order[0][1] or 1_000_000
    split = ", ".join(f"{count}: {ceil(count / least)}" for count in NODES)
    return Row(
        "model", f"{name} nodes ({thousands(rate)} events/s each) at which each ends",
        f"{spelled}; databases for {split}", details=found,
    )  # fmt: skip
