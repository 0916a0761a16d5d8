"""Engine.IO 3 and 4 with Socket.IO inside, as texts of a websocket (wire-clients 1.2, 6).

Only what the session socket needs: JSON, no binary events. Both sides, for there is a client too.
"""

import re
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct


class PacketError(ValueError):
    """The text is no packet, or of a kind that is not spoken here."""


class Opened(Struct, frozen=True):
    """The server's first packet. Times in milliseconds."""

    sid: str
    ping_interval: int
    ping_timeout: int
    max_payload: int
    """In bytes; 0 when not told, as by Engine.IO 3."""


class Closed(Struct, frozen=True):
    """The Engine.IO connection is to be closed."""


class Ping(Struct, frozen=True):
    data: bytes


class Pong(Struct, frozen=True):
    data: bytes


class Connect(Struct, frozen=True):
    """A client asks for a namespace, or a server grants it."""

    namespace: str
    payload: bytes
    """JSON: a client's credentials, a server's `sid`; mostly empty."""


class Disconnect(Struct, frozen=True):
    namespace: str


class Emitted(Struct, frozen=True):
    """An event, with the number to acknowledge it by if it wants that."""

    name: str
    argument: bytes
    """The first, as JSON; `{}` when there is none. Others are left out."""
    ack: int | None


class Acknowledged(Struct, frozen=True):
    number: int


class Refused(Struct, frozen=True):
    """The server refuses a namespace."""

    payload: bytes
    """JSON, or empty."""


class Noop(Struct, frozen=True):
    """Nothing to do: also the end of a change of transport, which is never offered."""


Packet = (
    Opened | Closed | Ping | Pong | Connect | Disconnect | Emitted | Acknowledged | Refused | Noop
)

PING = b"2"
PONG = b"3"
CONNECT = b"40"
DISCONNECT = b"41"
_NUMBER_MAX = 1 << 53
"""Clients count in doubles."""


def open_packet(
    sid: str, *, ping_interval_ms: int, ping_timeout_ms: int, max_payload: int
) -> bytes:
    """What the server says first; `max_payload` in bytes."""
    told = {
        "sid": sid, "upgrades": (), "pingInterval": ping_interval_ms,
        "pingTimeout": ping_timeout_ms, "maxPayload": max_payload,
    }  # fmt: skip
    return b"0" + msgspec.json.encode(told)


def connected(sid: str) -> bytes:
    """The namespace `/` is granted (generation 4; in generation 3 it is CONNECT)."""
    return b"40" + msgspec.json.encode({"sid": sid})


def emitted(name: str, payload: bytes, ack: int | None = None) -> bytes:
    """An event with one argument, `payload`, which is JSON already."""
    number = b"" if ack is None else b"%d" % ack
    return b"42%b[%b,%b]" % (number, msgspec.json.encode(name), payload)


def acknowledgement(number: int) -> bytes:
    return b"43%d[]" % number


class _Handshake(Struct, rename="camel"):
    sid: str
    ping_interval: int
    ping_timeout: int
    max_payload: int = 0


class _Event(Struct, array_like=True):
    name: str
    argument: Raw = Raw(b"{}")


class _Arguments(Struct, array_like=True):
    """Any array."""


class _Object(Struct):
    """Any object."""


_HANDSHAKE = msgspec.json.Decoder(_Handshake)
_EVENT = msgspec.json.Decoder(_Event)
_ARGUMENTS = msgspec.json.Decoder(_Arguments)
_OBJECT = msgspec.json.Decoder(_Object)
_ANYTHING = msgspec.json.Decoder(Raw)
_SOCKET = re.compile(rb"4([0-4])(/[^,]*,?)?([0-9]{0,16})(.*)", re.DOTALL)
"""Kind, namespace with its comma, number, the rest."""


def read(text: bytes) -> Packet:
    """The packet that a text message is.

    Raises:
        PacketError: it is none, or binary, or an event outside of the namespace `/`.
    """
    try:
        return _engine(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise PacketError("The packet's JSON is malformed.") from None


def _engine(text: bytes) -> Packet:
    match text[:1]:
        case b"4":
            return _socket(text)
        case b"2":
            return Ping(text[1:])
        case b"3":
            return Pong(text[1:])
        case b"0":
            told = _HANDSHAKE.decode(text[1:])
            return Opened(told.sid, told.ping_interval, told.ping_timeout, told.max_payload)
        case b"1" if len(text) == 1:
            return Closed()
        case b"5" | b"6" if len(text) == 1:
            return Noop()
    raise PacketError("The packet is of no known kind.")


def _socket(text: bytes) -> Packet:
    found = _SOCKET.fullmatch(text)
    if found is None:
        raise PacketError("The packet is of no known kind.")
    kind, space, digits, rest = found.groups()
    namespace = (space or b"/").removesuffix(b",").decode("utf-8")
    if kind in (b"0", b"1"):
        return _about_namespace(kind, namespace, digits + rest)
    if namespace != "/":
        raise PacketError("Only the namespace / is served here.")
    if kind == b"4":
        return Refused(_json(digits + rest))
    return _numbered(kind, digits, rest)


def _about_namespace(kind: bytes, namespace: str, payload: bytes) -> Packet:
    if kind == b"0":
        if payload:
            _OBJECT.decode(payload)
        return Connect(namespace, payload)
    if payload:
        raise PacketError("A disconnect carries nothing.")
    return Disconnect(namespace)


def _json(payload: bytes) -> bytes:
    return bytes(_ANYTHING.decode(payload)) if payload else b""


def _numbered(kind: bytes, digits: bytes, rest: bytes) -> Packet:
    number = int(digits) if digits else None
    if number is not None and number > _NUMBER_MAX:
        raise PacketError("The number is too large.")
    if kind == b"2":
        event = _EVENT.decode(rest)
        return Emitted(event.name, bytes(event.argument), number)
    if number is None:
        raise PacketError("An acknowledgement says of what.")
    if rest != b"[]":
        _ARGUMENTS.decode(rest)
    return Acknowledged(number)


_FRAME = re.compile(rb"\x81[\x85-\x94]\x00{4}43([0-9]{1,16})\[\]")
_LEAST, _MOST = 11, 26
"""Bytes of a frame that is an acknowledgement: head, mask, and 5 to 20 bytes of text."""
_BEFORE_TEXT = 0x80 - 6
"""The frame's second byte, its text's length with the mask bit, less this is its whole size."""
_COPIES = sum(1 << 16 + 32 * copy for copy in range(6))
"""Times the mask: the mask over itself and over all of the text, and a little beyond."""
_WITHIN = [(1 << 8 * size) - 1 for size in range(_MOST + 1)]
_from_bytes = int.from_bytes


def acknowledgements(data: bytes) -> tuple[list[int], int]:
    """What a client acknowledges at the start of `data`, and how many bytes said so.

    Takes whole masked frames of `43<number>[]`; the rest is for FrameReader and `read`, which
    find the same in these. Every delivery comes back as such a frame, mostly alone: 0.3 us here,
    2.3 us there. A frame unmasked as one number is the same number in every session that
    acknowledges the same position, so its meaning is looked up; unpacking it takes 0.8 us more.
    """
    size = len(data)
    if size <= _MOST:
        frame = _from_bytes(data, "little")
        number = _meaning((frame ^ (frame >> 16 & 0xFFFFFFFF) * _COPIES) & _WITHIN[size])
        if number >= 0:
            return [number], size
    numbers: list[int] = []
    at = 0
    while size - at >= _LEAST:
        length = data[at + 1] - _BEFORE_TEXT
        end = at + length
        if end > size or not _LEAST <= length <= _MOST:
            break
        frame = _from_bytes(data[at:end], "little")
        number = _meaning((frame ^ (frame >> 16 & 0xFFFFFFFF) * _COPIES) & _WITHIN[length])
        if number < 0:
            break
        numbers.append(number)
        at = end
    return numbers, at


@lru_cache(4096)
def _meaning(frame: int) -> int:
    """The number that an unmasked frame acknowledges; -1 when it is anything else."""
    raw = frame.to_bytes(_MOST, "little").rstrip(b"\0")
    found = _FRAME.fullmatch(raw)
    if found is None or raw[1] - _BEFORE_TEXT != len(raw):
        return -1
    number = int(found[1])
    return number if number <= _NUMBER_MAX else -1
