"""One room: messages stored and delivered to members that acknowledge every event, beside peers.

Each contender starts anew for every scene, on an empty directory of the same disk; they take turns,
round after round, and the median of the rounds counts.
"""

import subprocess
import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec
from msgspec import Struct

from bench.build import compiled
from bench.live import BUSY, Pace, Run, connected
from bench.places import Failed, Skipped, fresh
from bench.processes import cpu_seconds
from bench.report import Row, failed, skipped, thousands
from bench.stages import PEERS, Opened, Opening, tertulia

OURS = "tertulia"
CONTENDERS: dict[str, Opening] = {OURS: tertulia, **PEERS}
FRAME = 300
"""Bytes that the plain sender in C sends."""
SETTLE = 0.3
"""Seconds for the last acknowledgements to be read before the processor time is."""


class Scene(NamedTuple):
    members: int
    senders: int
    in_flight: int
    rate: float = 0.0
    """Messages per second; 0 is as fast as they are answered."""

    def __str__(self) -> str:
        who = f"{thousands(self.members)} members, {self.senders} sender{'s'[: self.senders - 1]}"
        return f"{who}, {self.rate:.0f} msg/s" if self.rate else f"{who} × {self.in_flight}"


AIMS: dict[Scene, dict[str, float]] = {
    Scene(10, 1, 4): {"socket.io": 3, "bun": 1, "python-socketio": 10},
    Scene(100, 1, 4): {"socket.io": 3, "bun": 1, "python-socketio": 10},
    Scene(1000, 1, 4): {"socket.io": 2, "bun": 1, "python-socketio": 10},
    Scene(100, 64, 1): {"socket.io": 20, "bun": 2, "python-socketio": 10},
}
"""Least ratio of Tertulia's rate to the other's."""
CALM = (Scene(100, 4, 1, rate=50), Scene(1000, 4, 1, rate=20))
"""Where processor time is measured. Four senders, so that none waits for the answer before."""


class Figure(Struct, frozen=True):
    run: Run
    cpu: float
    """Seconds of all processes of the server in the whole run."""
    main_cpu: float

    @property
    def delivery_us(self) -> float:
        return self.cpu / self.run.delivered_all * 1e6


class Plain(Struct, frozen=True):
    """What sends.c counted."""

    sends: int
    cpu_us: float
    """A send."""
    rate: float


Figures = dict[tuple[str, Scene], list[Figure]]
"""By contender and scene, a figure each round."""


def measure(seconds: float, rounds: int) -> list[Row]:
    figures: Figures = {}
    missing: dict[str, Row] = {}
    broken: dict[tuple[str, Scene], Row] = {}
    for scene in rounds * (*AIMS, *CALM):
        for name in [name for name in CONTENDERS if name not in missing]:
            try:
                figures.setdefault((name, scene), []).append(_figure(name, scene, seconds))
            except Skipped as reason:
                missing[name] = skipped("rooms", name, reason)
            except Failed as reason:
                broken[name, scene] = failed("rooms", f"{name}: {scene}", reason)
    rows = [row for scene in AIMS for row in _speed_rows(scene, _of(scene, figures))]
    rows += [row for scene in CALM for row in _cost_rows(scene, _of(scene, figures), seconds)]
    return [*rows, *broken.values(), *missing.values()]


def _figure(name: str, scene: Scene, seconds: float) -> Figure:
    print(f"rooms: {name}: {scene}", flush=True)
    pace = Pace(seconds, in_flight=scene.in_flight, rate=scene.rate)
    with fresh("rooms") as place, CONTENDERS[name](place, scene.members, scene.senders) as opened:
        with connected(opened.stage, place, pace) as generator:
            before = _cpu(opened)
            run = generator.run().checked()
            time.sleep(SETTLE)
            whole, main = (
                after - earlier for after, earlier in zip(_cpu(opened), before, strict=True)
            )
    figure = Figure(run, whole, main)
    print(f"  {_speed([figure])}", flush=True)
    return figure


def _cpu(opened: Opened) -> tuple[float, float]:
    return cpu_seconds(opened.processes()), cpu_seconds([opened.main])


def _of(scene: Scene, figures: Figures) -> dict[str, list[Figure]]:
    """By contender, without those that never came to an end there."""
    runs = {name: figures.get((name, scene), []) for name in CONTENDERS}
    return {name: found for name, found in runs.items() if found}


def _speed_rows(scene: Scene, runs: dict[str, list[Figure]]) -> list[Row]:
    rows = [_speed_row(name, scene, figures) for name, figures in runs.items()]
    return [*rows, *_ratio_rows(scene, runs)]


def _speed_row(name: str, scene: Scene, figures: list[Figure]) -> Row:
    details = {"figures": [msgspec.to_builtins(figure) for figure in figures]}
    return Row("rooms", f"{name}: {scene}", _speed(figures), details=details)


def _speed(figures: list[Figure]) -> str:
    runs = [figure.run for figure in figures]
    rate, deliveries, p50, p99, busy = (
        median(values)
        for values in zip(
            *((run.rate, run.deliveries, run.p50_ms, run.p99_ms, run.generator) for run in runs),
            strict=True,
        )
    )
    limit = f", GENERATOR AT ITS LIMIT ({busy:.0%})" if busy > BUSY else ""
    spelled = f"{thousands(rate)} msg/s, {thousands(deliveries)} deliveries/s"
    return f"{spelled}, {p50:.1f} · {p99:.1f} ms{limit}"


def _ratio_rows(scene: Scene, runs: dict[str, list[Figure]]) -> list[Row]:
    """By deliveries, so that a message counts when it has come and not when it is stored."""
    if OURS not in runs:
        return []
    rates = {name: median(f.run.deliveries for f in figures) for name, figures in runs.items()}
    aims = {name: aim for name, aim in AIMS[scene].items() if name in rates}
    ratios = {name: rates[OURS] / rates[name] for name in aims}
    return [
        Row(
            "rooms",
            f"tertulia / {' · '.join(aims)}: {scene}",
            " · ".join(f"{ratios[name]:.1f}×" for name in aims),
            aim=" · ".join(f"≥ {aim:.0f}×" for aim in aims.values()),
            met=all(ratios[name] >= aim for name, aim in aims.items()),
            details={"ratios": ratios},
        )
    ]


def _cost_rows(scene: Scene, runs: dict[str, list[Figure]], seconds: float) -> list[Row]:
    """Processor time of a delivery, the receipt of its acknowledgement included."""
    paced = _plain(scene.members, seconds, scene.rate)
    flat_out = _plain(scene.members, seconds)
    plain = f"plain C send: {scene.members} sockets"
    rows = [
        Row(
            "rooms",
            f"{plain}, µs at {scene.rate:.0f} rounds/s · flat out",
            f"{paced.cpu_us:.1f} · {flat_out.cpu_us:.1f}",
            details={"paced": msgspec.to_builtins(paced), "flat": msgspec.to_builtins(flat_out)},
        )
    ]
    return rows + [_cost_row(name, scene, figures, paced) for name, figures in runs.items()]


def _cost_row(name: str, scene: Scene, figures: list[Figure], plain: Plain) -> Row:
    cost = median(figure.delivery_us for figure in figures)
    times = cost / plain.cpu_us
    p50, p99 = (median(values) for values in zip(*map(_delays, figures), strict=True))
    held = median(figure.run.rate for figure in figures)
    only = f", BUT ONLY {held:.0f} msg/s" if held < 0.95 * scene.rate else ""
    details = {"figures": [msgspec.to_builtins(figure) for figure in figures], "us": cost}
    return Row(
        "rooms",
        f"{name}: {scene}: CPU of a delivery",
        f"{cost:.1f} µs = {times:.1f}× plain send, {p50:.1f} · {p99:.1f} ms{only}",
        aim="≤ 2.5×" if name == OURS else "",
        met=times <= 2.5 if name == OURS else None,
        details=details,
    )


def _delays(figure: Figure) -> tuple[float, float]:
    return figure.run.p50_ms, figure.run.p99_ms


def _plain(sockets: int, seconds: float, rate: float = 0.0) -> Plain:
    command: Sequence[str] = [str(compiled("sends")), str(sockets), str(FRAME), str(seconds)]
    done = subprocess.run([*command, str(rate)], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"plain sender: {done.stderr[-500:]}")
    return msgspec.json.decode(done.stdout, type=Plain)
