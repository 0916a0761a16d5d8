"""RTCP: reports, names and goodbyes, written and read; times and intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.rtcp import (
    BLOCKS_MAX,
    Block,
    Description,
    Goodbye,
    Item,
    ReceiverReport,
    SenderReport,
    Sent,
    Skipped,
    fraction_lost,
    interval,
    middle,
    ntp,
    read,
    round_trip,
    write,
)

WORDS = st.integers(0, 2**32 - 1)
BLOCKS = st.lists(
    st.builds(
        Block, WORDS, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), WORDS, WORDS, WORDS,
        WORDS,
    ),
    max_size=3,
).map(tuple)  # fmt: skip
SENT = st.builds(Sent, st.integers(0, 2**64 - 1), WORDS, WORDS, WORDS)
NAMES = st.text(max_size=40)
ITEMS: st.SearchStrategy[list[Item]] = st.lists(
    st.one_of(
        st.builds(SenderReport, WORDS, SENT, BLOCKS),
        st.builds(ReceiverReport, WORDS, BLOCKS),
        st.builds(Description, WORDS, NAMES),
        st.builds(Goodbye, st.lists(WORDS, max_size=4).map(tuple), NAMES),
    ),
    min_size=1,
    max_size=4,
)
RECEIVED = bytes.fromhex("80c90001 00000009")
NACK = bytes.fromhex("81cd0003 00000001 00000002 00050000")


@given(ITEMS)
def test_what_is_written_is_read_again(items: list[Item]) -> None:
    data = write(items)
    assert len(data) % 4 == 0
    assert read(data) == items


def test_a_sender_report_as_the_standard_draws_it() -> None:
    block = Block(2, 64, -1, 3, 4, 5, 6)
    assert write([SenderReport(1, Sent(7 << 32 | 8, 9, 10, 11), (block,))]) == bytes.fromhex(
        "81c8000c 00000001 00000007 00000008 00000009 0000000a 0000000b"
        "00000002 40ffffff 00000003 00000004 00000005 00000006"
    )


def test_feedback_is_skipped() -> None:
    assert read(RECEIVED + NACK) == [ReceiverReport(9), Skipped(205)]
    assert read(NACK) == [Skipped(205)]


def test_names_stand_among_other_items() -> None:
    first = b"\0\0\0\1" + b"\2\2ab" + b"\1\1c" + b"\0"
    second = b"\0\0\0\2" + b"\1\2de" + bytes(4)
    assert len(first + second) == 24
    chunks = bytes.fromhex("82ca0006") + first + second
    assert read(chunks) == [Description(1, "c"), Description(2, "de")]


def test_the_last_packet_may_be_padded() -> None:
    padded = bytes.fromhex("a0c90002 00000009 00000004")
    assert read(padded) == [ReceiverReport(9)]
    assert read(padded + RECEIVED) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        RECEIVED[:-1],
        RECEIVED + b"\0",
        b"\x40" + RECEIVED[1:],
        bytes.fromhex("80c90000"),  # no SSRC
        bytes.fromhex("81c90001 00000009"),  # a block that is not there
        bytes.fromhex("80c80001 00000009"),  # a sender that tells nothing
        bytes.fromhex("81ca0001 00000001"),  # a chunk that does not end
        bytes.fromhex("81ca0002 00000001 01056162"),
        bytes.fromhex("81ca0002 00000001 02016101"),
        bytes.fromhex("82cb0001 00000001"),
        bytes.fromhex("81cb0002 00000001 05616263"),  # a reason that is cut short
        bytes.fromhex("a0c90001 00000000"),  # no padding
        bytes.fromhex("a0c90001 00000003"),
        bytes.fromhex("a0c90001 00000008"),  # more padding than there is
        bytes(4000),
    ],
)
def test_what_is_malformed_is_none(data: bytes) -> None:
    assert read(data) is None


@given(st.binary(max_size=120), st.integers(0, 31), st.integers(199, 208))
def test_no_octets_raise(data: bytes, count: int, kind: int) -> None:
    read(data)
    body = data + bytes(-len(data) % 4)
    read(bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body)


@pytest.mark.parametrize(
    "item",
    [
        ReceiverReport(1 << 32),
        ReceiverReport(1, (Block(1, 2, 3, 4, 5, 6, 7),) * (BLOCKS_MAX + 1)),
        ReceiverReport(1, (Block(1, 256, 3, 4, 5, 6, 7),)),
        SenderReport(1, Sent(1 << 64, 0, 0, 0)),
        Goodbye((-1,)),
        Skipped(205),
    ],
)
def test_what_does_not_fit_is_not_written(item: Item) -> None:
    with pytest.raises(ValueError):
        write([item])


def test_long_names_are_cut_between_characters() -> None:
    assert read(write([Description(1, "é" * 200)])) == [Description(1, "é" * 127)]


@given(st.floats(0, 4e9), st.floats(0, 10), st.floats(0, 60))
def test_the_round_trip_is_what_the_peer_did_not_wait(
    sent: float, trip: float, delay: float
) -> None:
    block = Block(1, 0, 0, 0, 0, middle(ntp(sent)), round(delay * 65536))
    found = round_trip(block, sent + trip + delay)
    if block.last:
        assert found == pytest.approx(trip, abs=1e-4)


def test_no_round_trip_of_nothing() -> None:
    assert round_trip(Block(1, 0, 0, 0, 0, 0, 0), 100.0) is None
    impossible = Block(1, 0, 0, 0, 0, middle(ntp(100.0)), 9 << 16)
    assert round_trip(impossible, 101.0) is None


@pytest.mark.parametrize(
    ("expected", "received", "fraction"),
    [(0, 0, 0), (100, 100, 0), (100, 75, 64), (100, 0, 255), (100, 101, 0), (-1, 0, 0)],
)
def test_fractions(expected: int, received: int, fraction: int) -> None:
    assert fraction_lost(expected, received) == fraction


@pytest.mark.parametrize(
    ("members", "senders", "sends", "initial", "least", "most"),
    [
        (2, 2, True, False, 4.1, 12.4),  # the minimum of 5 s, over 1.2
        (2, 2, True, True, 2.0, 6.2),
        (1000, 1, True, False, 4.1, 12.4),  # few senders have a quarter to themselves
        (1000, 1, False, False, 300.0, 1000.0),
    ],
)
def test_intervals(
    members: int, senders: int, sends: bool, initial: bool, least: float, most: float
) -> None:
    found = [interval(members, senders, chance, sends=sends, initial=initial)
             for chance in (0.0, 0.5, 1.0)]  # fmt: skip
    assert found == sorted(found)
    assert least / 2.1 <= found[0] <= found[-1] <= most
