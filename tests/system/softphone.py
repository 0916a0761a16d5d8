"""A softphone: what an app's client is, with the media of aiortc and a line that may be bad.

It signs in as a user, has its events from a live session, and says and hears real audio.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any
from uuid import uuid4

import aioice.ice
import numpy as np
import soxr
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from tests.system.caller import Answer, Caller, fresh_token
from tests.system.line import Line
from tests.system.tones import RATE, Samples, level, share

from tertulia.client.login import Login
from tertulia.client.session import Arrival, Session
from tertulia.devkit import DevDocument

PATIENCE = 20.0
"""Seconds until something comes or is heard; generous, since the machine may be busy."""
FRAME_S = 0.02
_WIRE_RATE = 48_000
_WINDOW_S = 0.2
"""Of what is heard, to tell a tone by."""
_BACKLOG = 10
"""Frames that may come late."""
_QUIET = 0.003
"""Share of full scale that counts as silence."""
_AUDIO = re.compile(r"^(m=audio [^\r\n]*)", re.MULTILINE)
_KEYS = {110: 48_000, 126: 8_000}
"""Payload types of telephone-event, as browsers number them."""
KEY_TYPE = 110


class Microphone(MediaStreamTrack):
    """Gives a frame of 20 ms each 20 ms: what is to be said, else the tone, else silence."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.hertz = 0.0
        self._said: list[Samples] = []
        self._empty = asyncio.Event()
        self._started = 0.0
        self._frames = 0

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await self._due()
        frame = AudioFrame(format="s16", layout="mono", samples=len(samples := self._next()))
        frame.planes[0].update(samples.tobytes())
        frame.pts, frame.sample_rate = self._frames * len(samples), _WIRE_RATE
        frame.time_base = Fraction(1, _WIRE_RATE)
        self._frames += 1
        return frame

    async def say(self, sound: Samples) -> None:
        """Sound at 16 kHz; returns when its last frame has been taken."""
        wire = np.asarray(soxr.resample(sound, RATE, _WIRE_RATE), np.int16)
        size = int(_WIRE_RATE * FRAME_S)
        padded = np.pad(wire, (0, -len(wire) % size))
        self._empty.clear()
        self._said = list(padded.reshape(-1, size))
        await self._empty.wait()

    async def _due(self) -> None:
        """What could not be taken in time is gone, as it is with any sound card."""
        now = time.monotonic()
        self._started = self._started or now
        missed = int((now - self._started) / FRAME_S) - self._frames
        if missed > _BACKLOG:
            self._frames += missed
        await asyncio.sleep(self._started + self._frames * FRAME_S - now)

    def _next(self) -> Samples:
        if self._said:
            return self._said.pop(0)
        self._empty.set()
        size = int(_WIRE_RATE * FRAME_S)
        at = (np.arange(size) + self._frames * size) / _WIRE_RATE
        return np.asarray(np.sin(2 * np.pi * self.hertz * at) * 8_000, np.int16)


class Ear:
    """What came, by when it came: mono at 16 kHz."""

    def __init__(self) -> None:
        self._frames: list[tuple[float, Samples]] = []

    async def listen(self, track: MediaStreamTrack) -> None:
        """Until the track ends."""
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            sound = frame.to_ndarray().reshape(-1, len(frame.layout.channels)).mean(axis=1)
            mono = sound.reshape(-1, frame.sample_rate // RATE).mean(axis=1)
            self._frames.append((time.monotonic(), mono.astype(np.int16)))

    def since(self, instant: float) -> Samples:
        """What came after an instant of the monotonic clock."""
        found = [frame for at, frame in self._frames if at > instant]
        return np.concatenate(found) if found else np.zeros(0, np.int16)

    def last(self, seconds: float) -> Samples:
        return self.since(time.monotonic() - seconds)


class Softphone:
    """One client. `async with Softphone.of(...)` ends it."""

    def __init__(self, document: DevDocument, user: str, session: Session, caller: Caller) -> None:
        self.user = user
        self.session = session
        self.caller = caller
        self.arrivals: list[Arrival] = []
        self.ear = Ear()
        self.microphone = Microphone()
        self.line = Line()
        self.leg = self.member = ""
        self._document = document
        self._peer: RTCPeerConnection | None = None
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = [asyncio.create_task(self._follow())]

    @classmethod
    @asynccontextmanager
    async def of(cls, document: DevDocument, user: str) -> "AsyncIterator[Softphone]":
        token = fresh_token(document, user)
        session = await Session.open(Login(document.api_url, token))
        async with session, Caller(document, token) as caller:
            phone = cls(document, user, session, caller)
            try:
                yield phone
            finally:
                await phone.close()

    # ── REST and events ──

    async def ask(self, method: str, path: str, body: object = None) -> Answer:
        mark = "&" if "?" in path else "?"
        told = {"originating_session": self.session.id, **body} if isinstance(body, dict) else body
        return await self.caller.call(method, f"/v0.3{path}{mark}asked={uuid4()}", told)

    async def must(self, method: str, path: str, body: object = None) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status in (200, 201, 204), (method, path, answer)
        return answer.json if answer.raw else None

    async def event(self, type_: str, *, after: int = 0) -> Arrival:
        """The first of a type from the `after`th arrival on, once it has come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for arrival in self.arrivals[after:]:
                    if arrival.type == type_:
                        return arrival
                self._news.clear()
                await self._news.wait()

    # ── calls ──

    async def offer(self) -> str:
        """A description as browsers give it: with telephone-event, which aiortc leaves to us."""
        peer = self._new_peer()
        await peer.setLocalDescription(await peer.createOffer())
        return with_keys(peer.localDescription.sdp)

    async def enter(self, conversation: str) -> None:
        """Join and have audio there."""
        joining = {"state": "joined", "user": {"name": self.user}, "channel": {"type": "app"}}
        made = await self.must("POST", f"/conversations/{conversation}/members", joining)
        self.member = made["id"]
        offer = {"type": "offer", "sdp": await self.offer()}
        told = {"from": self.member, "body": {"offer": offer}}
        known = len(self.arrivals)
        made = await self.must("POST", f"/conversations/{conversation}/rtc", told)
        self.leg = made["rtc_id"]
        answer = await self.event("rtc:answer", after=known)
        assert answer.payload["body"]["rtc_id"] == self.leg
        await self.connect(answer.payload["body"]["answer"])

    async def open(self) -> None:
        """A leg that is in no conversation: the beginning of a call to the application."""
        offer = {"offer": {"type": "offer", "sdp": await self.offer()}}
        made = await self.must("POST", "/legs", {"body": offer})
        self.leg = made["rtc_id"]
        await self.connect(made["sdp"])

    async def pick_up(self) -> None:
        """Answer the call that rings."""
        payload = (await self.event("member:invited")).payload
        conversation, member = payload["cid"], payload["from"]
        self.member = member
        self.leg = payload["body"]["channel"]["id"]
        peer = self._new_peer()
        await peer.setRemoteDescription(
            RTCSessionDescription(sdp=payload["body"]["sdp"], type="offer")
        )
        await peer.setLocalDescription(await peer.createAnswer())
        joining = {"state": "joined", "channel": {"type": "app"}, "from": member}
        await self.must("PUT", f"/conversations/{conversation}/members/{member}", joining)
        answer = {"from": member, "body": {"answer": peer.localDescription.sdp}}
        await self.must("POST", f"/conversations/{conversation}/rtc/{self.leg}/answer", answer)
        await self._up(peer)

    async def connect(self, answer: str) -> None:
        assert self._peer is not None
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        await self._up(self._peer)

    # ── sound ──

    def tone(self, hertz: float) -> None:
        """From now on; 0 is silence."""
        self.microphone.hertz = hertz

    async def say(self, sound: Samples) -> None:
        await self.microphone.say(sound)

    async def press(self, digit: str) -> None:
        """A key by RFC 4733."""
        await self.line.press(digit, KEY_TYPE)

    async def hears(self, *hertz: float) -> None:
        """Wait until these tones are most of what is heard."""
        await self._until(
            f"{hertz} Hz",
            lambda sound: (
                all(level(sound, each) > 0.02 for each in hertz) and share(sound, *hertz) > 0.5
            ),
        )

    async def hears_silence(self) -> None:
        await self._until("silence", lambda sound: not len(sound) or _loudness(sound) < _QUIET)

    async def hears_something(self) -> None:
        await self._until("anything", lambda sound: len(sound) > 0 and _loudness(sound) > 0.01)

    async def close(self) -> None:
        if self._peer is not None:
            await self._peer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until(self, what: str, holds: Callable[[Samples], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            sound = self.ear.last(_WINDOW_S)
            if holds(sound):
                return
            assert time.monotonic() < deadline, f"{self.user} hears no {what}: {_told(sound)}"
            await asyncio.sleep(FRAME_S)

    def _new_peer(self) -> RTCPeerConnection:
        assert self._peer is None
        self._peer = peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTrack(self.microphone)
        peer.on("track", self._hear)
        return peer

    def _hear(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self.ear.listen(track)))

    async def _up(self, peer: RTCPeerConnection) -> None:
        self.line.put_into(peer.getSenders()[0], _KEYS)
        async with asyncio.timeout(PATIENCE):
            while peer.connectionState != "connected":
                assert peer.connectionState not in ("failed", "closed"), peer.connectionState
                await asyncio.sleep(FRAME_S)

    async def _follow(self) -> None:
        async for arrival in self.session.events():
            self.arrivals.append(arrival)
            self._news.set()


def with_keys(sdp: str) -> str:
    """A description that also has telephone-event."""
    types = " ".join(map(str, _KEYS))
    lines = "".join(f"\r\na=rtpmap:{pt} telephone-event/{clock}" for pt, clock in _KEYS.items())
    sdp = _AUDIO.sub(rf"\1 {types}", sdp)
    return sdp.replace("\r\na=rtcp-mux", f"{lines}\r\na=rtcp-mux", 1)


def _loudness(sound: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(sound / 32768))))


def _told(sound: Samples) -> str:
    return f"{len(sound)} samples, {_loudness(sound) if len(sound) else 0:.4f} loud"


def gather_loopback() -> Callable[[], None]:
    """Have aioice use the loopback interface, which it leaves out; returns what ends it."""
    found = aioice.ice.get_host_addresses
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

    def back() -> None:
        aioice.ice.get_host_addresses = found

    return back
