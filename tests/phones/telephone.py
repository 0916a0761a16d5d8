"""A telephone of the tests: SIP by the user agent, RTP by a socket of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from types import TracebackType
from typing import TypeVar

import numpy as np

from tertulia.media.g711 import Samples, ulaw_decode, ulaw_encode
from tertulia.protocols.rtp import RtpPacket, read, write
from tertulia.protocols.sdp import parse
from tertulia.protocols.sip import signals, verbs
from tertulia.protocols.telephone_event import EventReceiver, events
from tertulia.settings import Settings, Sip
from tertulia.sip.shell import Shell

HOST = "127.0.0.1"
RATE = 8000
FRAME = 160
PATIENCE = 20.0
SILENCE = b"\xff" * FRAME

Signal = TypeVar("Signal", bound=signals.AnySignal)


def sdp(port: int, direction: str = "sendrecv") -> bytes:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    ).encode()


class TestCall:
    """One call. What is heard is kept by its time in seconds since the answer."""

    __test__ = False

    def __init__(self, telephone: "Telephone", name: str) -> None:
        self.name = name
        self._telephone = telephone
        self._loop = asyncio.get_running_loop()
        self._signals: asyncio.Queue[signals.AnySignal] = asyncio.Queue()
        self.seen: list[signals.AnySignal] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket, self._receive)
        self._to: tuple[str, int] | None = None
        self.packets: list[tuple[float, RtpPacket]] = []
        self.keys: list[str] = []
        self._keys = EventReceiver()
        self._sequence = self._timestamp = 0
        self._came = asyncio.Event()

    # ── SIP ──

    def take(self, signal: signals.AnySignal) -> None:
        if isinstance(signal, signals.Answered | signals.Agreed | signals.Rang) and signal.body:
            self.send_to(signal.body)
        if not isinstance(signal, signals.Stepped):
            self.seen.append(signal)
            self._signals.put_nowait(signal)

    def send_to(self, body: bytes) -> None:
        self._to = (HOST, parse(body.decode()).sections[0].port)

    async def expect(self, kind: type[Signal]) -> Signal:
        """The next signal of that kind."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(signal := await self._signals.get(), kind):
                assert not isinstance(signal, signals.Failed | signals.Ended), signal
        return signal

    def tell(self, verb: verbs.AnyVerb) -> None:
        self._telephone.shell.tell(verb)

    def hang_up(self) -> None:
        self.tell(verbs.HangUp(self.name))

    # ── audio ──

    async def send(self, samples: Samples) -> None:
        """In real time."""
        payload = ulaw_encode(samples).tobytes()
        due = self._loop.time()
        for at in range(0, len(payload) - FRAME + 1, FRAME):
            self._send(0, self._timestamp + at, payload[at : at + FRAME])
            due += 0.02
            await _until(due)
        self._timestamp += len(payload)

    async def press(self, digits: str) -> None:
        due = self._loop.time()
        for event in events(digits, RATE):
            if event is not None:
                self._send(101, self._timestamp + event.timestamp, event.payload)
            due += 0.02
            await _until(due)
        self._timestamp += 100 * FRAME

    def _send(self, payload_type: int, timestamp: int, payload: bytes) -> None:
        assert self._to is not None, "there is nobody to send to"
        self._sequence += 1
        packet = RtpPacket(payload_type, self._sequence, timestamp, 42, payload)
        self._socket.sendto(write(packet), self._to)

    def _receive(self) -> None:
        while True:
            try:
                packet = read(self._socket.recv(4096))
            except BlockingIOError:
                break
            if packet is None:
                continue
            now = self._loop.time()
            if packet.payload_type == 101:
                self.keys += [each.digit for each in self._keys.receive(
                    packet.payload, RATE, packet.timestamp, packet.marker, now)]  # fmt: skip
            elif packet.payload_type == 0:
                self.packets.append((now, packet))
            self._came.set()

    async def hear(self, enough: Callable[[Samples], bool], within: float = PATIENCE) -> Samples:
        """All audio up to now, as soon as it is enough."""
        async with asyncio.timeout(within):
            while not enough(heard := self.heard()):
                self._came.clear()
                await self._came.wait()
        return heard

    def heard(self) -> Samples:
        """Laid out by its timestamps; what was lost is silence."""
        if not self.packets:
            return np.zeros(0, np.int16)
        first = self.packets[0][1].timestamp
        places = [(each.timestamp - first) & 0xFFFF_FFFF for _, each in self.packets]
        sound = np.zeros(max(places) + FRAME, np.int16)
        for at, (_, packet) in zip(places, self.packets, strict=True):
            sound[at : at + len(packet.payload)] = ulaw_decode(
                np.frombuffer(packet.payload, np.uint8)
            )
        return sound

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()


class Telephone:
    """`calls` are those that came in."""

    def __init__(self, port: int = 0) -> None:
        self._names = count(1)
        self._all: dict[str, TestCall] = {}
        self.calls: asyncio.Queue[tuple[TestCall, signals.Invited]] = asyncio.Queue()
        self.shell = Shell(
            Settings(sip=Sip(host=HOST, port=port)), hear=self._heard, lost=lambda flow: None,
            is_trusted=lambda host: True, name_call=lambda: f"test-{next(self._names)}",
            credentials=lambda call, realm: None, hosts={HOST},
        )  # fmt: skip

    async def __aenter__(self) -> "Telephone":
        await self.shell.transports.open(HOST, None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for call in self._all.values():
            call.hang_up()
            call.close()
        await self.shell.close()

    @property
    def port(self) -> int:
        return self.shell.transports.port

    def call(
        self, number: str, port: int, *, transport: str = "udp", body: bytes | None = None
    ) -> TestCall:
        """Call a number of the phones at that port."""
        name = f"test-{next(self._names)}"
        call = self._all[name] = TestCall(self, name)
        uri = f"sip:{number}@{HOST}:{port};transport={transport}"
        offer = sdp(call.port) if body is None else body
        call.tell(verbs.Invite(name, uri, f"sip:15559000@{HOST}", offer))
        return call

    def _heard(self, signal: signals.AnySignal) -> None:
        if isinstance(signal, signals.Invited):
            call = self._all[signal.call] = TestCall(self, signal.call)
            if signal.body:
                call.send_to(signal.body)
            self.calls.put_nowait((call, signal))
        elif signal.call in self._all:
            self._all[signal.call].take(signal)


async def _until(when: float) -> None:
    await asyncio.sleep(when - asyncio.get_running_loop().time())


@asynccontextmanager
async def answered(telephone: Telephone, number: str, port: int) -> AsyncIterator[TestCall]:
    """A call to a phone, from its answer on."""
    call = telephone.call(number, port)
    await call.expect(signals.Answered)
    yield call
    call.hang_up()


def seconds_of(heard: Samples) -> float:
    return len(heard) / RATE


def loud(heard: Samples, *, from_s: float = 0.0) -> float:
    """Seconds of it that are louder than -40 dBFS."""
    frames = heard[int(from_s * RATE) :]
    frames = frames[: len(frames) // FRAME * FRAME].reshape(-1, FRAME).astype(float)
    return float((np.sqrt(np.mean(frames**2, axis=1)) > 328).sum() * 0.02) if len(frames) else 0.0


def strength(heard: Samples, hertz: float) -> float:
    """Amplitude of a tone in it."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(heard)) / RATE)
    return float(abs(heard @ wave) * 2 / max(len(heard), 1))
