from collections.abc import Iterator

import pytest

# The contracts are no test modules by name: say that their asserts are to explain themselves.
pytest.register_assert_rewrite("tests.contracts")

from tests.postgres import PostgresServer, running  # noqa: E402


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests of a session; each takes a database of its own."""
    with running() as server:
        yield server
