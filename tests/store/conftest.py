import pytest

# The contracts are no test modules by name: say that their asserts are to explain themselves.
pytest.register_assert_rewrite(
    "tests.contracts.event_log",
    "tests.contracts.directory",
    "tests.contracts.media_store",
    "tests.contracts.message_records",
    "tests.contracts.carrier_ears",
)
