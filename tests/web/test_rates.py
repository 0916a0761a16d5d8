"""Token buckets: burst, steady rate, waiting time, and that applications do not meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.model.errors import TooManyRequests
from tertulia.model.ids import ApplicationId
from tertulia.web.rates import BUCKETS_MAX, Rates

ONE, TWO = ApplicationId("one"), ApplicationId("two")


def spent(rates: Rates, application_id: ApplicationId, now: float, times: int) -> int:
    """How many of `times` requests pass."""
    passed = 0
    for _ in range(times):
        try:
            rates.spend(application_id, now)
        except TooManyRequests:
            continue
        passed += 1
    return passed


def test_a_burst_then_the_rate() -> None:
    rates = Rates(10, 20)
    assert spent(rates, ONE, 5.0, 30) == 20
    assert spent(rates, ONE, 5.5, 30) == 5
    assert spent(rates, ONE, 500.0, 30) == 20


def test_it_tells_when_to_come_again() -> None:
    rates = Rates(4, 1)
    rates.spend(ONE, 0.0)
    with pytest.raises(TooManyRequests) as refusal:
        rates.spend(ONE, 0.125)
    assert refusal.value.retry_after == pytest.approx(0.125)
    rates.spend(ONE, 0.125 + refusal.value.retry_after)


def test_applications_do_not_meet() -> None:
    rates = Rates(1, 1)
    assert spent(rates, ONE, 0.0, 5) == 1
    assert spent(rates, TWO, 0.0, 5) == 1


def test_nought_is_no_limit() -> None:
    assert spent(Rates(0, 0), ONE, 0.0, 5000) == 5000


def test_a_burst_below_one_still_lets_one_in() -> None:
    assert spent(Rates(1, 0), ONE, 0.0, 2) == 1


def test_memory_is_bounded_and_forgets_the_longest_silent() -> None:
    rates = Rates(1, 2)
    rates.spend(TWO, 0.0)
    rates.spend(ONE, 0.0)
    rates.spend(TWO, 0.0)
    for number in range(BUCKETS_MAX - 1):
        rates.spend(ApplicationId(str(number)), 0.0)
    assert spent(rates, TWO, 0.0, 5) == 0
    assert spent(rates, ONE, 0.0, 5) == 2


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_no_more_than_burst_and_rate_allow(gaps: list[float]) -> None:
    rates, now, passed = Rates(3, 5), 100.0, 0
    for gap in gaps:
        now += gap
        passed += spent(rates, ONE, now, 1)
    assert passed <= 5 + 3 * (now - 100.0) + 1e-6
    assert passed >= min(len(gaps), 5)
