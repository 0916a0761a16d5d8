"""The published Node server SDK, unmodified, against the running server."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.clients.conftest import DevServer, Node

pytestmark = [pytest.mark.clients, pytest.mark.system]

HERE = Path(__file__).parent
SUITES = {
    "drive_server_sdk.mjs": ["drive_server_sdk.mjs"],
    "server_sdk.mjs": [
        "server_sdk.mjs",
        *sorted(f"server_sdk/{p.name}" for p in (HERE / "server_sdk").iterdir()),
    ],
}


@pytest.mark.parametrize("suite", SUITES)
def test_every_step_passes(suite: str, server: DevServer, node: Node) -> None:
    done = subprocess.run(
        [node.executable, str(HERE / suite), server.dev_json],
        env={**os.environ, "PKG_DIR": str(node.packages)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = done.stdout.splitlines() or [""]
    count = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1])
    failures = "\n".join(line for line in lines if not line.startswith("ok "))
    assert count is not None, done.stdout + done.stderr
    assert (int(count[2]), done.returncode) == (0, 0), failures
    assert int(count[1]) >= _steps_written(suite), "fewer steps ran than are written"


def _steps_written(suite: str) -> int:
    sources = [(HERE / source).read_text() for source in SUITES[suite]]
    return sum(len(re.findall(r"\bawait step\(", source)) for source in sources)
