"""RTP packets (RFC 3550 5), header extensions of one and two bytes (RFC 8285), levels (RFC 6464).

What comes from the network is read within its bounds, and is None when it is no such thing. Times
and numbers that wrap are compared by `sequence_distance` and `timestamp_distance`.
"""

from struct import Struct
from struct import error as StructError
from typing import NamedTuple

HEADER = Struct("!BBHII")
"""First octet, marker and payload type, sequence number, timestamp, SSRC."""
PACKET_MAX = 2048
"""Octets of a packet that is looked at."""
EXTENSIONS_MAX = 16
"""Elements that are read from the header extension of a packet."""
_VERSION = 0x80
_PADDED = 0x20
_EXTENDED = 0x10
_MARKER = 0x80
_ONE_BYTE = 0xBEDE
_TWO_BYTES = 0x1000
"""Of the profile the upper twelve bits; the lower four are the application's."""
_RESERVED_ID = 15
_ENDING_IDS = (0, _RESERVED_ID)
"""After them nothing of the extension is read (RFC 8285 4.2)."""
_RTCP_TYPES = range(192, 224)


class RtpPacket(NamedTuple):
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    """Without padding."""
    marker: bool = False
    sources: tuple[int, ...] = ()
    """Contributing sources, at most 15."""
    extensions: tuple[tuple[int, bytes], ...] = ()
    """Of each element of the header extension its id and data."""


class Level(NamedTuple):
    """Of the audio in a packet, as its sender says (RFC 6464)."""

    voice: bool
    decibels: int
    """Below full scale: 0 is the loudest, 127 silence."""


def is_rtcp(data: bytes | memoryview) -> bool:
    """Of two that share a port (RFC 5761 4): whether it is RTCP rather than RTP."""
    return len(data) > 1 and data[1] in _RTCP_TYPES


def read(data: bytes) -> RtpPacket | None:
    """None when it is no RTP packet, or not as long as it says."""
    if not HEADER.size <= len(data) <= PACKET_MAX:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    start, end = HEADER.size + 4 * (first & 15), len(data)
    if first >> 6 != 2 or start > end:
        return None
    extensions: tuple[tuple[int, bytes], ...] = ()
    sources = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(12, start, 4))
    if first & _EXTENDED:
        body = start + 4
        start = body + 4 * int.from_bytes(data[start + 2 : body], "big")
        if body > end or start > end:
            return None
        extensions = _read_extensions(int.from_bytes(data[body - 4 : body - 2], "big"),
                                      data[body:start])  # fmt: skip
    if first & _PADDED:
        padding = data[-1]
        end -= padding
        if not padding or start > end:
            return None
    return RtpPacket(second & 127, sequence, timestamp, ssrc, data[start:end],
                     second >= _MARKER, sources, extensions)  # fmt: skip


def write(packet: RtpPacket) -> bytes:
    """
    Raises:
        ValueError: a number has more bits than its field, or there are too many extensions.
    """
    extensions = _write_extensions(packet.extensions)
    if len(packet.sources) > 15 or not 0 <= packet.payload_type <= 127:
        raise ValueError("An RTP header has 4 bits for its sources and 7 for the payload type.")
    first = _VERSION | len(packet.sources) | (_EXTENDED if extensions else 0)
    second = packet.payload_type | (_MARKER if packet.marker else 0)
    try:
        head = HEADER.pack(first, second, packet.sequence, packet.timestamp, packet.ssrc)
        sources = b"".join(source.to_bytes(4, "big") for source in packet.sources)
    except (StructError, OverflowError) as error:
        raise ValueError("A number does not fit into the RTP header.") from error
    return b"".join((head, sources, extensions, packet.payload))


def level(packet: RtpPacket, identity: int) -> Level | None:
    """What the sender says of the audio in the extension that was negotiated as `identity`."""
    for number, data in packet.extensions:
        if number == identity and data:
            return Level(data[0] >= 0x80, data[0] & 0x7F)
    return None


def level_extension(identity: int, voice: bool, decibels: int) -> tuple[int, bytes]:
    """The element that tells a level; `decibels` below full scale is cut to 0 to 127."""
    return identity, bytes(((0x80 if voice else 0) | min(max(decibels, 0), 127),))


def sequence_distance(number: int, other: int) -> int:
    """How far `number` is after `other`, -32768 to 32767."""
    return ((number - other + 0x8000) & 0xFFFF) - 0x8000


def timestamp_distance(timestamp: int, other: int) -> int:
    """How far `timestamp` is after `other`, in 31 bits and a sign."""
    return ((timestamp - other + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


def _read_extensions(profile: int, data: bytes) -> tuple[tuple[int, bytes], ...]:
    """What there is up to the first element that is cut short; none of another profile."""
    if profile != _ONE_BYTE and profile & 0xFFF0 != _TWO_BYTES:
        return ()
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data) and len(found) < EXTENSIONS_MAX:
        if not data[at]:
            at += 1  # padding
            continue
        if profile == _ONE_BYTE:
            number, start = data[at] >> 4, at + 1
            at = start + (data[at] & 15) + 1
            if number in _ENDING_IDS:
                break
        else:
            number, start = data[at], at + 2
            at = start + data[at + 1] if start <= len(data) else len(data) + 1
        if at > len(data):
            break
        found.append((number, data[start:at]))
    return tuple(found)


def _write_extensions(extensions: tuple[tuple[int, bytes], ...]) -> bytes:
    """In one byte where that is enough."""
    if not extensions:
        return b""
    numbers = [number for number, _ in extensions]
    sizes = [len(data) for _, data in extensions]
    if min(numbers) < 1 or max(numbers) > 255 or max(sizes) > 255 or len(numbers) > EXTENSIONS_MAX:
        raise ValueError("Extensions have ids of 1 to 255 and at most 255 octets.")
    if max(numbers) < _RESERVED_ID and min(sizes) > 0 and max(sizes) <= 16:
        profile = _ONE_BYTE
        body = b"".join(bytes((number << 4 | len(data) - 1,)) + data for number, data in extensions)
    else:
        profile = _TWO_BYTES
        body = b"".join(bytes((number, len(data))) + data for number, data in extensions)
    body += bytes(-len(body) % 4)
    return profile.to_bytes(2, "big") + (len(body) // 4).to_bytes(2, "big") + body
