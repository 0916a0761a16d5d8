"""The E-model: figures of the standard, and that more of anything bad is never better."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.quality import (
    CODECS,
    UNIMPAIRED,
    burst_ratio,
    opinion,
    percentage,
    rating,
)

PERCENT = st.floats(0, 100)


@pytest.mark.parametrize(
    ("rated", "score"),
    [(93.2, 4.41), (90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0),
     (-20, 1.0), (100, 4.5), (120, 4.5)],
)  # fmt: skip
def test_opinions_of_the_standard(rated: float, score: float) -> None:
    """G.107 annex B, and its table of user satisfaction."""
    assert opinion(rated) == pytest.approx(score, abs=0.005)


@pytest.mark.parametrize(
    ("codec", "loss", "burst", "delay", "rated"),
    [
        ("PCMU", 0, 1, 0, 93.2),
        ("PCMA", 1, 1, 0, 89.6),
        ("opus", 5, 1, 0, 77.4),
        ("unknown", 20, 1, 0, 51.1),
        ("PCMU", 5, 2, 0, 76.0),
        ("PCMU", 0, 1, 150, 89.6),
        ("PCMU", 0, 1, 400, 59.1),
        ("PCMU", 100, 1, 1000, 0.0),
    ],
)
def test_ratings(codec: str, loss: float, burst: float, delay: float, rated: float) -> None:
    found = rating(codec, loss, burst_ratio=burst, delay_ms=delay)
    assert found == pytest.approx(rated, abs=0.05)


@given(PERCENT, PERCENT, st.floats(1, 20), st.floats(1, 20), st.floats(0, 2000))
def test_more_of_it_is_never_better(
    loss: float, other: float, burst: float, more: float, delay: float
) -> None:
    codec = next(iter(CODECS))
    less, most = sorted((loss, other))
    best = rating(codec, less, burst_ratio=min(burst, more), delay_ms=delay)
    worst = rating(codec, most, burst_ratio=max(burst, more), delay_ms=delay * 2)
    assert 0 <= worst <= best <= UNIMPAIRED
    assert 1 <= opinion(worst) <= opinion(best) <= 4.5 or best < 10
    assert 0 <= percentage(opinion(worst)) <= 100


@pytest.mark.parametrize(
    ("lost", "bursts", "received", "ratio"),
    [(0, 0, 100, 1), (10, 10, 90, 1), (10, 2, 90, 4.5), (10, 5, 90, 1.8), (5, 1, 0, 1)],
)
def test_bursts(lost: int, bursts: int, received: int, ratio: float) -> None:
    assert burst_ratio(lost, bursts, received) == pytest.approx(ratio)


def test_percentages() -> None:
    assert percentage(opinion(UNIMPAIRED)) == 100
    assert (percentage(1.0), percentage(4.5), percentage(0.0)) == (0, 100, 0)
