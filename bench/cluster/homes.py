"""How soon another node writes when the home of an application is killed."""

import http.client
import random
import time
from statistics import median

import msgspec

from bench.cluster import installed
from bench.cluster.installed import Application, Installation, Node
from bench.cluster.measured import Measured, Scale
from bench.load import Target
from bench.places import Failed, fresh
from bench.report import Row
from bench.rest import populate

BEAT = 0.7
"""Seconds, about the time between two signs of life: at any moment of it the home is killed."""
PATIENCE = 30.0
PAUSE = 0.01
"""Between two requests that are refused."""


def measure(scale: Scale, measured: Measured) -> list[Row]:
    """`measured` takes nothing from it."""
    with fresh("cluster") as place, installed.nodes(place, 2) as nodes:
        (target,) = populate(nodes.application.at(nodes.nodes[0]), 1)
        times = [_until_written(nodes, target) for _ in range(scale.tries)]
    return [
        Row(
            "homes", f"the home is killed: seconds to the first write at another node, {len(times)}"
            " tries: median · worst", f"{median(times):.2f} · {max(times):.2f}",
            details={"seconds": times},
        )
    ]  # fmt: skip


def _until_written(nodes: Installation, target: Target) -> float:
    assert nodes.cluster is not None
    home = nodes.home(nodes.application)
    other = nodes.others(home)[0]
    victim = next(each for each in nodes.cluster.nodes if each.name == home.name)
    time.sleep(BEAT * random.random())
    begun = time.monotonic()
    victim.kill()
    _write(nodes.application, other, target, begun + PATIENCE)
    took = time.monotonic() - begun
    print(f"homes: {home.name} killed, {other.name} writes after {took:.2f} s", flush=True)
    victim.start()
    time.sleep(2 * BEAT)  # until both know each other
    return took


def _write(application: Application, node: Node, target: Target, deadline: float) -> None:
    """Once."""
    said = {"message_type": "text", "text": "Who writes this?"}
    body = msgspec.json.encode({"type": "message", "from": target.word, "body": said})
    headers = {
        "Authorization": f"Bearer {application.token}", "Content-Type": "application/json",
    }  # fmt: skip
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=PATIENCE)
        try:
            connection.request("POST", target.path, body, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if 200 <= status < 300:
            return
        if status != http.HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            raise Failed(f"a write while its home is taken over: {status}")
        time.sleep(PAUSE)
