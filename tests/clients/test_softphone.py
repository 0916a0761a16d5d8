"""The inspector's softphone, used in headless Chromium against the running server.

With TERTULIA_SCREENSHOTS=<folder> in the environment the pictures are kept there.
"""

import os
from pathlib import Path

import pytest
from tests.clients import programs
from tests.clients.conftest import DevServer, Node

pytestmark = [pytest.mark.clients, pytest.mark.system]


def test_calls_are_placed_heard_and_taken(
    server: DevServer, node: Node, chromium: str, tmp_path: Path
) -> None:
    pictures = Path(os.environ.get("TERTULIA_SCREENSHOTS", tmp_path)).absolute()
    pictures.mkdir(parents=True, exist_ok=True)
    programs.run_again(
        node, server, "softphone.mjs", CHROMIUM=chromium, TERTULIA_SCREENSHOTS=str(pictures)
    )
    assert len(list(pictures.glob("phone-*.png"))) > 10
