"""Load while nodes, bus and PostgreSQL die, stop and lose each other: a checker reads what all saw.

A minute; with TERTULIA_FULL=1 in the environment ten, by a seed that is printed. To show it with
its figures: `TERTULIA_FULL=1 pytest -s tests/system/test_chaos.py`.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.system import cluster
from tests.system.accounting import opened
from tests.system.chaos import check
from tests.system.chaos.faults import KINDS
from tests.system.chaos.run import SETTINGS, run

from tertulia.testing.replay import check_replay

pytestmark = pytest.mark.system

FULL = bool(os.environ.get("TERTULIA_FULL"))
SECONDS = 660.0 if FULL else 60.0
SEED = random.SystemRandom().randrange(1_000_000) if FULL else 7
STORED_MIN = 10 * SECONDS
"""Messages: far fewer than any machine takes, so that there was a load at all."""


def test_nothing_is_lost_repeated_or_out_of_order(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    print(f"\nseed {SEED}, history in {path}")
    with cluster.running(tmp_path, is_wired=True, settings=SETTINGS) as nodes:
        run(nodes, path, seed=SEED, seconds=SECONDS)
        asyncio.run(_replay(nodes.url))
        told = nodes.told()
    story, found = check.checked(path)
    print(check.report(story, found))
    assert found == {}, f"{found}\n{told}"
    assert sum(map(len, story.kept.values())) > STORED_MIN
    if FULL:
        assert {fault.kind for fault in story.faults.values()} == {kind.name for kind in KINDS}


async def _replay(url: str) -> None:
    """What is shown is what the log says."""
    async with opened(url) as store:
        await check_replay(store)
