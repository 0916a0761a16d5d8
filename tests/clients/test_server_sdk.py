"""The published Node server SDK, unmodified, against the running server."""

import pytest
from tests.clients import programs
from tests.clients.conftest import DevServer, Node

pytestmark = [
    pytest.mark.clients, pytest.mark.system, pytest.mark.usefixtures("phones")
]  # fmt: skip


@pytest.mark.parametrize("program", ["drive_server_sdk.mjs", "server_sdk.mjs"])
def test_every_step_passes(program: str, server: DevServer, node: Node) -> None:
    assert programs.run(node, server, program).skipped == []
