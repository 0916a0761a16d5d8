"""Seconds to ready, and what the processes weigh when nothing happens."""

import time
from pathlib import Path
from statistics import median

from bench.places import fresh
from bench.processes import Memory, memory
from bench.product import product
from bench.report import Row

STARTS = 3
IDLE = 5.0
"""Seconds between ready and weighing."""


def measure() -> list[Row]:
    with fresh("start") as place:
        first = [_start(place / f"fresh-{number}") for number in range(STARTS)]
        again = [_start(place / "fresh-0") for _ in range(STARTS)]
        with product(place / "fresh-0") as server:
            time.sleep(IDLE)
            count = len(server.processes())
            hub, whole = memory([server.hub()]), memory(server.processes())
    return [
        _start_row("a fresh directory", first),
        _start_row("an existing directory", again),
        Row(
            "start",
            "hub, idle: MB pss · rss",
            _megabytes(hub),
            aim="< 80 (rss)",
            met=hub.rss < 80e6,
            details=hub._asdict(),
        ),
        Row(
            "start",
            f"all {count} processes, idle: MB pss · rss (shared pages counted in each)",
            _megabytes(whole),
            details=whole._asdict(),
        ),
    ]


def _start(data: Path) -> float:
    with product(data) as server:
        return server.ready_after


def _start_row(what: str, times: list[float]) -> Row:
    return Row(
        "start",
        f"seconds to ready on {what}, median of {len(times)}",
        f"{median(times):.2f}",
        aim="< 2",
        met=median(times) < 2,
        details={"seconds": times},
    )


def _megabytes(size: Memory) -> str:
    return f"{size.pss / 1e6:.0f} · {size.rss / 1e6:.0f}"
