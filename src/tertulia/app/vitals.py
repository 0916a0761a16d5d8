"""Whether the parts are ready, and the figures of `/metrics`."""

from collections.abc import Callable, Iterator
from itertools import chain

from msgspec import Struct

from tertulia.app.compose import Hub
from tertulia.app.desk import JournalDesk
from tertulia.app.figures import Figure, Kind, Sample, counter, gauge, text
from tertulia.app.log_figures import Follower, followed, written
from tertulia.app.node_vitals import NodeVitals, forwarded
from tertulia.app.workers import MediaWorkers
from tertulia.dispatch.records import Counts
from tertulia.model.commands import Load
from tertulia.model.errors import Unavailable
from tertulia.model.instant import Instant
from tertulia.ports import Clock
from tertulia.ports.cluster import Homes
from tertulia.sip.carrier import SipCarrier
from tertulia.store.stored import Stored
from tertulia.web.server import Server

DISPATCHER_SILENCE = 5.0
"""Seconds without a sign of life after which the dispatcher counts as away."""


class Organs(Struct, frozen=True, kw_only=True):
    """What vitals are of."""

    desk: JournalDesk
    workers: MediaWorkers
    carrier: SipCarrier
    store: Stored
    homes: Homes
    node: NodeVitals | None
    """Among other nodes."""
    clock: Clock
    monotonic: Callable[[], float]


class Vitals:
    """The hub's view of itself, of the dispatcher, of the media workers and of other nodes."""

    def __init__(self, organs: Organs) -> None:
        self._organs = organs
        self._alive_at: float | None = None
        self.server: Server | None = None
        self.hub: Hub | None = None

    def dispatcher_is_alive(self) -> None:
        self._alive_at = self._organs.monotonic()

    def unready(self) -> list[str]:
        now, node = self._organs.monotonic(), self._organs.node
        silent = self._alive_at is None or now - self._alive_at > DISPATCHER_SILENCE
        return [
            *(["dispatcher"] if silent else []),
            *([] if self._organs.workers.up else ["media"]),
            *(node.unready() if node is not None else []),
        ]

    async def metrics(self) -> str:
        organs, hub = self._organs, self.hub
        parts = [_http(self.server), self._media(), self._sip(), written(organs.store)]
        if hub is not None:
            parts.append(_sessions(hub))
            followers = [
                Follower("delivery", lambda: hub.live.delivery.cursor),
                Follower("conductor", lambda: hub.services.conductor.cursor),
                Follower("search", lambda: hub.services.indexer.reached),
            ]
            parts.append(iter(await followed(organs.store, followers, organs.clock.now())))
        if organs.node is not None:
            parts.append(organs.node.figures())
            if hub is not None:
                parts.append(iter([forwarded(hub.forwarding.ends)]))
        return text(chain(*parts, await self._webhooks()))

    def _media(self) -> Iterator[Figure]:
        up = self._organs.workers.up
        yield gauge("media_workers", "Media workers that are up.", len(up))
        for name, (is_counter, about, figure) in _MEDIA_FIGURES.items():
            samples = [
                Sample(figure(worker.load), {"worker": worker.name})
                for worker in up
                if worker.load is not None
            ]
            kind: Kind = "counter" if is_counter else "gauge"
            yield Figure(f"media_{name}", kind, about, samples)

    def _sip(self) -> Iterator[Figure]:
        for name, (kind, value) in self._organs.carrier.figures().items():
            make = counter if kind == "counter" else gauge
            yield make(f"sip_{name}", name.removesuffix("_total").replace("_", " "), value)

    async def _webhooks(self) -> list[Figure]:
        """Of applications that are at home here: others are shown by their own node."""
        organs = self._organs
        try:
            counts = await organs.desk.counts()
            leases = await organs.desk.leases(organs.node.name) if organs.node else None
        except Unavailable:  # store_up says so
            return []
        own = [count for count in counts if organs.homes.has(count.application_id)]
        figures = [] if leases is None else [gauge("webhook_leases", _LEASES, leases)]
        return [*figures, *_dispatched(own, organs.clock.now())]


_LEASES = "Applications whose webhooks this node's dispatcher sends."
_MEDIA_FIGURES: dict[str, tuple[bool, str, Callable[[Load], float]]] = {
    "legs": (False, "Legs with audio.", lambda load: load.legs),
    "rooms": (False, "Rooms in which legs hear each other.", lambda load: load.rooms),
    "ticks_total": (True, "Ticks of 20 ms.", lambda load: load.ticks),
    "late_ticks_total": (True, "Ticks that came too late.", lambda load: load.late),
    "dropped_frames_total": (True, "Frames that were dropped.", lambda load: load.dropped),
    "busy_share": (False, "Share of the time that it works.", lambda load: load.busy),
}


def _http(server: Server | None) -> Iterator[Figure]:
    if server is None:
        return
    yield gauge("http_connections", "Connections that are open.", server.connections)
    samples = [
        Sample(count, {"status": f"{kind}xx"}) for kind, count in enumerate(server.responses)
    ]
    yield Figure("http_requests_total", "counter", "Requests that were answered.", samples)


def _sessions(hub: Hub) -> Iterator[Figure]:
    live = hub.live
    yield gauge("sessions", "Live sessions.", live.sessions.count)
    yield gauge("sessions_away", "Those without a connection now.", live.sessions.away)
    yield counter("sessions_taken_over_total", "Resumed from other nodes.", live.taken_over)
    yield counter("session_deliveries_total", "Writes to sessions.", live.delivery.delivered)


def _dispatched(counts: list[Counts], now: Instant) -> Iterator[Figure]:
    for name, (is_counter, about, figure) in _WEBHOOK_FIGURES.items():
        samples = [
            Sample(figure(count, now), {"application": count.application_id}) for count in counts
        ]
        yield Figure(f"webhook_{name}", "counter" if is_counter else "gauge", about, samples)


_WEBHOOK_FIGURES: dict[str, tuple[bool, str, Callable[[Counts, Instant], float]]] = {
    "delivered_total": (True, "Events delivered.", lambda count, _: count.delivered),
    "failed_attempts_total": (True, "Attempts that failed.", lambda count, _: count.failed),
    "held_lanes": (False, "Lanes that wait for their failing event.", lambda count, _: count.held),
    "dead_letters": (False, "Events that were given up.", lambda count, _: count.dead),
    "lag_seconds": (
        False, "Age of the oldest event that is not delivered.",
        lambda count, now: (now - count.waiting_since) / 1000 if count.waiting_since else 0.0,
    ),
}  # fmt: skip
