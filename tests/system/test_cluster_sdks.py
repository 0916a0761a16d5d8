"""The suites of the published SDKs, unchanged, against three nodes behind a balancer.

Each suite is run by a pytest of its own, for which the server is a cluster. The chat SDKs and the
server SDKs; with TERTULIA_FULL=1 in the environment calls, channels and browsers too.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system, pytest.mark.clients]

ROOT = Path(__file__).parents[2]
SUITES = [
    "test_client_sdks.py", "test_server_sdk.py", "test_python_program.py", "test_python_users.py",
    "test_python_applications.py",
]  # fmt: skip
LONG_SUITES = [
    "test_python_calls.py", "test_python_messages.py", "test_channels.py", "test_calls.py",
    "test_browsers.py", "test_inspector.py", "test_softphone.py",
]  # fmt: skip
FULL = bool(os.environ.get("TERTULIA_FULL"))
SECONDS = 1500


def test_every_suite_passes_on_three_nodes() -> None:
    suites = [*SUITES, *(LONG_SUITES if FULL else [])]
    done = run(suites)
    if done.returncode:  # three nodes on a busy machine take time from each other
        print(f"tried again: {done.stdout[-10_000:]}")
        done = run(suites)
    counted = re.search(r"^(\d+) passed.* in ", done.stdout, re.M)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    if "skipped" in done.stdout and not os.environ.get("CI"):
        pytest.skip(done.stdout[-2_000:])
    assert counted is not None, done.stdout
    assert int(counted[1]) >= len(suites)


def run(suites: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", *(f"tests/clients/{each}" for each in suites)],
        cwd=ROOT, env={**os.environ, "TERTULIA_NODES": "3"}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
