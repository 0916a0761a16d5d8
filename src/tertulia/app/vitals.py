"""Whether the parts are ready, and the figures of `/metrics`."""

from collections.abc import Callable

from tertulia.app.desk import JournalDesk
from tertulia.app.workers import MediaWorkers
from tertulia.dispatch.records import Counts
from tertulia.live.room import Live
from tertulia.model.commands import Load
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.ports import Clock
from tertulia.sip.carrier import SipCarrier
from tertulia.web.server import Server

DISPATCHER_SILENCE = 5.0
"""Seconds without a sign of life after which the dispatcher counts as away."""


class Vitals:
    """The hub's view of itself, of the dispatcher and of the media workers."""

    def __init__(
        self, *, desk: JournalDesk, workers: MediaWorkers, carrier: SipCarrier, clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self._desk = desk
        self._workers = workers
        self._carrier = carrier
        self._clock = clock
        self._monotonic = monotonic
        self._alive_at: float | None = None
        self.server: Server | None = None
        self.live: Live | None = None

    def dispatcher_is_alive(self) -> None:
        self._alive_at = self._monotonic()

    def unready(self) -> list[str]:
        silent = self._alive_at is None or self._monotonic() - self._alive_at > DISPATCHER_SILENCE
        return [*(["dispatcher"] if silent else []), *([] if self._workers.up else ["media"])]

    async def metrics(self) -> str:
        lines = ["# TYPE tertulia_http_connections gauge"]
        server = self.server
        if server is not None:
            lines.append(f"tertulia_http_connections {server.connections}")
            lines.append("# TYPE tertulia_http_requests_total counter")
            lines += [
                f'tertulia_http_requests_total{{status="{kind}xx"}} {count}'
                for kind, count in enumerate(server.responses)
            ]
        if self.live is not None:
            lines += [
                "# TYPE tertulia_sessions gauge",
                f"tertulia_sessions {self.live.sessions.count}",
                "# TYPE tertulia_sessions_away gauge",
                f"tertulia_sessions_away {self.live.sessions.away}",
                "# TYPE tertulia_session_deliveries_total counter",
                f"tertulia_session_deliveries_total {self.live.delivery.delivered}",
            ]
        lines += self._media_lines()
        for name, (kind, value) in self._carrier.figures().items():
            lines += [f"# TYPE tertulia_sip_{name} {kind}", f"tertulia_sip_{name} {value}"]
        figures = [_figures(count, self._clock.now()) for count in await self._desk.counts()]
        for name, kind in _WEBHOOK_FIGURES.items():
            lines.append(f"# TYPE tertulia_webhook_{name} {kind}")
            lines += [
                f'tertulia_webhook_{name}{{application="{application_id}"}} {values[name]}'
                for application_id, values in figures
            ]
        return "\n".join(lines) + "\n"

    def _media_lines(self) -> list[str]:
        up = self._workers.up
        lines = ["# TYPE tertulia_media_workers gauge", f"tertulia_media_workers {len(up)}"]
        for name, (kind, figure) in _MEDIA_FIGURES.items():
            lines.append(f"# TYPE tertulia_media_{name} {kind}")
            lines += [
                f'tertulia_media_{name}{{worker="{worker.name}"}} {figure(worker.load)}'
                for worker in up
                if worker.load is not None
            ]
        return lines


_MEDIA_FIGURES: dict[str, tuple[str, Callable[[Load], float]]] = {
    "legs": ("gauge", lambda load: load.legs),
    "rooms": ("gauge", lambda load: load.rooms),
    "ticks_total": ("counter", lambda load: load.ticks),
    "late_ticks_total": ("counter", lambda load: load.late),
    "dropped_frames_total": ("counter", lambda load: load.dropped),
    "busy_share": ("gauge", lambda load: load.busy),
}
_WEBHOOK_FIGURES = {
    "delivered_total": "counter", "failed_attempts_total": "counter", "held_lanes": "gauge",
    "dead_letters": "gauge", "lag_seconds": "gauge",
}  # fmt: skip


def _figures(count: Counts, now: Instant) -> tuple[ApplicationId, dict[str, float]]:
    waiting = (now - count.waiting_since) / 1000 if count.waiting_since else 0.0
    return count.application_id, {
        "delivered_total": count.delivered, "failed_attempts_total": count.failed,
        "held_lanes": count.held, "dead_letters": count.dead, "lag_seconds": waiting,
    }  # fmt: skip
