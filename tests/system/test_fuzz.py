"""The readers of what strangers send, under a fuzzer: no crash, no leak.

Some seconds; with TERTULIA_FULL=1 in the environment fifty times the runs. A finding's input
stands in the report; it becomes a row in the tables of tests/protocols.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None,
        reason="atheris has no wheel for this platform",
    ),
]

TIMES = 50 if os.environ.get("TERTULIA_FULL") else 1
WITHIN = 60.0 * TIMES
"""Seconds; generous, since the machine may be busy with other tests."""
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "runs"),
    [("websocket", 20_000), ("socketio", 100_000), ("http1", 20_000), ("rtp", 50_000)],
)
def test_no_input_breaks_a_reader(name: str, runs: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.fuzz.fuzz_{name}", str(runs * TIMES)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=ROOT, capture_output=True, text=True, timeout=WITHIN, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    print(f"\n{name}: {done.stdout.strip()}")
    assert done.returncode == 0, said
    assert f"{runs * TIMES} runs" in done.stdout, said
