"""What a simulated phone says of its audio by RTCP (RFC 3550 6): that it sends, and how it hears.

So the other end learns what a bad line does to what it sends.
"""

from collections.abc import Callable

from tertulia.phones.ear import Ear
from tertulia.phones.mouth import Mouth
from tertulia.protocols import rtcp

INTERVAL = 5.0
FIRST = 1.0
"""Seconds; the first report comes soon, since calls are short."""
NAME = "phone@tertulia"


class Reporting:
    def __init__(self, ear: Ear, mouth: Mouth, wall: Callable[[], float]) -> None:
        self._ear, self._mouth, self._wall = ear, mouth, wall
        self._due: float | None = None

    def tick(self, now: float) -> bytes | None:
        """A report, when it is time for one."""
        if not self._mouth.packets:
            return None
        if self._due is None:
            self._due = now + FIRST
        if now < self._due:
            return None
        self._due = now + INTERVAL
        return rtcp.write(self._items(now))

    def goodbye(self) -> bytes:
        return rtcp.write([*self._items(None), rtcp.Goodbye((self._mouth.ssrc,))])

    def receive(self, data: bytes, now: float) -> None:
        for item in rtcp.read(data) or ():
            if isinstance(item, rtcp.SenderReport) and self._ear.reception is not None:
                self._ear.reception.reported(item, now)

    def _items(self, now: float | None) -> list[rtcp.Item]:
        mouth, reception = self._mouth, self._ear.reception
        blocks = () if reception is None or now is None else (reception.block(now),)
        sent = rtcp.Sent(
            rtcp.ntp(self._wall()), mouth.timestamp, mouth.packets & 0xFFFF_FFFF,
            mouth.octets & 0xFFFF_FFFF,
        )  # fmt: skip
        return [
            rtcp.SenderReport(mouth.ssrc, sent, blocks), rtcp.Description(mouth.ssrc, NAME)
        ]  # fmt: skip
