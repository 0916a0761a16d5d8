"""The programs of this folder, run by Node: their steps, counted."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.clients.conftest import DevServer, Node

HERE = Path(__file__).parent
STEP = re.compile(r"\bawait step\(|=> step\(")
SECONDS = 300
"""Far more than any takes."""


class Steps(NamedTuple):
    passed: int
    skipped: list[str]
    """Those that the package cannot take."""


def run_again(
    node: Node, server: DevServer, program: str, *arguments: str, **environment: str
) -> Steps:
    """As `run`, once more when it fails: sounds between browsers are real, and so is the time that
    a busy machine takes from them. What is broken fails twice."""
    try:
        return run(node, server, program, *arguments, **environment)
    except (AssertionError, subprocess.TimeoutExpired) as failure:
        print(f"{program} is tried again: {failure}")
    return run(node, server, program, *arguments, **environment)


def run(node: Node, server: DevServer, program: str, *arguments: str, **environment: str) -> Steps:
    """Fails the test when a step fails, or when fewer are taken than are written.

    The steps of `x.mjs` may be in the files of the folder `x`.
    """
    done = subprocess.run(
        [node.executable, str(HERE / program), server.dev_json, *arguments],
        env={**os.environ, "PKG_DIR": str(node.packages), **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = done.stdout.splitlines() or [""]
    count = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1])
    skipped = [line.removeprefix("skip ") for line in lines if line.startswith("skip ")]
    failures = "\n".join(line for line in lines if not line.startswith("ok "))
    assert count is not None, done.stdout + done.stderr
    assert (int(count[2]), done.returncode) == (0, 0), failures + done.stderr
    assert int(count[1]) + len(skipped) >= _written(program), "fewer steps ran than are written"
    return Steps(int(count[1]), skipped)


def _written(program: str) -> int:
    main = HERE / program
    sources = [main, *main.with_suffix("").glob("*.mjs")]
    return sum(len(STEP.findall(source.read_text())) for source in sources)
