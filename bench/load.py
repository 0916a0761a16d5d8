"""The load generator: compiles load.c and runs it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from bench.build import compiled
from bench.places import Failed


class Load(Struct, frozen=True):
    """What load.c counted. Latencies and rate leave the warm-up out; the other counts do not."""

    requests: int
    seconds: float
    rate: float
    """Answers per second."""
    p50_ms: float
    p99_ms: float
    max_ms: float
    accepted: int
    refused: int
    """Answers that are not 2xx."""
    failed: int
    """Requests without an answer."""
    reconnects: int
    bytes: int
    cpu_seconds: float
    """Of the generator."""


class Target(NamedTuple):
    path: str
    word: str = ""
    """Stands for {w} in the body template."""


class Shape(NamedTuple):
    """How hard to drive. `rate` in requests per second; 0 is as fast as the answers come."""

    connections: int
    seconds: float
    warm_up: float = 0.0
    rate: float = 0.0
    most: int = 0
    """Requests after which to stop; 0 is unlimited."""


def drive(
    port: int,
    targets: Sequence[Target],
    shape: Shape,
    *,
    place: Path,
    token: str | None = None,
    body: str | None = None,
) -> Load:
    """Send requests to 127.0.0.1, going round the targets; GET when there is no body template.

    Raises:
        Skipped: there is no C compiler.
        Failed: the server is gone, or does not speak HTTP as it should.
    """
    command = [str(compiled("load")), "-p", str(port), "-c", str(shape.connections)]
    command += ["-d", str(shape.seconds), "-u", str(shape.warm_up), "-r", str(shape.rate)]
    command += ["-n", str(shape.most)] if shape.most else []
    (place / "targets").write_text("".join(f"{path}\t{word}\n" for path, word in targets))
    command += ["-t", str(place / "targets")]
    if token is not None:
        (place / "headers").write_bytes(f"Authorization: Bearer {token}\r\n".encode())
        command += ["-H", str(place / "headers")]
    if body is not None:
        (place / "body").write_text(body)
        command += ["-b", str(place / "body")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"load generator: {done.stderr[-1500:]}")
    load = msgspec.json.decode(done.stdout, type=Load)
    if load.refused or load.failed:
        print(f"  {load.refused} refused, {load.failed} failed. {done.stderr[-800:]}", flush=True)
    return load
