"""How a client opens a websocket: its request, and every answer that is none."""

import pytest

from tertulia.protocols.http1 import Limits
from tertulia.protocols.http1_parser import Parser
from tertulia.protocols.websocket import accept, frame
from tertulia.protocols.websocket_client import HEAD_MAX, NotOpened, Opening

NONCE = b"the sample nonce"
"""That of RFC 6455 1.3, and what has to be answered to it."""
PROOF = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def opening(**headers: str) -> Opening:
    return Opening("h:8080", "/bot?a=1", NONCE, headers)


def answer(status: bytes = b"HTTP/1.1 101 Switching Protocols", **changes: bytes | None) -> bytes:
    fields: dict[str, bytes | None] = {
        "Upgrade": b"websocket", "Connection": b"Upgrade", "Sec_WebSocket_Accept": PROOF,
    }  # fmt: skip
    lines = [
        name.replace("_", "-").encode() + b": " + value
        for name, value in {**fields, **changes}.items()
        if value is not None
    ]
    return b"\r\n".join((status, *lines, b"", b""))


def test_our_own_server_takes_the_request() -> None:
    asked = opening(Authorization="Bearer x")
    (request,) = Parser(Limits()).feed(asked.request)
    assert (request.method, request.headers["host"]) == ("GET", "h:8080")
    assert request.headers["authorization"] == "Bearer x"
    assert asked.feed(accept(request)) == b""


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_follows_the_answer_is_kept(step: int) -> None:
    asked, data = opening(), answer() + frame(b"hello")
    rest = [asked.feed(data[at : at + step]) for at in range(0, len(answer()), step)]
    assert set(rest[:-1]) <= {None}
    assert rest[-1] == data[len(answer()) :][: len(rest) * step - len(answer())]


@pytest.mark.parametrize(
    "data",
    [
        answer(Upgrade=b"WebSocket", Connection=b"keep-alive, Upgrade"),
        answer(b"HTTP/1.1 101"),
        answer(Server=b"caf\xe9", Date=b""),
    ],
)
def test_forms_that_are_taken(data: bytes) -> None:
    assert opening().feed(data) == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (answer(b"HTTP/1.1 302 Found", Location=b"http://10.0.0.1/"), "answered 302"),
        (answer(b"HTTP/1.1 200 OK"), "answered 200"),
        (answer(b"HTTP/2 101"), "not HTTP"),
        (answer(b"SSH-2.0-OpenSSH"), "not HTTP"),
        (b"\x00\xff\r\n\r\n", "not HTTP"),
        (answer(Upgrade=None), "another protocol"),
        (answer(Upgrade=b"h2c"), "another protocol"),
        (answer(Connection=b"close"), "another protocol"),
        (answer(Sec_WebSocket_Accept=None), "the key"),
        (answer(Sec_WebSocket_Accept=b"AAAA"), "the key"),
        (answer(Sec_WebSocket_Accept=PROOF + b"\r\nSec-WebSocket-Accept: " + PROOF), "the key"),
        (answer(Sec_WebSocket_Extensions=b"permessage-deflate"), "not offered"),
        (answer(Sec_WebSocket_Protocol=b"chat"), "not offered"),
        (answer(X=b"1\r\nno colon"), "not HTTP"),
        (answer(X=b"1\r\n : folded"), "not HTTP"),
        (b"HTTP/1.1 101 x\r\n" + b"a: b\r\n" * HEAD_MAX, "too long"),
        (b"x" * (HEAD_MAX + 1), "too long"),
    ],
)
def test_answers_that_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(NotOpened, match=reason):
        opening().feed(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nY: b"),
        ("X", "a\nb"),
        ("X", "\0"),
        ("X", "\u20ac"),
        ("X Y", "a"),
        ("", "a"),
        ("X:", "a"),
        ("Host", "elsewhere"),
        ("UPGRADE", "h2c"),
        ("Sec-WebSocket-Key", "a"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_headers_that_are_not_sent(name: str, value: str) -> None:
    with pytest.raises(ValueError):
        Opening("h", "/", NONCE, {name: value})
