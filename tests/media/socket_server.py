"""The server of a websocket leg without a network: a test says what it does, and when."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from tests.media.engine_world import World

from tertulia.media.sockets import LOST, Connection, Owner
from tertulia.model.commands import Socket
from tertulia.protocols.websocket import BINARY, PING, TEXT

Samples = NDArray[np.int16]


class Server:
    """One connection of it, as the leg has it."""

    def __init__(self, command: Socket, owner: Owner) -> None:
        self.command, self.owner = command, owner
        self.received = 0
        self.backlog = 0
        self.renewed = 0
        self.is_open = self.hung_up = False
        self.frames: list[bytes] = []
        self.texts: list[bytes] = []
        self.pings = 0

    # ── what the leg calls ──

    def send(self, data: bytes, opcode: int = TEXT) -> None:
        assert self.is_open and not self.hung_up
        if opcode == BINARY:
            self.frames.append(data)
        elif opcode == PING:
            self.pings += 1
        else:
            self.texts.append(data)

    def renew(self) -> None:
        self.renewed += 1

    def hang_up(self) -> None:
        self.hung_up = True

    # ── what the test says ──

    def open(self) -> "Server":
        self.is_open = True
        self.owner.on_open("10.1.1.1:443")
        return self

    def say(self, samples: Samples | bytes) -> None:
        data = samples if isinstance(samples, bytes) else samples.astype("<i2").tobytes()
        self.received += len(data)
        self.owner.on_audio(data)

    def write(self, text: str | bytes | dict[str, Any]) -> None:
        data = msgspec.json.encode(text) if isinstance(text, dict) else text
        data = data.encode() if isinstance(data, str) else data
        self.received += len(data)
        self.owner.on_text(data)

    def pong(self) -> None:
        self.received += 2

    def lose(self, cause: str = LOST, reason: str = "gone") -> None:
        self.is_open = False
        self.owner.on_lost(cause, reason)

    # ── what it has got ──

    @property
    def events(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(text) for text in self.texts]

    def heard(self, frames: int = 25) -> Samples:
        return np.frombuffer(b"".join(self.frames[-frames:]), "<i2")


class SocketWorld(World):
    def __init__(self, capacity: int = 64) -> None:
        super().__init__(capacity)
        self.dialled: list[Server] = []

    def dial(self, command: Socket, owner: Owner) -> Connection:
        self.dialled.append(Server(command, owner))
        return self.dialled[-1]

    def server(self, name: str = "bot", rate: int = 16_000, **more: Any) -> Server:
        """A leg that is open."""
        self.obey(Socket(name, "wss://bot.example/", rate, **more))
        return self.dialled[-1].open()


def sine(hertz: float, rate: int, seconds: float, volume: float = 8000.0) -> Samples:
    times = np.arange(round(rate * seconds)) / rate
    return (np.sin(2 * np.pi * hertz * times) * volume).astype(np.int16)
