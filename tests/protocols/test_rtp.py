"""RTP: what is written is read again, and nothing that comes in raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.protocols.rtp import (
    EXTENSIONS_MAX,
    PACKET_MAX,
    Level,
    RtpPacket,
    is_rtcp,
    level,
    level_extension,
    read,
    sequence_distance,
    timestamp_distance,
    write,
)

HEAD = bytes.fromhex("80 6f 0102 00000003 00000004")
"""Opus, number 258."""
WORDS = st.integers(0, 2**32 - 1)
EXTENSIONS = st.lists(
    st.tuples(st.integers(1, 255), st.binary(max_size=40)), max_size=EXTENSIONS_MAX
)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 2**16 - 1),
    timestamp=WORDS,
    ssrc=WORDS,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    sources=st.lists(WORDS, max_size=15).map(tuple),
    extensions=EXTENSIONS.map(tuple),
)


def extended(profile: int, elements: str, head: bytes = HEAD) -> bytes:
    data = bytes.fromhex(elements)
    assert len(data) % 4 == 0
    words = (len(data) // 4).to_bytes(2, "big")
    return bytes((head[0] | 0x10,)) + head[1:] + profile.to_bytes(2, "big") + words + data + b"x"


def test_a_packet_is_read() -> None:
    assert read(HEAD + b"abc") == RtpPacket(111, 258, 3, 4, b"abc")
    marked = bytes((0x80, 0x80 | 111)) + HEAD[2:]
    assert read(marked) == RtpPacket(111, 258, 3, 4, b"", marker=True)


def test_padding_and_sources_are_no_payload() -> None:
    padded = bytes((0xA0,)) + HEAD[1:] + b"abc" + b"\0\0\3"
    assert read(padded) == RtpPacket(111, 258, 3, 4, b"abc")
    mixed = bytes((0x82,)) + HEAD[1:] + bytes((0, 0, 0, 7, 0, 0, 0, 8)) + b"abc"
    assert read(mixed) == RtpPacket(111, 258, 3, 4, b"abc", sources=(7, 8))


@pytest.mark.parametrize(
    ("profile", "elements", "found"),
    [
        (0xBEDE, "10 85 0000", ((1, b"\x85"),)),
        (0xBEDE, "10 85 00 21 0102 0000", ((1, b"\x85"), (2, b"\1\2"))),
        (0xBEDE, "10 85 f0 01 20 07 0000", ((1, b"\x85"),)),  # 15 ends the reading
        (0xBEDE, "10 85 01 0102 10 07 00", ((1, b"\x85"),)),  # so does padding that is no octet
        (0xBEDE, "10 85 25 01", ((1, b"\x85"),)),  # cut short
        (0x1000, "01 01 85 00", ((1, b"\x85"),)),
        (0x100F, "01 00 02 02 0102 0000", ((1, b""), (2, b"\1\2"))),
        (0x1000, "00 00 00 01", ()),  # no room for a length
        (0x1000, "01 05 85 00", ()),
        (0x1234, "10 85 0000", ()),
        (0xBEDE, "", ()),
    ],
)
def test_extensions_are_read(
    profile: int, elements: str, found: tuple[tuple[int, bytes], ...]
) -> None:
    packet = read(extended(profile, elements))
    assert packet is not None
    assert (packet.extensions, packet.payload) == (found, b"x")


def test_many_extensions_are_not_all_read() -> None:
    packet = read(extended(0xBEDE, "10 85" * 40))
    assert packet is not None
    assert len(packet.extensions) == EXTENSIONS_MAX


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD[:-1],
        bytes((0x40,)) + HEAD[1:],  # version 1
        bytes((0x81,)) + HEAD[1:] + b"abc",  # a source that is cut short
        bytes((0x90,)) + HEAD[1:] + b"\xbe\xde\0",  # an extension without a length
        bytes((0x90,)) + HEAD[1:] + b"\xbe\xde\0\2abcd",
        bytes((0xA0,)) + HEAD[1:] + b"\0",  # no padding
        bytes((0xA0,)) + HEAD[1:] + b"ab\4",  # more padding than there is
        bytes((0xA0,)) + HEAD[1:-1] + b"\1",  # the header is no padding
        HEAD + bytes(PACKET_MAX),
    ],
)
def test_what_is_malformed_is_none(data: bytes) -> None:
    assert read(data) is None


@given(st.binary(max_size=80), st.integers(0, 255))
def test_no_octets_raise(data: bytes, first: int) -> None:
    for attempt in (data, bytes((first | 0x80,)) + data):
        packet = read(attempt)
        is_rtcp(attempt)
        assert packet is None or len(packet.payload) <= len(attempt) - 12
        assert packet is None or level(packet, 1) is None or packet.extensions


@given(PACKETS)
@settings(max_examples=100)
def test_what_is_written_is_read_again(packet: RtpPacket) -> None:
    data = write(packet)
    assert read(data) == (packet if len(data) <= PACKET_MAX else None)


@pytest.mark.parametrize(
    "change",
    [
        {"payload_type": 128},
        {"payload_type": -1},
        {"sequence": 1 << 16},
        {"timestamp": -1},
        {"sources": (1 << 32,)},
        {"sources": tuple(range(16))},
        {"extensions": ((0, b"a"),)},
        {"extensions": ((1, bytes(256)),)},
    ],
)
def test_what_does_not_fit_is_not_written(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        write(RtpPacket(111, 1, 2, 3, b"")._replace(**change))  # type: ignore[arg-type]


def test_levels() -> None:
    for wanted, told in ((30, 30), (-5, 0), (500, 127)):
        packet = RtpPacket(111, 1, 2, 3, b"", extensions=(level_extension(4, True, wanted),))
        again = read(write(packet))
        assert again is not None
        assert level(again, 4) == Level(True, told)
        assert level(again, 5) is None


@given(WORDS, st.integers(-(2**15), 2**15 - 1))
def test_distances_wrap(start: int, step: int) -> None:
    assert sequence_distance((start + step) & 0xFFFF, start & 0xFFFF) == step
    assert timestamp_distance((start + step) & 0xFFFFFFFF, start) == step


def test_rtcp_is_told_apart() -> None:
    assert is_rtcp(bytes((0x80, 200)))
    assert not is_rtcp(HEAD)
    assert not is_rtcp(bytes((0x80, 0x80 | 111)))
