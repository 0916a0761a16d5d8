"""The published client packages in headless Chromium, talking to each other."""

import pytest
from tests.clients import programs
from tests.clients.conftest import DevServer, Node

pytestmark = [pytest.mark.clients, pytest.mark.system]


def test_every_step_passes(server: DevServer, node: Node, chromium: str) -> None:
    assert programs.run(node, server, "browsers.mjs", CHROMIUM=chromium).skipped == []
