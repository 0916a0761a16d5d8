"""Deliveries to live sessions: how many a second, and how much later at another node."""

import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from bench.cluster import installed
from bench.cluster.installed import DATABASE, NATS, NOTIFY, Application, Installation, Node
from bench.cluster.measured import Measured, Scale
from bench.live import Pace, Run, connected
from bench.places import fresh
from bench.report import Row, thousands
from bench.stages import staged

MEMBERS = 100
SENDERS = {(1, 4): "1 sender × 4", (64, 1): "64 senders × 1"}
"""Senders, and messages of each that are under way."""
RATIO, ADDED_MS = 0.8, 3.0
"""Aims: of SQLite's deliveries, and added to the median."""
FEW, FEW_SENDERS, CALM = 10, 4, 50.0
"""Members, senders, and messages a second where the time is measured."""
_numbers = count(1)


class Figure(NamedTuple):
    run: Run
    cpu: dict[str, float]
    """Microseconds by process, a delivery."""


class Way(NamedTuple):
    name: str
    to: Node
    """Where the sessions are."""
    by: Node
    """Where messages are posted."""


def measure_rate(scale: Scale, measured: Measured) -> list[Row]:
    """`measured` takes nothing from it."""
    sqlite: dict[tuple[int, int], list[Figure]] = {senders: [] for senders in SENDERS}
    nodes: dict[tuple[int, int], list[Figure]] = {senders: [] for senders in SENDERS}
    for _ in range(scale.rounds):
        with fresh("cluster") as place, installed.single(place) as server:
            for senders in SENDERS:
                sqlite[senders].append(_flat_out(server, senders, scale.seconds, place))
        with fresh("cluster") as place, installed.nodes(place, 1) as node:
            for senders in SENDERS:
                nodes[senders].append(_flat_out(node, senders, scale.seconds, place))
    return [
        row for senders in SENDERS for row in _rate_rows(senders, sqlite[senders], nodes[senders])
    ]


def _flat_out(
    installation: Installation, senders: tuple[int, int], seconds: float, place: Path
) -> Figure:
    node, before = installation.nodes[0], installation.cpu()
    run = _run(
        installation.application, Way("", node, node), MEMBERS, senders[0], place,
        Pace(seconds, in_flight=senders[1]),
    )  # fmt: skip
    spent = installation.cpu()
    print(f"deliveries: {node.name}: {_spelled([run])}", flush=True)
    each = {name: 1e6 * (spent[name] - before[name]) / run.delivered_all for name in before}
    return Figure(run, each)


def _run(
    application: Application, way: Way, members: int, senders: int, place: Path, pace: Pace
) -> Run:
    names = [f"user-{next(_numbers)}" for _ in range(members)]
    stage = staged(way.to.port, application.at(way.by), application.issuer, names, senders)
    stage = stage._replace(dialect=(*stage.dialect, "-q", str(way.by.port)))
    with connected(stage, place, pace) as generator:
        return generator.run().checked()


def _rate_rows(
    senders: tuple[int, int], sqlite: Sequence[Figure], nodes: Sequence[Figure]
) -> list[Row]:
    rate, other = (median(each.run.deliveries for each in side) for side in (nodes, sqlite))
    what = f"{MEMBERS} members, {SENDERS[senders]}"
    return [
        *_side_rows(f"SQLite: {what}", sqlite),
        *_side_rows(f"{DATABASE} + {NATS}: {what}", nodes),
        Row(
            "deliveries", f"{DATABASE} + {NATS} / SQLite: {what}", f"{rate / other:.2f}×",
            aim=f"≥ {RATIO}×", met=rate / other >= RATIO,
        ),
    ]  # fmt: skip


def _side_rows(what: str, figures: Sequence[Figure]) -> list[Row]:
    runs = [figure.run for figure in figures]
    cpu = " · ".join(
        f"{name} {median(figure.cpu[name] for figure in figures):.1f}" for name in figures[0].cpu
    )
    return [
        Row("deliveries", what, _spelled(runs), details=_details(runs)),
        Row("deliveries", f"{what}: µs of CPU a delivery, logins included", cpu),
    ]


def _details(runs: Sequence[Run]) -> dict[str, object]:
    return {"runs": [msgspec.to_builtins(run) for run in runs]}


def _spelled(runs: Sequence[Run]) -> str:
    rate, deliveries, p50, p99 = (
        median(values)
        for values in zip(
            *((run.rate, run.deliveries, run.p50_ms, run.p99_ms) for run in runs), strict=True
        )
    )
    return (
        f"{thousands(rate)} msg/s, {thousands(deliveries)} deliveries/s, {p50:.1f} · {p99:.1f} ms"
    )


def measure_delay(scale: Scale, measured: Measured) -> list[Row]:
    """`measured` takes nothing from it."""
    return [row for bus in (NATS, NOTIFY) for row in _delay_rows(bus, scale)]


def _delay_rows(bus: str, scale: Scale) -> list[Row]:
    runs: dict[str, list[Run]] = {}
    with fresh("cluster") as place, installed.nodes(place, 2, bus=bus) as nodes:
        home = nodes.home(nodes.application)
        other = nodes.others(home)[0]
        ways = [
            Way("session and poster at the home", home, home),
            Way("session at another node", other, home),
            Way("poster at another node", home, other),
            Way("both at another node", other, other),
        ]
        pace = Pace(scale.seconds, rate=CALM)
        for way in ways * scale.rounds:
            run = _run(nodes.application, way, FEW, FEW_SENDERS, place, pace)
            print(f"crossing: {bus}: {way.name}: {_delay([run])}", flush=True)
            runs.setdefault(way.name, []).append(run)
            time.sleep(0.2)
    near = median(run.p50_ms for run in runs[ways[0].name])
    added = median(run.p50_ms for run in runs[ways[1].name]) - near
    rows = [
        Row("crossing", f"{bus}: {name}, ms p50 · p95", _delay(each), details=_details(each))
        for name, each in runs.items()
    ]
    return [
        *rows,
        Row(
            "crossing", f"{bus}: added to the median by a session at another node",
            f"{added:.2f} ms", aim=f"< {ADDED_MS:.0f} ms", met=added < ADDED_MS,
        ),
    ]  # fmt: skip


def _delay(runs: Sequence[Run]) -> str:
    p50, p95 = (median(each) for each in zip(*((r.p50_ms, r.p95_ms) for r in runs), strict=True))
    return f"{p50:.2f} · {p95:.2f}"
