"""Servers that are called, on the first core; everything else stays off it."""

import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
from msgspec import Struct

from bench.media.cores import CORES, on_core
from bench.peers import python_with
from bench.places import BENCH, ROOT, Failed, Skipped
from bench.processes import cpu_seconds, free_port, listens, memory, running, wait_until
from bench.product import Product, product
from bench.sip.application import Tally

NUMBER = "15550199"
"""Of the development application."""
SETTLED = 0.5
"""Seconds after which a peer that listens by UDP is taken to be there."""
PATIENCE = 30.0
"""Seconds for webhooks that are still on their way."""
PEERS = BENCH / "sip" / "peers"


class Served(NamedTuple):
    """A server that answers calls."""

    port: int
    parts: dict[str, psutil.Process]
    """The first is on the core that is measured."""
    product: Product | None = None

    def cpu(self) -> dict[str, float]:
        """Seconds so far, by part."""
        return {name: cpu_seconds([process]) for name, process in self.parts.items()}

    def pss(self, part: str) -> int:
        return memory([self.parts[part]]).pss


class _Whereabouts(Struct):
    sip: int


class Application:
    """Whose server says what becomes of calls, and is told of them."""

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def answer_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/answer"

    @property
    def event_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/event"

    def forget(self) -> None:
        self._ask("DELETE")

    def told(self, of: Callable[[Tally], int], least: int) -> Tally:
        """What it has been told when that is so much, or when nothing has come for long."""
        latest, at = -1, time.monotonic()
        while True:
            tally = self._ask("GET")
            if tally.told > latest:
                latest, at = tally.told, time.monotonic()
            if of(tally) >= least or time.monotonic() - at > PATIENCE:
                return tally
            time.sleep(0.1)

    def _ask(self, method: str) -> Tally:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, "/tally")
            return msgspec.json.decode(connection.getresponse().read(), type=Tally)
        finally:
            connection.close()


def leave_first_core() -> None:
    """This process and what it starts. Raises Skipped: there is but one core."""
    if len(CORES) < 2:
        raise Skipped("two cores are needed, one for the server and one for the generator")
    os.sched_setaffinity(0, CORES[1:])


@contextmanager
def application(place: Path) -> Iterator[Application]:
    port, log = free_port(), place / "application.log"
    command = [sys.executable, "-m", "bench.sip.application", str(port)]
    with running(command, log=log, cwd=ROOT) as process:
        wait_until(lambda: listens(port), process, log)
        yield Application(port)


@contextmanager
def tertulia(place: Path, *options: str) -> Iterator[Served]:
    """The whole product, whose hub has the first core to itself."""
    with product(place / "data", *options) as server:
        parts = {"hub": server.hub()}
        for process in server.processes():
            words = process.cmdline()
            parts |= {name: process for name in ("media", "dispatcher") if name in words}
        for thread in parts["hub"].threads():
            os.sched_setaffinity(thread.id, CORES[:1])
        told = (place / "data" / "sip.json").read_bytes()
        yield Served(msgspec.json.decode(told, type=_Whereabouts).sip, parts, server)


@contextmanager
def agent(place: Path) -> Iterator[Served]:
    """Our own signalling with nothing behind it."""
    with _bare(place, "agent", sys.executable, "-m", "bench.sip.agent") as served:
        yield served


@contextmanager
def sippy(place: Path) -> Iterator[Served]:
    """The same of another stack in Python. Raises Skipped when it cannot be installed."""
    python = python_with(PEERS / "requirements.txt", "venv-sip")
    with _bare(place, "sippy", python, PEERS / "sip_sippy.py") as served:
        yield served


@contextmanager
def _bare(place: Path, name: str, *command: str | Path) -> Iterator[Served]:
    port, log = free_port(), place / f"{name}.log"
    with running(on_core(0, [*command, str(port)]), log=log, cwd=ROOT) as process:
        wait_until(lambda: _is_bound(process), process, log)
        time.sleep(SETTLED)
        yield Served(port, {name: process})


def _is_bound(process: psutil.Process) -> bool:
    return any(each.laddr for each in process.net_connections("udp"))


def cost(before: dict[str, float], after: dict[str, float], calls: int) -> dict[str, float]:
    """Milliseconds of CPU a call, by part. Raises Failed when a part was started again."""
    costs = {name: 1000 * (after[name] - before[name]) / calls for name in before}
    if min(costs.values()) < 0:
        raise Failed("a part of the server has died")
    return costs


def together(costs: dict[str, float]) -> str:
    return " · ".join(f"{name} {each:.2f}" for name, each in costs.items())
