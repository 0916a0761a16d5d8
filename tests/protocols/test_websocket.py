"""The websocket codec: every form, every refusal, and that the cuts of a stream do not matter."""

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.protocols.http1 import HttpError, Limits, Request
from tertulia.protocols.http1_parser import Parser
from tertulia.protocols.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    Message,
    WebsocketError,
    accept,
    close_code,
    close_payload,
    frame,
    masked_frame,
)

MAX = 1 << 17
MASK = b"\x37\xfa\x21\x3d"
HANDSHAKE = {
    "Host": "h",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Extensions": "permessage-deflate",
    "Sec-WebSocket-Protocol": "chat",
}


def handshake(line: str = "GET /v2/rtc/?EIO=4 HTTP/1.1", **changes: str | None) -> Request:
    fields = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    parser = Parser(Limits())
    (request,) = parser.feed(f"{line}\r\n{head}\r\n".encode())
    return request


def read(*parts: bytes, message_max: int = MAX, masked: bool = False) -> list[Message]:
    reader = FrameReader(message_max, masked)
    return [message for part in parts for message in reader.feed(part)]


def outcome(
    parts: Iterable[bytes], message_max: int = MAX, masked: bool = False
) -> tuple[list[Message], int]:
    """The messages of a stream and the code it is refused with; 0 when it is not."""
    reader = FrameReader(message_max, masked)
    messages: list[Message] = []
    try:
        for part in parts:
            messages += reader.feed(part)
    except WebsocketError as error:
        return messages, error.code
    return messages, 0


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def raw(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + rest


def test_the_handshake_of_the_specification() -> None:
    assert accept(handshake()) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (405, handshake("POST / HTTP/1.1")),
        (426, handshake(Upgrade=None)),
        (426, handshake(Upgrade="h2c")),
        (426, handshake(Connection="keep-alive")),
        (400, handshake("GET / HTTP/1.0")),
        (426, handshake(Sec_WebSocket_Version=None)),
        (426, handshake(Sec_WebSocket_Version="8")),
        (426, handshake(Sec_WebSocket_Version="13, 8")),
        (400, handshake(Sec_WebSocket_Key=None)),
        (400, handshake(Sec_WebSocket_Key="")),
        (400, handshake(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25j")),
        (400, handshake(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZSE=")),
        (400, handshake(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZ_==")),
        (400, handshake(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==")),
    ],
)
def test_handshakes_that_are_refused(status: int, request_: Request) -> None:
    with pytest.raises(HttpError) as refused:
        accept(request_)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x81\x05Hello", Message(TEXT, b"Hello")),
        (b"\x01\x03Hel\x80\x02lo", Message(TEXT, b"Hello")),
        (b"\x01\x00\x00\x00\x80\x00", Message(TEXT, b"")),
        (b"\x82\x02\xff\x00", Message(BINARY, b"\xff\x00")),
        (b"\x02\x01\xff\x80\x01\xfe", Message(BINARY, b"\xff\xfe")),
        (b"\x01\x02\xc3\xa9\x00\x01\xc3\x80\x01\xa9", Message(TEXT, "éé".encode())),
        (b"\x89\x05Hello", Message(PING, b"Hello")),
        (b"\x8a\x00", Message(PONG, b"")),
        (b"\x8a\x01\xff", Message(PONG, b"\xff")),
        (b"\x88\x00", Message(CLOSE, b"")),
        (b"\x88\x05\x03\xe8bye", Message(CLOSE, b"\x03\xe8bye")),
    ],
)
def test_forms(data: bytes, message: Message) -> None:
    assert read(data) == read(*bytewise(data)) == [message]


def test_the_masked_frame_of_the_specification() -> None:
    data = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    assert masked_frame(b"Hello", MASK) == data
    assert read(data, masked=True) == [Message(TEXT, b"Hello")]


def test_control_frames_come_between_fragments() -> None:
    data = b"\x01\x01a" + frame(b"1", PING) + b"\x00\x01b" + frame(b"2", PONG) + b"\x80\x01c"
    expected = [Message(PING, b"1"), Message(PONG, b"2"), Message(TEXT, b"abc")]
    assert read(data) == read(*bytewise(data)) == expected


@pytest.mark.parametrize(
    ("data", "is_between"),
    [
        (b"", True),
        (b"\x81", False),
        (b"\x81\x05Hell", False),
        (b"\x81\x05Hello", True),
        (b"\x01\x00", False),
        (b"\x01\x00\x89\x00", False),
        (b"\x01\x00\x80\x00", True),
        (b"\x88\x00", False),
    ],
)
def test_a_reader_knows_when_it_is_between_messages(data: bytes, is_between: bool) -> None:
    reader = FrameReader(MAX, masked=False)
    reader.feed(data)
    assert reader.is_between is is_between


def test_nothing_is_read_after_a_close() -> None:
    reader = FrameReader(MAX, masked=False)
    assert reader.feed(frame(b"", CLOSE) + b"\xff\xff" + frame(b"late")) == [Message(CLOSE, b"")]
    assert reader.feed(frame(b"later")) == []


def test_nothing_is_read_after_an_error() -> None:
    reader = FrameReader(MAX, masked=False)
    with pytest.raises(WebsocketError):
        reader.feed(b"\xff")
        reader.feed(b"\xff")
    assert reader.feed(frame(b"late")) == []


REFUSED = {
    "first reserved bit": (1002, raw(0xC1, 0)),
    "second reserved bit": (1002, raw(0xA1, 0)),
    "third reserved bit": (1002, raw(0x91, 0)),
    "reserved bit on a control frame": (1002, raw(0xC9, 0)),
    **{f"opcode {code}": (1002, raw(0x80 | code, 0)) for code in (3, 4, 5, 6, 7)},
    **{f"opcode {code}": (1002, raw(0x80 | code, 0)) for code in (11, 12, 13, 14, 15)},
    "masked by a server": (1002, masked_frame(b"a", MASK)),
    "ping in fragments": (1002, raw(0x09, 0)),
    "close in fragments": (1002, raw(0x08, 0)),
    "ping of 126 bytes": (1002, raw(0x89, 126, b"\x00\x7e")),
    "pong with a long length": (1002, raw(0x8A, 127)),
    "continuation without a start": (1002, raw(0x80, 0)),
    "continuation after the end": (1002, b"\x01\x00\x80\x00\x80\x00"),
    "text inside a text": (1002, b"\x01\x00\x81\x00"),
    "binary inside a text": (1002, b"\x01\x00\x02\x00"),
    "125 in two bytes": (1002, raw(0x81, 126, b"\x00\x7d")),
    "65535 in eight bytes": (1002, raw(0x81, 127, bytes(6) + b"\xff\xff")),
    "a length of 64 bits": (1002, raw(0x81, 127, b"\x80" + bytes(7))),
    "too long": (1009, raw(0x81, 127, (MAX + 1).to_bytes(8, "big"))),
    "far too long": (1009, raw(0x82, 127, b"\x7f" + bytes(7))),
    "too long in sum": (1009, b"\x01\x01a" + raw(0x80, 127, MAX.to_bytes(8, "big"))),
    "too many fragments": (1009, b"\x01\x00" + b"\x00\x00" * 1023 + b"\x00\x00"),
    "bad UTF-8": (1007, b"\x81\x01\xff"),
    "half a character": (1007, frame("é".encode()[:1])),
    "a surrogate": (1007, frame(b"\xed\xa0\x80")),
    "bad UTF-8 in fragments": (1007, b"\x01\x01\xc3\x80\x01\xc3"),
    "close of one byte": (1002, raw(0x88, 1, b"\x03")),
    "close with bad UTF-8": (1007, raw(0x88, 3, b"\x03\xe8\xff")),
    **{
        f"close code {code}": (1002, frame(code.to_bytes(2, "big"), CLOSE))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
}


@pytest.mark.parametrize(("code", "data"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(code: int, data: bytes) -> None:
    before = frame(b"before")
    assert outcome([before, data]) == ([Message(TEXT, b"before")], code)
    messages, found = outcome(bytewise(before + data))
    assert (messages[0], found) == (Message(TEXT, b"before"), code)
    assert outcome([before + data]) == ([], code)


def test_a_client_that_does_not_mask_is_refused() -> None:
    assert outcome([frame(b"a")], masked=True) == ([], 1002)


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_close_codes_that_are_sent(code: int) -> None:
    (message,) = read(frame(close_payload(code, "why"), CLOSE))
    assert close_code(message.data) == (code, "why")


def test_a_close_may_say_nothing() -> None:
    assert close_code(b"") == (None, "")


def test_a_long_reason_is_cut_between_characters() -> None:
    payload = close_payload(1000, "é" * 100)
    assert close_code(payload) == (1000, "é" * 61)
    assert len(payload) == 124


LENGTHS = (0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537)


@pytest.mark.parametrize("size", LENGTHS)
def test_what_is_written_is_read(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    assert read(frame(payload, BINARY)) == [Message(BINARY, payload)]
    assert read(masked_frame(payload, MASK, BINARY), masked=True) == [Message(BINARY, payload)]


@pytest.mark.parametrize(("size", "head"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_lengths_take_their_shortest_form(size: int, head: int) -> None:
    assert len(frame(bytes(size))) == head + size
    assert len(masked_frame(bytes(size), MASK)) == head + 4 + size


def test_the_longest_message_passes() -> None:
    assert outcome([b"\x02\x01a", frame(b"", PING), raw(0x80, 9, bytes(9))], 10)[1] == 0
    assert outcome([frame(bytes(10), BINARY)], 10)[1] == 0
    assert outcome([frame(bytes(11), BINARY)], 10)[1] == 1009
    assert outcome([frame(bytes(100), PING)], 10)[1] == 0, "control frames have their own limit"


def test_a_stream_of_single_bytes_is_held_in_little() -> None:
    reader = FrameReader(MAX, masked=False)
    for byte in bytewise(frame(bytes(100_000), BINARY))[:-1]:
        assert reader.feed(byte) == []
    assert sys.getsizeof(reader._held) < 2 * 100_000


def test_an_idle_reader_holds_no_buffer() -> None:
    reader = FrameReader(MAX, masked=True)
    for part in bytewise(masked_frame(b"a" * 300, MASK)):
        reader.feed(part)
    held = [getattr(reader, name) for name in FrameReader.__slots__]
    assert not any(isinstance(value, bytearray) for value in held)
    assert sys.getsizeof(reader) <= 128


Writer = Callable[[bytes, int], bytes]


def _masked(payload: bytes, opcode: int) -> bytes:
    return masked_frame(payload, MASK, opcode)


def _in_two(write: Writer, first: bytes, second: bytes) -> bytes:
    """A text in two fragments, and a ping between them."""
    return bytes((TEXT,)) + write(first, TEXT)[1:] + write(b"", PING) + write(second, 0)


def streams(write: Writer) -> st.SearchStrategy[bytes]:
    """Frames that may follow each other, mostly."""
    texts = st.text(max_size=40).map(str.encode)
    kinds = st.sampled_from((TEXT, BINARY))
    frames = st.one_of(
        st.builds(write, texts, kinds),
        st.builds(write, texts.map(lambda text: text * 20), kinds),
        st.builds(write, texts.map(lambda text: text[:125]), st.sampled_from((PING, PONG))),
        st.builds(_in_two, st.just(write), texts, st.binary(max_size=3) | texts),
        st.binary(max_size=12),
    )
    return st.lists(frames, max_size=6).map(b"".join)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(st.data(), st.booleans(), st.lists(st.integers(0, 1 << 16), max_size=8))
def test_the_cuts_of_a_stream_do_not_matter(
    data: st.DataObject, masked: bool, cuts: list[int]
) -> None:
    stream = data.draw(streams(_masked if masked else frame))
    messages, code = outcome(bytewise(stream), 600, masked)
    for parts in ([stream], cut(stream, cuts)):
        found, its_code = outcome(parts, 600, masked)
        assert its_code == code
        if code:
            assert found == messages[: len(found)], "an error loses what came just before it"
        else:
            assert found == messages


@given(
    st.one_of(
        st.binary(max_size=300),
        st.integers(124, 128).map(bytes),
        st.integers(65_533, 65_538).map(bytes),
    ),
    st.binary(min_size=4, max_size=4),
    st.sampled_from((BINARY, PONG)),
)
def test_round_trips(payload: bytes, mask: bytes, opcode: int) -> None:
    if opcode == PONG:
        payload = payload[:125]
    expected = [Message(opcode, payload)]
    assert read(frame(payload, opcode)) == expected
    assert read(masked_frame(payload, mask, opcode), masked=True) == expected


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_random_bytes_are_read_or_refused(parts: list[bytes], masked: bool) -> None:
    messages, code = outcome(parts, 1000, masked)
    assert code in (0, 1002, 1007, 1009)
    assert all(type(message.data) is bytes for message in messages)


@given(st.integers(0, 65_535), st.text())
def test_what_a_close_says_is_read_back(code: int, reason: str) -> None:
    payload = close_payload(code, reason)
    assert len(payload) <= 125
    found, said = close_code(payload)
    assert found == code
    assert reason.startswith(said)
