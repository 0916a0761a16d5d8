"""Calls that a program asks for by REST: a trunk makes each, and its script ends it."""

import time
from pathlib import Path

from bench.load import Shape, Target, drive
from bench.sip.server import Application, Served
from bench.sip.sipp import Outcome, Wave

CALLEE = "4%02d{n}"
"""A number of its own for each of each wave, as a body that comes again is the same request; load.c
puts twelve digits for {n}."""
CONNECTIONS = 32


def configure(place: Path, port: int) -> Path:
    """A configuration with a trunk on that port."""
    plan, config = place / "plan.toml", place / "config.toml"
    plan.write_text(
        f'[[trunk]]\nname = "network"\nhost = "127.0.0.1"\nport = {port}\ntransport = "udp"\n'
        'prefixes = ["4"]\n'
    )
    config.write_text(f'[sip]\nplan = "{plan}"\n')
    return config


def call(served: Served, application: Application, wave: Wave, place: Path) -> Outcome:
    """`done` are those of which the application hears that they are over as they should."""
    assert served.product is not None
    application.forget()
    number = len(list(place.iterdir()))
    folder = place / f"wave-{number}"
    folder.mkdir()
    begun = time.monotonic()
    load = drive(
        served.product.port, [Target("/v1/calls")],
        Shape(CONNECTIONS, seconds=600, rate=wave.rate, most=wave.calls),
        place=folder, token=served.product.token, body=_body(application, wave, number),
    )  # fmt: skip
    tally = application.told(lambda tally: tally.completed + tally.failed, load.accepted)
    return Outcome(
        wave,
        done=tally.completed,
        failed=wave.calls - tally.completed,
        repeats=0,
        seconds=max(time.monotonic() - begun - wave.hold, 0.001),
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        complaint=""
        if load.accepted == wave.calls
        else f"{load.refused} refused, {load.failed} failed",
    )


def _body(application: Application, wave: Wave, number: int) -> str:
    return (
        f'{{"to":[{{"type":"phone","number":"{CALLEE % number}"}}],'
        '"from":{"type":"phone","number":"15550199"},'
        f'"event_url":["{application.event_url}"],'
        f'"ncco":[{{"action":"wait","timeout":{wave.hold:.1f}}}]}}'
    )
