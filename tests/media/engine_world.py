"""An engine without network and clock: packets are handed over, time is told."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from tertulia.media.address_book import Address, AddressBook
from tertulia.media.engine import TICK, Engine
from tertulia.media.g711 import ulaw_decode, ulaw_encode
from tertulia.media.lines import NO_LINE, Line
from tertulia.media.outside import Outside
from tertulia.media.port import ROWS, WIDTH
from tertulia.media.sockets import Connection, Owner, nobody
from tertulia.media.webrtc import WebRtcLeg
from tertulia.model.commands import AnyCommand, AnyReport, Plain, Socket
from tertulia.protocols import rtp

Samples = NDArray[np.int16]
WALL = 1_800_000_000.0


class MemoryLine(Line):
    """A line without sockets."""

    def __init__(self, port: "MemoryPort", slot: int, *, sixth: bool) -> None:
        self.port, self.slot, self.is_sixth = port, slot, sixth
        self.number, self.file = 40_000 + 2 * slot, 1000 + slot
        self.is_open = True

    def send_control(self, data: bytes, address: Address, *, mux: bool) -> None:
        self.port.controls.setdefault(self.port.key(address), []).append(data)


class MemoryPort:
    """A port whose packets are put into `waiting`, and whose sent ones are taken from `sent`; what
    comes to lines is put into `ringing`, with its line."""

    def __init__(self) -> None:
        self.lines = np.full(ROWS, NO_LINE, np.int64)
        self.ringing: deque[tuple[bytes, int, int]] = deque()
        self.controls: dict[int, list[bytes]] = {}
        """RTCP that lines have sent."""
        self.open_lines: set[Line] = set()
        self.most_lines = 64
        self.packets = np.zeros((ROWS, WIDTH), np.uint8)
        self.sizes = np.zeros(ROWS, np.int64)
        self.sources = np.zeros(ROWS, np.int64)
        self.waiting: deque[tuple[bytes, int]] = deque()
        self.sent: dict[int, list[bytes]] = {}
        self._book = AddressBook()

    def receive(self, start: int = 0) -> int:
        count = start
        while self.waiting and count < ROWS:
            data, key = self.waiting.popleft()
            data = data[:WIDTH]
            self.packets[count, : len(data)] = np.frombuffer(data, np.uint8)
            self.sizes[count], self.sources[count] = len(data), key
            self.lines[count] = NO_LINE
            count += 1
        while self.ringing and count < ROWS:
            data, key, line = self.ringing.popleft()
            self.packets[count, : len(data)] = np.frombuffer(data, np.uint8)
            self.sizes[count], self.sources[count], self.lines[count] = len(data), key, line
            count += 1
        return count - start

    def open_line(self, slot: int, *, sixth: bool) -> Line:
        if len(self.open_lines) == self.most_lines:
            raise OSError("no pair of ports is free")
        line = MemoryLine(self, slot, sixth=sixth)
        self.open_lines.add(line)
        return line

    def give_up_control(self, line: Line) -> None:
        pass

    def close_line(self, line: Line) -> None:
        self.open_lines.discard(line)

    def local_host(self, remote: str) -> str | None:
        return "2001:db8::1" if ":" in remote else "10.9.9.9"

    def send(
        self,
        rows: NDArray[np.uint8],
        sizes: NDArray[np.int64],
        targets: NDArray[np.int64],
        files: NDArray[np.int64],
    ) -> int:
        for row, size, target in zip(rows, sizes.tolist(), targets.tolist(), strict=True):
            self.sent.setdefault(target, []).append(row[:size].tobytes())
        return len(rows)

    def send_one(self, data: bytes, address: Address) -> None:
        self.sent.setdefault(self.key(address), []).append(data)

    def key(self, address: Address) -> int:
        return self._book.key(address)

    def address(self, key: int) -> Address:
        return self._book.address(key)


class World:
    def __init__(self, capacity: int = 64) -> None:
        self.now = 100.0
        self.port = MemoryPort()
        self.reports: list[AnyReport] = []
        outside = Outside(
            report=self.reports.append,
            make_path=lambda: self.make_path(),
            clock=lambda: self.now,
            wall=lambda: WALL + self.now,
            random=lambda size: bytes(size),
            host=("127.0.0.1", 8189),
            dial=lambda command, owner: self.dial(command, owner),
        )
        self.engine = Engine(self.port, outside, capacity)
        self.phones: list[Phone] = []

    def make_path(self) -> WebRtcLeg:
        raise AssertionError("no browser in this world")

    def dial(self, command: Socket, owner: Owner) -> Connection:
        return nobody(command, owner)

    def obey(self, *orders: AnyCommand) -> None:
        for command in orders:
            self.engine.obey(command)

    def tick(self, count: int = 1) -> None:
        """Each phone says a frame 8 ms before each tick."""
        for _ in range(count):
            self.now = self.engine.next_tick - 0.008
            for phone in self.phones:
                phone.speak()
            self.engine.receive()
            self.now = self.engine.next_tick
            self.engine.tick()
            for phone in self.phones:
                phone.listen()

    def heard(self, *kinds: type) -> list[AnyReport]:
        return [report for report in self.reports if isinstance(report, kinds)]

    def phone(self, name: str, hertz: float | None = None, **plain: object) -> "Phone":
        phone = Phone(self, name, len(self.phones) + 1, hertz)
        self.phones.append(phone)
        dtmf_type = 101 if plain.get("dtmf", True) else None
        host, port = phone.address
        self.obey(Plain(name, host, port, "PCMU", 0, dtmf_type))
        return phone


@contextmanager
def world(capacity: int = 64) -> Iterator[World]:
    made = World(capacity)
    try:
        yield made
    finally:
        made.engine.close()


class Phone:
    """The far end of an unprotected leg: says a tone, keeps what it hears."""

    def __init__(self, at: World, name: str, number: int, hertz: float | None) -> None:
        self.world, self.name, self.hertz = at, name, hertz
        self.address = (f"10.0.{number // 250}.{number % 250 + 1}", 4000)
        self.sequence = 65_530
        self.timestamp = (1 << 32) - 3200
        self.ssrc = number
        self.spoken = 0
        self.volume = 8000.0
        self.sings = False
        """Many harmonics that swell three times a second, and breath: taken for a voice."""
        self.silent = False
        """Sends nothing, while time goes on for it."""
        self.by_hand = False
        """Says nothing by itself."""
        self.heard: list[Samples] = []
        self.packets: list[rtp.RtpPacket] = []

    @property
    def key(self) -> int:
        return self.world.port.key(self.address)

    def packet(self, samples: int = 160) -> bytes:
        times = (self.spoken + np.arange(samples)) / 8000
        tone = np.zeros(samples)
        if self.hertz is not None:
            for partial in range(1, 20 if self.sings else 2):
                tone += np.sin(2 * np.pi * self.hertz * partial * times + partial**2) / partial
            if self.sings:
                tone += np.random.default_rng(self.spoken).normal(0, 0.05, samples)
                tone *= (0.4 + 0.6 * np.sin(2 * np.pi * 3 * times) ** 2) / 2
        payload = ulaw_encode((tone * self.volume).astype(np.int16)).tobytes()
        made = rtp.write(rtp.RtpPacket(0, self.sequence, self.timestamp, self.ssrc, payload))
        self.spoken += samples
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + samples) & 0xFFFF_FFFF
        return made

    def speak(self) -> None:
        if self.by_hand:
            return
        packet = self.packet()
        if not self.silent:
            self.send(packet)

    def send(self, packet: bytes) -> None:
        self.world.port.waiting.append((packet, self.key))

    def listen(self) -> None:
        for data in self.world.port.sent.pop(self.key, []):
            packet = rtp.read(data)
            assert packet is not None
            self.packets.append(packet)
            if packet.payload_type == 0:
                self.heard.append(ulaw_decode(np.frombuffer(packet.payload, np.uint8)))

    def level(self, hertz: float, frames: int = 25) -> float:
        """Amplitude of a tone in the last frames."""
        return amplitude(np.concatenate(self.heard[-frames:]), hertz)

    def loudness(self, frames: int = 25) -> float:
        return float(np.abs(np.concatenate(self.heard[-frames:])).max())


def amplitude(samples: Samples, hertz: float, rate: int = 8000) -> float:
    turns = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate)
    return float(abs((samples * turns).sum()) * 2 / len(samples))


def names(phones: Iterable[Phone]) -> list[str]:
    return [phone.name for phone in phones]


__all__ = ["TICK", "MemoryPort", "Phone", "World", "amplitude", "names", "world"]
