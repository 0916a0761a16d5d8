"""The two UDP sockets of a simulated phone, for RTP and RTCP, and the bad line behind them."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from tertulia.phones.callee import Line
from tertulia.phones.description import Agreed
from tertulia.phones.impairment import INWARD, OUTWARD, Impairment
from tertulia.protocols.rtp import PACKET_MAX, is_rtcp

TRIES = 50
"""Pairs of ports, of which one may be taken."""
AT_ONCE = 64
"""Datagrams that are read before others have their turn."""
_WAITING_MAX = 500
"""Packets that are under way on a bad line; more are lost."""

Heard = Callable[[bytes], None]


class Wire:
    """Of one call, from `open` to `close`. `rtp` and `rtcp` hear what comes."""

    def __init__(self, line: Line, host: str, rtp: Heard, rtcp: Heard) -> None:
        self._loop = asyncio.get_running_loop()
        self._rtp, self._rtcp = _pair(host)
        self.port: int = self._rtp.getsockname()[1]
        self._heard, self._heard_report = rtp, rtcp
        self._agreed: Agreed | None = None
        self._outward = self._inward = None if line.is_good else Impairment(line, OUTWARD)
        if not line.is_good:
            self._inward = Impairment(line, INWARD)
        self._waiting: set[asyncio.TimerHandle] = set()
        self._loop.add_reader(self._rtp, self._receive, self._rtp)
        self._loop.add_reader(self._rtcp, self._receive, self._rtcp)

    def agree(self, agreed: Agreed) -> None:
        self._agreed = agreed

    def send(self, packet: bytes) -> None:
        """A packet of RTP."""
        if self._agreed is not None:
            self._pass(self._outward, self._put, packet, self._agreed.address)

    def report(self, packet: bytes) -> None:
        """A packet of RTCP."""
        if self._agreed is None:
            return
        host, port = self._agreed.address
        if self._agreed.muxed:
            self._put(packet, (host, port))
        else:
            with suppress(OSError):
                self._rtcp.sendto(packet, (host, port + 1))

    def close(self) -> None:
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()
        for each in (self._rtp, self._rtcp):
            self._loop.remove_reader(each)
            each.close()

    def _receive(self, from_: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                data = from_.recv(PACKET_MAX + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # the other end has closed its port
            if from_.fileno() < 0:
                return
            if is_rtcp(data):
                self._heard_report(data)
            else:
                self._pass(self._inward, self._heard, data)
            if from_.fileno() < 0:
                return  # what came has ended the call

    def _put(self, packet: bytes, address: tuple[str, int]) -> None:
        with suppress(OSError):  # the other end is unreachable: its packets are lost
            self._rtp.sendto(packet, address)

    def _pass(
        self, impairment: Impairment | None, arrive: Callable[..., None], *what: object
    ) -> None:
        if impairment is None:
            arrive(*what)
            return
        when = impairment.arrival(self._loop.time())
        if when is None or len(self._waiting) >= _WAITING_MAX:
            return

        def come() -> None:
            self._waiting.discard(timer)
            arrive(*what)

        timer = self._loop.call_at(when, come)
        self._waiting.add(timer)


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two free ports, the first even, the second next to it (RFC 3550 11). Raises OSError."""
    for left in reversed(range(TRIES)):
        first = _bound(host, 0)
        port = first.getsockname()[1]
        try:
            second = _bound(host, port ^ 1)
        except OSError:
            first.close()
            if not left:
                raise
            continue
        return (second, first) if port % 2 else (first, second)
    raise AssertionError


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
