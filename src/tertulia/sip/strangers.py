"""How much strangers may ask: a rate for each source, and lock-outs of those that guess passwords.

What is let through here costs memory and answers; what is not is dropped without a word, so that a
scanner learns nothing and an address that was forged gets nothing.
"""

from collections import OrderedDict
from typing import NamedTuple

from tertulia.model.bucket import Bucket
from tertulia.protocols.sip.flow import Flow
from tertulia.sip.counts import Counts

SOURCES_MAX = 20_000
"""Addresses remembered, and as many flows; the longest silent is forgotten."""
RATE, BURST = 10.0, 60.0
"""Requests of a stranger's address that begin something: a second for ever, and at once."""
PROBE_RATE, PROBE_BURST = 0.5, 5.0
"""The same of OPTIONS, which scanners begin with."""
KNOWN_RATE, KNOWN_BURST = 50.0, 200.0
"""The same of a flow by which somebody has shown who it is."""
FAILURES = 5
"""Wrong passwords, after which an address is locked out."""
FIRST_SECONDS, LONGEST_SECONDS = 30.0, 3600.0
"""Of a lock-out; doubled with each."""
FORGIVEN_SECONDS = 3600.0


class _Record(NamedTuple):
    """What an address has done wrong."""

    failures: int
    at: float
    locked: int = 0
    """How often."""
    until: float = 0.0


class Strangers:
    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()
        self._known: OrderedDict[Flow, Bucket] = OrderedDict()
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def admits(self, flow: Flow, method: str, now: float) -> bool:
        """Whether a request that begins something is looked at."""
        known = self._known.get(flow)
        if known is not None:
            self._known.move_to_end(flow)
            return self._within(known, now)
        if self.is_locked(flow.peer[0], now):
            self._counts.note("locked_out")
            return False
        return self._within(self._bucket(flow.peer[0], method, now), now)

    def is_locked(self, host: str, now: float) -> bool:
        record = self._records.get(host)
        return record is not None and now < record.until

    def failed(self, host: str, now: float) -> None:
        """Somebody there has given a wrong password or a wrong name."""
        self._counts.note("authentication_failed")
        record = self._records.pop(host, None)
        if record is None or now - max(record.at, record.until) > FORGIVEN_SECONDS:
            record = _Record(0, now)
        failures, locked = record.failures + 1, record.locked
        until = record.until
        if failures >= FAILURES:
            failures, locked = 0, locked + 1
            until = now + min(FIRST_SECONDS * 2 ** min(locked - 1, 20), LONGEST_SECONDS)
            self._counts.note("lock_outs")
        self._records[host] = _Record(failures, now, locked, until)
        if len(self._records) > SOURCES_MAX:
            self._records.popitem(last=False)

    def know(self, flow: Flow, now: float) -> None:
        """Somebody has shown by that flow who it is."""
        if flow not in self._known:
            self._known[flow] = Bucket(KNOWN_RATE, KNOWN_BURST, now)
            if len(self._known) > SOURCES_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(flow)

    def knows(self, flow: Flow) -> bool:
        return flow in self._known

    def forget(self, flow: Flow) -> None:
        self._known.pop(flow, None)

    def _bucket(self, host: str, method: str, now: float) -> Bucket:
        probe = method == "OPTIONS"
        key = (host, "OPTIONS" if probe else "")
        bucket = self._buckets.get(key)
        if bucket is None:
            rate, burst = (PROBE_RATE, PROBE_BURST) if probe else (RATE, BURST)
            bucket = self._buckets[key] = Bucket(rate, burst, now)
            if len(self._buckets) > SOURCES_MAX:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket

    def _within(self, bucket: Bucket, now: float) -> bool:
        if bucket.take(now):
            self._counts.note("rate_limited")
            return False
        return True
