"""Events stored per second over HTTP, beside a bare log file and two bare servers.

Every contender starts on an empty directory of the same disk and is measured at each number of
connections; the contenders take turns, round after round, and the median of the rounds counts.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
import psutil
from msgspec import Struct

from bench import peers
from bench.load import Load, Shape, Target, drive
from bench.places import ROOT, Failed, Skipped, fresh
from bench.processes import cpu_seconds, free_port, listens, running, tree, wait_until
from bench.product import product
from bench.report import Row, failed, skipped, thousands
from bench.rest import MESSAGE, populate, stored

CONNECTIONS = (1, 16, 128)
CONVERSATIONS = 200
WARM_UP = 1.0
AIMS = {"bare log": 0.10, "bun": 3.0, "fastapi": 5.0}
"""Tertulia divided by the other, at the highest number of connections."""


class Figure(Struct, frozen=True):
    rate: float
    """Events per second."""
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_us: float = 0.0
    """Of the server's processes, an event."""


Runs = dict[str, dict[int, list[Figure]]]
"""By contender and number of connections, a figure each round."""

Contender = Callable[[Path, float], dict[int, Figure]]


def measure(seconds: float, rounds: int) -> list[Row]:
    runs: Runs = {}
    missing: dict[str, Row] = {}
    for _ in range(rounds):
        for name in [name for name in CONTENDERS if name not in missing]:
            try:
                _run(name, seconds, runs)
            except Skipped as reason:
                missing[name] = skipped("ingest", name, reason)
            except Failed as reason:
                missing[name] = failed("ingest", name, reason)
    whole = {name: figures for name, figures in runs.items() if name not in missing}
    rows = [_rate_row(name, figures) for name, figures in whole.items()]
    return [*rows, *missing.values(), *_ratio_rows(whole)]


def _run(name: str, seconds: float, runs: Runs) -> None:
    print(f"ingest: {name}", flush=True)
    with fresh("ingest") as place:
        for connections, figure in CONTENDERS[name](place, seconds).items():
            runs.setdefault(name, {}).setdefault(connections, []).append(figure)


def _tertulia(place: Path, seconds: float) -> dict[int, Figure]:
    with product(place / "data") as server:
        rest = server.rest()
        targets = populate(rest, CONVERSATIONS)
        before = stored(rest, targets)
        figures, loads = _ladder(
            server.port, targets, seconds, place, server.process, token=server.token
        )
        _check_stored(stored(rest, targets) - before, loads)
        return figures


def _check_stored(count: int, loads: list[Load]) -> None:
    """What was answered 201 is there; what was cut off may be."""
    accepted, failed = sum(load.accepted for load in loads), sum(load.failed for load in loads)
    if not accepted <= count <= accepted + failed:
        raise Failed(f"{accepted} events were acknowledged, {count} are stored")
    print(f"  {accepted} events acknowledged, {count} stored", flush=True)


def _bare_log(place: Path, seconds: float) -> dict[int, Figure]:
    return {
        writers: Figure(_bare_log_rate(place / f"log-{writers}", writers, seconds))
        for writers in CONNECTIONS
    }


def _bare_log_rate(path: Path, writers: int, seconds: float) -> float:
    command = [sys.executable, "-m", "bench.barelog", str(path), str(writers), str(seconds)]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    return float(msgspec.json.decode(done.stdout)["rate"])


def _peer(
    start: Callable[[int, Path], peers.Peer], place: Path, seconds: float
) -> dict[int, Figure]:
    port = free_port()
    peer = start(port, place)
    log = place / "log"
    with running(peer.command, log=log, cwd=ROOT, env=peer.env) as process:
        wait_until(lambda: listens(port), process, log)
        targets = [
            Target(f"/v1/conversations/CON-{number:032d}/events", f"MEM-{number:032d}")
            for number in range(CONVERSATIONS)
        ]
        return _ladder(port, targets, seconds, place, process)[0]


def _ladder(
    port: int,
    targets: Sequence[Target],
    seconds: float,
    place: Path,
    process: psutil.Process,
    *,
    token: str | None = None,
) -> tuple[dict[int, Figure], list[Load]]:
    figures, loads = {}, []
    for connections in CONNECTIONS:
        shape = Shape(connections, seconds, WARM_UP)
        before = cpu_seconds(tree(process))
        load = drive(port, targets, shape, place=place, token=token, body=MESSAGE)
        cpu = cpu_seconds(tree(process)) - before
        loads.append(load)
        figures[connections] = Figure(
            load.rate, load.p50_ms, load.p99_ms, cpu / max(load.accepted, 1) * 1e6
        )
        if load.refused:
            raise Failed(f"{load.refused} requests were refused")
    return figures, loads


CONTENDERS: dict[str, Contender] = {
    "tertulia": _tertulia,
    "bare log": _bare_log,
    "bun": partial(_peer, peers.bun),
    "fastapi": partial(_peer, peers.fastapi),
}


def _rate(figures: Runs, name: str, connections: int) -> float:
    return median(figure.rate for figure in figures[name][connections])


def _rate_row(name: str, runs: dict[int, list[Figure]]) -> Row:
    rates = (thousands(median(figure.rate for figure in runs[n])) for n in CONNECTIONS)
    cpu = median(figure.cpu_us for figure in runs[CONNECTIONS[-1]])
    measured = f"{name}: events/s at {_list(CONNECTIONS)}"
    measured += f" (at the last {cpu:.0f} µs of CPU each)" if cpu else ""
    details = {str(n): [msgspec.to_builtins(figure) for figure in runs[n]] for n in CONNECTIONS}
    return Row("ingest", measured, _list(rates), details=details)


def _ratio_rows(figures: Runs) -> list[Row]:
    if "tertulia" not in figures:
        return []
    return [_ratio_row(figures, other, aim) for other, aim in AIMS.items() if other in figures]


def _ratio_row(figures: Runs, other: str, aim: float) -> Row:
    ratios = [_rate(figures, "tertulia", n) / _rate(figures, other, n) for n in CONNECTIONS]
    spelled = (f"{ratio:.0%}" if aim < 1 else f"{ratio:.1f}×" for ratio in ratios)
    bound = f"{aim:.0%}" if aim < 1 else f"{aim:.0f}×"
    return Row(
        "ingest",
        f"tertulia / {other} at {_list(CONNECTIONS)}",
        _list(spelled),
        aim=f"≥ {bound} at {CONNECTIONS[-1]}",
        met=ratios[-1] >= aim,
        details={"ratios": ratios},
    )


def _list(values: Iterable[object]) -> str:
    return " · ".join(map(str, values))
