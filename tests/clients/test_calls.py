"""The published client packages call, in headless Chromium; what they hear is told by tones."""

import pytest
from tests.clients import programs
from tests.clients.conftest import DevServer, Node

pytestmark = [pytest.mark.clients, pytest.mark.system]


def test_every_step_passes(server: DevServer, node: Node, chromium: str) -> None:
    assert programs.run_again(node, server, "calls.mjs", CHROMIUM=chromium).skipped == []
