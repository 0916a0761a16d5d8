"""The line of a softphone: its packets may get lost, come late, or stop; keys are pressed on it."""

import asyncio
import random
import struct
from collections.abc import Callable, Collection
from typing import Any

from aiortc import RTCRtpSender

PATIENCE = 10.0
"""Seconds until a key comes; generous, since the machine may be busy."""
PACKET_S = 0.02
_DIGITS = "0123456789*#ABCD"
_RTCP = range(64, 96)
"""Payload types, without the marker, that a packet of RTCP seems to have (RFC 5761 4)."""
_CLOCK_STEP = 960
_VOLUME = 10


class Line:
    """Between a sender of aiortc and its transport. It numbers the packets of RTP itself, since
    keys come between those of the voice."""

    def __init__(self) -> None:
        self.loss = 0.0
        """Share of the packets of RTP that get lost."""
        self.jitter_s = 0.0
        """Up to so much later does each come: they may overtake each other."""
        self.is_cut = False
        """Nothing goes out any more."""
        self.keys = ""
        """That came from the other end."""
        self._chance = random.Random(4)
        self._send: Any = None
        self._pass: Any = None
        self._key_types: Collection[int] = ()
        self._number = 0
        self._timestamp = 0
        self._ssrc = 0
        self._pressing = False
        self._last_key = 0
        self._pressed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def put_into(self, sender: RTCRtpSender, key_types: Collection[int]) -> None:
        """At the side of the transport; `key_types` are the payload types of keys."""
        transport: Any = sender.transport
        self._send, transport._send_rtp = transport._send_rtp, self._take
        self._pass, transport._handle_rtp_data = transport._handle_rtp_data, self._come
        self._key_types = key_types
        self._ssrc = sender._ssrc
        for protocol in transport.transport._connection._protocols:
            protocol.transport.sendto = self._unless_cut(protocol.transport.sendto)

    def _unless_cut(self, send: Callable[..., None]) -> Callable[..., None]:
        """Also of what ICE and DTLS send."""

        def sent(*datagram: Any) -> None:
            if not self.is_cut:
                send(*datagram)

        return sent

    async def press(self, digit: str, payload_type: int, seconds: float = 0.1) -> None:
        """RFC 4733: no voice meanwhile, and the end is said three times."""
        self._pressing = True
        began, packets = self._timestamp + _CLOCK_STEP, round(seconds / PACKET_S)
        for step in range(1, packets + 3):
            ended, length = step >= packets, min(step, packets) * _CLOCK_STEP
            event = struct.pack("!BBH", _DIGITS.index(digit), ended << 7 | _VOLUME, length)
            kind = payload_type | (step == 1) << 7
            await self._out(struct.pack("!BBHII", 0x80, kind, 0, began, self._ssrc) + event)
            await asyncio.sleep(PACKET_S)
        self._pressing = False

    async def gets(self, keys: str) -> None:
        """Wait until these and no others have come from the other end."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.keys != keys:
                    self._pressed.clear()
                    await self._pressed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.keys!r} came instead of {keys!r}") from None

    async def _come(self, packet: bytes, arrival_time_ms: int) -> None:
        """What aiortc knows nothing of is for us."""
        if packet[1] & 127 not in self._key_types:
            await self._pass(packet, arrival_time_ms)
            return
        timestamp, event = int.from_bytes(packet[4:8]), packet[-4:]
        if event[1] & 128 and timestamp != self._last_key:
            self._last_key = timestamp
            self.keys += _DIGITS[event[0]]
            self._pressed.set()

    async def _take(self, packet: bytes) -> None:
        if packet[1] & 127 in _RTCP:
            await self._send(packet)
            return
        self._timestamp = int.from_bytes(packet[4:8])
        if not self._pressing:
            await self._out(packet)

    async def _out(self, packet: bytes) -> None:
        self._number = (self._number + 1) & 0xFFFF
        packet = packet[:2] + self._number.to_bytes(2) + packet[4:]
        if self._chance.random() < self.loss:
            return
        if not self.jitter_s:
            await self._send(packet)
            return
        task = asyncio.create_task(self._late(packet, self._chance.uniform(0, self.jitter_s)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _late(self, packet: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._send(packet)
