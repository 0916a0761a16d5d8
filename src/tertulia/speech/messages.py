"""What hub and engine say to each other: msgpack behind a length, over the engine's pipes.

The hub gives one order at a time. The engine is ready once, then tells of each piece that is done,
and ends an order with Done or Failed. Stop may come at any time; an ended pipe ends the engine.
"""

import struct

import msgspec
from msgspec import Struct

from tertulia.ports.speech import Reading
from tertulia.speech.ssml import Segment

MESSAGE_MAX = 16 * 1024 * 1024
"""Octets."""
HEAD = struct.Struct(">I")


class Say(Struct, frozen=True, tag=True):
    """Append 16-bit samples at 16 kHz to a file, piece by piece."""

    pieces: tuple[Segment, ...]
    path: str
    voice: str
    """As the engine names it; empty for its own."""
    style: int
    skip: int = 0
    """Pieces that are in the file already."""
    number: int = 0


class Hear(Struct, frozen=True, tag=True):
    """Recognise an audio file, stretch by stretch."""

    path: str
    language: str | None
    hints: tuple[str, ...] = ()
    sentences: bool = False
    """One reading for each sentence, instead of several for the whole stretch."""
    skip_ms: int = 0
    """What has been heard already."""
    number: int = 0


class Stop(Struct, frozen=True, tag=True):
    """Nobody waits for this order any more."""

    number: int


class Ready(Struct, frozen=True, tag=True):
    """The model is loaded."""

    number: int = 0


class Said(Struct, frozen=True, tag=True):
    """One more piece is in the file."""

    octets: int
    """That the file now has."""
    number: int = 0


class Heard(Struct, frozen=True, tag=True):
    """One more stretch is recognised."""

    upto_ms: int
    readings: tuple[Reading, ...]
    number: int = 0


class Done(Struct, frozen=True, tag=True):
    number: int


class Failed(Struct, frozen=True, tag=True):
    """It cannot be done, by this engine or another. Number 0: the engine cannot start."""

    reason: str
    number: int = 0


Order = Say | Hear
Request = Say | Hear | Stop
Progress = Said | Heard
Answer = Ready | Said | Heard | Done | Failed

_ENCODER = msgspec.msgpack.Encoder()
_REQUEST: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_ANSWER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def packed(message: Request | Answer) -> bytes:
    body = _ENCODER.encode(message)
    return HEAD.pack(len(body)) + body


def length(head: bytes) -> int:
    """Octets of the message behind it. Raises ValueError beyond MESSAGE_MAX."""
    (octets,) = HEAD.unpack(head)
    if octets > MESSAGE_MAX:
        raise ValueError(f"a message of {octets} octets")
    return int(octets)


def request(body: bytes) -> Request:
    return _REQUEST.decode(body)


def answer(body: bytes) -> Answer:
    """Raises ValueError."""
    return _ANSWER.decode(body)
