"""Engine.IO and Socket.IO packets, and the short way in for acknowledgements."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.socketio import (
    CONNECT,
    DISCONNECT,
    PING,
    PONG,
    Acknowledged,
    Closed,
    Connect,
    Disconnect,
    Emitted,
    Noop,
    Opened,
    Packet,
    PacketError,
    Ping,
    Pong,
    Refused,
    acknowledgement,
    acknowledgements,
    connected,
    emitted,
    open_packet,
    read,
)
from tertulia.protocols.websocket import PING as PING_FRAME
from tertulia.protocols.websocket import FrameReader, WebsocketError, frame, masked_frame

OPEN = open_packet("s-1", ping_interval_ms=25_000, ping_timeout_ms=20_000, max_payload=65_536)


def test_the_first_packet() -> None:
    assert OPEN[:1] == b"0"
    assert json.loads(OPEN[1:]) == {
        "sid": "s-1",
        "upgrades": [],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 65_536,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OPEN, Opened("s-1", 25_000, 20_000, 65_536)),
        (b'0{"sid":"s","upgrades":[],"pingInterval":1,"pingTimeout":2}', Opened("s", 1, 2, 0)),
        (b"1", Closed()),
        (PING, Ping(b"")),
        (b"2probe", Ping(b"probe")),
        (PONG, Pong(b"")),
        (b"3probe", Pong(b"probe")),
        (b"5", Noop()),
        (b"6", Noop()),
        (CONNECT, Connect("/", b"")),
        (connected("s-1"), Connect("/", b'{"sid":"s-1"}')),
        (b'40{"token":"t"}', Connect("/", b'{"token":"t"}')),
        (b"40/chat", Connect("/chat", b"")),
        (b"40/chat,", Connect("/chat", b"")),
        (b"40/,", Connect("/", b"")),
        (b'40/chat?a=b,{"token":"t"}', Connect("/chat?a=b", b'{"token":"t"}')),
        (DISCONNECT, Disconnect("/")),
        (b"41/chat,", Disconnect("/chat")),
        (b'42["a",{"b" : 1}]', Emitted("a", b'{"b" : 1}', None)),
        (b'42["a"]', Emitted("a", b"{}", None)),
        (b'427["a",[1],2,"3"]', Emitted("a", b"[1]", 7)),
        (b'420["\xc3\xa9\\n",null]', Emitted("é\n", b"null", 0)),
        (b'42/,7["a",1]', Emitted("a", b"1", 7)),
        (emitted("a:b", b'{"body":{}}', 1), Emitted("a:b", b'{"body":{}}', 1)),
        (acknowledgement(0), Acknowledged(0)),
        (b"43007[]", Acknowledged(7)),
        (b'437["a",{}]', Acknowledged(7)),
        (b"43/,7[]", Acknowledged(7)),
        (b"43%d[]" % (1 << 53), Acknowledged(1 << 53)),
        (b"44", Refused(b"")),
        (b'44{"message":"no"}', Refused(b'{"message":"no"}')),
        (b'44"no"', Refused(b'"no"')),
    ],
)  # fmt: skip
def test_forms(text: bytes, expected: Packet) -> None:
    assert read(text) == expected


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "text",
    [
        b"", b"4", b"7", b"8", b"9", b"a", b"\xff", b" 2", b"11", b"1{}", b"5x", b"6x", b"bAAAA",
        b"0", b"0{}", b"0[]", b'0{"sid":1,"pingInterval":1,"pingTimeout":2}',
        b'0{"sid":"s","pingInterval":"1","pingTimeout":2}', b"0" + DEEP,
        b"40x", b"40[]", b"401", b'40"a"', b"40{", b"40{}x", b"40/\xff",
        b"41x", b"41{}", b"41/chat,x",
        b"42", b"42[]", b"42{}", b"42[1]", b"42[null,1]", b'42"a"', b'42["a"', b'42["a",]',
        b'42["a",1', b'42["a"]x', b'427', b'42-1["a"]', b'42 7["a"]', b'42["\xff"]',
        b'42["\\ud800"]', b'42["a",' + DEEP, b'42["a",' + DEEP + b"]" * 100_001,
        b'42%d["a"]' % ((1 << 53) + 1), b'42%d["a"]' % 10**16, b'42/chat,["a"]', b'42/chat["a"]',
        b"43", b"43[]", b"437", b"437{}", b"437[", b"437[]x", b"43-7[]", b"43+7[]", b"43 7[]",
        b"431_0[]", "43٧[]".encode(), b"43%d[]" % ((1 << 53) + 1), b"437.0[]",
        b"43" + b"0" * 17 + b"[]", b"43/chat,7[]", b"43" + b"7" * 100_000, b"437" + DEEP,
        b"44{", b"44/chat,{}",
        b'45["a"]', b'451-["a",{"_placeholder":true,"num":0}]', b"461-7[]", b"47", b"48", b"4\xff",
    ],
)  # fmt: skip
def test_refusals(text: bytes) -> None:
    with pytest.raises(PacketError):
        read(text)


def test_an_event_in_bytes() -> None:
    assert emitted("a", b"{}") == b'42["a",{}]'
    assert emitted('é"', b"[1]", 12) == '4212["é\\"",[1]]'.encode()
    assert acknowledgement(12) == b"4312[]"


@given(st.text(), st.integers(0, 1 << 53) | st.none())
def test_an_event_round_trip(name: str, ack: int | None) -> None:
    assert read(emitted(name, b'{"a":[]}', ack)) == Emitted(name, b'{"a":[]}', ack)


@given(
    st.binary(max_size=60)
    | st.builds(
        lambda kind, rest: kind + rest,
        st.sampled_from([b"0{", b"40", b"41", b'42["', b"43", b"44", b"437", b"42/", b'42["a",']),
        st.text('[]{},:"\\0123456789eE+-._ \n/aé\0', max_size=20).map(str.encode),
    )
)
def test_random_texts_are_read_or_refused(text: bytes) -> None:
    try:
        read(text)
    except PacketError:
        pass


MASK = b"\x01\x80\xff\x5a"


def ack_frames(*numbers: int) -> bytes:
    return b"".join(masked_frame(acknowledgement(number), MASK) for number in numbers)


@pytest.mark.parametrize(
    "numbers", [(0,), (7, 8), (9, 10, 11), (1 << 53,), tuple(range(98, 128)), (10**15, 3)]
)
def test_acknowledgements(numbers: tuple[int, ...]) -> None:
    data = ack_frames(*numbers)
    assert acknowledgements(data) == (list(numbers), len(data))
    follower = masked_frame(b'42["a"]', MASK)
    for end in (1, 5, len(follower)):
        assert acknowledgements(data + follower[:end]) == (list(numbers), len(data))
    assert acknowledgements(data[:-1])[0] == list(numbers[:-1])


NOT_FIRST = {
    "nothing": b"",
    "an unmasked frame": frame(b"437[]"),
    "a fragment": b"\x01" + ack_frames(7)[1:],
    "a reserved bit": b"\xc1" + ack_frames(7)[1:],
    "a binary frame": masked_frame(b"437[]", MASK, 2),
    "a ping": masked_frame(b"437[]", MASK, PING_FRAME),
    "no number": masked_frame(b"43[]", MASK),
    "arguments": masked_frame(b"437[1]", MASK),
    "a space": masked_frame(b"43 7[]", MASK),
    "a sign": masked_frame(b"43+7[]", MASK),
    "an underscore": masked_frame(b"431_1[]", MASK),
    "an event": masked_frame(b"427[]", MASK),
    "a zero byte after": masked_frame(b"437[]\0", MASK),
    "a zero byte before": masked_frame(b"\x00437[]", MASK),
    "too large": ack_frames((1 << 53) + 1),
    "too long": masked_frame(b"43" + b"0" * 16 + b"7[]", MASK),
    "a pong": masked_frame(PONG, MASK),
    "a long length": b"\x81\xfe\x00\x05" + MASK + ack_frames(7)[6:],
    "less than it says": b"\x81\x8a" + ack_frames(7)[2:],
    "more than it says": b"\x81\x85" + ack_frames(77)[2:],
}


@pytest.mark.parametrize("data", NOT_FIRST.values(), ids=NOT_FIRST.keys())
def test_what_is_no_acknowledgement_is_left(data: bytes) -> None:
    assert acknowledgements(data) == ([], 0)
    assert acknowledgements(ack_frames(5) + data) == ([5], 11)


Outcome = tuple[list[Packet | bytes], int]
"""Packets (a text that is none as it came), and the code of the websocket's refusal or 0."""


def outcome(parts: list[bytes], short: bool) -> Outcome:
    """What a session reads, with the short way in or without."""
    reader = FrameReader(1 << 16, masked=True)
    found: list[Packet | bytes] = []
    for part in parts:
        end = 0
        if short and reader.is_between:
            numbers, end = acknowledgements(part)
            found += map(Acknowledged, numbers)
        try:
            messages = reader.feed(part[end:])
        except WebsocketError as error:
            return found, error.code
        found += [packet(message.data) for message in messages]
    return found, 0


def packet(text: bytes) -> Packet | bytes:
    try:
        return read(text)
    except PacketError:
        return text


def is_acknowledgement(data: bytes) -> bool:
    """Whether the first frame is there as a whole, and one that the short way takes."""
    size = data[1] - 0x7A if len(data) > 1 and data[0] == 0x81 else 0
    if not 11 <= size <= min(len(data), 26):
        return False
    try:
        (message,) = FrameReader(125, masked=True).feed(data[:size])
    except WebsocketError:
        return False
    plain = re.fullmatch(rb"43[0-9]+\[]", message.data)
    return plain is not None and isinstance(packet(message.data), Acknowledged)


masks = st.binary(min_size=4, max_size=4)
texts = st.one_of(
    st.integers(0, 1 << 54).map(acknowledgement),
    st.integers(0, 200).map(acknowledgement),
    st.sampled_from([PING, PONG, b'42["a",{}]', b"43[]", b"437[1]", b"4300[]", b"43/,7[]", b""]),
    st.text("043[]7 \0", max_size=8).map(str.encode),
)
frames = st.one_of(
    st.builds(masked_frame, texts, masks),
    st.builds(masked_frame, texts, masks, st.sampled_from([1, 2, 8, 9, 10])),
    st.builds(frame, texts),
    st.binary(max_size=20),
)


@given(st.lists(frames, max_size=8), st.integers(0, 12), st.lists(st.integers(0, 150), max_size=4))
def test_acknowledgements_are_what_the_long_way_reads(
    parts: list[bytes], less: int, cuts: list[int]
) -> None:
    data = b"".join(parts)
    data = data[: max(0, len(data) - less)]
    numbers, end = acknowledgements(data)
    assert outcome([data[:end]], short=False) == (list(map(Acknowledged, numbers)), 0)
    assert not is_acknowledgement(data[end:]), "it stops at the first that is none"
    pieces = [data[a:b] for a, b in pairwise([0, *sorted(cuts), len(data)])]
    assert outcome(pieces, short=True)[1] == outcome(pieces, short=False)[1]
    if not outcome(pieces, short=False)[1]:
        assert outcome(pieces, short=True) == outcome(pieces, short=False)
