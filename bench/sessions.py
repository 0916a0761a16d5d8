"""Idle sessions and what each weighs, beside peers; a storm of reconnections and what it loses."""

import time
from functools import partial

import msgspec
from msgspec import Struct

from bench.live import Pace, Ready, Run, connected, most_sessions
from bench.places import Failed, Skipped, fresh
from bench.processes import memory
from bench.report import Row, failed, skipped, thousands
from bench.stages import PEERS, Opened, Opening, tertulia

IDLE = 9000
OPENINGS: dict[str, Opening] = {"tertulia": partial(tertulia, room=False), **PEERS}
SETTLE = 2.0
"""Seconds from the start, or from the last connection, to the weighing."""
STORM = 1000
"""Sessions, and cuts per second."""
STORM_RATE = 20.0
"""Messages per second meanwhile."""


class Weight(Struct, frozen=True):
    sessions: Ready
    before: int
    """Bytes, proportional set size of the process that holds the sessions."""
    after: int

    @property
    def each(self) -> float:
        """KiB of a session."""
        return (self.after - self.before) / self.sessions.ready / 1024


def measure(seconds: float) -> list[Row]:
    rows = [_idle_row(name) for name in OPENINGS]
    try:
        return [*rows, _storm_row(_storm(seconds))]
    except Skipped as reason:
        return [*rows, skipped("sessions", "storm", reason)]
    except Failed as reason:
        return [*rows, failed("sessions", "storm", reason)]


def _idle_row(name: str) -> Row:
    print(f"sessions: {name}, idle", flush=True)
    try:
        weight = _weight(OPENINGS[name])
    except Skipped as reason:
        return skipped("sessions", name, reason)
    except Failed as reason:
        return failed("sessions", name, reason)
    count = weight.sessions.ready
    opened = f"opened at {thousands(count / weight.sessions.seconds)}/s"
    ours = name == "tertulia"
    return Row(
        "sessions",
        f"{name}: {thousands(count)} idle sessions, KiB each ({opened})",
        f"{weight.each:.1f}",
        aim="≤ 6" if ours else "",
        met=weight.each <= 6 and count == IDLE if ours else None,
        details=msgspec.to_builtins(weight),
    )


def _weight(opening: Opening) -> Weight:
    count = most_sessions(IDLE)
    with fresh("sessions") as place, opening(place, count, 0) as opened:
        time.sleep(SETTLE)
        before = _pss(opened)
        with connected(opened.stage, place) as generator:
            time.sleep(SETTLE)
            return Weight(generator.ready, before, _pss(opened))


def _pss(opened: Opened) -> int:
    return memory([opened.main]).pss


def _storm(seconds: float) -> Run:
    print("sessions: tertulia, storm", flush=True)
    pace = Pace(seconds, warm_up=0, rate=STORM_RATE, cuts=STORM)
    with fresh("sessions") as place, tertulia(place, STORM, 4) as opened:
        with connected(opened.stage, place, pace) as generator:
            return generator.run()


def _storm_row(run: Run) -> Row:
    """Repeated is what was cut off before its acknowledgement had arrived, which is allowed."""
    reached = run.reconnects / run.seconds
    return Row(
        "sessions",
        f"{thousands(reached)} reconnections/s of {thousands(STORM)} sessions, {run.stored_all}"
        f" messages meanwhile: lost (repeated {run.repeated}, dropped {run.dropped})",
        f"{run.lost}, delivered in {run.p50_ms:.0f} · {run.p99_ms:.0f} ms",
        aim="0 at 1 000/s",
        met=not (run.lost or run.refused or run.unanswered) and reached >= 0.95 * STORM,
        details=msgspec.to_builtins(run),
    )
