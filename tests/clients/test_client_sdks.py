"""The published client SDKs, unmodified, against the running server: two people chat."""

import pytest
from tests.clients import programs
from tests.clients.conftest import DevServer, Node

pytestmark = [pytest.mark.clients, pytest.mark.system]

WITHOUT_EPHEMERAL = ["sendEphemeralEvent: this version has no such method"]


@pytest.mark.parametrize(
    "package, skipped",
    [
        ("nexmo-client", []),
        ("nexmo-client-9-1-3", WITHOUT_EPHEMERAL),
        ("nexmo-client-8-7-3", WITHOUT_EPHEMERAL),
    ],
)
def test_every_step_passes_with_nexmo_client(
    package: str, skipped: list[str], server: DevServer, node: Node
) -> None:
    assert programs.run(node, server, "nexmo_client.mjs", package).skipped == skipped


def test_every_step_passes_with_client_sdk(server: DevServer, node: Node) -> None:
    assert programs.run(node, server, "client_sdk.mjs").skipped == []
