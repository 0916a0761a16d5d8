"""What is measured of calls, as rows of the table."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bench.places import Failed, fresh
from bench.report import Row, thousands
from bench.sip import outbound, server, sipp
from bench.sip.search import WARM_UP, Effort, Found, measured, search
from bench.sip.server import NUMBER, Application, Served, together

AIM = 200.0
"""Calls a second on one core, none of them failed."""
LINGERS = 34.0
"""Seconds for which SIP remembers what is over (RFC 3261: 64 × T1)."""
STATUSES = ("started", "ringing", "answered", "completed")


def of_calls(effort: Effort, *, told: bool) -> list[Row]:
    """Calls to an application whose server is asked about each, and `told` of each as well."""
    title = "script and webhooks" if told else "script alone"
    part = "webhooks" if told else "calls"
    print(f"sip: {title}", flush=True)
    with fresh("sip") as place, server.application(place) as application:
        options = ["--answer-url", application.answer_url]
        options += ["--event-url", application.event_url] if told else []
        with server.tertulia(place, *options) as served:
            run = partial(sipp.call, served.port, NUMBER, place=_waves(place))
            run(WARM_UP)
            application.forget()
            before = served.pss("hub")
            found = search(served, run, AIM, effort)
            calls = sum(each.outcome.done for each in (found.main, *found.tried))
            missing = _missing(application, calls) if told else ""
            rows = [_main(part, title, found, missing), _most(part, title, found)]
            return [*rows, _memory(part, served, before, calls, effort)]


def of_peer(
    part: str, title: str, serve: Callable[[Path], AbstractContextManager[Served]], effort: Effort
) -> list[Row]:
    """The same calls to a program that only answers them."""
    print(f"sip: {title}", flush=True)
    with fresh("sip") as place, serve(place) as served:
        run = partial(sipp.call, served.port, NUMBER, place=_waves(place))
        run(WARM_UP)
        wave = sipp.Wave(AIM, round(AIM * effort.seconds))
        figure = measured(served, run, wave)
    outcome = figure.outcome
    value = (
        f"{outcome.failed} failed; CPU a call, ms: {together(figure.cost)}, "
        f"so {figure.of_core:.0f}/s on a core"
    )
    return [Row(part, f"{title}, at {AIM:.0f}/s", value, details={"figure": figure})]


def of_outbound(effort: Effort) -> list[Row]:
    """Calls that are asked for by REST, to a trunk that answers at once."""
    print("sip: outbound", flush=True)
    with fresh("sip") as place, server.application(place) as application, _trunk(place) as config:
        with server.tertulia(place, "--config", str(config)) as served:
            run = partial(outbound.call, served, application, place=_waves(place))
            run(WARM_UP)
            found = search(served, run, AIM / 2, effort)
    title = "POST /v1/calls, answered, ended by the script"
    return [_main("outbound", title, found, "", aimed=False), _most("outbound", title, found)]


@contextmanager
def _trunk(place: Path) -> Iterator[Path]:
    with sipp.answering(place / "trunk") as (port, _):
        yield outbound.configure(place, port)


def _waves(place: Path) -> Path:
    path = place / "waves"
    path.mkdir()
    return path


def _missing(application: Application, calls: int) -> str:
    """All that it has to hear of each call; what did not come."""
    tally = application.told(lambda tally: tally.completed, calls)
    if tally.asked < calls:
        raise Failed(f"of {calls} calls the application was asked about {tally.asked}")
    lost = calls - tally.completed
    return (
        f", {lost} MISSED webhooks"
        if lost > 0
        else f"; {tally.told / tally.asked:.0f} webhooks each"
    )


def _main(part: str, title: str, found: Found, more: str, *, aimed: bool = True) -> Row:
    figure = found.main
    outcome, wave = figure.outcome, figure.outcome.wave
    value = (
        f"{outcome.failed} failed, {outcome.repeats} repeats{more}; answered after "
        f"{outcome.p50_ms:.0f} · {outcome.p99_ms:.0f} ms; CPU a call, ms: {together(figure.cost)}"
    )
    met = outcome.is_carried and "MISSED" not in more
    return Row(
        part,
        f"{title}: {thousands(wave.calls)} calls at {wave.rate:.0f}/s",
        value,
        aim=f"0 failed at ≥ {AIM:.0f}/s" if aimed else "",
        met=met if aimed else None,
        failed=not outcome.done,
        details={"figure": figure},
    )


def _most(part: str, title: str, found: Found) -> Row:
    most = found.most
    value = "none of those tried" if most is None else _carried(most.outcome.rate, most.of_core)
    return Row(part, f"{title}: most that are carried", value, details={"tried": found.tried})


def _carried(rate: float, of_core: float) -> str:
    return f"{rate:.0f}/s; by the hub's CPU {of_core:.0f}/s on its core"


def _memory(part: str, served: Served, before: int, calls: int, effort: Effort) -> Row:
    """When all calls are over, and SIP has forgotten them."""
    if effort.calls >= 10_000:
        time.sleep(LINGERS)
    after = served.pss("hub")
    value = (
        f"{before / 1e6:.0f} → {after / 1e6:.0f} MB; {(after - before) / calls / 1000:.1f} kB each"
    )
    return Row(part, f"memory of the hub, before and after {thousands(calls)} calls", value)
