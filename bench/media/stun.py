"""Checks of connectivity as a full ICE agent makes and answers them (RFC 8489, RFC 8445)."""

import hashlib
import hmac
import os
import socket
import struct
import zlib
from typing import NamedTuple

COOKIE = 0x2112A442
REQUEST, SUCCESS = 0x0001, 0x0101
USERNAME, INTEGRITY, XOR_ADDRESS = 0x0006, 0x0008, 0x0020
PRIORITY, USE_CANDIDATE, FINGERPRINT, CONTROLLING = 0x0024, 0x0025, 0x8028, 0x802A


class Credentials(NamedTuple):
    ufrag: str
    password: str


def is_stun(datagram: bytes) -> bool:
    return len(datagram) >= 20 and datagram[0] < 4 and datagram[4:8] == COOKIE.to_bytes(4)


def kind(datagram: bytes) -> int:
    return int.from_bytes(datagram[:2])


def request(ours: Credentials, theirs: Credentials) -> bytes:
    """A check by the controlling side, which takes the pair at once."""
    attributes = [
        (USERNAME, f"{theirs.ufrag}:{ours.ufrag}".encode()),
        (PRIORITY, struct.pack("!I", 0x6E0001FF)),
        (CONTROLLING, bytes(8)),
        (USE_CANDIDATE, b""),
    ]
    return _message(REQUEST, os.urandom(12), attributes, theirs.password)


def answer(check: bytes, source: tuple[str, int], ours: Credentials) -> bytes:
    """The success of a check from `source`."""
    host = int.from_bytes(socket.inet_aton(source[0])) ^ COOKIE
    address = struct.pack("!BBHI", 0, 1, source[1] ^ COOKIE >> 16, host)
    return _message(SUCCESS, check[8:20], [(XOR_ADDRESS, address)], ours.password)


def _message(
    kind: int, transaction: bytes, attributes: list[tuple[int, bytes]], password: str
) -> bytes:
    body = b"".join(_attribute(*attribute) for attribute in attributes)
    keyed = _head(kind, len(body) + 24, transaction) + body
    digest = hmac.new(password.encode(), keyed, hashlib.sha1).digest()
    body += _attribute(INTEGRITY, digest)
    summed = _head(kind, len(body) + 8, transaction) + body
    return summed + _attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(summed) ^ 0x5354554E))


def _head(kind: int, length: int, transaction: bytes) -> bytes:
    return struct.pack("!HHI", kind, length, COOKIE) + transaction


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)
