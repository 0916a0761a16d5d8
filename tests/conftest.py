from collections.abc import Iterator

import pytest
from tests.postgres import PostgresServer, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a session; each takes a database of its own."""
    with running() as server:
        yield server
