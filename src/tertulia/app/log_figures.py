"""Figures about the log: what its writer does, and how far behind its followers are."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tertulia.app.figures import Figure, Sample, counter, gauge, histogram
from tertulia.model.errors import Unavailable
from tertulia.model.ids import Position
from tertulia.model.instant import Instant
from tertulia.ports import EventLog
from tertulia.store.stored import Stored


class Follower(NamedTuple):
    name: str
    at: Callable[[], Position | None]
    """Up to where it has come; None when that is not known just now."""


class Lag(NamedTuple):
    follower: str
    events: int
    seconds: float


def written(store: Stored) -> Iterator[Figure]:
    yield counter(
        "log_mended_events_total", "Events of other nodes read from the store, not told of.",
        store.mended,
    )  # fmt: skip
    if (tally := store.tally) is not None:
        yield histogram("writer_batch_events", "Events in a transaction.", tally.events)
        yield histogram("writer_batch_seconds", "For a transaction.", tally.seconds)
        yield counter("writer_refused_total", "Writes that were not stored.", tally.refused)


async def followed(log: EventLog, followers: list[Follower], now: Instant) -> list[Figure]:
    """Whether the store can be read, and who lags behind its head."""
    try:
        head = await log.head()
        lags = [
            await _lag(log, each.name, min(at, head), head, now)
            for each in followers
            if (at := each.at()) is not None
        ]
    except Unavailable:
        return [gauge("store_up", "1 while the store can be read.", 0)]
    return [
        gauge("store_up", "1 while the store can be read.", 1),
        gauge("log_position", "The newest position of the log.", head),
        Figure(
            "follower_lag_events", "gauge", "Positions that a follower is behind.",
            [Sample(lag.events, {"follower": lag.follower}) for lag in lags],
        ),
        Figure(
            "follower_lag_seconds", "gauge", "Age of the oldest event that it has not seen.",
            [Sample(lag.seconds, {"follower": lag.follower}) for lag in lags],
        ),
    ]  # fmt: skip


async def _lag(log: EventLog, name: str, at: Position, head: Position, now: Instant) -> Lag:
    oldest = await log.follow(at, limit=1) if at < head else []
    # by the clock of the node that wrote it, which may be ahead of ours
    seconds = max(0, now - oldest[0].timestamp) / 1000 if oldest else 0.0
    return Lag(name, head - at, seconds)
