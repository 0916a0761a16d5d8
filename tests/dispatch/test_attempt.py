"""The retry schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.dispatch.attempt import (
    JITTER,
    GiveUp,
    RetryAt,
    after_failure,
    is_success,
    retry_delay,
    tries_allowed,
)
from tertulia.dispatch.settings import DispatchSettings
from tertulia.model.instant import Instant

SETTINGS = DispatchSettings(signing_secret="s", api_key="k")
DAY = 86_400_000


@pytest.mark.parametrize("status", [200, 201, 202, 204, 205])
def test_success(status: int) -> None:
    assert is_success(status)


@pytest.mark.parametrize("status", [199, 206, 301, 302, 307, 400, 401, 404, 410, 429, 500, 503])
def test_everything_else_is_tried_again(status: int) -> None:
    assert not is_success(status)


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (7, 320), (8, 640), (9, 900), (10, 900), (10_000, 900)],
)
def test_delays_double_up_to_a_quarter_of_an_hour(tries: int, seconds: int) -> None:
    assert retry_delay(SETTINGS, tries, 0.0) == seconds * 1000


@given(st.integers(1, 200), st.floats(0, 1))
def test_jitter_only_adds_a_little(tries: int, jitter: float) -> None:
    plain = retry_delay(SETTINGS, tries, 0.0)
    assert plain <= retry_delay(SETTINGS, tries, jitter) <= plain * (1 + JITTER)


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [("hold", None), ("skip:1", 1), ("skip:12", 12), ("skip:0", None), ("skip:", None),
     ("skip:-3", None), ("skip:x", None), ("", None), ("other:3", None)],
)  # fmt: skip
def test_policies(policy: str, allowed: int | None) -> None:
    assert tries_allowed(policy) == allowed


def verdict(
    *, tries: int = 1, allowed: int | None = None, since: int = 0, now: int = 0
) -> RetryAt | GiveUp:
    return after_failure(
        SETTINGS,
        tries=tries,
        allowed=allowed,
        waiting_since=Instant(since),
        now=Instant(now),
        jitter=0.0,
    )


def test_hold_tries_until_the_window_ends() -> None:
    assert verdict(now=1_000) == RetryAt(Instant(6_000))
    assert verdict(tries=99, now=DAY - 1) == RetryAt(Instant(DAY))
    assert verdict(tries=99, now=DAY) == GiveUp()


def test_skip_gives_up_after_so_many_tries() -> None:
    assert verdict(tries=2, allowed=3) == RetryAt(Instant(10_000))
    assert verdict(tries=3, allowed=3) == GiveUp()


@given(st.integers(1, 1000), st.integers(0, 2 * DAY))
def test_a_retry_is_later_and_inside_the_window(tries: int, now: int) -> None:
    match verdict(tries=tries, now=now):
        case RetryAt(instant):
            assert now < instant <= DAY
        case GiveUp():
            assert now >= DAY


def test_the_schedule_of_a_whole_window() -> None:
    now, tries = 0, 1
    while isinstance(found := verdict(tries=tries, now=now), RetryAt):
        now, tries = found.instant, tries + 1
    assert now == DAY
    assert 100 <= tries <= 110
