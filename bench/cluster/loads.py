"""Events posted to nodes, and what they cost each process."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import NamedTuple

from msgspec import Struct

from bench.cluster.installed import FLUSHED, Application, Installation, Node
from bench.load import Load, Shape, Target, drive
from bench.places import Failed
from bench.rest import MESSAGE, populate, stored

CONVERSATIONS = 200
WARM_UP = 1.0
_TRANSACTIONS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
_BATCHES = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'head'"


class Share(NamedTuple):
    """An application's conversations, and the node where events are posted to them."""

    node: Node
    application: Application
    targets: list[Target]


class Counts(NamedTuple):
    transactions: int
    batches: int
    """Group commits of all nodes: each changes the row `head` once."""


class Taken(Struct, frozen=True):
    """Of all shares together."""

    rate: float
    """Events stored a second."""
    p50_ms: float
    p99_ms: float
    accepted: int
    seconds: float
    """Warm-up included, as in what follows."""
    cpu: dict[str, float]
    """Seconds by process, for 1 000 events."""
    transactions: float = 0.0
    """Of PostgreSQL's, an event."""
    batches: float = 0.0
    """A second."""

    def cost(self, part: str) -> float:
        """Seconds of CPU for 1 000 events, of all processes with that name."""
        return sum(spent for name, spent in self.cpu.items() if name.split()[-1] == part)


def share(node: Node, application: Application) -> Share:
    return Share(node, application, populate(application.at(node), CONVERSATIONS))


def take(
    installation: Installation, shares: Sequence[Share], connections: int, seconds: float,
    place: Path, *, rate: float = 0.0, flushed: float = FLUSHED,
) -> Taken:  # fmt: skip
    """Post to all shares at once; `connections` and `rate` are of each. `flushed`: how long to wait
    for PostgreSQL's counts; those of transactions are exact after SURELY_FLUSHED alone."""
    shape = Shape(connections, seconds, WARM_UP, rate=rate)
    known = _stored(shares)
    counted = _counts(installation, shares, flushed)
    cpu, begun = installation.cpu(), time.monotonic()
    with ThreadPoolExecutor(len(shares)) as pool:
        loads = list(pool.map(partial(_drive, shape=shape, place=place), shares))
    lasted, spent = time.monotonic() - begun, installation.cpu()
    counts = _counts(installation, shares, flushed)
    accepted = _checked(loads, _stored(shares) - known - 2 * len(shares))
    return Taken(
        sum(load.rate for load in loads), median(load.p50_ms for load in loads),
        max(load.p99_ms for load in loads), accepted, lasted,
        {name: 1000 * (spent[name] - before) / accepted for name, before in cpu.items()},
        (counts.transactions - counted.transactions) / accepted,
        (counts.batches - counted.batches) / lasted,
    )  # fmt: skip


def middle(runs: Sequence[Taken]) -> Taken:
    """The one with the median rate; of two, the slower."""
    return sorted(runs, key=lambda run: run.rate)[(len(runs) - 1) // 2]


def _drive(share: Share, *, shape: Shape, place: Path) -> Load:
    folder = Path(mkdtemp(prefix="load-", dir=place))
    load = drive(
        share.node.port, share.targets, shape, place=folder, token=share.application.token,
        body=MESSAGE,
    )  # fmt: skip
    if load.refused or load.failed:
        raise Failed(f"{load.refused} requests were refused, {load.failed} not answered")
    return load


def _stored(shares: Sequence[Share]) -> int:
    return sum(stored(each.application.at(each.node), each.targets) for each in shares)


def _checked(loads: Sequence[Load], count: int) -> int:
    accepted = sum(load.accepted for load in loads)
    if not accepted <= count <= accepted + sum(load.failed for load in loads):
        raise Failed(f"{accepted} events were acknowledged, {count} are stored")
    return accepted


def _counts(installation: Installation, shares: Sequence[Share], flushed: float) -> Counts:
    """One event is posted to each share, so that PostgreSQL tells what it has counted before."""
    if installation.cluster is not None:
        time.sleep(flushed)
    for each in shares:
        path, member = each.targets[0]
        said = {"message_type": "text", "text": "What has been counted?"}
        each.application.at(each.node).post(path, {"type": "message", "from": member, "body": said})
    if installation.cluster is None:
        return Counts(0, 0)
    time.sleep(0.05)
    return Counts(committed(installation), installation.ask(_BATCHES))


def committed(installation: Installation) -> int:
    """Transactions of the database's, as far as its processes have told."""
    return int(installation.ask(_TRANSACTIONS))
