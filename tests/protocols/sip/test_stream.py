from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.sip.messages import INVITE, OK, torture

from tertulia.protocols.sip.message import BadMessage, Request, Response
from tertulia.protocols.sip.parser import Limits
from tertulia.protocols.sip.stream import PING, KeepAlive, Stream

BAD = INVITE.replace(b"Max-Forwards: 70", b"Max-Forwards: x")


def encoded(items: list[Request | Response | BadMessage | KeepAlive]) -> list[bytes | int]:
    found: list[bytes | int] = []
    for item in items:
        if isinstance(item, BadMessage):
            found.append(item.status)
        elif not isinstance(item, KeepAlive):
            found.append(item.encode())
    return found


@given(st.lists(st.integers(0, 2000), max_size=12))
def test_messages_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    data = INVITE + OK + b"\r\n\r\n" + BAD + INVITE + OK
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    stream = Stream()
    items = [item for start, end in pairwise(edges) for item in stream.feed(data[start:end])]
    assert encoded(items) == [INVITE, OK, 400, INVITE, OK]
    assert not stream.broken and not stream.waiting


def test_byte_by_byte() -> None:
    stream = Stream()
    items = [item for byte in INVITE + OK for item in stream.feed(bytes([byte]))]
    assert encoded(items) == [INVITE, OK]


def test_keep_alives() -> None:
    stream = Stream()
    assert stream.feed(b"\r\n\r\n") == [KeepAlive.PING]
    assert stream.feed(b"\r\n") == [KeepAlive.PONG]
    assert stream.feed(b"\r\n\r\n\r\n") == [KeepAlive.PING, KeepAlive.PONG]
    assert stream.feed(b"\r") == []
    assert stream.feed(b"\n") == [KeepAlive.PONG]
    (ping, message) = stream.feed(b"\r\n\r\n" + OK)
    assert ping is KeepAlive.PING and isinstance(message, Response)


def test_what_is_refused_does_not_end_the_stream_where_its_end_is_known() -> None:
    stream = Stream()
    bad, good = stream.feed(BAD + OK)
    assert isinstance(bad, BadMessage) and bad.request is not None
    assert isinstance(good, Response) and not stream.broken


@pytest.mark.parametrize(
    ("data", "status", "answered"),
    [
        (INVITE.replace(b"Content-Length: 136\r\n", b""), 400, True),
        (INVITE.replace(b"Content-Length: 136", b"Content-Length: -1"), 400, True),
        (INVITE.replace(b"Content-Length: 136", b"Content-Length: 99999999"), 513, True),
        (torture("mcl01"), 400, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, False),
        (b"\x16\x03\x01 hello\r\n\r\n", 400, False),
        (b"x" * 70_000, 513, False),
        (INVITE.replace(b"X-Account: 42", b"X-Account: " + b"4" * 70_000), 513, False),
    ],
)
def test_what_ends_the_stream(data: bytes, status: int, answered: bool) -> None:
    stream = Stream()
    (bad,) = stream.feed(data + OK)
    assert isinstance(bad, BadMessage)
    assert (bad.status, bad.request is not None) == (status, answered)
    assert stream.broken
    assert stream.feed(OK) == []


def test_a_message_that_is_not_complete_is_waited_for() -> None:
    stream = Stream(Limits(message=2000))
    assert not stream.waiting
    assert stream.feed(INVITE[:100]) == []
    assert stream.waiting
    assert stream.feed(INVITE[100:-1]) == []
    assert stream.waiting
    assert encoded(stream.feed(INVITE[-1:])) == [INVITE]
    assert not stream.waiting


def test_the_first_blank_line_ends_a_head_whatever_its_line_ends() -> None:
    """Also when more of them are in the body: where a message ends does not hang on the cuts."""
    data = OK.replace(b"0\r\n\r\n", b"4\n\r\n") + b"\r\n\r\n"
    assert [item.body for item in Stream().feed(data) if isinstance(item, Response)] == [PING]
    stream = Stream()
    items = [item for byte in data + OK for item in stream.feed(bytes([byte]))]
    assert [item.body for item in items if isinstance(item, Response)] == [PING, b""]


def test_many_messages_at_once_take_linear_time() -> None:
    assert len(Stream().feed(OK * 2000)) == 2000
