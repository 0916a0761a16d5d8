"""Log lines as JSON and as text."""

import logging
import sys
from typing import Any

import msgspec

from tertulia.app.logs import JsonLines, TextLines


def line(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(JsonLines().format(record))
    return found


def test_a_line_has_what_extra_names() -> None:
    record = logging.makeLogRecord({
        "name": "tertulia.app.hub", "levelname": "INFO", "levelno": 20, "msg": "serving on %d",
        "args": (8080,), "created": 1_777_885_200.5, "action": "hub_started", "port": 8080,
    })  # fmt: skip
    assert line(record) == {
        "time": "2026-05-04T09:00:00.500+00:00", "level": "info", "logger": "tertulia.app.hub",
        "message": "serving on 8080", "action": "hub_started", "port": 8080,
    }  # fmt: skip


def test_a_failure_is_one_line_with_its_traceback() -> None:
    try:
        raise ValueError("oops")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    formatted = JsonLines().format(record)
    assert "\n" not in formatted
    assert "ValueError: oops" in line(record)["traceback"]


def test_text_tells_the_same() -> None:
    record = logging.makeLogRecord({
        "name": "tertulia.store", "levelname": "ERROR", "msg": "it failed", "action": "put_off",
        "writes": 2, "error": "disk\nfull",
    })  # fmt: skip
    told = TextLines().format(record)
    assert told.endswith(
        'ERROR tertulia.store it failed action=put_off writes=2 error="disk\\nfull"'
    )
