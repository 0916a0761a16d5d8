"""STUN messages as ICE speaks them (RFC 8489, RFC 8445 16): read, verified and written.

Attributes are octets by type; the few that ICE needs have a function each way.
"""

import hashlib
import hmac
import ipaddress
import struct
from binascii import crc32
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

MESSAGE_MAX = 1500
"""Octets: one datagram. Nobody has cause to say more to us."""
BINDING = 1

_COOKIE = 0x2112A442
_COOKIE_OCTETS = _COOKIE.to_bytes(4)
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E
_OPTIONAL = 0x8000
"""From this type on, an attribute that is not understood may be ignored (RFC 8489 14)."""
_FAMILIES = {4: 1, 16: 2}
"""Of an address, by its octets."""


class Kind(IntEnum):
    """Class of a message."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


_KNOWN = frozenset(int(each) for each in Attribute)
_INTEGRITY = int(Attribute.MESSAGE_INTEGRITY)
_FINGERPRINT = int(Attribute.FINGERPRINT)


class Message(NamedTuple):
    kind: Kind
    method: int
    transaction: bytes
    """Twelve octets."""
    attributes: dict[int, bytes]
    """The first of each type, and none that is not covered by the integrity."""
    unknown: tuple[int, ...]
    """Types that must be understood, and are not."""
    covered: int | None
    """Octets before MESSAGE-INTEGRITY; None when there is none."""

    def text(self, attribute: Attribute) -> str | None:
        """An attribute's UTF-8; None when it is missing, or is none."""
        try:
            return str(self.attributes[attribute], "utf-8")
        except (KeyError, UnicodeDecodeError):
            return None

    def number(self, attribute: Attribute) -> int | None:
        """PRIORITY, ICE-CONTROLLING, ICE-CONTROLLED."""
        value = self.attributes.get(attribute)
        return None if value is None else int.from_bytes(value)


def read(data: bytes) -> Message | None:
    """None when it is no STUN message, is cut or too long, or its FINGERPRINT is wrong."""
    if not _HEADER.size <= len(data) <= MESSAGE_MAX:
        return None
    head, length, cookie, transaction = _HEADER.unpack_from(data)
    if head >> 14 or cookie != _COOKIE or length % 4 or length != len(data) - _HEADER.size:
        return None
    attributes = _attributes(data)
    if attributes is None:
        return None
    values, covered = attributes
    unknown = tuple(each for each in values if each < _OPTIONAL and each not in _KNOWN)
    kind = Kind((head >> 7 & 2) | (head >> 4 & 1))
    method = (head & 0xF) | (head >> 1 & 0x70) | (head >> 2 & 0xF80)
    return Message(kind, method, transaction, values, unknown, covered)


def _attributes(data: bytes) -> tuple[dict[int, bytes], int | None] | None:
    values: dict[int, bytes] = {}
    covered = None
    at = _HEADER.size
    while at < len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        start, end = at + 4, at + 4 + length
        if end > len(data):
            return None
        if kind == _FINGERPRINT:
            last = end == len(data)
            return (
                (values, covered) if last and _fingerprint(data[:at]) == data[start:end] else None
            )
        if covered is None:  # what comes after the integrity could be anybody's (RFC 8489 14.5)
            values.setdefault(kind, data[start:end])
            covered = at if kind == _INTEGRITY else None
        at = end + -length % 4
    return values, covered


def verify(data: bytes, message: Message, key: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY of what was read from `data` is there and made with the key."""
    if message.covered is None:
        return False
    expected = _integrity(data[: message.covered], key)
    return hmac.compare_digest(message.attributes[_INTEGRITY], expected)


def write(
    kind: Kind,
    transaction: bytes,
    attributes: Iterable[tuple[Attribute, bytes]] = (),
    *,
    key: bytes | None = None,
    method: int = BINDING,
) -> bytes:
    """A message with FINGERPRINT, and with MESSAGE-INTEGRITY when there is a key."""
    head = (method & 0xF) | (method & 0x70) << 1 | (method & 0xF80) << 2
    head |= (kind & 2) << 7 | (kind & 1) << 4
    body = b"".join(_attribute(each, value) for each, value in attributes)
    data = _HEADER.pack(head, len(body), _COOKIE, transaction) + body
    if key is not None:
        data = _with_length(data, 24) + _attribute(_INTEGRITY, _integrity(data, key))
    return _with_length(data, 8) + _attribute(_FINGERPRINT, _fingerprint(data))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _with_length(data: bytes, more: int) -> bytes:
    """The message so far, whose header counts so many octets that are still to come."""
    return data[:2] + (len(data) - _HEADER.size + more).to_bytes(2) + data[4:]


def _integrity(data: bytes, key: bytes) -> bytes:
    """Over the message as it would be if it ended with this attribute (RFC 8489 14.5)."""
    return hmac.digest(key, _with_length(data, 24), hashlib.sha1)


def _fingerprint(data: bytes) -> bytes:
    return (crc32(_with_length(data, 8)) ^ _FINGERPRINT_XOR).to_bytes(4)


def address_value(host: str, port: int, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS. An IPv4 address that an IPv6 socket has seen is one of IPv4.

    Raises:
        ValueError: the host is no address.
    """
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    packed = address.packed
    family = _FAMILIES[len(packed)]
    masked = _xor(packed, _COOKIE_OCTETS + transaction)
    return struct.pack("!BBH", 0, family, port ^ _COOKIE >> 16) + masked


def address(value: bytes, transaction: bytes) -> tuple[str, int] | None:
    """The host and port of an XOR-MAPPED-ADDRESS; None when it is none."""
    if len(value) < 4 or _FAMILIES.get(len(value) - 4) != value[1]:
        return None
    packed = _xor(value[4:], _COOKIE_OCTETS + transaction)
    return str(ipaddress.ip_address(packed)), int.from_bytes(value[2:4]) ^ _COOKIE >> 16


def _xor(value: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(value, mask, strict=False))


def error_value(code: int, reason: str) -> bytes:
    """ERROR-CODE."""
    return bytes((0, 0, code // 100, code % 100)) + reason.encode()


def error_code(message: Message) -> int | None:
    value = message.attributes.get(Attribute.ERROR_CODE, b"")
    return value[2] % 8 * 100 + value[3] if len(value) >= 4 else None


def types_value(types: Iterable[int]) -> bytes:
    """UNKNOWN-ATTRIBUTES."""
    return b"".join(each.to_bytes(2) for each in types)


def addressee(data: bytes) -> str | None:
    """Whose check this is: the part of USERNAME before its colon, which the receiver of a
    connectivity check has chosen (RFC 8445 7.2.2). None when it is no such check."""
    message = read(data)
    if message is None or message.kind is not Kind.REQUEST or message.method != BINDING:
        return None
    name, colon, _ = (message.text(Attribute.USERNAME) or "").partition(":")
    return name if colon else None
