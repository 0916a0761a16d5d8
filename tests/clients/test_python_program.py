"""The shortest program with the published Python server SDK runs as it is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.clients.conftest import DevServer

pytestmark = [pytest.mark.clients, pytest.mark.system]


def test_the_shortest_program_runs(server: DevServer) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "drive_server_sdk.py"), server.dev_json],
        env={**os.environ, "REQUESTS_CA_BUNDLE": server.ca_file},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["3 passed, 0 failed"], done.stdout + done.stderr
