"""The engine over real sockets, with aiortc as the client."""

import asyncio
import fractions
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aioice.ice
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame
from numpy.typing import NDArray
from tests.media.engine_world import amplitude

from tertulia.media.dtls import Certificate
from tertulia.media.engine import Engine
from tertulia.media.outside import Outside
from tertulia.media.port import UdpPort
from tertulia.media.ticker import Ticker
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import (
    Accept,
    Accepted,
    Answer,
    Answered,
    AnyReport,
    Close,
    Closed,
    Digit,
    Down,
    Join,
    Offer,
    Offered,
    Up,
)
from tertulia.protocols import rtp
from tertulia.protocols.offer_answer import Candidate
from tertulia.protocols.telephone_event import events

HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """aiortc leaves out loopback otherwise, and some machines have nothing else."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [HOST])
    yield


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self.hertz, self.said = hertz, 0
        self.began: float | None = None

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0.0, self.began + self.said / 48_000 - loop.time()))
        times = (self.said + np.arange(960)) / 48_000
        samples = (np.sin(2 * np.pi * self.hertz * times) * 8000).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, self.said
        frame.time_base = fractions.Fraction(1, 48_000)
        self.said += 960
        return frame


class Client:
    """A page: says a tone, keeps what it hears."""

    def __init__(self, hertz: float) -> None:
        self.peer = RTCPeerConnection()
        self.peer.addTrack(Tone(hertz))
        self.heard: list[NDArray[np.int16]] = []
        self.listening: asyncio.Task[None] | None = None
        self.peer.on("track", self._on_track)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.listening = asyncio.create_task(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, AudioFrame)
            stereo = frame.to_ndarray().reshape(-1, 2)
            self.heard.append(stereo[:, 0].astype(np.int16))

    async def offer(self) -> str:
        """With keys, which aiortc does not offer itself."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        lines = self.peer.localDescription.sdp.replace(
            "UDP/TLS/RTP/SAVPF 96", "UDP/TLS/RTP/SAVPF 96 126"
        )
        return lines + "a=rtpmap:126 telephone-event/48000\r\n"

    async def answered(self, sdp: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def level(self, hertz: float) -> float:
        return amplitude(np.concatenate(self.heard[-20:]), hertz, 48_000)

    async def press(self, digits: str) -> None:
        transport = self.peer.getSenders()[0].transport
        sequence = 0
        for packet in events(digits, 48_000):
            if packet is not None:
                sequence += 1
                await transport._send_rtp(
                    rtp.write(
                        rtp.RtpPacket(
                            126, sequence, packet.timestamp, 77, packet.payload, packet.marker
                        )
                    )
                )
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        if self.listening is not None:
            self.listening.cancel()
        await self.peer.close()


class Running:
    def __init__(self, ticker: Ticker, reports: list[AnyReport]) -> None:
        self.ticker, self.reports = ticker, reports

    async def until(self, kind: type, leg: str) -> AnyReport:
        async with asyncio.timeout(5):
            while True:
                for report in self.reports:
                    if isinstance(report, kind) and getattr(report, "leg", None) == leg:
                        return report
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    reports: list[AnyReport] = []
    port = UdpPort(HOST, 0)
    certificate, candidates = Certificate(), [Candidate(HOST, port.number)]
    outside = Outside(
        report=reports.append,
        make_path=lambda: WebRtcLeg(certificate, candidates, random=os.urandom),
        clock=time.monotonic,
        wall=time.time,
        random=os.urandom,
        host=(HOST, port.number),
    )
    ticker = Ticker(Engine(port, outside), port, asyncio.get_running_loop(), time.monotonic)
    ticker.start()
    try:
        yield Running(ticker, reports)
    finally:
        ticker.close()
        port.close()


async def heard(client: Client, hertz: float, *, not_own: float) -> None:
    """Wait until the client hears that tone, and not its own: some 400 ms without a gap, for which
    a busy machine may take several."""
    async with asyncio.timeout(15):
        while True:
            if len(client.heard) >= 20 and client.level(hertz) > 4000 > 100 > client.level(not_own):
                return
            await asyncio.sleep(0.02)


async def connect(at: Running, client: Client, leg: str) -> None:
    at.ticker.obey(Answer(leg, await client.offer()))
    answered = await at.until(Answered, leg)
    assert isinstance(answered, Answered)
    await client.answered(answered.sdp)
    at.ticker.obey(Join(leg, "room"))


def test_two_clients_hear_each_other_and_keys_are_told() -> None:
    async def run() -> None:
        a, b = Client(500), Client(900)
        async with running() as at:
            await asyncio.gather(connect(at, a, "a"), connect(at, b, "b"))
            for leg in ("a", "b"):
                up = await at.until(Up, leg)
                assert isinstance(up, Up) and up.codec == "opus"
            await heard(a, 900, not_own=500)
            await heard(b, 500, not_own=900)
            await a.press("7#")
            await at.until(Digit, "a")
            await asyncio.sleep(0.1)
            digits = [report.digit for report in at.reports if isinstance(report, Digit)]
            assert digits == ["7", "#"]
            at.ticker.obey(Close("a"))
            closed = await at.until(Closed, "a")
            assert isinstance(closed, Closed) and closed.account is not None
            assert closed.account.packets_in > 30 and closed.account.packets_lost == 0
            await b.close()
            down = await at.until(Down, "b")
            assert isinstance(down, Down) and down.reason == "closed"
            await a.close()
            load = at.ticker.load()
            assert load.legs == 1

    asyncio.run(run())


def test_a_client_answers_what_we_offer() -> None:
    async def run() -> None:
        a = Client(500)
        async with running() as at:
            at.ticker.obey(Offer("a"))
            offered = await at.until(Offered, "a")
            assert isinstance(offered, Offered)
            await a.peer.setRemoteDescription(RTCSessionDescription(offered.sdp, "offer"))
            await a.peer.setLocalDescription(await a.peer.createAnswer())
            at.ticker.obey(Accept("a", a.peer.localDescription.sdp))
            await at.until(Accepted, "a")
            await at.until(Up, "a")
            await a.close()

    asyncio.run(run())
