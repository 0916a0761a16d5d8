"""Instants: whole milliseconds since 1970, UTC. Text only on the wire and inside event bodies."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

Instant = NewType("Instant", int)

_EPOCH = datetime.fromtimestamp(0, UTC)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s*(Z|z|[+-]\d\d:?\d\d)?)?"
)


def iso(instant: Instant) -> str:
    """`2026-05-04T09:15:22.814Z`: the one spelling that every published client parses."""
    seconds, milliseconds = divmod(instant, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Cached: formatting costs 5 µs, and under load most events share their second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_date(text: str) -> Instant | None:
    """Read a date of a query; None when it is not one.

    COMPAT: the Node SDK sends ISO 8601, the Java SDK `YYYY-MM-DD HH:MM:SS.mmm` without a zone,
    which is read as UTC (wire-api 1.4).
    """
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    day, clock, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone or 'Z'}".upper())
    except ValueError:
        return None
    return Instant((moment - _EPOCH) // timedelta(milliseconds=1))
