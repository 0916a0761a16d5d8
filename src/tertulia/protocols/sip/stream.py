"""SIP over TCP and TLS: messages cut out of a stream by Content-Length (RFC 3261 section 18.3),
and the keep-alives between them (RFC 5626 section 3.5.1)."""

from enum import Enum

from tertulia.protocols.sip.message import BadMessage, Request, Response
from tertulia.protocols.sip.parser import LIMITS, Head, Limits, find_blank_line, finish, read_head

PING = b"\r\n\r\n"
PONG = b"\r\n"


class KeepAlive(Enum):
    """Between messages."""

    PING = "ping"
    """Two line ends: to be answered with PONG."""
    PONG = "pong"
    """One line end: the answer to our PING."""


Item = Request | Response | BadMessage | KeepAlive


class Stream:
    """Octets in, messages out. A message that is refused is an item too: answer it if it can be.

    After an item that leaves unclear where the next message begins, `broken` is set: send what is
    to be sent and close the connection. Nothing more comes out.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.broken = False
        self._limits = limits
        self._buffer = bytearray()
        self._head: Head | None = None
        self._searched = 0

    def feed(self, data: bytes) -> list[Item]:
        """What is complete now, in order. Never raises."""
        items: list[Item] = []
        if not self.broken:
            self._buffer += data
        while not self.broken and (item := self._next()) is not None:
            items.append(item)
        if self.broken:
            self._buffer.clear()
        return items

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and is not complete: a peer that dawdles may be dropped."""
        return self._head is not None or bool(self._buffer)

    def _next(self) -> Item | None:
        try:
            if self._head is None:
                keep_alive = self._keep_alive()
                if keep_alive is not None:
                    return keep_alive
                self._head = self._take_head()
            return None if self._head is None else self._take_message(self._head)
        except BadMessage as bad:
            return bad

    def _keep_alive(self) -> KeepAlive | None:
        """A line end that comes alone is a pong: nobody sends a ping in two pieces."""
        if self._buffer.startswith(PING):
            del self._buffer[:4]
            return KeepAlive.PING
        if self._buffer.startswith(PONG) and self._buffer != b"\r\n\r":
            del self._buffer[:2]
            return KeepAlive.PONG
        return None

    def _take_head(self) -> Head | None:
        cut = find_blank_line(self._buffer, max(self._searched - 3, 0))
        if cut is None:
            self._searched = len(self._buffer)
            if self._searched > self._limits.message:
                raise self._break(BadMessage(513, "Message too large"))
            return None
        self._searched = 0
        taken = bytes(self._buffer[: cut[0]])
        del self._buffer[: cut[1]]
        if len(taken) > self._limits.message:
            raise self._break(BadMessage(513, "Message too large"))
        try:
            head = read_head(taken, self._limits)
        except BadMessage as bad:
            raise self._break(bad) from None
        return self._measured(head, len(taken))

    def _measured(self, head: Head, size: int) -> Head:
        """A head whose body has a known and fair length. Raises BadMessage."""
        if head.length is None:
            head.refuse(400, "No Content-Length")
        elif size + head.length > self._limits.message:
            head.refuse(513, "Message too large")
        else:
            return head
        try:
            finish(head, b"")
        except BadMessage as bad:
            raise self._break(bad) from None
        return head

    def _take_message(self, head: Head) -> Request | Response | None:
        length = head.length or 0
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        return finish(head, body)

    def _break(self, bad: BadMessage) -> BadMessage:
        self.broken = True
        return bad
