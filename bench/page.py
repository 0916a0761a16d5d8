"""A page of 100 events at a random place of a long conversation in a large store.

Half of the requests name the place by `start_id`, half by the cursor of a `next` link that an
earlier page gave. One connection, one request after the other.
"""

import random
from typing import Any

import msgspec

from bench.history import History, build, settle
from bench.load import Shape, Target, drive
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
        load = drive(
            server.port,
            targets,
            Shape(1, seconds=600, most=REQUESTS),
            place=place,
            token=server.token,
        )
    shape = f"{thousands(history.big_events)} among {thousands(history.events)}"
    return [
        Row(
            "page",
            f"{PAGE} events of {shape}: ms p50 · p99",
            f"{load.p50_ms:.2f} · {load.p99_ms:.2f}",
            aim="p99 < 3",
            met=load.p99_ms < 3,
            details=msgspec.to_builtins(load),
        ),
        Row(
            "page",
            f"building that store once: s, of it SQL rows/s, {history.megabytes:,.0f} MB",
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
