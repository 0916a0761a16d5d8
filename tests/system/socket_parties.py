"""Websocket servers of two parties in one call: each has a leg, hears the other and talks to it."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Samples = NDArray[np.int16]

FRAME_S = 0.02
PATIENCE = 10.0


class Party:
    """Listens on a port of its own; one connection at a time."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.frames: list[bytes] = []
        self.came: list[float] = []
        """When each of them did."""
        self.events: list[dict[str, Any]] = []
        self.place = 0
        """Frames that came before the last of them."""
        self._server: Server | None = None
        self._connection: ServerConnection | None = None
        self._news = asyncio.Event()

    async def listen(self) -> str:
        """Returns its URL."""
        self._server = await serve(self._serve, "127.0.0.1", 0)
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/audio"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        with suppress(ConnectionClosed):
            async for message in connection:
                if isinstance(message, bytes):
                    self.came.append(time.monotonic())
                    self.frames.append(message)
                else:
                    self.events.append(msgspec.json.decode(message))
                    self.place = len(self.frames)
                    self._news.set()

    async def event(self, name: str) -> dict[str, Any]:
        """The last event, once it is of that name."""
        async with asyncio.timeout(PATIENCE):
            while not self.events or self.events[-1]["event"] != name:
                self._news.clear()
                await self._news.wait()
        return self.events[-1]

    async def order(self, **order: Any) -> None:
        assert self._connection is not None
        await self._connection.send(msgspec.json.encode(order).decode())

    async def burst(self, samples: Samples) -> None:
        """All of it at once, in messages of 20 ms."""
        assert self._connection is not None
        for frame in samples.reshape(-1, self.rate // 50):
            await self._connection.send(frame.astype("<i2").tobytes())

    async def stream(self, samples: Samples) -> list[float]:
        """In time, by a clock of its own. Returns when each frame was sent."""
        assert self._connection is not None
        began = time.monotonic()
        sent = []
        for index, frame in enumerate(samples.reshape(-1, self.rate // 50)):
            await asyncio.sleep(began + index * FRAME_S - time.monotonic())
            sent.append(time.monotonic())
            await self._connection.send(frame.astype("<i2").tobytes())
        return sent

    def heard(self, start: int = 0) -> Samples:
        """[frames, samples]"""
        return np.frombuffer(b"".join(self.frames[start:]), "<i2").reshape(-1, self.rate // 50)


def sine(hertz: float, rate: int, seconds: float, volume: float = 8000.0) -> Samples:
    times = np.arange(round(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hertz * times) * volume).astype(np.int16)
