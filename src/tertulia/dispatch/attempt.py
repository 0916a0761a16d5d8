"""When to try again, and when to give up: the retry schedule as arithmetic.

Anything but 200..205 is a failure and is retried: 3xx (redirects are not followed), every 4xx, also
410 (a receiver is redeployed and comes back; who wants no webhooks removes the address), and 5xx.
"""

from msgspec import Struct

from tertulia.dispatch.settings import DispatchSettings
from tertulia.model.instant import Instant

JITTER = 0.1
"""Largest part of a delay that is added, so that what failed together does not return together."""


class RetryAt(Struct, frozen=True):
    """Try again at this instant."""

    instant: Instant


class GiveUp(Struct, frozen=True):
    """The event becomes a dead letter."""


def is_success(status: int) -> bool:
    return 200 <= status <= 205


def tries_allowed(policy: str) -> int | None:
    """N for `skip:N`; None for `hold`, and for anything unreadable."""
    name, _, count = policy.partition(":")
    if name.strip() == "skip" and count.strip().isdecimal() and int(count) > 0:
        return int(count)
    return None


def retry_delay(settings: DispatchSettings, tries: int, jitter: float) -> int:
    """Milliseconds to wait after the `tries`-th failure in a row. `jitter` is from 0 to 1."""
    doublings = min(tries - 1, 40)
    delay = min(settings.first_retry_ms << doublings, settings.longest_retry_ms)
    return delay + int(delay * JITTER * jitter)


def longest_delay(settings: DispatchSettings, tries: int) -> int:
    """Milliseconds that may pass between the `tries`-th failure in a row and the next try."""
    return retry_delay(settings, tries, 1.0) if tries else 0


def after_failure(
    settings: DispatchSettings,
    *,
    tries: int,
    allowed: int | None,
    waiting_since: Instant,
    now: Instant,
    jitter: float,
) -> RetryAt | GiveUp:
    """What follows the `tries`-th failure of an event that could have been sent since then.

    The last try comes no later than the end of the window.
    """
    end = waiting_since + settings.window_ms
    if now >= end or (allowed is not None and tries >= allowed):
        return GiveUp()
    return RetryAt(Instant(min(now + retry_delay(settings, tries, jitter), end)))
