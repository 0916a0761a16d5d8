"""Rate limits: a token bucket for each application, and one for the account's own requests."""

from collections import OrderedDict

from tertulia.model.bucket import Bucket
from tertulia.model.errors import TooManyRequests

BUCKETS_MAX = 10_000
"""Of them remembered; the one that was longest silent is forgotten, so its bucket is full."""


class Rates:
    """`rate` is requests a second of one of them; 0 sets no limit. Below 1, `burst` is 1."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def spend(self, who: str, now: float) -> None:
        """Count a request. `who`: an application's id, or the account's key; `now` is monotonic
        seconds.

        Raises:
            TooManyRequests: with the seconds after which to try again.
        """
        if not self._rate:
            return
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > BUCKETS_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(who)
        if wait := bucket.take(now):
            raise TooManyRequests(retry_after=wait)
