"""Clients that join by WebRTC, one after the other, beside calls that go on."""

import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple

from bench.media.joining import Client
from bench.media.load import Stream
from bench.media.media_worker import MediaWorker
from bench.media.scenes import udp
from bench.media.voice import OPUS
from bench.places import Failed
from bench.processes import cpu_seconds

_numbers = itertools.count(1)


class Joins(NamedTuple):
    number: int
    seconds: float
    cpu: float
    """Seconds of the server."""
    late_ticks: float
    """Share of the worker's ticks meanwhile."""

    @property
    def rate(self) -> float:
        return self.number / self.seconds

    @property
    def rate_of_core(self) -> float:
        """If the server had nothing to wait for."""
        return self.number / self.cpu if self.cpu else 0.0


def joins(server: MediaWorker, number: int) -> Joins:
    """A few join before, so that everything is loaded. Raises Failed when somebody cannot."""
    warm = dict(_clients(16))
    server.join_all(list(warm.items()))
    legs = dict(_clients(number))
    before, cpu = server.late(), cpu_seconds(server.processes())
    begun = time.monotonic()
    server.join_all(list(legs.items()))
    seconds = time.monotonic() - begun
    cpu, after = cpu_seconds(server.processes()) - cpu, server.late()
    server.leave_all([*warm, *legs])
    for client in (*warm.values(), *legs.values()):
        client.stream.close()
    if before is None or after is None or after.ticks == before.ticks:
        raise Failed("the media worker does not tick")
    return Joins(number, seconds, cpu, (after.late - before.late) / (after.ticks - before.ticks))


def _clients(number: int) -> Iterator[tuple[str, Client]]:
    for _ in range(number):
        ssrc = next(_numbers)
        yield f"join-{ssrc}", Client(Stream(udp(), OPUS, ssrc))
