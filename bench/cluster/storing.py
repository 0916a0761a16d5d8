"""Stored events a second, one node on PostgreSQL and NATS beside one server on SQLite."""

import time
from pathlib import Path

import msgspec

from bench.cluster import installed
from bench.cluster.installed import DATABASE, NATS, SURELY_FLUSHED, Installation
from bench.cluster.loads import Taken, middle, share, take
from bench.cluster.measured import Measured, Scale
from bench.places import fresh
from bench.report import Row, thousands

CONNECTIONS = 128
RATE, TRANSACTIONS = 0.6, 0.1
"""Aims: of SQLite's rate, and transactions an event."""


def measure(scale: Scale, measured: Measured) -> list[Row]:
    sqlite: list[Taken] = []
    nodes: list[Taken] = []
    for _ in range(scale.rounds):
        with fresh("cluster") as place, installed.single(place) as server:
            sqlite.append(_take("SQLite", server, scale, place))
        with fresh("cluster") as place, installed.nodes(place, 1) as node:
            nodes.append(_take("PostgreSQL + NATS", node, scale, place))
    measured.sqlite, measured.alone = middle(sqlite), middle(nodes)
    return _rows(measured.sqlite, measured.alone)


def _take(name: str, installation: Installation, scale: Scale, place: Path) -> Taken:
    begun = time.monotonic()
    shared = share(installation.nodes[0], installation.application)
    taken = take(installation, [shared], CONNECTIONS, scale.seconds, place, flushed=SURELY_FLUSHED)
    print(f"storing: {name}: {spelled(taken)} ({time.monotonic() - begun:.0f} s)", flush=True)
    return taken


def spelled(taken: Taken) -> str:
    return f"{thousands(taken.rate)}/s, {taken.p50_ms:.1f} · {taken.p99_ms:.1f} ms"


def costs(taken: Taken) -> str:
    return " · ".join(f"{name} {spent:.3f}" for name, spent in taken.cpu.items())


def _rows(sqlite: Taken, alone: Taken) -> list[Row]:
    ratio = alone.rate / sqlite.rate
    at = f"events/s at {CONNECTIONS} connections"
    both = {"sqlite": msgspec.to_builtins(sqlite), "postgres": msgspec.to_builtins(alone)}
    cpu = "CPU seconds for 1 000 events"
    return [
        Row("storing", f"SQLite: {at}", spelled(sqlite), details=both),
        Row("storing", f"SQLite: {cpu}", costs(sqlite)),
        Row("storing", f"{DATABASE} + {NATS}: {at}", spelled(alone)),
        Row("storing", f"{DATABASE} + {NATS}: {cpu}", costs(alone)),
        Row(
            "storing", f"{DATABASE} + {NATS} / SQLite", f"{ratio:.2f}×", aim=f"≥ {RATE}×",
            met=ratio >= RATE,
        ),
        Row(
            "storing",
            f"transactions an event ({alone.batches:.0f} batches/s)",
            f"{alone.transactions:.3f}", aim=f"< {TRANSACTIONS}",
            met=alone.transactions < TRANSACTIONS,
        ),
    ]  # fmt: skip
