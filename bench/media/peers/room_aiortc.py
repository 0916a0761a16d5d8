"""A room on aiortc: whoever offers comes in and hears the others. 48 kHz, mixed by numpy.

On standard input an SDP offer as a JSON string a line, on standard output its answer likewise.
"""

import asyncio
import fractions
import json
import sys
from collections import deque
from typing import Any

import aioice.ice
import numpy as np
import uvloop
from aiortc import AudioStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

RATE, SAMPLES = 48_000, 960
HELD = 3
"""Frames that wait for the mixer at most."""

# Everything is on this machine, which may have no other network.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Leg(AudioStreamTrack):
    """What one of them hears; `waiting` is what was heard of it."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        super().__init__()
        self.connection = connection
        self.waiting: deque[Any] = deque(maxlen=HELD)
        self.mixed: asyncio.Queue[Any] = asyncio.Queue(HELD)
        self.said = 0

    async def recv(self) -> AudioFrame:
        frame = AudioFrame.from_ndarray(await self.mixed.get(), format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self.said
        frame.time_base = fractions.Fraction(1, RATE)
        self.said += SAMPLES
        return frame

    async def listen(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                stereo = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
                self.waiting.append(stereo[:, 0].astype(np.int32))
        except MediaStreamError:
            return


async def mix(legs: list[Leg]) -> None:
    """A frame for each, of all but its own, at every 20 ms."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    silence = np.zeros(SAMPLES, np.int32)
    while True:
        due += SAMPLES / RATE
        await asyncio.sleep(due - loop.time())
        spoken = [leg.waiting.popleft() if leg.waiting else silence for leg in legs]
        whole = np.sum(spoken, axis=0) if spoken else silence
        for leg, own in zip(legs, spoken, strict=True):
            if not leg.mixed.full():
                others = np.clip(whole - own, -32768, 32767).astype(np.int16)
                leg.mixed.put_nowait(others.reshape(1, -1))


async def take(offer: str, legs: list[Leg], listening: set[Any]) -> str:
    connection = RTCPeerConnection()
    leg = Leg(connection)

    @connection.on("track")
    def on_track(track: Any) -> None:
        task = asyncio.create_task(leg.listen(track))
        listening.add(task)
        task.add_done_callback(listening.discard)

    connection.addTrack(leg)
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    legs.append(leg)
    return connection.localDescription.sdp


async def main() -> None:
    legs: list[Leg] = []
    listening: set[Any] = set()
    mixing = asyncio.create_task(mix(legs))
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await take(json.loads(line), legs, listening)), flush=True)
    mixing.cancel()


if __name__ == "__main__":
    uvloop.run(main())
