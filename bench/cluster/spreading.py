"""One, two and three nodes, an application at home at each: what an event costs every process, what
a node pays for the events of others, and what it costs to forward a request to the home."""

import time
from pathlib import Path
from statistics import median

import asyncpg
import msgspec

from bench.cluster import installed
from bench.cluster.installed import DATABASE, NATS, SURELY_FLUSHED, Installation
from bench.cluster.loads import Share, Taken, committed, middle, share, take
from bench.cluster.measured import Measured, Scale
from bench.cluster.storing import CONNECTIONS, costs, spelled
from bench.places import fresh
from bench.report import Row

SIZES = (1, 2, 3)
CALM_CONNECTIONS, CALM = 16, 200.0
"""Connections, and requests a second, where the cost of forwarding is measured."""
COMMITS = 200
_CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tertulia%'"


def measure(scale: Scale, measured: Measured) -> list[Row]:
    rows: list[Row] = []
    for size in SIZES:
        with fresh("cluster") as place, installed.nodes(place, size) as nodes:
            if size == SIZES[0]:
                rows.append(_commit(nodes, measured))
            homes = nodes.spread()
            if size == SIZES[-1]:
                rows.append(_idle(nodes, scale, measured))
            shares = [share(node, homes[node.name]) for node in nodes.nodes]
            rows += _together(nodes, shares, scale, measured, place)
            if size == 2:
                rows += _of_others(nodes, shares, scale, measured, place)
    return rows


def _together(
    nodes: Installation, shares: list[Share], scale: Scale, measured: Measured, place: Path
) -> list[Row]:
    size = len(shares)
    each = CONNECTIONS // size
    taken = middle([
        take(nodes, shares, each, scale.seconds, place) for _ in range(scale.rounds)
    ])  # fmt: skip
    measured.several[size] = taken
    measured.connections = float(nodes.ask(_CONNECTED)) / size
    name = f"{size} node{'s'[: size - 1]}"
    print(f"spreading: {name}: {spelled(taken)}", flush=True)
    wholly = " · ".join(
        f"{part} {taken.cost(part):.3f}" for part in ("hub", "dispatcher", DATABASE, NATS)
    )
    details = msgspec.to_builtins(taken)
    batch = taken.rate / taken.batches
    batches = f"{taken.batches:.0f} batches/s of {batch:.0f}"
    connected = f"{measured.connections:.0f} connections of {DATABASE} each"
    return [
        Row(
            "spreading", f"{name}: events/s at {size} × {each} connections",
            f"{spelled(taken)}, {batches}, {connected}", details=details,
        ),
        Row("spreading", f"{name}: CPU seconds for 1 000 events, together", wholly),
        Row("spreading", f"{name}: CPU seconds for 1 000 events", costs(taken)),
    ]  # fmt: skip


def _of_others(
    nodes: Installation, shares: list[Share], scale: Scale, measured: Measured, place: Path
) -> list[Row]:
    """The second node is the one that has nothing to do but with what is the first one's."""
    home, other = shares[0], nodes.nodes[1]
    idle = _idle_hub(nodes, other.name, scale.seconds)
    alone = take(nodes, [home], CONNECTIONS, scale.seconds, place)
    busy = alone.cpu[f"{other.name} hub"] / 1000 * alone.accepted - idle * alone.seconds
    measured.hearing_us = max(0.0, busy) / alone.accepted * 1e6
    near = [_calm(nodes, home, scale, place) for _ in range(scale.rounds)]
    far = [_calm(nodes, home._replace(node=other), scale, place) for _ in range(scale.rounds)]
    added = median(run.p50_ms for run in far) - median(run.p50_ms for run in near)
    front = median(run.cpu[f"{other.name} hub"] for run in far)
    front -= median(run.cpu[f"{other.name} hub"] for run in near)
    measured.forward_us = 1000 * front
    batch = alone.rate / alone.batches
    return [
        Row(
            "spreading", "2 nodes, events at one: CPU of the other's hub, an event",
            f"{measured.hearing_us:.0f} µs, in batches of {batch:.0f}",
        ),
        Row(
            "spreading", f"a request at the home · at another node, at {CALM:.0f}/s, ms p50 · p99",
            f"{_times(near)}; {_times(far)}",
        ),
        Row(
            "spreading", "added by a front: to the median; CPU of the front",
            f"{added:.2f} ms; {measured.forward_us:.0f} µs",
        ),
    ]  # fmt: skip


def _calm(nodes: Installation, shared: Share, scale: Scale, place: Path) -> Taken:
    return take(nodes, [shared], CALM_CONNECTIONS, scale.seconds, place, rate=CALM)


def _times(runs: list[Taken]) -> str:
    p50, p99 = (median(each) for each in zip(*((r.p50_ms, r.p99_ms) for r in runs), strict=True))
    return f"{p50:.2f} · {p99:.2f}"


def _idle_hub(nodes: Installation, name: str, seconds: float) -> float:
    """Share of a core."""
    before, begun = nodes.cpu()[f"{name} hub"], time.monotonic()
    time.sleep(seconds)
    return (nodes.cpu()[f"{name} hub"] - before) / (time.monotonic() - begun)


def _idle(nodes: Installation, scale: Scale, measured: Measured) -> Row:
    time.sleep(SURELY_FLUSHED)
    count, cpu, begun = committed(nodes), nodes.cpu(), time.monotonic()
    time.sleep(max(scale.seconds, SURELY_FLUSHED))
    spent = nodes.cpu()
    count, lasted = committed(nodes) - count, time.monotonic() - begun
    size = len(nodes.nodes)
    measured.idle_cpu = (spent[DATABASE] - cpu[DATABASE]) / lasted / size
    measured.idle_transactions = count / lasted / size
    hub = sum(spent[name] - cpu[name] for name in cpu if name.endswith("hub")) / lasted / size
    return Row(
        "spreading", f"{size} nodes, idle: of {DATABASE}, a node and second",
        f"{measured.idle_transactions:.1f} transactions, {1000 * measured.idle_cpu:.1f} ms of CPU;"
        f" {1000 * hub:.1f} ms of a hub",
    )  # fmt: skip


def _commit(nodes: Installation, measured: Measured) -> Row:
    assert nodes.cluster is not None
    measured.commit_ms = nodes.cluster.database.run(_commits(nodes.cluster.url))
    return Row("spreading", f"the smallest commit of {DATABASE}", f"{measured.commit_ms:.2f} ms")


async def _commits(url: str) -> float:
    """The median, in milliseconds."""
    connection = await asyncpg.connect(url)
    took: list[float] = []
    try:
        await connection.execute("CREATE TABLE bench_commits (number bigint)")
        for number in range(COMMITS):
            begun = time.perf_counter()
            await connection.execute("INSERT INTO bench_commits VALUES ($1)", number)
            took.append(time.perf_counter() - begun)
    finally:
        await connection.close()
    return 1000 * median(took)
