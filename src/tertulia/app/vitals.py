"""Whether the parts are ready, and the figures of `/metrics`."""

from collections.abc import Callable

from tertulia.app.desk import JournalDesk
from tertulia.dispatch.records import Counts
from tertulia.live.room import Live
from tertulia.model.ids import ApplicationId
from tertulia.model.instant import Instant
from tertulia.ports import Clock
from tertulia.web.server import Server

DISPATCHER_SILENCE = 5.0
"""Seconds without a sign of life after which the dispatcher counts as away."""


class Vitals:
    """The hub's view of itself and of the dispatcher."""

    def __init__(self, *, desk: JournalDesk, clock: Clock, monotonic: Callable[[], float]) -> None:
        self._desk = desk
        self._clock = clock
        self._monotonic = monotonic
        self._alive_at: float | None = None
        self.server: Server | None = None
        self.live: Live | None = None

    def dispatcher_is_alive(self) -> None:
        self._alive_at = self._monotonic()

    def unready(self) -> list[str]:
        silent = self._alive_at is None or self._monotonic() - self._alive_at > DISPATCHER_SILENCE
        return ["dispatcher"] if silent else []

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
        figures = [_figures(count, self._clock.now()) for count in await self._desk.counts()]
        for name, kind in _WEBHOOK_FIGURES.items():
            lines.append(f"# TYPE tertulia_webhook_{name} {kind}")
            lines += [
                f'tertulia_webhook_{name}{{application="{application_id}"}} {values[name]}'
                for application_id, values in figures
            ]
        return "\n".join(lines) + "\n"


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
