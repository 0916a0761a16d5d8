"""A conversation across channels: the published client SDK, simulated handsets, and strangers."""

import pytest
from tests.clients import programs
from tests.clients.conftest import DevServer, Node

pytestmark = [
    pytest.mark.clients, pytest.mark.system, pytest.mark.usefixtures("phones")
]  # fmt: skip


def test_everybody_is_reached_where_they_are(server: DevServer, node: Node) -> None:
    assert programs.run(node, server, "channels.mjs").skipped == []
