"""A websocket leg: a connection that is made again when it is lost, what waits to be heard of it,
and the texts that it gets and sends."""

from collections.abc import Callable

from tertulia.media import socket_texts
from tertulia.media.bank import Bank
from tertulia.media.leg import Leg
from tertulia.media.outside import Outside
from tertulia.media.socket_queue import SocketQueue
from tertulia.media.socket_texts import CLEARED, Mark
from tertulia.media.sockets import CLOSED, FAILED, Connection
from tertulia.model.commands import Down, Said, Socket, Up
from tertulia.protocols.websocket import BINARY, PING

PING_SECONDS = 10.0
SILENT_SECONDS = 30.0
"""Without an octet, after which a connection is lost."""
TRIES = 3
WITHIN_SECONDS = 5.0
"""To be connected again; and for a connection to last, to be given as many tries anew."""
PAUSE_SECONDS = 1.0
"""Longer each time; the first try comes at once."""
UNREAD_SECONDS = 1.0
"""Of audio that may wait for a server that does not read."""
SAID_MAX = 128 * 1024
SAID_SHARE = 2 * 1024
"""Octets of texts that are handed on: so many at once, and so many more a tick."""
_SAID_COST = 256

Refuse = Callable[["SocketLeg", str], None]


class SocketLeg:
    def __init__(
        self, leg: Leg, command: Socket, bank: Bank, outside: Outside, refuse: Refuse
    ) -> None:
        self.leg, self.rate = leg, command.rate
        self.queue = SocketQueue(command.rate)
        self.is_open = False
        self.has_joined = False
        """What it says waits until somebody can hear it."""
        self.sounds = False
        """It did in the tick before."""
        self.dropped = 0
        """Frames that the server did not read in time, and texts that came too fast."""
        self._command, self._outside, self._refuse = command, outside, refuse
        self._traffic = bank.traffic
        self._hears = True
        self._was_open = False
        self._connection: Connection | None = None
        self._opened_at = self._heard_at = self._ping_at = 0.0
        self._received = 0
        self._lost_at: float | None = None
        self._retry_at = 0.0
        self._tries = 0
        self._silent = False
        """It was lost since nothing came."""
        self._may_say = SAID_MAX

    # ── orders ──

    def dial(self) -> None:
        self._connection = self._outside.dial(self._command, self)

    def tell(self, text: bytes) -> None:
        if self.is_open and self._connection is not None:
            self._connection.send(text)

    def let_hear(self, hears: bool) -> None:
        if hears != self._hears:
            self._hears = hears
            self.tell(socket_texts.update(self.rate, active=hears))

    def hang_up(self) -> None:
        self.is_open = False
        if self._connection is not None:
            self._connection.hang_up()
            self._connection = None

    # ── the tick ──

    def send(self, frame: bytes) -> bool:
        """20 ms of what it hears. False when the server does not read them, or is not there."""
        if not self.is_open or self._connection is None:
            return False
        if self._connection.backlog > UNREAD_SECONDS * self.rate * 2:
            self.dropped += 1
            return False
        self._connection.send(frame, BINARY)
        return True

    def tick(self, now: float) -> None:
        self._may_say = min(self._may_say + SAID_SHARE, SAID_MAX)
        for reply in self.queue.reached():
            self.tell(reply)
        if self.is_open:
            self._keep_alive(now)
        elif self._lost_at is not None:
            self._try_again(self._lost_at, now)

    def _keep_alive(self, now: float) -> None:
        assert self._connection is not None
        self._connection.renew()
        if self._connection is None:
            return  # what was read has ended it
        if self._connection.received != self._received:
            self._received, self._heard_at = self._connection.received, now
        if now - self._heard_at >= SILENT_SECONDS:
            self._connection.hang_up()
            self._lose(now, silent=True)
        elif now >= self._ping_at:
            self._ping_at = now + PING_SECONDS
            self._connection.send(b"", PING)

    def _try_again(self, lost_at: float, now: float) -> None:
        is_idle = self._connection is None
        if now - lost_at >= WITHIN_SECONDS or (is_idle and self._tries == TRIES):
            self._end("timeout" if self._silent else "closed")
        elif is_idle and now >= self._retry_at:
            self._tries += 1
            self.dial()

    # ── what comes of its connection ──

    def on_open(self, remote: str) -> None:
        now = self._outside.clock()
        self.is_open = self._was_open = True
        self._opened_at = self._heard_at = now
        self._ping_at, self._received = now + PING_SECONDS, 0
        self.leg.resume(now)
        self._outside.report(Up(self.leg.name, self.leg.codec, remote))
        self.tell(self._command.greeting.encode())
        if not self._hears:
            self.tell(socket_texts.update(self.rate, active=False))

    def on_audio(self, data: bytes) -> None:
        self._count(len(data))
        self.queue.put(data)

    def on_text(self, data: bytes) -> None:
        self._count(len(data))
        order = socket_texts.read(data)
        if order is None:
            self._say(data)
        elif isinstance(order, Mark):
            self.dropped += not self.queue.mark(order.reply)
        else:
            self.queue.clear()
            self.tell(CLEARED)

    def on_lost(self, cause: str, reason: str) -> None:
        if not self._was_open:
            self._connection = None
            self._refuse(self, reason)
        elif cause in (CLOSED, FAILED):
            self._end(cause)
        else:
            self._lose(self._outside.clock(), silent=False)

    def _count(self, size: int) -> None:
        self._traffic.packets_in[self.leg.slot] += 1
        self._traffic.octets_in[self.leg.slot] += size

    def _say(self, data: bytes) -> None:
        cost = len(data) + _SAID_COST
        if cost > self._may_say:
            self.dropped += 1
            return
        self._may_say -= cost
        self._outside.report(Said(self.leg.name, data.decode()))

    def _lose(self, now: float, *, silent: bool) -> None:
        """It is tried again, unless it has been lost too often."""
        was_open, self._connection = self.is_open, None
        if was_open:
            self.is_open = False
            self._silent = silent
            self.leg.pause(now)
        lasted = was_open and now - self._opened_at >= WITHIN_SECONDS
        if self._lost_at is None or lasted:
            self._lost_at, self._tries = now, 0
        self._retry_at = now + self._tries * PAUSE_SECONDS

    def _end(self, reason: str) -> None:
        """For good."""
        self.hang_up()
        self._lost_at = None
        self.leg.pause(self._outside.clock())
        self.leg.is_down = True
        self._outside.report(Down(self.leg.name, reason))
