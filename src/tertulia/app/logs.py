"""Logs to standard error: text for people, or one JSON object a line.

A line is a sentence, and `extra`: `action`, which names it for good, and the ids that it is about.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from tertulia.settings import Settings

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class TextLines(logging.Formatter):
    """Time, level, logger, message, then `name=value` for whatever `extra` names."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        told = (f"{name}={_shown(value)}" for name, value in _extra(record).items())
        return " ".join((super().formatMessage(record), *told))


class JsonLines(logging.Formatter):
    """Time, level, logger, message and whatever `extra` names."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= _extra(record)
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told, enc_hook=str).decode()


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _shown(value: object) -> str:
    """As it is when it is one word, else quoted, so that a line stays one line."""
    text = str(value)
    is_word = text.isprintable() and not set(text) & set(' "=')
    return text if is_word else msgspec.json.encode(text).decode()


def log_to_stderr(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log.json else TextLines())
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler])
