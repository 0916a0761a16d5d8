"""A page of 100 events at a random place of a long conversation in a large store.

Half of the requests name the place by `start_id`, half by the cursor of a `next` link that an
earlier page gave. One connection, one request after the other. Twice: with the file evicted from
the operating system's cache, and with the file in it, which is what the aim is about.
"""

import os
import random
from pathlib import Path
from typing import Any

import msgspec

from bench.history import History, build, database, settle
from bench.load import Load, Shape, Target, drive
from bench.places import Failed, fresh
from bench.product import product
from bench.report import Row, thousands
from bench.rest import Rest

REQUESTS = 2000
PAGE = 100


def measure(events: int) -> list[Row]:
    data, history = build(events)
    with product(data) as server, fresh("page") as place:
        settle(server)
        targets = _targets(server.rest(), history)
        shape = Shape(1, seconds=600, most=REQUESTS)
        loads = []
        for prepare in (_evict, _read_through):
            prepare(database(data))
            loads.append(drive(server.port, targets, shape, place=place, token=server.token))
    return _rows(history, *loads)


def _evict(file: Path) -> None:
    """Out of the operating system's cache, as far as it obeys."""
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_through(file: Path) -> None:
    """Into the operating system's cache, as far as memory goes."""
    with file.open("rb") as handle:
        while handle.read(1 << 24):
            pass


def _rows(history: History, cold: Load, warm: Load) -> list[Row]:
    shape = f"{PAGE} events of {thousands(history.big_events)} among {thousands(history.events)}"
    return [
        Row(
            "page",
            f"{shape}, cached by the system: ms p50 · p99",
            f"{warm.p50_ms:.2f} · {warm.p99_ms:.2f}",
            aim="p99 < 3",
            met=warm.p99_ms < 3,
            details=msgspec.to_builtins(warm),
        ),
        Row(
            "page",
            "the same, evicted to the disk before: ms p50 · p99",
            f"{cold.p50_ms:.2f} · {cold.p99_ms:.2f}",
            details=msgspec.to_builtins(cold),
        ),
        Row(
            "page",
            f"building that store once: s · of it SQL rows/s ({history.megabytes:,.0f} MB)",
            f"{history.build_seconds:.0f} · {thousands(history.rows_per_second)}",
            details=msgspec.to_builtins(history),
        ),
    ]


def _targets(rest: Rest, history: History) -> list[Target]:
    dice = random.Random(1)
    places = [dice.randrange(1, history.big_events - 3 * PAGE) for _ in range(REQUESTS)]
    paths = [_path(history, place) for place in places]
    half = REQUESTS // 2
    targets = [Target(path) for path in paths[:half]]
    targets += [Target(_next(rest.get(path))) for path in paths[half:]]
    dice.shuffle(targets)
    return targets


def _path(history: History, start: int) -> str:
    return f"{history.big}?page_size={PAGE}&order=asc&start_id={start}"


def _next(page: dict[str, Any]) -> str:
    """Path and query of the next page."""
    embedded = page["_embedded"]
    events = embedded if isinstance(embedded, list) else embedded["events"]
    if len(events) != PAGE:
        raise Failed(f"a page of {len(events)} events instead of {PAGE}")
    href: str = page["_links"]["next"]["href"]
    return "/" + href.split("/", 3)[3]
