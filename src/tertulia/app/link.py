"""The link between hub and dispatcher: a pair of datagram sockets, best effort both ways.

To the dispatcher: a wake after every batch, which carries nothing, and events that are not kept.
To the hub: a sign of life. Datagrams, because a restarted end must never find half a frame, and
because a full buffer may lose them: whatever has to arrive is in the log.
"""

import asyncio
import socket
from collections.abc import Callable

from tertulia.model.event import Event
from tertulia.services.announcements import decode_announced, encode_announced

WAKE = b"w"
ALIVE = b"a"
_EVENT = b"e"
_DATAGRAM_MAX = 200 * 1024
WAKE_SPACING = 0.002
"""Seconds."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, for the supervisor to keep and to lend: they outlive a restart of either side."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
    return ends


class Link:
    """One end. Call `listen` on the loop to hear the other."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_is_due = False

    def send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except (BlockingIOError, ConnectionError):
            return  # the other end is slow or restarting; it reads the log when it is back

    def wake(self) -> None:
        self.send(WAKE)

    def wake_soon(self) -> None:
        """Wake once for all that happens within WAKE_SPACING. Call on the loop.

        A wake for each batch made the dispatcher read the log for every single event of a slow
        writer: 340 µs of CPU an event, beside a hub that needs the core.
        """
        if not self._wake_is_due:
            self._wake_is_due = True
            asyncio.get_running_loop().call_later(WAKE_SPACING, self._wake_now)

    def _wake_now(self) -> None:
        self._wake_is_due = False
        self.wake()

    def announce(self, event: Event) -> None:
        self.send(_EVENT + encode_announced(event))

    def listen(
        self, *, on_wake: Callable[[], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_alive: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        def readable() -> None:
            datagram = self._receive()
            kind = datagram[:1]
            if kind == WAKE and on_wake:
                on_wake()
            elif kind == ALIVE and on_alive:
                on_alive()
            elif kind == _EVENT and on_event:
                on_event(decode_announced(datagram[1:]))

        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), readable)

    def close(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_DATAGRAM_MAX)
        except (BlockingIOError, ConnectionError):
            return b""
