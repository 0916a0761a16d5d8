"""Rooms that are measured, and what a server of such rooms has to offer to be measured."""

import socket
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import psutil

from bench.media.load import Stream
from bench.media.voice import OPUS, PCMU, Codec


class Scene(NamedTuple):
    """Many rooms of a kind. Who does not talk is muted in the server, and sends all the same."""

    name: str
    codec: Codec
    legs: int
    """In a room."""
    talking: int
    protected: bool = False
    phones: bool = False
    """Agreed upon by SDP, each on ports of its own in the server."""

    @property
    def title(self) -> str:
        sound = "G.711" if self.codec is PCMU else "Opus 16 kHz"
        who = "all talk" if self.talking == self.legs else f"{self.talking} of {self.legs} talk"
        size = f"{self.legs}-party, {who}"
        how = ", SRTP" if self.protected else ", phones" if self.phones else ""
        return f"{sound}, {size}{how}"


SCENES = (
    Scene("g711", PCMU, 3, 3),
    Scene("opus", OPUS, 3, 3),
    Scene("meeting", OPUS, 10, 1),
    Scene("audience", OPUS, 100, 3),
    Scene("phones", PCMU, 2, 2, phones=True),
)
PROTECTED = tuple(
    scene._replace(protected=True, name=f"{scene.name}-srtp")
    for scene in SCENES
    if not scene.phones
)
PAIR = Scene("pair", PCMU, 2, 2)
CALL = PAIR._replace(phones=True)
"""For delays, as the one before."""


class Late(NamedTuple):
    """A server's own account of its ticks, of all its time."""

    ticks: int
    late: int
    dropped: int


class Room(NamedTuple):
    name: str
    streams: list[Stream]


class Server(Protocol):
    """Rooms on a server that runs on the first core."""

    def open(self, scene: Scene, count: int) -> list[Room]:
        """So many more rooms, all of whose legs are up.

        Raises:
            Failed: the server does not want it.
        """

    def close(self, room: Room) -> None: ...

    def processes(self) -> list[psutil.Process]: ...

    def late(self) -> Late | None:
        """None when the server does not count."""


def streams(scene: Scene, first_ssrc: int) -> Iterator[Stream]:
    """Those of a room, on sockets of their own that are not connected yet."""
    for position in range(scene.legs):
        yield Stream(
            udp(),
            scene.codec,
            first_ssrc + position,
            talks=position < scene.talking,
            hears=position >= scene.talking or scene.talking > 1,
        )


def udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made
