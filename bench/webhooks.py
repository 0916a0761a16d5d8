"""Signed webhooks to a local sink: how many a second, and how soon after the event was posted.

For the backlog the dispatcher is stopped (SIGSTOP) while events are published and let go (SIGCONT)
when all are stored, so that what is timed is the dispatcher at work and not the publishing.
"""

import http.client
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from bench.load import Load, Shape, Target, drive
from bench.places import ROOT, fresh
from bench.processes import cpu_seconds, free_port, listens, running, wait_until
from bench.product import Product, product
from bench.report import Row, thousands
from bench.rest import MESSAGE, populate
from bench.sink import Tally

CONVERSATIONS = 200
BACKLOG = 50_000
PUBLISHERS = 64
RATE = 500.0
"""Events per second while the delay is measured."""
PATIENCE = 60.0
"""Seconds without a delivery after which the sink is no longer waited for."""


def measure(seconds: float) -> list[Row]:
    """`seconds` is how long the delay is measured."""
    with fresh("webhooks") as place, _sink(place) as (sink_port, sink):
        url = f"http://127.0.0.1:{sink_port}/webhooks/rtc"
        with product(place / "data", "--event-url", url) as server:
            targets = populate(server.rest(), CONVERSATIONS)
            return [
                *_backlog(server, targets, place, sink_port, sink),
                *_delay(server, targets, place, sink_port, seconds),
            ]


@contextmanager
def _sink(place: Path) -> Iterator[tuple[int, psutil.Process]]:
    port, log = free_port(), place / "sink.log"
    command = [sys.executable, "-m", "bench.sink", str(port)]
    with running(command, log=log, cwd=ROOT) as process:
        wait_until(lambda: listens(port), process, log)
        yield port, process


def _backlog(
    server: Product, targets: list[Target], place: Path, sink_port: int, sink: psutil.Process
) -> list[Row]:
    dispatcher = server.dispatcher()
    if dispatcher is None:
        return [Row("webhooks", "delivered/s", "skipped: no dispatcher process found")]
    dispatcher.suspend()
    try:
        shape = Shape(PUBLISHERS, seconds=600, most=BACKLOG)
        load = drive(server.port, targets, shape, place=place, token=server.token, body=MESSAGE)
    finally:
        dispatcher.resume()
    watched = {"dispatcher": dispatcher, "hub": server.hub(), "sink": sink}
    before = {name: cpu_seconds([process]) for name, process in watched.items()}
    begun = time.monotonic()
    tally = _wait_for(sink_port, load.accepted)
    elapsed = time.monotonic() - begun
    shares = {
        name: (cpu_seconds([process]) - before[name]) / elapsed for name, process in watched.items()
    }
    return [_backlog_row(load, tally, shares)]


def _backlog_row(load: Load, tally: Tally, shares: dict[str, float]) -> Row:
    rate = tally.messages / ((tally.last - tally.first) / 1e9 or 1.0)
    busy = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return Row(
        "webhooks",
        f"delivered/s from a backlog of {thousands(load.accepted)} (of a core: {busy})",
        f"{thousands(rate)}{_missing(load, tally)}",
        aim="≥ 5 000",
        met=rate >= 5000 and tally.messages == load.accepted,
        details={"tally": msgspec.to_builtins(tally), "shares": shares},
    )


def _delay(
    server: Product, targets: list[Target], place: Path, sink_port: int, seconds: float
) -> list[Row]:
    _ask_sink(sink_port, "DELETE")
    shape = Shape(PUBLISHERS, seconds, rate=RATE)
    load = drive(server.port, targets, shape, place=place, token=server.token, body=MESSAGE)
    tally = _wait_for(sink_port, load.accepted)
    return [
        Row(
            "webhooks",
            f"event posted → webhook received at {RATE:.0f} events/s, ms p50 · p99"
            f" (of it the POST: {load.p50_ms:.1f} · {load.p99_ms:.1f})",
            f"{tally.p50_ms:.1f} · {tally.p99_ms:.1f}{_missing(load, tally)}",
            aim="< 10 · < 50",
            met=tally.p50_ms < 10 and tally.p99_ms < 50 and tally.messages == load.accepted,
            details={"tally": msgspec.to_builtins(tally), "load": msgspec.to_builtins(load)},
        )
    ]


def _missing(load: Load, tally: Tally) -> str:
    missing = load.accepted - tally.messages
    return f" ({missing} MISSING)" if missing else ""


def _wait_for(sink_port: int, messages: int) -> Tally:
    """The tally when all have come, or when none has for a long time."""
    progress, at = -1, time.monotonic()
    while True:
        tally = msgspec.json.decode(_ask_sink(sink_port, "GET"), type=Tally)
        if tally.messages > progress:
            progress, at = tally.messages, time.monotonic()
        if tally.messages >= messages or time.monotonic() - at > PATIENCE:
            return tally
        time.sleep(0.25)


def _ask_sink(port: int, method: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, "/")
        return connection.getresponse().read()
    finally:
        connection.close()
