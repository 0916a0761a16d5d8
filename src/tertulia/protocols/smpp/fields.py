"""Fields of SMPP 3.4 (sections 3.1, 3.2.4): strings, addresses, numbers, TLVs, read and written."""

from collections.abc import Mapping
from struct import Struct as Layout
from types import MappingProxyType
from typing import NamedTuple

from tertulia.protocols.smpp.names import Status

_TLV = Layout("!HH")
TWO = Layout("!BB")
THREE = Layout("!BBB")
FLAGS = Layout("!BBBBB")
_TLVS_MAX = 64
"""Of one PDU: the specification has 44."""
NO_TLVS: Mapping[int, bytes] = MappingProxyType({})


class Address(NamedTuple):
    ton: int
    npi: int
    value: str


NOWHERE = Address(0, 0, "")


class Torn(Exception):
    """A field is not what it should be."""

    def __init__(self, status: Status) -> None:
        self.status = status


def read_text(data: bytes, at: int, room: int) -> tuple[str, int]:
    """A C-octet string of so many octets at most, and where the next field is."""
    end = data.find(0, at, at + room)
    if end < 0:
        raise Torn(Status.RINVPARLEN)
    return data[at:end].decode("latin-1"), end + 1


def read_address(data: bytes, at: int, room: int = 21) -> tuple[Address, int]:
    if at + 2 >= len(data):
        raise Torn(Status.RINVPARLEN)
    value, end = read_text(data, at + 2, room)
    return Address(data[at], data[at + 1], value), end


def read_numbers(data: bytes, at: int, layout: Layout) -> tuple[int, ...]:
    if at + layout.size > len(data):
        raise Torn(Status.RINVPARLEN)
    return layout.unpack_from(data, at)


def read_tlvs(data: bytes, at: int) -> Mapping[int, bytes]:
    """Of one that is there twice, the first."""
    size = len(data)
    if at == size:
        return NO_TLVS
    found: dict[int, bytes] = {}
    while at < size:
        if at + 4 > size or len(found) >= _TLVS_MAX:
            raise Torn(Status.RINVOPTPARSTREAM)
        tag, length = _TLV.unpack_from(data, at)
        at += 4 + length
        if at > size:
            raise Torn(Status.RINVOPTPARSTREAM)
        found.setdefault(tag, data[at - length : at])
    return found


def octets(value: str, room: int) -> bytes:
    """A C-octet string. Raises ValueError, as the others here, for what does not fit."""
    encoded = value.encode("latin-1", "replace")
    if len(encoded) >= room or 0 in encoded:
        raise ValueError(f"{len(encoded)} octets, or a NUL, where {room - 1} octets may be")
    return encoded + b"\0"


def place(address: Address, room: int = 21) -> bytes:
    return bytes(address[:2]) + octets(address.value, room)


def options(tlvs: Mapping[int, bytes]) -> bytes:
    if any(len(value) > 0xFFFF for value in tlvs.values()):
        raise ValueError("a TLV of more than 65,535 octets")
    return b"".join(_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items())


def short(text: bytes) -> bytes:
    if len(text) > 254:
        raise ValueError(f"{len(text)} octets in short_message, which holds 254")
    return bytes((len(text),)) + text
