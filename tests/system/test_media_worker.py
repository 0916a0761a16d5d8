"""Media workers in the tree: killed, hung, and left alone by a hub that dies."""

import signal
import urllib.request

import pytest
from tests.system.conftest import Plant
from tests.system.tree import Tree, is_ready, until

pytestmark = pytest.mark.system


def figures(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("tertulia_media_"))
    return {name: float(value) for name, value in pairs}


def ticking(url: str) -> bool:
    """Twice, so that it is one who goes on."""
    ticks = figures(url).get('tertulia_media_ticks_total{worker="0"}', 0.0)
    return ticks > 0 and figures(url)["tertulia_media_workers"] >= 1


def test_a_killed_worker_is_replaced_and_a_dead_hub_outlived(plant: Plant) -> None:
    tree = plant()
    url = tree.start().api_url
    until("ticking", lambda: ticking(url))
    killed = tree.kill_part("media")
    until("replaced", lambda: tree.has("media") and is_ready(url) and ticking(url))
    survivor = tree.part("media")
    assert survivor.pid != killed.pid
    tree.kill_part("hub")
    until("back", lambda: is_ready(url) and ticking(url))
    assert tree.part("media").pid == survivor.pid
    assert tree.terminate() == 0


def test_a_hung_worker_is_given_up(plant: Plant) -> None:
    tree = plant()
    url = tree.start().api_url
    hung = tree.part("media")
    hung.send_signal(signal.SIGSTOP)
    until("given up", lambda: not is_ready(url))
    assert figures(url)["tertulia_media_workers"] == 0
    hung.send_signal(signal.SIGCONT)
    until("back", lambda: is_ready(url))
    assert tree.terminate() == 0


def test_there_are_as_many_as_are_asked_for(plant: Plant) -> None:
    tree = plant(TERTULIA_RTC__WORKERS="3")
    url = tree.start().api_url
    until("all up", lambda: figures(url)["tertulia_media_workers"] == 3)
    kill_and_see(tree, url)
    assert tree.terminate() == 0


def kill_and_see(tree: Tree, url: str) -> None:
    """The others serve on."""
    tree.kill_part("media")
    assert is_ready(url)
    until("all up again", lambda: figures(url)["tertulia_media_workers"] == 3)
