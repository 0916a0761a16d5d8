"""What the parts find out, for the model at the end; and how long they may take."""

from typing import NamedTuple

from msgspec import Struct, field

from bench.cluster.loads import Taken


class Scale(NamedTuple):
    seconds: float
    """Of each run."""
    rounds: int
    tries: int
    """Homes that are killed."""


class Measured(Struct):
    sqlite: Taken | None = None
    alone: Taken | None = None
    """One node on PostgreSQL and NATS."""
    several: dict[int, Taken] = field(default_factory=dict)
    """By number of nodes, each with an application of its own under load."""
    commit_ms: float = 0.0
    """Of the smallest transaction that changes something, on the same PostgreSQL."""
    idle_cpu: float = 0.0
    """Seconds of PostgreSQL's, a second and node without load."""
    idle_transactions: float = 0.0
    """Likewise."""
    hearing_us: float = 0.0
    """CPU of a hub, an event of others: it hears of it."""
    forward_us: float = 0.0
    """CPU of a front, a request of others."""
    connections: float = 0.0
    """Of PostgreSQL, a node under load."""
