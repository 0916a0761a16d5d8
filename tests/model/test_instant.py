"""Instants in text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.instant import Instant, iso, parse_date

NINE = 1_777_885_200_000
"""2026-05-04T09:00:00.000Z"""


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (NINE, "2026-05-04T09:00:00.000Z"),
        (NINE + 122_814, "2026-05-04T09:02:02.814Z"),
    ],
)
def test_spelling(instant: int, text: str) -> None:
    assert iso(Instant(instant)) == text


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-04T09:00:00.000Z", NINE),
        ("2026-05-04T09:00:00Z", NINE),
        ("2026-05-04T09:00:00z", NINE),
        ("2026-05-04T09:00Z", NINE),
        ("2026-05-04T11:00:00+02:00", NINE),
        ("2026-05-04T11:00:00+0200", NINE),
        ("2026-05-04 09:00:00.250", NINE + 250),
        ("2026-05-04 09:00:00", NINE),
        ("2026-05-04T09:00:00.123456789Z", NINE + 123),
        ("  2026-05-04T09:00:00Z ", NINE),
        ("2026-05-04", NINE - 9 * 3_600_000),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
    ],
)
def test_reading(text: str, instant: int) -> None:
    assert parse_date(text) == instant


@pytest.mark.parametrize(
    "text",
    ["", "now", "1777885200000", "2026-13-04", "2026-02-30", "2026-05-04T25:00:00Z", "04.05.2026",
     "2026-05-04T09", "2026-05-04T09:00:00.Z", "2026-05-04T09:00:00 Z X"],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@given(st.integers(min_value=0, max_value=253_402_300_799_999))
def test_round_trip(instant: int) -> None:
    assert parse_date(iso(Instant(instant))) == instant
