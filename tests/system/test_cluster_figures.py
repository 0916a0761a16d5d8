"""What nodes tell of themselves: figures that add up, and readiness with its reason."""

import json
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from tests.exposition import Series, parsed, value
from tests.system import cluster
from tests.system.cluster import ClusterNode
from tests.system.test_cluster_homes import Caller
from tests.system.tree import is_ready, until

pytestmark = pytest.mark.system


def figures(node: ClusterNode) -> dict[Series, float]:
    with urllib.request.urlopen(f"{node.url}/metrics", timeout=10) as answer:
        return parsed(answer.read().decode())


def unready(node: ClusterNode) -> str:
    """Why it is not; empty when it is."""
    try:
        urllib.request.urlopen(f"{node.url}/readyz", timeout=10).close()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return str(json.load(refusal)["detail"])
    return ""


def total(nodes: list[ClusterNode], name: str, **labels: str) -> float:
    return sum(value(figures(node), name, **labels) for node in nodes)


def are_level(nodes: list[ClusterNode], follower: str) -> bool:
    """Nothing of the log is still to be seen by it at any node."""
    return total(nodes, "follower_lag_events", follower=follower) == 0


def test_figures_of_nodes_add_up(tmp_path: Path) -> None:
    with cluster.running(tmp_path, count=2, is_wired=True) as running:
        one, two = nodes = running.nodes
        caller = Caller(running.dev_json)
        for number in range(4):
            told = caller.call("POST", "/v0.3/conversations", {"name": f"said{number}"})
            assert told.status in (200, 201), told
        assert total(nodes, "homes") == 1
        assert total(nodes, "nodes_alive") == 4, "each sees both"
        assert total(nodes, "bus_up") == total(nodes, "store_up") == 2
        assert total(nodes, "forwarded_total", end="answered") >= 1
        assert total(nodes, "writer_batch_events_sum") == total([one], "log_position") >= 4
        until("webhook work", lambda: total(nodes, "webhook_leases") == 1)
        for follower in ("delivery", "conductor", "search"):
            until(follower, partial(are_level, nodes, follower))
        home = running.node_of(caller.application_id)
        other = two if home is one else one
        assert home is not None and home.store_wire is not None
        home.store_wire.cut()
        until("unready", lambda: "no sign of life for" in unready(home))
        assert value(figures(home), "store_up") == 0
        until("taken over", lambda: value(figures(other), "homes") == 1)
        assert value(figures(other), "homes_claimed_total") >= 1
        assert value(figures(other), "node_silent_seconds") < 2.5
        home.store_wire.mend()
        until("back", lambda: is_ready(home.url))
