"""Figures of the log and of a node among others, and when that node is not ready."""

import asyncio
from collections import Counter
from pathlib import Path

from tests.contracts.builders import NOW, birth, profile
from tests.exposition import parsed, value

from tertulia.app.figures import Figure, Sample, histogram, text
from tertulia.app.log_figures import Follower, followed, written
from tertulia.app.node_vitals import NodeVitals, forwarded
from tertulia.bus.local import LocalBus
from tertulia.model.errors import Unavailable
from tertulia.model.ids import ApplicationId, Position
from tertulia.model.instant import Instant
from tertulia.ports.cluster import Alone, Node
from tertulia.store.memory import MemoryStore
from tertulia.store.sqlite import SqliteStore
from tertulia.store.tally import Histogram


class One(Alone):
    """Of two nodes."""

    name = "one"
    is_leaving = False
    own = frozenset({ApplicationId("a"), ApplicationId("b")})
    taken_over = 3
    silent_s = 0.4

    def nodes(self) -> list[Node]:
        return [Node("two", "http://127.0.0.1:2")]


def test_labels_are_escaped() -> None:
    figure = Figure("odd_share", "gauge", "Odd.", [Sample(1, {"what": 'a"b\\c\nd'})])
    assert value(parsed(text([figure])), "odd_share", what='a\\"b\\\\c\\nd') == 1


def test_a_histogram_counts_upwards() -> None:
    sizes = Histogram((1, 2, 5))
    for size in (1, 2, 2, 5, 9):
        sizes.add(size)
    found = parsed(text([histogram("sizes_events", "Sizes.", sizes)]))
    counts = [value(found, "sizes_events_bucket", le=le) for le in ("1", "2", "5", "+Inf")]
    assert counts == [1, 3, 4, 5]
    assert value(found, "sizes_events_sum") == 19


def test_the_writer_and_followers_are_measured(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await SqliteStore.open(tmp_path / "tertulia.db")
        await asyncio.gather(*(store.append(birth(profile())) for _ in range(3)))
        now = Instant(NOW + 2500)
        followers = [
            Follower("near", lambda: Position(3)),
            Follower("far", lambda: Position(1)),
            Follower("unknown", lambda: None),
        ]
        found = parsed(text([*written(store), *await followed(store, followers, now)]))
        await store.close()
        assert value(found, "writer_batch_events_sum") == 3
        assert value(found, "writer_batch_seconds_count") >= 1
        assert value(found, "writer_refused_total") == 0
        assert value(found, "log_position") == 3
        assert value(found, "follower_lag_events", follower="near") == 0
        assert value(found, "follower_lag_events", follower="far") == 2
        assert value(found, "follower_lag_seconds", follower="far") == 2.5
        assert not any("unknown" in str(labels) for _, labels in found)

    asyncio.run(scenario())


def test_a_store_that_is_down_is_told_of() -> None:
    class Down(MemoryStore):
        async def head(self) -> Position:
            raise Unavailable("down")

    async def scenario() -> None:
        found = parsed(text(await followed(Down(), [], NOW)))
        assert found == {("tertulia_store_up", frozenset()): 0}

    asyncio.run(scenario())


def test_a_node_tells_how_it_stands() -> None:
    async def scenario() -> None:
        one, bus = One(), LocalBus()
        vitals = NodeVitals(one, bus, 2.5)
        assert vitals.unready() == []
        bus.cut()
        await asyncio.sleep(0)
        ends = Counter({"answered": 7, "again": 1})
        found = parsed(text([*vitals.figures(), forwarded(ends)]))
        assert value(found, "nodes_alive") == 2
        assert value(found, "homes") == 2
        assert value(found, "homes_claimed_total") == 3
        assert value(found, "node_silent_seconds") == 0.4
        assert value(found, "bus_up") == 0
        assert value(found, "bus_gaps_total") == 1
        assert value(found, "forwarded_total", end="answered") == 7
        assert value(found, "forwarded_total", end="unknown") == 0

    asyncio.run(scenario())


def test_a_node_that_leaves_or_is_silent_is_not_ready() -> None:
    async def scenario() -> None:
        one = One()
        vitals = NodeVitals(one, LocalBus(), 2.5)
        one.silent_s = 4.0
        assert vitals.unready() == ["no sign of life for 4.0 s"]
        one.is_leaving = True
        assert vitals.unready()[0] == "this node is leaving"

    asyncio.run(scenario())
