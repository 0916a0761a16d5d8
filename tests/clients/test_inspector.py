"""The inspector, walked through in headless Chromium against the running server.

With TERTULIA_SCREENSHOTS=<folder> in the environment the pictures are kept there.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.clients.conftest import DevServer, Node, unavailable

pytestmark = [pytest.mark.clients, pytest.mark.system]

PROGRAM = Path(__file__).with_name("inspector.mjs")
WITHIN = 240.0
"""Seconds; generous, since the machine may be busy with other tests."""


@pytest.fixture(scope="session")
def chromium() -> str:
    """The executable of a Chromium."""
    named = (os.environ.get("CHROMIUM", ""), "/usr/bin/chromium", "chromium", "chromium-browser")
    for name in named:
        if name and (found := shutil.which(name)) is not None:
            return found
    unavailable("No Chromium: install it, or name its executable in the variable CHROMIUM.")


def test_every_step_of_the_walk_passes(
    server: DevServer, node: Node, chromium: str, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("TERTULIA_SCREENSHOTS", tmp_path)).absolute()
    pictures.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [node.executable, str(PROGRAM), server.dev_json],
        env={
            **os.environ,
            "PKG_DIR": str(node.packages),
            "CHROMIUM": chromium,
            "TERTULIA_SCREENSHOTS": str(pictures),
        },
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    lines = done.stdout.splitlines() or [""]
    count = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1])
    failures = "\n".join(line for line in lines if not line.startswith("ok "))
    assert count is not None, done.stdout + done.stderr
    assert (int(count[2]), done.returncode) == (0, 0), failures
    written = len(re.findall(r"\bawait step\(", PROGRAM.read_text(encoding="utf-8")))
    assert int(count[1]) >= written, "fewer steps ran than are written"
    assert len(list(pictures.glob("*.png"))) > 10
