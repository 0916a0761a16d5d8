"""Where a phone hears: a port for RTP with G.711 µ-law, and what came there."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
from tests.system.tones import RATE, Samples, level, share

from tertulia.media.g711 import ulaw_decode
from tertulia.protocols.rtp import read

PATIENCE = 20.0
"""Seconds until something is heard; generous, since the machine may be busy."""
_WINDOW_S = 0.2
_TICK = 0.02


class PhoneEar(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.port = 0
        self.packets = 0
        self._heard: list[tuple[float, Samples]] = []

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> "AsyncIterator[PhoneEar]":
        loop = asyncio.get_running_loop()
        transport, ear = await loop.create_datagram_endpoint(cls, local_addr=("0.0.0.0", 0))
        ear.port = transport.get_extra_info("sockname")[1]
        try:
            yield ear
        finally:
            transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = read(data)
        if packet is None or packet.payload_type != 0:
            return
        self.packets += 1
        sound = ulaw_decode(np.frombuffer(packet.payload, np.uint8))
        self._heard.append((time.monotonic(), np.repeat(sound, RATE // 8000)))

    def last(self, seconds: float = _WINDOW_S) -> Samples:
        since = time.monotonic() - seconds
        found = [sound for at, sound in self._heard if at > since]
        return np.concatenate(found) if found else np.zeros(0, np.int16)

    async def hears(self, hertz: float) -> None:
        """Wait until that tone is most of what is heard."""
        await self._until(
            f"{hertz} Hz",
            lambda sound: level(sound, hertz) > 0.02 and share(sound, hertz) > 0.5,
        )

    async def hears_something(self) -> None:
        await self._until(
            "anything", lambda sound: len(sound) > 0 and float(np.abs(sound).max()) > 500
        )

    async def hears_nothing(self) -> None:
        """No packet comes any more, or they are silent."""
        await self._until(
            "silence", lambda sound: not len(sound) or float(np.abs(sound).max()) < 100
        )

    async def _until(self, what: str, holds: Callable[[Samples], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds(self.last()):
            assert time.monotonic() < deadline, f"the phone hears no {what}: {self.packets} packets"
            await asyncio.sleep(_TICK)
