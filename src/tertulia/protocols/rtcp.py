"""RTCP (RFC 3550 6): reports of what was sent and received, names, goodbyes; others are skipped.

Packets that stand alone (RFC 5506) are read as compound ones are. Of a packet that is malformed
nothing is believed. Times of the wall clock are seconds since 1970.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

PACKET_MAX = 2048
"""Octets of a compound packet that is looked at."""
BLOCKS_MAX = 31
"""Report blocks in a packet, by the bits of its count."""
NAME_MAX = 255
"""Octets of a canonical name, and of the reason of a goodbye."""
_HEADER = Struct("!BBH")
_SENDER = Struct("!QIII")
_BLOCK = Struct("!IIIIII")
_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _GOODBYE = 200, 201, 202, 203
_CNAME = 1
_NTP_1970 = 2_208_988_800
"""Seconds from NTP's beginning to that of Unix."""
_MIDDLE = 0xFFFF_FFFF
_SECOND = 1 << 16
"""In the middle 32 bits of an NTP time, and in delays."""


class Block(NamedTuple):
    """What a receiver tells of one source (RFC 3550 6.4.1)."""

    ssrc: int
    fraction: int
    """Of the packets since the report before, those lost, in 256ths."""
    lost: int
    """Packets since the beginning; below 0 when there were more duplicates."""
    highest: int
    """Sequence number, above its times round."""
    jitter: int
    """In units of the source's timestamps."""
    last: int
    """The middle of the NTP time of the last sender report; 0 is none."""
    delay: int
    """Since that came, in 65536ths of a second."""


class Sent(NamedTuple):
    """What a sender tells of itself (RFC 3550 6.4.1)."""

    ntp: int
    """Of the wall clock; 64 bits."""
    timestamp: int
    """Of the media at that time."""
    packets: int
    octets: int


class SenderReport(NamedTuple):
    ssrc: int
    sent: Sent
    blocks: tuple[Block, ...] = ()


class ReceiverReport(NamedTuple):
    ssrc: int
    blocks: tuple[Block, ...] = ()


class Description(NamedTuple):
    ssrc: int
    cname: str


class Goodbye(NamedTuple):
    sources: tuple[int, ...]
    reason: str = ""


class Skipped(NamedTuple):
    """Feedback, and what else there is or will be."""

    kind: int
    """The packet type."""


Item = SenderReport | ReceiverReport | Description | Goodbye | Skipped


def read(data: bytes) -> list[Item] | None:
    """The packets of a compound one, a description for each name. None when any is malformed."""
    if not data or len(data) > PACKET_MAX:
        return None
    found: list[Item] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            return None
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + 4 + 4 * words
        body = _unpadded(data[at + 4 : end], bool(first & 0x20), end == len(data))
        if first >> 6 != 2 or end > len(data) or body is None:
            return None
        try:
            found += _read(kind, first & 31, body)
        except (StructError, ValueError):
            return None
        at = end
    return found


def write(items: Iterable[Item]) -> bytes:
    """A compound packet: by the rules a report first, then a description.

    Raises:
        ValueError: a number does not fit, or there are too many blocks or sources.
    """
    try:
        return b"".join(map(_write, items))
    except (StructError, OverflowError) as error:
        raise ValueError("A number does not fit into its field of RTCP.") from error


def ntp(wall: float) -> int:
    """The 64 bits of NTP for a time of the wall clock."""
    return int((wall + _NTP_1970) * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF


def middle(ntp_time: int) -> int:
    """The 32 bits that reports tell of an NTP time."""
    return ntp_time >> 16 & _MIDDLE


def round_trip(block: Block, arrived: float) -> float | None:
    """Seconds there and back, of a block about us that came at this time of the wall clock.

    None when the peer has heard no report of ours yet, or tells an impossible delay.
    """
    if not block.last:
        return None
    units = (middle(ntp(arrived)) - block.last - block.delay) & _MIDDLE
    if units >= 1 << 31:
        # Clocks of both are coarse: just below nothing is nothing.
        return 0.0 if units > _MIDDLE - _SECOND // 10 else None
    return units / _SECOND


def fraction_lost(expected: int, received: int) -> int:
    """The 256ths that a report tells (RFC 3550 A.3), of packets since the report before it."""
    return min(max(0, (expected - received << 8) // expected), 255) if expected > 0 else 0


def interval(
    members: int,
    senders: int,
    chance: float,
    *,
    sends: bool = True,
    octets: float = 120.0,
    bandwidth: float = 32_000.0,
    initial: bool = False,
) -> float:
    """Seconds until the next report (RFC 3550 6.3.1), with the reduced minimum of 6.2.

    `members` and `senders` count us; `octets` is the size of a report with its UDP and IP
    headers; `bandwidth` of the session in bits a second, of which RTCP gets a twentieth; `chance`
    is drawn from 0 to 1.
    """
    share = bandwidth / 8 * 0.05
    counted = members
    if senders <= members * 0.25:
        share, counted = (share * 0.25, senders) if sends else (share * 0.75, members - senders)
    minimum = min(360 / (bandwidth / 1000), 5.0) * (0.5 if initial else 1.0)
    expected = max(minimum, octets * counted / share)
    return expected * (chance + 0.5) / 1.21828


def _unpadded(body: bytes, padded: bool, is_last: bool) -> bytes | None:
    """Only the last packet of a compound one may be padded, to whole words."""
    if not padded:
        return body
    if not body or not is_last or body[-1] % 4 or not 0 < body[-1] <= len(body):
        return None
    return body[: -body[-1]]


def _read(kind: int, count: int, body: bytes) -> Sequence[Item]:
    """
    Raises:
        StructError: it is shorter than it says. ValueError: so is a text in it.
    """
    if kind == _SENDER_REPORT:
        sent = Sent(*_SENDER.unpack_from(body, 4))
        return (SenderReport(_ssrc(body, 0), sent, _read_blocks(body, 24, count)),)
    if kind == _RECEIVER_REPORT:
        return (ReceiverReport(_ssrc(body, 0), _read_blocks(body, 4, count)),)
    if kind == _DESCRIPTION:
        return _read_descriptions(body, count)
    if kind == _GOODBYE:
        sources = tuple(_ssrc(body, 4 * number) for number in range(count))
        reason = body[4 * count :]
        return (Goodbye(sources, _text(reason, 1, reason[0]) if reason else ""),)
    return (Skipped(kind),)


def _ssrc(body: bytes, at: int) -> int:
    if at + 4 > len(body):
        raise ValueError("An SSRC is cut short.")
    return int.from_bytes(body[at : at + 4], "big")


def _text(body: bytes, at: int, length: int) -> str:
    if at + length > len(body):
        raise ValueError("A text is cut short.")
    return body[at : at + length].decode("utf-8", "replace")


def _read_blocks(body: bytes, at: int, count: int) -> tuple[Block, ...]:
    found = []
    for number in range(count):
        ssrc, losses, highest, jitter, last, delay = _BLOCK.unpack_from(body, at + 24 * number)
        lost = (losses & 0xFF_FFFF ^ 0x80_0000) - 0x80_0000
        found.append(Block(ssrc, losses >> 24, lost, highest, jitter, last, delay))
    return tuple(found)


def _read_descriptions(body: bytes, count: int) -> list[Description]:
    """The canonical names; other items of a source are skipped."""
    found = []
    at = 0
    for _ in range(count):
        ssrc = _ssrc(body, at)
        at += 4
        while at < len(body) and body[at]:
            if at + 2 > len(body):
                raise ValueError("An item is cut short.")
            text = _text(body, at + 2, body[at + 1])
            if body[at] == _CNAME:
                found.append(Description(ssrc, text))
            at += 2 + body[at + 1]
        if at >= len(body):
            raise ValueError("A chunk does not end.")
        at += 4 - at % 4  # at least one null, up to the next word
    return found


def _write(item: Item) -> bytes:
    match item:
        case SenderReport(ssrc, sent, blocks):
            head = ssrc.to_bytes(4, "big") + _SENDER.pack(*sent)
            return _packet(_SENDER_REPORT, len(blocks), head + _write_blocks(blocks))
        case ReceiverReport(ssrc, blocks):
            head = ssrc.to_bytes(4, "big")
            return _packet(_RECEIVER_REPORT, len(blocks), head + _write_blocks(blocks))
        case Description(ssrc, cname):
            chunk = ssrc.to_bytes(4, "big") + bytes((_CNAME,)) + _counted(cname)
            return _packet(_DESCRIPTION, 1, chunk + bytes(4 - len(chunk) % 4))
        case Goodbye(sources, reason):
            body = b"".join(source.to_bytes(4, "big") for source in sources)
            text = _counted(reason) if reason else b""
            return _packet(_GOODBYE, len(sources), body + text + bytes(-len(text) % 4))
        case Skipped():
            raise ValueError("What was skipped cannot be written.")


def _packet(kind: int, count: int, body: bytes) -> bytes:
    if count > BLOCKS_MAX:
        raise ValueError(f"An RTCP packet tells of at most {BLOCKS_MAX}.")
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _counted(text: str) -> bytes:
    octets = text.encode()[:NAME_MAX].decode("utf-8", "ignore").encode()
    return bytes((len(octets),)) + octets


def _write_blocks(blocks: Sequence[Block]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction << 24 | min(max(block.lost, -0x80_0000), 0x7F_FFFF) & 0xFF_FFFF,
            *block[3:],
        )
        for block in blocks
    )
